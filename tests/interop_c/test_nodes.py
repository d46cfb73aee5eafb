"""What a C stack finds, reads and decodes: every node of a machine, held against what is documented."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.interop.documented import (
    ANY,
    BAD,
    DATA_TYPES,
    LISTS,
    OBJECTS,
    OURS,
    RANGES,
    UNITS,
    VARIABLES,
    WAYS,
    WIRE,
)
from tests.interop.shop import Shop, node

from .c_client import CClient, CValue, RefusedError, status_name

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

MACHINES = "ns=4;i=1001"
HIERARCHICAL, HAS_TYPE_DEFINITION = "i=33", "i=40"
OBJECT, VARIABLE, METHOD = 1, 2, 4
BUILT_IN = {"Boolean": 1, "UInt16": 5, "Int32": 6, "UInt32": 7, "Int64": 8, "Double": 11, "String": 12, "DateTime": 13,
            "NodeId": 17, "LocalizedText": 21, "ExtensionObject": 22}  # fmt: skip
NODE_ID, NODE_CLASS, BROWSE_NAME, DISPLAY_NAME, DESCRIPTION, WRITE_MASK, USER_WRITE_MASK = range(1, 8)
EVENT_NOTIFIER, VALUE, DATA_TYPE, VALUE_RANK, ARRAY_DIMENSIONS, ACCESS_LEVEL, USER_ACCESS_LEVEL = range(12, 19)
EXECUTABLE, USER_EXECUTABLE = 21, 22
_EVERY = {NODE_ID, NODE_CLASS, BROWSE_NAME, DISPLAY_NAME}
_ANY = {DESCRIPTION, WRITE_MASK, USER_WRITE_MASK, 24, 25, 26}  # roles and access restrictions
MANDATORY = {
    OBJECT: _EVERY | {EVENT_NOTIFIER},
    VARIABLE: _EVERY | {DATA_TYPE, VALUE_RANK, ACCESS_LEVEL, USER_ACCESS_LEVEL, 20},  # 20: Historizing
    METHOD: _EVERY | {EXECUTABLE, USER_EXECUTABLE},
}
OPTIONAL = {OBJECT: _ANY, VARIABLE: _ANY | {VALUE, ARRAY_DIMENSIONS, 19, 27}, METHOD: _ANY}
CONSTANT = {"EngineeringUnits", "EURange", "InputArguments", "OutputArguments"}


async def browse(mes: CClient, *node_ids: str, **more: Any) -> list[dict[str, Any]]:
    """The results for these nodes: all fields of the hierarchical references, forward."""
    description = {"ReferenceTypeId": HIERARCHICAL, "IncludeSubtypes": True, "ResultMask": 63}
    nodes = [description | {"NodeId": node_id} for node_id in node_ids]
    return list((await mes.ask("Browse", NodesToBrowse=nodes, **more))["Results"])


async def tree(mes: CClient, machine: str) -> dict[str, dict[str, Any]]:
    """Everything below a machine by path; one request for each level."""
    found: dict[str, dict[str, Any]] = {}
    level = [node(machine)]
    while level:
        below = []
        for result in await browse(mes, *level):
            assert status_name(result["StatusCode"]) == "Good"
            for reference in result["References"]:
                path = reference["NodeId"].removeprefix(node(f"{machine}/"))
                if path != reference["NodeId"] and path not in found:
                    found[path] = reference
                    below.append(reference["NodeId"])
        level = below
    return found


def full(node_id: str) -> str:
    """With its namespace, which open62541 leaves out if it is 0."""
    return node_id if node_id.startswith("ns=") else f"ns=0;{node_id}"


def same(told: CValue, expected: Any) -> bool:
    """A JSON value, and what documented.py has of it; what is empty in a text may be left out."""
    if isinstance(expected, dict):
        filled = {key.lower(): value for key, value in told.value.items() if value}
        return filled == {key: value for key, value in expected.items() if value}
    return bool((int(told.value) if told.type == BUILT_IN["Int64"] else told.value) == expected)


async def test_the_machines_are_found(mes: CClient) -> None:
    [result] = await browse(mes, MACHINES)
    machines = [reference for reference in result["References"] if reference["NodeClass"] == OBJECT]
    assert {reference["NodeId"]: reference["DisplayName"]["Text"] for reference in machines} == {
        node("printing"): "Printing Ä",
        node("idle"): "Idle",
        node("unplugged"): "Unplugged",
        node("locked"): "Locked",
        node("missing"): "Missing",
    }
    assert {reference["TypeDefinition"] for reference in machines} == {OBJECTS[""]}


async def test_the_whole_tree_of_a_machine_is_as_documented(mes: CClient) -> None:
    found = await tree(mes, "printing")
    variables = {path for path, told in found.items() if told["NodeClass"] == VARIABLE}
    assert {path for path in variables if path.rpartition("/")[2] not in CONSTANT} == set(VARIABLES)
    objects = {path: full(told["TypeDefinition"]) for path, told in found.items() if told["NodeClass"] == OBJECT}
    assert objects == {path: type_ for path, type_ in OBJECTS.items() if path}


async def test_every_variable_has_the_documented_type_and_value(mes: CClient) -> None:
    ids = [node(f"printing/{path}") for path in VARIABLES]
    for (path, (data_type, _, expected)), told in zip(VARIABLES.items(), await mes.read(*ids), strict=True):
        bad = isinstance(expected, str) and expected in BAD
        assert told.status == (expected if bad else "Good"), path
        assert told.server_timestamp is not None, path
        if bad:
            assert (told.type, told.value) == (0, None), path
            continue
        empty_list = told.value == [] and path in LISTS
        assert told.type == BUILT_IN[WIRE[data_type]] or (empty_list and WIRE[data_type] == "ExtensionObject"), path
        assert isinstance(told.value, list) == (path in LISTS), path
        assert expected is ANY or same(told, expected), path


async def test_every_attribute_of_every_node_is_read(mes: CClient) -> None:
    found = await tree(mes, "printing")
    ids = [told["NodeId"] for told in found.values()]
    assert [told.value for told in await mes.read(*ids, attribute=NODE_ID)] == ids
    for attribute, name in ((NODE_CLASS, "NodeClass"), (BROWSE_NAME, "BrowseName"), (DISPLAY_NAME, "DisplayName")):
        values = [told.value for told in await mes.read(*ids, attribute=attribute)]
        assert values == [told[name] for told in found.values()]
    for attribute in (WRITE_MASK, USER_WRITE_MASK):
        assert {told.value for told in await mes.read(*ids, attribute=attribute)} == {0}
    for attribute in range(1, 28):
        answers = await mes.read(*ids, attribute=attribute)
        for (path, reference), told in zip(found.items(), answers, strict=True):
            if attribute in MANDATORY[reference["NodeClass"]]:
                assert told.status == "Good", (path, attribute)
            elif attribute in OPTIONAL[reference["NodeClass"]]:
                assert told.status in {"Good", "BadAttributeIdInvalid", *BAD}, (path, attribute)
            else:
                assert told.status == "BadAttributeIdInvalid", (path, attribute)


async def test_attributes_of_the_variables_fit_and_none_can_be_written(mes: CClient) -> None:
    ids = [node(f"printing/{path}") for path in VARIABLES]
    types = [DATA_TYPES[full(told.value)][0] for told in await mes.read(*ids, attribute=DATA_TYPE)]
    assert types == [data_type for data_type, _, _ in VARIABLES.values()]
    for attribute in (ACCESS_LEVEL, USER_ACCESS_LEVEL):
        current_read = 1
        assert {told.value for told in await mes.read(*ids, attribute=attribute)} == {current_read}
    ours = [node(f"printing/{path}") for path in VARIABLES if path.startswith(OURS)]
    assert all(told.value["Text"] for told in await mes.read(*ours, attribute=DESCRIPTION))
    value = {"Value": {"Type": 12, "Body": "Idle"}}
    write = [{"NodeId": node("printing/MesStatus"), "AttributeId": VALUE, "Value": value}]
    [refused] = (await mes.ask("Write", NodesToWrite=write))["Results"]
    assert status_name(refused) in {"BadUserAccessDenied", "BadNotWritable"}
    [told] = await mes.read(node("printing/MesStatus"))
    assert told.value == "Running"


async def test_units_and_ranges_are_decoded_as_structures(mes: CClient) -> None:
    units = {path: unit for path, (_, unit, _) in VARIABLES.items() if unit is not None}
    for told, unit in zip(
        await mes.read(*(node(f"printing/{path}/EngineeringUnits") for path in units)), units.values(), strict=True
    ):
        assert told.value["TypeId"] == "i=887"
        assert told.value["Body"]["UnitId"] == UNITS[unit]
        assert told.value["Body"]["DisplayName"]["Text"] == unit
    ranges = await mes.read(*(node(f"printing/{path}/EURange") for path in RANGES))
    assert [told.value["Body"] for told in ranges] == [{"Low": low, "High": high} for low, high in RANGES.values()]


async def test_times_are_utc(mes: CClient) -> None:
    [start, seen] = await mes.read(node("printing/Job/StartTime"), node("printing/Source/LastSeen"))
    now = datetime.now(UTC)
    assert timedelta(0) < now - datetime.fromisoformat(seen.value) < timedelta(seconds=10)
    assert timedelta(seconds=150) < now - datetime.fromisoformat(start.value) < timedelta(seconds=240)  # 150 s elapsed
    for told in (start, seen):
        assert told.server_timestamp is not None
        assert told.source_timestamp is not None


async def test_a_value_that_is_not_had_has_a_reason(mes: CClient) -> None:
    told = await mes.read(node("locked/Source/State"), node("missing/Source/State"), node("nobody/MesStatus"))
    assert [value.status for value in told] == [
        "BadUserAccessDenied",
        "BadWaitingForInitialData",
        "BadNodeIdUnknown",
    ]
    assert [value.type for value in told] == [0, 0, 0]


# --- ways, registrations, continuation ---


def relative(way: str) -> list[dict[str, Any]]:
    """``4:Machines/13:printing`` as the elements of a RelativePath."""
    names = [step.split(":") for step in way.split("/")]
    return [
        {
            "ReferenceTypeId": HIERARCHICAL,
            "IncludeSubtypes": True,
            "TargetName": {"Uri": int(namespace), "Name": name},
        }
        for namespace, name in names
    ]


async def translate(mes: CClient, start: str, *ways: str) -> list[tuple[str, list[str]]]:
    """The status of each way, and where it leads."""
    paths = [{"StartingNode": start, "RelativePath": {"Elements": relative(way)}} for way in ways]
    results = (await mes.ask("TranslateBrowsePathsToNodeIds", BrowsePaths=paths))["Results"]
    return [
        (status_name(result["StatusCode"]), [target["TargetId"] for target in result["Targets"]]) for result in results
    ]


async def test_every_way_of_the_specifications_leads_to_one_node(mes: CClient) -> None:
    for way, (status, targets) in zip(WAYS, await translate(mes, node("printing"), *WAYS), strict=True):
        assert (status, len(targets)) == ("Good", 1), way
    told = await translate(
        mes, "i=85", "4:Machines/13:printing/12:Job/12:Progress", "4:Machines/13:printing/12:Job/12:Nothing"
    )
    assert told == [("Good", [node("printing/Job/Progress")]), ("BadNoMatch", [])]


async def test_registered_nodes_are_read_like_others(mes: CClient) -> None:
    ids = [node("printing/MesStatus"), node("idle/MesStatus")]
    registered = (await mes.ask("RegisterNodes", NodesToRegister=ids))["RegisteredNodeIds"]
    assert [told.value for told in await mes.read(*registered)] == ["Running", "Idle"]
    assert await mes.ask("UnregisterNodes", NodesToUnregister=registered) == {}


@pytest.mark.parametrize("most", [1, 3, 1000])
async def test_references_come_in_portions(mes: CClient, most: int) -> None:
    [whole] = await browse(mes, node("printing"))
    [result] = await browse(mes, node("printing"), RequestedMaxReferencesPerNode=most)
    found, points = list(result["References"]), [result["ContinuationPoint"]]
    while points[-1]:
        assert len(result["References"]) == most
        asked = {"ReleaseContinuationPoints": False, "ContinuationPoints": [points[-1]]}
        [result] = (await mes.ask("BrowseNext", **asked))["Results"]
        assert status_name(result["StatusCode"]) == "Good"
        found += result["References"]
        points.append(result["ContinuationPoint"])
    assert found == whole["References"]
    if len(points) > 1:
        used = {"ReleaseContinuationPoints": False, "ContinuationPoints": [points[0]]}
        [result] = (await mes.ask("BrowseNext", **used))["Results"]
        assert status_name(result["StatusCode"]) == "BadContinuationPointInvalid"


# --- much at once ---


async def test_many_reads_at_once_are_all_answered(mes: CClient) -> None:
    nodes = [{"NodeId": node(f"printing/{path}"), "AttributeId": VALUE} for path in VARIABLES]
    responses = await mes.many(200, "Read", NodesToRead=nodes)
    assert len(responses) == 200
    for response in responses:
        assert len(response["Results"]) == len(VARIABLES)
        assert response["Results"][0]["Value"]["Body"] == "Running"


async def test_an_answer_of_many_chunks_is_put_together(mes: CClient) -> None:
    nodes = [{"NodeId": node("printing/Job/FileName"), "AttributeId": VALUE}] * 10_000
    response = await mes.ask("Read", NodesToRead=nodes)
    names = {told["Value"]["Body"] for told in response["Results"]}
    assert (len(response["Results"]), names) == (10_000, {VARIABLES["Job/FileName"][2]})


async def test_a_request_for_too_many_nodes_is_refused_and_the_session_goes_on(mes: CClient) -> None:
    nodes = [{"NodeId": "i=2258", "AttributeId": VALUE}] * 10_001
    with pytest.raises(RefusedError, match="BadTooManyOperations"):
        await mes.ask("Read", NodesToRead=nodes)
    assert (await mes.read(node("printing/MesStatus")))[0].value == "Running"


async def test_a_request_that_is_too_long_is_refused_and_another_session_is_had(shop: Shop, mes: CClient) -> None:
    long = {"NodeId": f"ns=13;s={'x' * 3000}", "AttributeId": VALUE}
    with pytest.raises(RefusedError) as refused:
        await mes.ask("Read", NodesToRead=[long] * 500)  # 1.5 MB
    assert str(refused.value) == "BadRequestTooLarge"
    assert "the request is too large" in shop.agent.log
    async with asyncio.timeout(10):
        while not await _answers(mes):  # noqa: ASYNC110 - a client can only try
            await asyncio.sleep(0.1)
    assert (await mes.read(node("printing/MesStatus")))[0].value == "Running"


async def _answers(mes: CClient) -> bool:
    with suppress(RefusedError):
        return bool(await mes.read("i=2258"))
    return False
