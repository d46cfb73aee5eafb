"""The history of events, read from a real journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.common.utils import Buffer, ServiceError
from asyncua.ua.ua_binary import extensionobject_from_binary, extensionobject_to_binary

from edge_agent.events import Event, MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun
from edge_agent.journal import Journal
from edge_agent.sinks.opcua.events.event_filter import select
from edge_agent.sinks.opcua.objects import history
from edge_agent.sinks.opcua.objects.history import EventHistory
from edge_agent.sinks.opcua.objects.machine_events import occurrence
from edge_agent.sinks.opcua.space import structures
from edge_agent.sinks.opcua.space.continuation import ContinuationPoints
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.wire import node_id

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NEVER = datetime(1601, 1, 1, tzinfo=UTC)
SERVER, MK3, MK4 = node_id(Key(0, 2253)), node_id(Key(13, "mk3")), node_id(Key(13, "mk4"))
RESULTS = node_id(Key(13, "mk3/MachineryBuildingBlocks/JobManagement/JobOrderResults"))
MESSAGES = node_id(Key(13, "mk3/Notification/Messages"))
VARIABLE, NOWHERE = node_id(Key(13, "mk3/Job/Progress")), node_id(Key(13, "mk9"))
BASE, JOB_EVENT, MACHINE_EVENT = node_id(Key(0, 2041)), node_id(Key(5, 1006)), node_id(Key(10, 35))
SESSION, OTHER = node_id(Key(0, 11)), node_id(Key(0, 12))
AT: dict[ua.NodeId, Collection[str] | None] = {
    SERVER: ["mk3", "mk4"],
    MK3: ["mk3"],
    MK4: ["mk4"],
    RESULTS: ["mk3"],
    MESSAGES: ["mk3"],
    VARIABLE: None,
}


def job_event(number: int, at: datetime, machine_id: str = "mk3") -> JobEvent:
    run = JobRun(id=f"run-{number}", machine_id=machine_id, file_name=f"{number}.gcode", started_at=at, updated_at=at)
    return JobEvent(id=f"{number:032x}", kind=JobEventKind.STARTED, at=at, run=run)


def fault(number: int, at: datetime, machine_id: str = "mk3") -> MachineEvent:
    return MachineEvent(id=f"{number:032x}", kind=MachineEventKind.FAULT, at=at, machine_id=machine_id, text="hot")


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


EVENTS: list[Event] = [
    job_event(0, minute(0)),
    fault(1, minute(1)),
    job_event(2, minute(2), "mk4"),
    job_event(3, minute(3)),
    fault(4, minute(3)),
    fault(5, minute(5), "mk4"),
    job_event(6, minute(6)),
]
"""On mk3: 0, 1, 3, 4, 6. On mk4: 2, 5."""


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(tmp_path / "journal.sqlite")
    yield journal
    await journal.close()


@pytest_asyncio.fixture
async def told(journal: Journal) -> EventHistory:
    await record(journal, EVENTS)
    return reader(journal)


async def record(journal: Journal, events: Iterable[Event]) -> None:
    events = list(events)
    await journal.record((event.run for event in events if isinstance(event, JobEvent)), events)


def supertypes(node: ua.NodeId) -> Iterable[ua.NodeId]:
    return (BASE,) if node in {JOB_EVENT, MACHINE_EVENT} else ()


def reader(past: history.Past) -> EventHistory:
    return EventHistory(
        past,
        machines_at=AT.__getitem__,
        name_of=str.upper,
        supertypes=supertypes,
        may_see=lambda session, machine: session == SESSION or machine == "mk4",
    )


def field(name: str) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(BASE, [ua.QualifiedName.from_string(name)], cast("ua.IntegerId", 13))


def wanted(*names: str, of_type: ua.NodeId | None = None) -> ua.EventFilter:
    elements = []
    if of_type is not None:
        elements = [ua.ContentFilterElement(ua.FilterOperator.OfType, [ua.LiteralOperand(ua.Variant(of_type))])]
    return ua.EventFilter([field(name) for name in names or ("0:EventId",)], ua.ContentFilter(elements))


def details(
    start: datetime = NEVER, end: datetime = NEVER, count: int = 0, asked: ua.EventFilter | None = None
) -> ua.ReadEventDetails:
    return ua.ReadEventDetails(
        cast("ua.Counter", count), cast("ua.DateTime", start), cast("ua.DateTime", end), asked or wanted()
    )


async def read(
    told: EventHistory,
    node: ua.NodeId,
    asked: Any,
    *,
    point: bytes | None = None,
    session: ua.NodeId | None = SESSION,
    release: bool = False,
) -> ua.HistoryReadResult:
    value = ua.HistoryReadValueId(node, ContinuationPoint=cast("ua.ByteString", point))
    params = ua.HistoryReadParameters(asked, NodesToRead=[value], ReleaseContinuationPoints=cast("ua.Boolean", release))
    (result,) = await told.read_history(params, session)
    return result


def ids(result: ua.HistoryReadResult) -> list[int]:
    events = cast("ua.HistoryEvent", result.HistoryData).Events
    return [int.from_bytes(event.EventFields[0].Value) for event in events]


async def found(told: EventHistory, node: ua.NodeId, start: datetime, end: datetime, **more: Any) -> list[int]:
    result = await read(told, node, details(start, end, **more))
    assert result.StatusCode.is_good()
    assert result.ContinuationPoint is None
    return ids(result)


async def everything(told: EventHistory, node: ua.NodeId, asked: ua.ReadEventDetails) -> list[list[int]]:
    """All pages."""
    pages, point = [], None
    while True:
        result = await read(told, node, asked, point=point)
        assert result.StatusCode.is_good()
        pages.append(ids(result))
        point = result.ContinuationPoint
        if point is None:
            return pages


# --- which events ---


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (SERVER, [0, 1, 2, 3, 4, 5, 6]),
        (MK3, [0, 1, 3, 4, 6]),
        (MK4, [2, 5]),
        (RESULTS, [0, 1, 3, 4, 6]),
        (MESSAGES, [1, 4]),
    ],
)
async def test_a_node_tells_what_its_subscribers_were_told(
    told: EventHistory, node: ua.NodeId, expected: list[int]
) -> None:
    assert await found(told, node, NOON, minute(60)) == expected


async def test_what_is_read_is_what_was_told(told: EventHistory) -> None:
    structures.register()
    asked = wanted("0:EventId", "0:Time", "0:Message", "0:SourceName", "5:JobResponse", "10:Identifier")
    result = await read(told, SERVER, details(NOON, minute(60), asked=asked))
    live = [
        select(occurrence(event, source_name=event.machine_id.upper()), asked.SelectClauses, supertypes)
        for event in EVENTS
    ]
    answer = cast("ua.HistoryEvent", result.HistoryData)
    assert [event.EventFields for event in answer.Events] == live
    assert extensionobject_from_binary(Buffer(extensionobject_to_binary(answer))) == answer


async def test_filters_are_those_of_subscriptions(told: EventHistory) -> None:
    assert await found(told, SERVER, NOON, minute(60), asked=wanted(of_type=MACHINE_EVENT)) == [1, 4, 5]
    assert await found(told, SERVER, NOON, minute(60), asked=wanted(of_type=BASE)) == [0, 1, 2, 3, 4, 5, 6]


async def test_who_may_not_see_a_machine_reads_nothing_of_it(told: EventHistory) -> None:
    asked = details(NOON, minute(60))
    assert ids(await read(told, SERVER, asked, session=OTHER)) == [2, 5]
    hidden = await read(told, MK3, asked, session=OTHER)
    assert (hidden.StatusCode.name, ids(hidden)) == ("GoodNoData", [])
    assert len(ids(await read(told, SERVER, asked, session=None))) == 7


async def test_a_machine_that_the_server_does_not_tell_of(told: EventHistory, journal: Journal) -> None:
    """Taken out of the file, or somebody else's: its events are still in the journal."""
    await record(journal, [fault(7, minute(7), "mk5")])
    assert await found(told, SERVER, NOON, minute(60)) == [0, 1, 2, 3, 4, 5, 6]


# --- when, and in which order ---


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (minute(1), minute(6), [1, 3, 4]),  # the start is in, the end is not
        (minute(6), minute(1), [6, 4, 3]),
        (minute(3), minute(3), [3, 4]),
        (minute(-9), minute(-1), []),
        (minute(1), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), [1, 3, 4, 6]),
    ],
)
async def test_periods(told: EventHistory, start: datetime, end: datetime, expected: list[int]) -> None:
    assert await found(told, MK3, start, end) == expected


async def test_periods_that_follow_each_other_tell_each_event_once(told: EventHistory) -> None:
    edges = [minute(number) for number in (0, 1, 3, 6, 9)]
    parts = [await found(told, MK3, start, end) for start, end in pairwise(edges)]
    assert parts == [[0], [1], [3, 4], [6]]


async def test_a_start_and_a_number(told: EventHistory) -> None:
    result = await read(told, MK3, details(start=minute(1), count=2))
    assert ids(result) == [1, 3]
    assert result.ContinuationPoint is not None


async def test_an_end_and_a_number(told: EventHistory) -> None:
    assert ids(await read(told, MK3, details(end=minute(3), count=3))) == [4, 3, 1]


@pytest.mark.parametrize(
    "asked", [details(), details(count=5), details(start=NOON), details(end=NOON)], ids=["none", "n", "start", "end"]
)
async def test_too_little_said(told: EventHistory, asked: ua.ReadEventDetails) -> None:
    assert (await read(told, MK3, asked)).StatusCode.name == "BadHistoryOperationInvalid"


async def test_nothing_there(told: EventHistory) -> None:
    result = await read(told, MK3, details(minute(20), minute(30)))
    assert (result.StatusCode.name, ids(result), result.ContinuationPoint) == ("GoodNoData", [], None)


# --- page by page ---


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
async def test_pages_forwards_and_backwards(told: EventHistory, count: int) -> None:
    order = list(range(7))
    forwards = await everything(told, SERVER, details(NOON, minute(60), count))
    assert forwards == [order[begin : begin + count] for begin in range(0, 7, count)]
    order.reverse()
    backwards = await everything(told, SERVER, details(minute(60), minute(-1), count))
    assert backwards == [order[begin : begin + count] for begin in range(0, 7, count)]


async def test_pages_go_on_while_more_happens(told: EventHistory, journal: Journal) -> None:
    asked = details(start=NOON, count=4)
    first = await read(told, SERVER, asked)
    await record(journal, [fault(7, minute(7))])
    rest = await read(told, SERVER, asked, point=first.ContinuationPoint)
    assert ids(first) + ids(rest) == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_the_servers_own_limit(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 250)
    await record(journal, [fault(number, minute(number)) for number in range(620)])
    pages = await everything(reader(journal), MK3, details(NOON, minute(9999)))
    assert [len(page) for page in pages] == [250, 250, 120]
    assert [number for page in pages for number in page] == list(range(620))
    pages = await everything(reader(journal), MK3, details(NOON, minute(9999), 400))
    assert [len(page) for page in pages] == [250, 250, 120]


async def test_nodes_share_the_limit(told: EventHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_EVENTS", 4)
    nodes = [ua.HistoryReadValueId(MK3), ua.HistoryReadValueId(MK4)]
    params = ua.HistoryReadParameters(
        cast("Any", details(NOON, minute(60))), NodesToRead=nodes, ReleaseContinuationPoints=cast("ua.Boolean", False)
    )
    first, second = await told.read_history(params, SESSION)
    assert (ids(first), first.ContinuationPoint is not None) == ([0, 1], True)
    assert (ids(second), second.ContinuationPoint) == ([2, 5], None)


async def test_a_filter_that_little_passes_is_gone_on_with(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_SCANNED", 200)
    await record(journal, [*(fault(number, minute(number)) for number in range(450)), job_event(450, minute(450))])
    pages = await everything(reader(journal), MK3, details(NOON, minute(9999), asked=wanted(of_type=JOB_EVENT)))
    assert pages == [[], [], [450]]


async def test_a_point_is_good_once_for_its_session_and_node(told: EventHistory) -> None:
    asked = details(NOON, minute(60), 2)

    async def code(point: bytes | None, node: ua.NodeId = SERVER, session: ua.NodeId = SESSION) -> str:
        return str((await read(told, node, asked, point=point, session=session)).StatusCode.name)

    point = (await read(told, SERVER, asked)).ContinuationPoint
    assert await code(b"never given") == "BadContinuationPointInvalid"
    assert await code(point, session=OTHER) == "BadContinuationPointInvalid"
    assert await code(point) == "Good"
    assert await code(point) == "BadContinuationPointInvalid"
    point = (await read(told, SERVER, asked)).ContinuationPoint
    assert await code(point, node=MK3) == "BadContinuationPointInvalid"


async def test_points_are_released(told: EventHistory) -> None:
    asked = details(NOON, minute(60), 2)
    point = (await read(told, SERVER, asked)).ContinuationPoint
    assert len(told.points) == 1
    released = await read(told, SERVER, asked, point=point, release=True)
    assert (released.StatusCode.name, released.HistoryData, len(told.points)) == ("Good", ua.ExtensionObject(), 0)
    again = await read(told, SERVER, asked, point=point, release=True)
    assert again.StatusCode.name == "BadContinuationPointInvalid"


async def test_a_session_that_ends_leaves_nothing(told: EventHistory) -> None:
    await read(told, SERVER, details(NOON, minute(60), 2))
    await read(told, SERVER, details(NOON, minute(60), 1), session=OTHER)
    told.points.forget(SESSION)
    assert len(told.points) == 1


def test_points_have_limits() -> None:
    points: ContinuationPoints[int] = ContinuationPoints(per_session=2, total=3)
    first, second, third = (points.keep(SESSION, number) for number in (1, 2, 3))
    assert [points.take(SESSION, point) for point in (first, second, third)] == [None, 2, 3]
    named = [points.keep(node_id(Key(0, number)), number) for number in range(4)]
    assert len(points) == 3
    assert [points.take(node_id(Key(0, number)), point) for number, point in enumerate(named)] == [None, 1, 2, 3]


# --- what is refused ---


@pytest.mark.parametrize(
    ("node", "asked", "code"),
    [
        (NOWHERE, details(NOON, minute(9)), "BadNodeIdUnknown"),
        (VARIABLE, details(NOON, minute(9)), "BadHistoryOperationUnsupported"),
        (VARIABLE, ua.ReadRawModifiedDetails(), "BadHistoryOperationUnsupported"),
        (MK3, ua.ReadRawModifiedDetails(), "BadHistoryOperationUnsupported"),
        (MK3, ua.ReadEventDetailsSorted(), "BadHistoryOperationUnsupported"),
        (MK3, ua.ReadEventDetails2(ReadModified=cast("ua.Boolean", True)), "BadHistoryOperationUnsupported"),
        (MK3, ua.ExtensionObject(), "BadHistoryOperationUnsupported"),
        (MK3, details(NOON, minute(9), asked=ua.EventFilter([])), "BadEventFilterInvalid"),
    ],
)
async def test_what_cannot_be_read(told: EventHistory, node: ua.NodeId, asked: Any, code: str) -> None:
    assert (await read(told, node, asked)).StatusCode.name == code


async def test_the_newer_form_of_the_question(told: EventHistory) -> None:
    asked = ua.ReadEventDetails2(
        cast("ua.Counter", 0),
        cast("ua.DateTime", NOON),
        cast("ua.DateTime", minute(2)),
        wanted(),
        cast("ua.Boolean", False),
    )
    assert ids(await read(told, MK3, asked)) == [0, 1]


@pytest.mark.parametrize(
    ("count", "code"), [(0, ua.StatusCodes.BadNothingToDo), (101, ua.StatusCodes.BadTooManyOperations)]
)
async def test_nothing_or_too_much_to_do(told: EventHistory, count: int, code: int) -> None:
    params = ua.HistoryReadParameters(NodesToRead=[ua.HistoryReadValueId(MK3)] * count)
    with pytest.raises(ServiceError) as raised:
        await told.read_history(params)
    assert raised.value.code == code


class Counting:
    """A past that is asked for nothing."""

    async def events(self, machine_id: str | None = None, **_: Any) -> Sequence[Event]:
        raise AssertionError(machine_id)


async def test_who_may_see_nothing_costs_nothing() -> None:
    result = await read(reader(Counting()), MK3, details(NOON, minute(9)), session=OTHER)
    assert result.StatusCode.name == "GoodNoData"
