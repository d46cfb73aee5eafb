"""What we serve, judged by somebody else's client: node-opcua, which shares no line with asyncua."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.double import KEY, OctoPrintDouble
from tests.integration.agent import PASSWORD, AgentProcess, machine

from .documented import (
    ANALOG_UNIT_RANGE_TYPE,
    ANALOG_UNIT_TYPE,
    ANY,
    BAD,
    BASE_DATA_VARIABLE_TYPE,
    DATA_TYPES,
    EU_INFORMATION,
    FOLDER_TYPE,
    LISTS,
    OBJECT_TYPE,
    OBJECTS,
    OURS,
    PROPERTY_TYPE,
    RANGE,
    RANGES,
    UNITS,
    VARIABLES,
    WIRE,
)
from .node_client import NodeClient, NodeValue, RefusedError
from .shop import POLICIES, Shop, log_in, node, url

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

MACHINES = "ns=4;i=1001"
CONSTANT = {"EngineeringUnits", "EURange", "InputArguments", "OutputArguments"}


async def below(client: NodeClient, start: str) -> dict[str, dict[str, Any]]:
    """Everything below a machine's node, by path; what several places share is there once."""
    found: dict[str, dict[str, Any]] = {}

    async def look(node_id: str) -> None:
        for child in await client.command("browse", nodeId=node_id):
            path = child["nodeId"].removeprefix(node(f"{start}/"))
            if path != child["nodeId"] and path not in found:
                found[path] = child
                await look(child["nodeId"])

    await look(node(start))
    return found


async def test_three_encrypted_endpoints_are_offered_to_users_with_a_password_and_nothing_else(
    shop: Shop, client: NodeClient
) -> None:
    offered = await client.command("endpoints", url=url(shop.agent))
    assert [endpoint["policy"] for endpoint in offered] == POLICIES
    for endpoint in offered:
        assert endpoint["url"] == url(shop.agent)
        assert endpoint["mode"] == "SignAndEncrypt"
        assert endpoint["tokens"] == ["UserName"]
        assert endpoint["transport"] == "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
        assert endpoint["applicationUri"].startswith("urn:edge-agent:")
        assert (endpoint["applicationName"], endpoint["applicationType"]) == ("edge-agent", "Server")
        assert endpoint["certificateBytes"] > 0


@pytest.mark.parametrize("policy", POLICIES)
async def test_only_the_right_password_gets_in_over_each_policy(shop: Shop, client: NodeClient, policy: str) -> None:
    for user, password in (("reader", "wrong"), ("reader", ""), ("admin", PASSWORD), ("admin", "")):
        with pytest.raises(RefusedError, match="BadUserAccessDenied"):
            await log_in(client, shop.agent, policy, user=user, password=password)
    with pytest.raises(RefusedError, match="ANONYMOUS"):
        await log_in(client, shop.agent, policy, user="")
    await log_in(client, shop.agent, policy)
    [status] = await client.read(node("printing/MesStatus"))
    assert status.value == "Running"
    await client.command("disconnect")


async def test_no_session_is_had_without_encryption(shop: Shop, client: NodeClient) -> None:
    for credentials in ({}, {"user": "reader", "password": PASSWORD}):
        with pytest.raises(RefusedError, match="End point must exist"):
            await client.command("connect", url=url(shop.agent), policy="None", mode="None", **credentials)


async def test_node_opcua_has_nothing_to_complain_of_in_our_limits(mes: NodeClient) -> None:
    assert "is not big enough" not in mes.log


async def test_the_machines_are_found_by_browsing(mes: NodeClient) -> None:
    objects = {child["nodeId"]: child for child in await mes.command("browse", nodeId="i=85")}
    assert objects[MACHINES]["browseName"] == {"namespaceIndex": 4, "name": "Machines"}
    assert objects[MACHINES]["typeDefinition"] == FOLDER_TYPE
    assert objects[node("Agent")]["typeDefinition"] == OBJECT_TYPE
    found = [child for child in await mes.command("browse", nodeId=MACHINES) if child["nodeClass"] == "Object"]
    assert {child["nodeId"]: child["displayName"] for child in found} == {
        node("printing"): "Printing Ä",
        node("idle"): "Idle",
        node("unplugged"): "Unplugged",
        node("locked"): "Locked",
        node("missing"): "Missing",
    }
    for child in found:
        assert child["typeDefinition"] == OBJECTS[""]
        assert node(child["browseName"]["name"]) == child["nodeId"]


async def test_a_path_of_browse_names_leads_to_a_value(mes: NodeClient) -> None:
    way = "/4:Machines/13:printing/12:Job/12:Progress"
    assert await mes.command("translate", start="i=85", path=way) == {
        "statusCode": "Good",
        "targets": [node("printing/Job/Progress")],
    }
    assert (await mes.command("translate", start="i=85", path=f"{way}/0:EURange"))["statusCode"] == "Good"
    assert (await mes.command("translate", start="i=85", path=f"{way}/12:Nothing"))["statusCode"] == "BadNoMatch"


async def test_every_variable_of_a_machine_is_as_documented(mes: NodeClient) -> None:
    found = await below(mes, "printing")
    variables = {path for path, child in found.items() if child["nodeClass"] == "Variable"}
    assert {path for path in variables if path.rpartition("/")[2] not in CONSTANT} == set(VARIABLES)
    ids = [node(f"printing/{path}") for path in VARIABLES]
    values = await mes.read(*ids)
    for (path, (data_type, _, expected)), told in zip(VARIABLES.items(), values, strict=True):
        bad = isinstance(expected, str) and expected in BAD
        assert told.status_code == (expected if bad else "Good"), path
        assert told.data_type == ("Null" if bad else WIRE[data_type]), path
        assert expected is ANY or told.value == (None if bad else expected), path
        assert told.server_timestamp is not None, path
        assert told.is_array == (path in LISTS), path


async def test_a_value_that_is_seen_has_the_time_it_was_seen(mes: NodeClient) -> None:
    constant = {"Category", "SignalTag", "SignalColor", "NumberInList", "StacklightMode"}
    for path in VARIABLES:
        if path.rpartition("/")[2] not in constant and "JobOrderControl" not in path and "SignalMode" not in path:
            [told] = await mes.read(node(f"printing/{path}"))
            assert told.source_timestamp is not None, path


async def test_every_object_of_a_machine_has_the_documented_type(mes: NodeClient) -> None:
    found = {path: child["typeDefinition"] for path, child in (await below(mes, "printing")).items()
             if child["nodeClass"] == "Object"}  # fmt: skip
    assert found == {path: type_ for path, type_ in OBJECTS.items() if path}


async def test_the_attributes_of_every_variable_fit_its_value_and_none_can_be_written(mes: NodeClient) -> None:
    ids = [node(f"printing/{path}") for path in VARIABLES]
    data_types = [DATA_TYPES[data_type][0] for data_type in await mes.attributes("DataType", *ids)]
    assert data_types == [data_type for data_type, _, _ in VARIABLES.values()]
    ranks = await mes.attributes("ValueRank", *ids)
    scalar, any_rank = -1, -2  # the latter is what PADIM declares of its signals
    for path, rank in zip(VARIABLES, ranks, strict=True):
        assert rank == 1 if path in LISTS else rank in {scalar, any_rank}, path
    current_read = 1
    assert set(await mes.attributes("AccessLevel", *ids)) == {current_read}
    assert set(await mes.attributes("UserAccessLevel", *ids)) == {current_read}
    ours = [node_id for path, node_id in zip(VARIABLES, ids, strict=True) if path.startswith(OURS)]
    for description in await mes.attributes("Description", *ours):
        assert description["text"]


async def test_units_are_decoded_as_engineering_units_and_ranges_as_ranges(mes: NodeClient) -> None:
    found = await below(mes, "printing")
    for path, (_, unit, _) in VARIABLES.items():
        constants = {name for name in ("EngineeringUnits", "EURange") if f"{path}/{name}" in found}
        wanted = {"EngineeringUnits": unit is not None, "EURange": path in RANGES}
        assert constants == {name for name, there in wanted.items() if there}, path
        if path.startswith(OURS):
            assert found[path]["typeDefinition"] == _type_definition(path, unit), path
        for name in constants:
            child = found[f"{path}/{name}"]
            assert child["browseName"]["namespaceIndex"] == 0
            assert child["typeDefinition"] == PROPERTY_TYPE
            await _is_the_units_or_range(mes, path, child["nodeId"])


async def _is_the_units_or_range(mes: NodeClient, path: str, node_id: str) -> None:
    [told] = await mes.read(node_id)
    assert told.status_code == "Good"
    data_type = await mes.attributes("DataType", node_id)
    if told.value["type"] == "EUInformation":
        unit = VARIABLES[path][1]
        assert unit is not None
        assert data_type == [EU_INFORMATION]
        assert told.value["namespaceUri"] == "http://www.opcfoundation.org/UA/units/un/cefact"
        assert told.value["displayName"]["text"] == unit
        assert told.value["unitId"] == UNITS[unit]
    else:
        low, high = RANGES[path]
        assert data_type == [RANGE]
        assert told.value == {"type": "Range", "low": low, "high": high}


def _type_definition(path: str, unit: str | None) -> str:
    if unit is None:
        return BASE_DATA_VARIABLE_TYPE
    return ANALOG_UNIT_RANGE_TYPE if path in RANGES else ANALOG_UNIT_TYPE


# What MesStatus, Source/State, Tool0Temperature (where the machine has shown one) and Job/Progress are told with.
QUALITIES = {
    "idle": ("Idle", "Good", "Good", "BadNoData"),
    "unplugged": ("Offline", "Good", None, "BadNoData"),
    "locked": ("Offline", "BadUserAccessDenied", None, "BadUserAccessDenied"),
    "missing": ("Offline", "BadWaitingForInitialData", None, "BadWaitingForInitialData"),
}


@pytest.mark.parametrize("machine_id", QUALITIES)
async def test_a_value_that_cannot_be_trusted_is_null_with_the_documented_status(
    mes: NodeClient, machine_id: str
) -> None:
    mes_status, *expected = QUALITIES[machine_id]
    paths = ("Source/State", "Monitoring/Process/Tool0Temperature/AnalogSignal", "Job/Progress")
    [shown, error] = await mes.read(node(f"{machine_id}/MesStatus"), node(f"{machine_id}/Source/Error"))
    assert (shown.value, shown.status_code) == (mes_status, "Good")
    assert (error.status_code, bool(error.value)) == ("Good", machine_id in {"locked", "missing"})
    for path, status in zip(paths, expected, strict=True):
        [told] = await mes.read(node(f"{machine_id}/{path}"))
        assert told.status_code == (status or "BadNodeIdUnknown"), path
        assert (told.value is None) == (status != "Good"), path


async def test_the_agent_tells_of_itself(mes: NodeClient) -> None:
    names = ("Version", "StartTime", "Machines", "MachinesReachable", "ConfigStatus")
    told = await mes.read(*(node(f"Agent/{name}") for name in names))
    assert [value.data_type for value in told] == ["String", "DateTime", "UInt32", "UInt32", "String"]
    assert [value.status_code for value in told] == ["Good"] * len(names)
    assert [told[2].value, told[3].value] == [5, 3]
    for value in told:
        assert value.source_timestamp is not None
        assert value.server_timestamp is not None


async def test_a_subscriber_sees_a_print_paused(shop: Shop, mes: NodeClient) -> None:
    state, yellow = node("printing/Source/State"), node("printing/Monitoring/Stacklight/Yellow/SignalOn")
    assert await mes.command("subscribe", nodeIds=[state, yellow], interval=100) == ["Good", "Good"]
    printing = await mes.until(state, lambda change: bool(change.value == "Printing"))
    shop.printing.printer.pause()
    try:
        paused = await mes.until(state, lambda change: bool(change.value == "Paused"))
        assert paused.status_code == "Good"
        assert _later(paused, printing)
        assert (await mes.until(yellow, lambda change: change.value is True)).status_code == "Good"
        [light] = await mes.read(node("printing/MesStatus"))
        assert light.value == "Running"
    finally:
        shop.printing.printer.print(0.25, elapsed_s=150, left_s=450)
    await mes.until(state, lambda change: change.value == "Printing" and _later(change, paused))


async def test_a_subscriber_sees_the_last_value_turn_uncertain_when_a_machine_falls_silent(
    shop: Shop, mes: NodeClient
) -> None:
    progress, reachable = node("printing/Job/Progress"), node("printing/Source/Reachable")
    assert await mes.command("subscribe", nodeIds=[progress, reachable], interval=100) == ["Good", "Good"]
    fresh = await mes.until(progress, lambda change: change.status_code == "Good")
    shop.printing.silence()
    try:
        assert (await mes.until(reachable, lambda change: change.value is False)).status_code == "Good"
        stale = await mes.until(progress, lambda change: change.status_code != "Good")
        assert stale.status_code == "UncertainLastUsableValue"
        assert (stale.value, stale.data_type) == (fresh.value, "Double") == (25.0, "Double")
        assert stale.source_timestamp == fresh.source_timestamp
        [status, error] = await mes.read(node("printing/MesStatus"), node("printing/Source/Error"))
        assert status.value == "Running"  # for 60 s
        assert error.value
    finally:
        shop.printing.speak()
    mes.forget()
    again = await mes.until(progress, lambda change: change.status_code == "Good")
    assert again.value == 25.0


def _later(change: NodeValue, than: NodeValue) -> bool:
    assert change.source_timestamp is not None
    assert than.source_timestamp is not None
    return change.source_timestamp > than.source_timestamp


@pytest.mark.parametrize(
    ("path", "data_type", "value"), [("MesStatus", "String", "Idle"), ("Job/Progress", "Double", 99.0)]
)
async def test_nothing_can_be_written(mes: NodeClient, path: str, data_type: str, value: Any) -> None:
    written = await mes.command("write", nodeId=node(f"printing/{path}"), dataType=data_type, value=value)
    assert written in {"BadUserAccessDenied", "BadNotWritable"}
    [told] = await mes.read(node(f"printing/{path}"))
    assert told.value == VARIABLES[path][2]


async def test_nothing_can_be_added_or_deleted(mes: NodeClient) -> None:
    with pytest.raises(RefusedError, match="BadServiceUnsupported"):
        await mes.command("addNodes", parent="i=85", nodeId=node("planted"), name="planted")
    with pytest.raises(RefusedError, match="BadServiceUnsupported"):
        await mes.command("deleteNodes", nodeId=node("printing"))
    [planted, printing] = await mes.read(node("planted"), node("printing/MesStatus"))
    assert planted.status_code == "BadNodeIdUnknown"
    assert printing.value == "Running"


async def test_an_anonymous_agent_serves_everybody_without_encryption(client: NodeClient, tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "agent")
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.print(0.5)
        agent.configure([machine(octoprint.url, agent.secret("key", KEY), custom_name="Open")], anonymous=True)
        async with agent:
            offered = await client.command("endpoints", url=url(agent))
            assert {endpoint["policy"] for endpoint in offered} == {"None", *POLICIES}
            assert {token for endpoint in offered for token in endpoint["tokens"]} == {"Anonymous", "UserName"}
            await client.command("connect", url=url(agent), policy="None", mode="None")
            names = [child["displayName"] for child in await client.command("browse", nodeId=MACHINES)]
            assert "Open" in names
            [status] = await client.read(node("open/MesStatus"))
            assert (status.value, status.status_code) == ("Running", "Good")
            assert await client.command("write", nodeId=status.node_id, dataType="String", value="Idle") in {
                "BadUserAccessDenied",
                "BadNotWritable",
            }
            await log_in(client, agent)
            await client.command("disconnect")
