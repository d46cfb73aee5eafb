"""What happens, told live and read later, and the job methods: through node-opcua."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from .documented import JOB_RESULTS
from .node_client import NodeClient
from .shop import Shop, log_in, node

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

SERVER = "ns=0;i=2253"
OBJECT = node(f"printing/{JOB_RESULTS}")
BY_ID, BY_STATE = (f"{OBJECT}/RequestJobResponseByJobOrder{by}" for by in ("ID", "State"))
BY_ID_OF_THE_TYPE = "ns=5;i=7002"
JOB_EVENT, MACHINE_EVENT = "ns=5;i=1006", "ns=10;i=35"
BASE_FIELDS = ["EventId", "EventType", "SourceNode", "SourceName", "Time", "ReceiveTime", "Message", "Severity"]
FIELDS = [*BASE_FIELDS, "5:JobOrder", "5:JobState", "5:JobResponse", "10:Identifier"]
NO_ERROR, UNKNOWN_ID, INVALID_STATUS, INVALID_REQUEST = 1, 2, 8, 2**32
RUNNING, INTERRUPTED, ENDED, ABORTED = 3, 4, 5, 6


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def story(shop: Shop, client: NodeClient) -> AsyncIterator[list[dict[str, Any]]]:
    """A print is paused, resumed, done; another begins and ends in a fault, which is acknowledged: all that is told."""
    await log_in(client, shop.agent)
    printer = shop.printing.printer
    assert await client.command("subscribeEvents", nodeId=SERVER, fields=FIELDS, interval=50) == "Good"
    client.forget()
    printer.pause()
    await client.event(_is("paused"))
    printer.print(0.5, elapsed_s=300, left_s=300)
    await client.event(_is("resumed"))
    printer.done()
    await client.event(_is("finished"))
    printer.select("zwei.gcode")
    printer.print(0.1, elapsed_s=10, left_s=90)
    await client.event(_is("started"))
    printer.fault("Thermal runaway")
    await client.event(_is("failed"))
    await client.event(lambda event: event["10:Identifier"] == "Fault")
    printer.idle()
    await client.event(lambda event: event["10:Identifier"] == "Recovered")
    told = [event for event in client.events if event["nodeId"] == SERVER and event["SourceName"] == "Printing Ä"]
    await client.command("disconnect")
    yield told


def _is(kind: str) -> Any:
    return lambda event: kind in event["Message"]["text"].split(": ")


def jobs(story: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in story if event["EventType"] == f"{JOB_EVENT}"]


async def test_each_thing_that_happens_is_told_once_and_in_order(story: list[dict[str, Any]]) -> None:
    kinds = [event["Message"]["text"].split(": ")[1] for event in jobs(story)]
    assert kinds == ["paused", "resumed", "finished", "started", "failed"]
    machine = [event["10:Identifier"] for event in story if event["EventType"] == MACHINE_EVENT]
    assert machine == ["Fault", "Recovered"]
    ids = [event["EventId"] for event in story]
    assert len(set(ids)) == len(ids) == 7
    assert {len(event_id) for event_id in ids} == {32}  # 16 bytes as hex digits


async def test_an_event_has_the_fields_of_every_event(story: list[dict[str, Any]]) -> None:
    for event in story:
        assert event["SourceName"] == "Printing Ä"
        assert event["SourceNode"] == (OBJECT if event["EventType"] == JOB_EVENT else node("printing"))
        assert event["Time"] == event["ReceiveTime"]
        assert event["Message"]["locale"] == "en"
    severities = {event["Message"]["text"].split(": ")[1]: event["Severity"] for event in jobs(story)}
    assert severities == {"paused": 300, "resumed": 100, "finished": 100, "started": 100, "failed": 700}


async def test_a_job_event_tells_the_order_its_state_and_the_response(story: list[dict[str, Any]]) -> None:
    states = [[state["stateNumber"] for state in event["5:JobState"]] for event in jobs(story)]
    assert states == [[INTERRUPTED, 2], [RUNNING], [ENDED, 1], [RUNNING], [ABORTED]]
    for event in jobs(story):
        assert event["5:JobOrder"]["type"] == "ISA95JobOrderDataType"
        assert event["5:JobResponse"]["type"] == "ISA95JobResponseDataType"
        assert event["5:JobOrder"]["jobOrderID"] == event["5:JobResponse"]["jobOrderID"]
        assert event["5:JobState"] == event["5:JobResponse"]["jobState"]
        assert event["10:Identifier"] is None
    failed = {entry["ID"]: entry["value"] for entry in jobs(story)[-1]["5:JobResponse"]["jobResponseData"]}
    assert "Thermal runaway" in failed["ReasonForStateChange"]["text"]


@pytest.mark.parametrize("where", ["printing", f"printing/{JOB_RESULTS}"])
async def test_who_watches_a_machine_or_its_results_hears_of_this_machine(
    shop: Shop, mes: NodeClient, where: str
) -> None:
    assert await mes.command("subscribeEvents", nodeId=node(where), fields=FIELDS, interval=50) == "Good"
    shop.printing.printer.select("drei.gcode")
    shop.printing.printer.print(0.1, elapsed_s=5, left_s=45)
    started = await mes.event(_is("started"))
    shop.printing.printer.cancelling()
    shop.printing.printer.idle()
    cancelled = await mes.event(_is("cancelled"))
    assert started["5:JobOrder"]["jobOrderID"] == cancelled["5:JobOrder"]["jobOrderID"]
    assert len(mes.events) == 2


async def test_a_filter_by_type_leaves_out_the_other_events(shop: Shop, mes: NodeClient) -> None:
    await mes.command("subscribeEvents", nodeId=node("idle"), fields=FIELDS, ofType=MACHINE_EVENT, interval=50)
    shop.idle.printer.select("vier.gcode")
    shop.idle.printer.print(0.1, elapsed_s=5, left_s=45)
    await mes.until_value(node("idle/MesStatus"), "Running")
    shop.idle.printer.fault("Jam")
    await mes.event(lambda event: event["10:Identifier"] == "Fault")
    shop.idle.printer.idle()
    await mes.event(lambda event: event["10:Identifier"] == "Recovered")
    assert {event["EventType"] for event in mes.events} == {MACHINE_EVENT}


@pytest.mark.parametrize(
    ("path", "status"),
    [("printing/Job", "BadNotSupported"), ("printing/MesStatus", "BadAttributeIdInvalid"), ("no", "BadNodeIdUnknown")],
)
async def test_events_cannot_be_had_where_there_are_none(mes: NodeClient, path: str, status: str) -> None:
    assert await mes.command("subscribeEvents", nodeId=node(path), fields=FIELDS, interval=50) == status


async def test_a_node_that_tells_events_and_their_history_says_so(mes: NodeClient) -> None:
    both, nothing = 1 | 4, 0  # SubscribeToEvents, HistoryRead
    telling = [SERVER, *(node(f"printing{path}") for path in ("", f"/{JOB_RESULTS}", "/Notification/Messages"))]
    assert await mes.attributes("EventNotifier", *telling) == [both] * 4
    assert await mes.attributes("EventNotifier", node("printing/Job"), node("printing/Monitoring")) == [nothing] * 2


# --- history ---


async def read_all(mes: NodeClient, limit: int = 0, **period: Any) -> list[dict[str, Any]]:
    """All pages of the machine's history."""
    found, point = [], None
    while True:
        page = await mes.command(
            "history", nodeId=node("printing"), fields=FIELDS, limit=limit, continuationPoint=point, **period
        )
        assert page["statusCode"] == "Good"
        assert not limit or len(page["events"]) <= limit
        found += page["events"]
        point = page["continuationPoint"]
        if point is None:
            return found


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_what_was_told_is_read_later_field_by_field(
    story: list[dict[str, Any]], mes: NodeClient, limit: int
) -> None:
    told = [{name: value for name, value in event.items() if name != "nodeId"} for event in story]
    start, end = told[0]["Time"], "2100-01-01T00:00:00Z"
    kept = await read_all(mes, limit, start=start, end=end)
    assert kept[: len(told)] == told
    backwards = await read_all(mes, limit, start=end, end=start)
    assert backwards[-len(told) :] == told[::-1]


async def test_history_that_is_asked_for_wrongly_says_why(mes: NodeClient) -> None:
    async def status(path: str, **more: Any) -> str:
        answer = await mes.command("history", nodeId=node(path), fields=FIELDS, **more)
        return str(answer["statusCode"])

    assert await status("printing") == "BadHistoryOperationInvalid"  # no time, no number
    assert await status("nobody", start="2026-01-01T00:00:00Z", limit=1) == "BadNodeIdUnknown"
    assert await status("printing/MesStatus", start="2026-01-01T00:00:00Z", limit=1) == "BadHistoryOperationUnsupported"
    assert await status("printing", continuationPoint="00ff", limit=1) == "BadContinuationPointInvalid"


async def test_a_continuation_point_that_is_given_back_is_gone(mes: NodeClient) -> None:
    question = {"nodeId": node("printing"), "fields": FIELDS, "start": "2026-01-01T00:00:00Z", "limit": 1}
    page = await mes.command("history", **question)
    point = page["continuationPoint"]
    assert point
    released = await mes.command("history", **question, continuationPoint=point, release=True)
    assert released["statusCode"] == "Good"
    again = await mes.command("history", **question, continuationPoint=point)
    assert again["statusCode"] == "BadContinuationPointInvalid"


# --- job methods ---


def ask(mes: NodeClient, method: str, argument: dict[str, Any], owner: str = OBJECT) -> Any:
    return mes.command("call", objectId=owner, methodId=method, argument=argument)


def text(value: str | None) -> dict[str, Any]:
    return {"dataType": "String", "value": value}


@pytest.mark.parametrize("method", [BY_ID, BY_ID_OF_THE_TYPE])
async def test_a_job_response_is_had_by_its_id(story: list[dict[str, Any]], mes: NodeClient, method: str) -> None:
    last = jobs(story)[-1]["5:JobResponse"]
    answer = await ask(mes, method, text(last["jobOrderID"]))
    assert answer == {"statusCode": "Good", "inputs": [], "outputs": [last, NO_ERROR]}


async def test_an_id_that_nobody_knows_and_one_of_another_machine_are_unknown(
    story: list[dict[str, Any]], mes: NodeClient
) -> None:
    ours = jobs(story)[-1]["5:JobOrder"]["jobOrderID"]
    elsewhere = OBJECT.replace("printing", "unplugged")
    for owner, job_id in ((OBJECT, "nothing"), (elsewhere, ours)):
        answer = await ask(mes, f"{owner}/RequestJobResponseByJobOrderID", text(job_id), owner)
        assert (answer["statusCode"], answer["outputs"][1]) == ("Good", UNKNOWN_ID)
    for nothing in ("", None):
        answer = await ask(mes, BY_ID, text(nothing))
        assert (answer["statusCode"], answer["outputs"][1]) == ("Good", INVALID_REQUEST)


async def test_job_responses_are_had_by_their_state(story: list[dict[str, Any]], mes: NodeClient) -> None:
    of_story = {event["5:JobOrder"]["jobOrderID"] for event in jobs(story)}

    async def found(*states: dict[str, Any]) -> tuple[list[str], int]:
        answer = await ask(mes, BY_STATE, {"states": list(states)})
        assert answer["statusCode"] == "Good"
        responses, status = answer["outputs"]
        return [response["jobOrderID"] for response in responses if response["jobOrderID"] in of_story], status

    ended = jobs(story)[2]["5:JobOrder"]["jobOrderID"]
    aborted = jobs(story)[4]["5:JobOrder"]["jobOrderID"]
    completed = {"path": [{"namespaceIndex": 5, "name": "EndedSubstates"}], "number": 1}
    assert await found({"number": ENDED}) == ([ended], NO_ERROR)
    assert await found({"number": ENDED}, completed) == ([ended], NO_ERROR)
    assert await found({"number": ABORTED}) == ([aborted], NO_ERROR)
    assert await found({"number": INTERRUPTED}) == ([], NO_ERROR)
    assert await found() == ([], INVALID_REQUEST)
    assert await found({"number": 99}) == ([], INVALID_STATUS)


async def test_arguments_of_the_wrong_type_or_number_are_refused(mes: NodeClient) -> None:
    answer = await ask(mes, BY_ID, {"dataType": "Int32", "value": 7})
    assert (answer["statusCode"], answer["inputs"]) == ("BadInvalidArgument", ["BadTypeMismatch"])
    answer = await ask(mes, BY_ID, text("x"), node("printing"))
    assert answer["statusCode"] == "BadMethodInvalid"
