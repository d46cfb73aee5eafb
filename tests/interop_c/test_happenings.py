"""What a C stack is told without asking: values as they change, events as they happen, and both later from history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from tests.double.printer import Heater
from tests.interop.documented import JOB_ORDERS, JOB_RESULTS
from tests.interop.shop import Shop, node

from .c_client import CClient, Told, status_name

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

SERVER, VALUE, NOTIFIER = "i=2253", 13, 12
REPORTING = 2
BASE_EVENT, JOB_EVENT, MACHINE_EVENT = "i=2041", "ns=5;i=1006", "ns=10;i=35"
FIELDS = ("EventId", "EventType", "SourceName", "Time", "Message", "Severity", "5:JobOrder", "5:JobState",
          "10:Identifier")  # fmt: skip
OBJECT = node(f"printing/{JOB_RESULTS}")
BY_ID, BY_STATE = (f"{OBJECT}/RequestJobResponseByJobOrder{by}" for by in ("ID", "State"))
NO_ERROR, UNKNOWN_ID = "1", "2"  # UInt64, a text in JSON
RUNNING, ENDED = 3, 5
# Fields before the structures that have them: property, parameter, equipment, state, work master, material, personnel,
# physical asset, order, response, order with state.
STRUCTURES = [*(f"ns=5;i={number}" for number in (3002, 3003, 3005, 3006, 3007, 3010, 3011, 3012, 3008, 3013, 3015))]


def item(path: str, *, sampling_ms: float = 0, queue: int = 10, filter_: Any = None) -> dict[str, Any]:
    """A monitored value of a machine."""
    parameters: dict[str, Any] = {"SamplingInterval": sampling_ms, "QueueSize": queue, "DiscardOldest": True}
    if filter_ is not None:
        parameters["Filter"] = filter_
    watched = {"NodeId": node(path), "AttributeId": VALUE}
    return {"ItemToMonitor": watched, "MonitoringMode": REPORTING, "RequestedParameters": parameters}


def deadband(kind: int, width: float) -> dict[str, Any]:
    """A DataChangeFilter of status and value; 1 is an absolute deadband, 2 one in percent of the range."""
    return {"TypeId": "i=722", "Body": {"Trigger": 1, "DeadbandType": kind, "DeadbandValue": width}}


def select(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Select clauses of an event filter."""
    split = [name.rpartition(":") for name in names]
    paths = [[{"Uri": int(namespace or 0), "Name": name}] for namespace, _, name in split]
    types = [{"5": JOB_EVENT, "10": MACHINE_EVENT}.get(namespace, BASE_EVENT) for namespace, _, _ in split]
    return [
        {"TypeDefinitionId": type_, "BrowsePath": path, "AttributeId": VALUE}
        for type_, path in zip(types, paths, strict=True)
    ]


def events(node_id: str, of_type: str | None = None) -> dict[str, Any]:
    """Monitored events of a node, perhaps of one type only."""
    body: dict[str, Any] = {"SelectClauses": select(FIELDS)}
    if of_type:
        operand = {"TypeId": "i=595", "Body": {"Value": {"Type": 17, "Body": of_type}}}
        body["WhereClause"] = {"Elements": [{"FilterOperator": 14, "FilterOperands": [operand]}]}  # OfType
    parameters = {"QueueSize": 100, "Filter": {"TypeId": "i=725", "Body": body}}
    watched = {"NodeId": node_id, "AttributeId": NOTIFIER}
    return {"ItemToMonitor": watched, "MonitoringMode": REPORTING, "RequestedParameters": parameters}


def shown(told: Told) -> dict[str, Any]:
    """An event's fields by name."""
    return dict(zip(FIELDS, told.fields, strict=True))


def kind(told: Told) -> str:
    """What an event of a print says happened."""
    return str(shown(told)["Message"]["Text"].split(": ")[1]) if told.fields else ""


def values(client: CClient, watched: dict[str, Any]) -> list[Any]:
    """What was told of an item."""
    return [told.value.value for told in client.told if told.value and told.item == watched["MonitoredItemId"]]


# --- values ---


async def test_a_change_is_told_with_its_times(shop: Shop, mes: CClient) -> None:
    subscription = await mes.subscribe()
    state, lamp = await mes.watch(
        subscription, item("printing/Source/State"), item("printing/Monitoring/Stacklight/Yellow/SignalOn")
    )
    assert (state["StatusCode"], lamp["StatusCode"]) == ("Good", "Good")
    before = await mes.until(lambda told: told.value is not None and told.value.value == "Printing")
    shop.printing.printer.pause()
    try:
        paused = await mes.until(lambda told: told.value is not None and told.value.value == "Paused")
        await mes.until(partial(_is, lamp, True))
    finally:
        shop.printing.printer.print(0.25, elapsed_s=150, left_s=450)
    assert before.value is not None
    assert paused.value is not None
    assert paused.value.source_timestamp is not None
    assert before.value.source_timestamp is not None
    assert paused.value.source_timestamp > before.value.source_timestamp
    assert paused.value.server_timestamp is not None


async def test_a_deadband_holds_back_what_is_within_it(shop: Shop, mes: CClient) -> None:
    path, heaters = "printing/Monitoring/Process/Tool0Temperature/AnalogSignal", shop.printing.printer.heaters
    watched = await mes.watch(
        await mes.subscribe(), item(path), item(path, filter_=deadband(1, 5)), item(path, filter_=deadband(2, 10))
    )
    assert [told["StatusCode"] for told in watched] == ["Good"] * 3
    before = heaters["tool0"]
    assert before.actual is not None
    steps = [before.actual, before.actual - 2, before.actual - 4, before.actual - 8, before.actual - 40]
    try:
        for step in steps:
            heaters["tool0"] = Heater(step, before.target)
            await mes.until(partial(_is, watched[0], step))
        await mes.until(partial(_is, watched[2], steps[-1]))
    finally:
        heaters["tool0"] = before
    plain, absolute, percent = (values(mes, told) for told in watched)
    assert plain[:5] == steps
    assert absolute[:3] == [steps[0], steps[3], steps[4]]
    assert percent[:2] == [steps[0], steps[4]]  # 10 % of 0 to 300 °C are 30


def _is(watched: dict[str, Any], value: object, told: Told) -> bool:
    return told.item == watched["MonitoredItemId"] and told.value is not None and told.value.value == value


@pytest.mark.parametrize(
    ("path", "filter_", "status"),
    [
        ("printing/MesStatus", deadband(1, 5), "BadFilterNotAllowed"),
        ("printing/Job/ElapsedTime", deadband(2, 5), "BadFilterNotAllowed"),
        ("printing/Job/Progress", deadband(2, 101), "BadDeadbandFilterInvalid"),
        ("printing/Job/Nothing", None, "BadNodeIdUnknown"),
    ],
)
async def test_what_cannot_be_watched_says_why(mes: CClient, path: str, filter_: Any, status: str) -> None:
    [refused] = await mes.watch(await mes.subscribe(), item(path, filter_=filter_))
    assert refused["StatusCode"] == status


async def test_a_slow_sampling_leaves_values_out(mes: CClient) -> None:
    subscription = await mes.subscribe()
    every, slow = await mes.watch(
        subscription, item("printing/Source/LastSeen"), item("printing/Source/LastSeen", sampling_ms=2_000)
    )
    assert slow["RevisedSamplingInterval"] == 2_000
    await asyncio.sleep(3)
    assert len(values(mes, every)) >= 5  # an answer each 0.3 s
    assert 2 <= len(values(mes, slow)) <= 3


async def test_a_subscription_that_is_deleted_tells_nothing_more(mes: CClient) -> None:
    subscription = await mes.subscribe()
    await mes.watch(subscription, item("printing/Source/LastSeen"))
    await mes.until(lambda told: told.value is not None)
    [deleted] = (await mes.ask("DeleteSubscriptions", SubscriptionIds=[subscription]))["Results"]
    assert status_name(deleted) == "Good"
    mes.forget()
    await asyncio.sleep(1)
    assert mes.told == []


# --- events ---


@pytest_asyncio.fixture(loop_scope="module")
async def story(shop: Shop, mes: CClient) -> AsyncIterator[list[Told]]:
    """A print is paused, resumed and done while its machine's events are watched; then it begins again."""
    await mes.learn(*STRUCTURES)
    printer = shop.printing.printer
    [watched] = await mes.watch(await mes.subscribe(), events(node("printing")))
    assert watched["StatusCode"] == "Good"
    printer.pause()
    await mes.until(lambda told: kind(told) == "paused")
    printer.print(0.5, elapsed_s=300, left_s=300)
    await mes.until(lambda told: kind(told) == "resumed")
    printer.done()
    await mes.until(lambda told: kind(told) == "finished")
    yield list(mes.told)
    mes.forget()
    printer.print(0.25, elapsed_s=150, left_s=450)
    await mes.until(lambda told: kind(told) == "started")


async def test_events_tell_what_happened_and_history_tells_it_again(story: list[Told], mes: CClient) -> None:
    assert [kind(told) for told in story] == ["paused", "resumed", "finished"]
    for told in story:
        fields = shown(told)
        assert (fields["EventType"], fields["SourceName"]) == (JOB_EVENT, "Printing Ä")
        assert fields["5:JobOrder"]["TypeId"] == "ns=5;i=3008"
        assert fields["10:Identifier"] is None
    states = [[state["Body"]["StateNumber"] for state in shown(told)["5:JobState"]] for told in story]
    assert states == [[4, 2], [RUNNING], [ENDED, 1]]
    start = shown(story[0])["Time"]
    for portion in (0, 1, 2):
        kept = await history(mes, node("printing"), StartTime=start, EndTime="2100-01-01T00:00:00Z", most=portion)
        assert kept == [told.fields for told in story]
    backwards = await history(mes, node("printing"), StartTime="2100-01-01T00:00:00Z", EndTime="2020-01-01T00:00:00Z")
    assert backwards[: len(story)] == [told.fields for told in reversed(story)]


async def history(mes: CClient, node_id: str, *, most: int = 0, **period: str) -> list[tuple[Any, ...]]:
    """The fields of each event in a period, portion by portion."""
    details = {"TypeId": "i=644", "Body": {"NumValuesPerNode": most, "Filter": {"SelectClauses": select(FIELDS)}}}
    details["Body"] |= period  # type: ignore[operator]
    found, point = [], None
    while True:
        asked = {"NodeId": node_id} | ({"ContinuationPoint": point} if point else {})
        [result] = (await mes.ask("HistoryRead", HistoryReadDetails=details, NodesToRead=[asked]))["Results"]
        assert status_name(result["StatusCode"]) == "Good"
        told = result["HistoryData"]["Body"]["Events"]
        assert not most or len(told) <= most
        found += [tuple(field.get("Body") for field in event["EventFields"]) for event in told]
        point = result["ContinuationPoint"]
        if not point:
            return found


async def test_a_filter_leaves_out_events_of_other_types(shop: Shop, mes: CClient) -> None:
    [watched] = await mes.watch(await mes.subscribe(), events(SERVER, of_type=MACHINE_EVENT))
    assert watched["StatusCode"] == "Good"
    shop.idle.printer.select("vier.gcode")
    shop.idle.printer.print(0.1, elapsed_s=5, left_s=45)
    await mes.until_value(node("idle/MesStatus"), "Running")
    shop.idle.printer.fault("Jam")
    await mes.until(lambda told: shown(told)["10:Identifier"] == "Fault")
    shop.idle.printer.idle()
    await mes.until(lambda told: shown(told)["10:Identifier"] == "Recovered")
    assert {(shown(told)["EventType"], shown(told)["SourceName"]) for told in mes.told} == {(MACHINE_EVENT, "Idle")}


async def test_events_cannot_be_had_where_there_are_none(mes: CClient) -> None:
    [refused] = await mes.watch(await mes.subscribe(), events(node("printing/Job")))
    assert refused["StatusCode"] == "BadNotSupported"


# --- jobs ---


async def call(mes: CClient, method: str, *arguments: dict[str, Any], owner: str = OBJECT) -> tuple[str, list[Any]]:
    """The status, and the output arguments."""
    asked = [{"ObjectId": owner, "MethodId": method, "InputArguments": list(arguments)}]
    [result] = (await mes.ask("Call", MethodsToCall=asked))["Results"]
    return status_name(result["StatusCode"]), [told.get("Body") for told in result["OutputArguments"]]


async def test_a_job_is_the_same_in_the_lists_and_by_method(story: list[Told], mes: CClient) -> None:
    job = shown(story[-1])["5:JobOrder"]["Body"]["JobOrderID"]
    orders, responses = await mes.read(node(f"printing/{JOB_ORDERS}/JobOrderList"), f"{OBJECT}/JobOrderResponseList")
    [order] = [told["Body"] for told in orders.value if told["Body"]["JobOrder"]["JobOrderID"] == job]
    [response] = [told for told in responses.value if told["Body"]["JobOrderID"] == job]
    [work] = order["JobOrder"]["WorkMasterID"]
    assert work["ID"] == "kunde/Gehäuse.gcode"
    assert {told["ID"]: told["Value"]["Body"] for told in work["Parameters"]}["FileSize"] == "5000000000"
    [filament] = order["JobOrder"]["MaterialRequirements"]
    assert (filament["MaterialClassID"], filament["Quantity"]) == ("Filament", "1234.5")
    assert [state["StateNumber"] for state in order["State"]] == [ENDED, 1]
    assert await call(mes, BY_ID, {"Type": 12, "Body": job}) == ("Good", [response, NO_ERROR])
    ended = {"TypeId": "ns=5;i=3006", "Body": {"BrowsePath": {"Elements": []}, "StateText": {}, "StateNumber": ENDED}}
    status, [found, code] = await call(mes, BY_STATE, {"Type": 22, "Body": [ended]})
    assert (status, code) == ("Good", NO_ERROR)
    assert response in found


async def test_a_call_that_is_wrong_says_why(mes: CClient) -> None:
    nobody = {"Type": 12, "Body": "nobody"}
    assert (await call(mes, BY_ID, nobody))[1][1] == UNKNOWN_ID
    assert (await call(mes, BY_ID, {"Type": 6, "Body": 7}))[0] == "BadInvalidArgument"
    assert (await call(mes, BY_ID))[0] == "BadArgumentsMissing"
    assert (await call(mes, BY_ID, nobody, nobody))[0] == "BadTooManyArguments"
    assert (await call(mes, BY_ID, nobody, owner=node("printing")))[0] == "BadMethodInvalid"
