"""Events on their way to subscribers. What asyncua's own do is in test_subscriptions_of_asyncua.py."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.events import MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun
from edge_agent.sinks.opcua.monitoring.event_item import LEAST_QUEUED, MOST_QUEUED
from edge_agent.sinks.opcua.monitoring.subscriptions import Subscriptions
from edge_agent.sinks.opcua.objects.machine_events import notifiers, occurrence
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.wire import node_id
from tests.opcua_space import ROOT, of_machine
from tests.unit.opcua.subscriber import (
    AT,
    TEXT,
    Disabled,
    Reporting,
    Sampling,
    Session,
    run,
    service,
)

SERVER, VARIABLE, QUIET = Key(0, 2253), TEXT, of_machine("Source")
RESULTS = of_machine("MachineryBuildingBlocks/JobManagement/JobOrderResults")
MESSAGES = of_machine("Notification/Messages")
BASE, JOB_EVENT, MACHINE_EVENT = node_id(Key(0, 2041)), node_id(Key(5, 1006)), node_id(Key(10, 35))
OVERFLOW = node_id(Key(0, 3035))
EVENTS = ua.AttributeIds.EventNotifier

RUN = JobRun(id="run-1", machine_id="m", file_name="a.gcode", started_at=AT, updated_at=AT)
STARTED = JobEvent(id="0" * 32, kind=JobEventKind.STARTED, at=AT, run=RUN)
FAULT = MachineEvent(id="f" * 32, kind=MachineEventKind.FAULT, at=AT, machine_id="m", text="hot")
ZEROS, EFFS = bytes(16), b"\xff" * 16


@pytest.fixture(autouse=True)
def notifying(space: AddressSpace) -> None:
    """The server's object tells of events, as `server_object` has it."""
    for node, bits in ((SERVER, 5), (QUIET, 4)):
        space.hold(node, ua.DataValue(ua.Variant(bits, ua.VariantType.Byte)), EVENTS)


def field(name: str) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(BASE, [ua.QualifiedName.from_string(name)], cast("ua.IntegerId", 13))


def event_filter(*names: str, of_type: ua.NodeId | None = None) -> ua.EventFilter:
    elements = []
    if of_type is not None:
        elements = [ua.ContentFilterElement(ua.FilterOperator.OfType, [ua.LiteralOperand(ua.Variant(of_type))])]
    return ua.EventFilter([field(name) for name in names or ("0:EventId",)], ua.ContentFilter(elements))


def watch(session: Session, subscription: int, node: Key, wanted: Any, **more: Any) -> ua.MonitoredItemCreateResult:
    return session.watch(subscription, node, wanted=wanted, attribute=EVENTS, **more)


async def report(of: Subscriptions, *events: JobEvent | MachineEvent) -> None:
    for event in events:
        await of.report(occurrence(event, source_name="MK3"), notifiers(event), machine_id=event.machine_id)


async def cycle(*sessions: Session) -> None:
    """Let every subscription speak."""
    for session in sessions:
        session.publish()
    await asyncio.sleep(0.11)


@pytest.mark.parametrize(
    ("node", "expected"),
    [(SERVER, [ZEROS, EFFS]), (ROOT, [ZEROS, EFFS]), (RESULTS, [ZEROS, EFFS]), (MESSAGES, [EFFS])],
)
def test_each_notifiers_subscriber_is_told_once(space: AddressSpace, node: Key, expected: list[bytes]) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        assert watch(session, session.begin(), node, event_filter()).StatusCode.is_good()
        await report(of, STARTED, FAULT)
        await cycle(session)
        assert session.events == [(1, [told]) for told in expected]

    run(main)


def test_each_item_is_told_on_its_own(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        first, second = Session(of, space), Session(of, space)
        subscription = first.begin()
        watch(first, subscription, SERVER, event_filter("0:Severity"), handle=1)
        watch(first, subscription, ROOT, event_filter("10:Identifier"), handle=2)
        watch(second, second.begin(), SERVER, event_filter("0:SourceName"), handle=3)
        await report(of, FAULT)
        await cycle(first, second)
        assert sorted(first.events) == [(1, [700]), (2, ["Fault"])]
        assert second.events == [(3, ["MK3"])]

    run(main)


def test_structures_arrive(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        watch(session, session.begin(), SERVER, event_filter("5:JobOrder", "5:JobState", "5:JobResponse"))
        await report(of, STARTED)
        await cycle(session)
        ((_, (job_order, states, response)),) = session.events
        assert (job_order.JobOrderID, states[0].StateNumber, response.JobResponseID) == ("run-1", 3, "run-1")

    run(main)


def test_only_events_of_the_wanted_type(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        watch(session, subscription, SERVER, event_filter("0:EventType", of_type=MACHINE_EVENT), handle=1)
        watch(session, subscription, SERVER, event_filter("0:EventType", of_type=BASE), handle=2)
        await report(of, STARTED, FAULT)
        await cycle(session)
        assert sorted(session.events, key=lambda told: told[0]) == [
            (1, [MACHINE_EVENT]),
            (2, [JOB_EVENT]),
            (2, [MACHINE_EVENT]),
        ]

    run(main)


def test_who_may_not_see_a_machine_hears_nothing_of_it(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        allowed, other = Session(of, space), Session(of, space, sees=lambda key: key.namespace != 13)
        for session in (allowed, other):
            watch(session, session.begin(), SERVER, event_filter())
        [subscription] = [made.id for made in of.subscriptions.values() if made.owner is other]
        assert watch(other, subscription, ROOT, event_filter()).StatusCode.name == "BadNodeIdUnknown"
        await report(of, FAULT)
        await cycle(allowed, other)
        assert (len(allowed.events), other.events) == (1, [])

    run(main)


def test_one_that_fails_keeps_no_other_waiting(space: AddressSpace, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        of = service(space)
        broken, fine = Session(of, space), Session(of, space)
        for session in (broken, fine):
            watch(session, session.begin(), SERVER, event_filter())
        for item in next(iter(of.subscriptions.values())).items.values():
            item._filter = None  # type: ignore[assignment]
        await report(of, FAULT)
        await cycle(fine)
        assert len(fine.events) == 1
        assert "could not be told" in caplog.text

    run(main)


@pytest.mark.parametrize("mode", [Disabled, Sampling])
def test_an_item_that_does_not_report_is_told_nothing(space: AddressSpace, mode: ua.MonitoringMode) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        item = watch(session, subscription, SERVER, event_filter(), mode=mode)
        await report(of, FAULT)
        await cycle(session)
        assert session.events == []
        session.set_mode(subscription, Reporting, item.MonitoredItemId)
        await report(of, FAULT)
        await cycle(session)
        assert len(session.events) == (2 if mode == Sampling else 1)  # what was sampled waited

    run(main)


# --- what is refused ---


def test_items_that_cannot_be(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()

        def code(node: Key, wanted: Any, attribute: int = EVENTS) -> str:
            result = session.watch(subscription, node, wanted=wanted, attribute=attribute)
            assert result.MonitoredItemId == 0
            return str(result.StatusCode.name)

        assert code(Key(13, "mk9"), event_filter()) == "BadNodeIdUnknown"
        assert code(VARIABLE, event_filter()) == "BadAttributeIdInvalid"
        assert code(QUIET, event_filter()) == "BadNotSupported"
        assert code(SERVER, None) == "BadEventFilterInvalid"
        assert code(SERVER, ua.DataChangeFilter()) == "BadEventFilterInvalid"
        assert code(VARIABLE, event_filter(), ua.AttributeIds.Value) == "BadFilterNotAllowed"

    run(main)


def test_what_is_wrong_with_a_filter_is_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        wrong = event_filter()
        wrong.WhereClause = ua.ContentFilter([ua.ContentFilterElement(ua.FilterOperator.InView, [])])
        refused = watch(session, subscription, SERVER, wrong)
        assert refused.StatusCode.name == "BadEventFilterInvalid"
        found = cast("ua.EventFilterResult", refused.FilterResult).WhereClauseResult.ElementResults
        assert [result.StatusCode.name for result in found] == ["BadFilterOperatorUnsupported"]
        odd = event_filter()
        odd.SelectClauses[0].AttributeId = cast("ua.IntegerId", 4)
        accepted = watch(session, subscription, SERVER, odd)
        assert accepted.StatusCode.is_good()
        told = cast("ua.EventFilterResult", accepted.FilterResult).SelectClauseResults
        assert [result.name for result in told] == ["BadAttributeIdInvalid"]

    run(main)


# --- what is modified ---


def test_a_modified_item_does_as_it_is_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        item = watch(session, subscription, SERVER, event_filter("0:Severity", of_type=JOB_EVENT), handle=1)
        wanted = event_filter("10:Identifier", of_type=MACHINE_EVENT)
        changed = session.rewatch(subscription, item.MonitoredItemId, wanted=wanted, handle=9, queue=500)
        assert changed.StatusCode.is_good()
        assert changed.RevisedQueueSize == 500
        await report(of, STARTED, FAULT)
        await cycle(session)
        assert session.events == [(9, ["Fault"])]

    run(main)


def test_a_modification_that_is_refused_changes_nothing(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        item = watch(session, subscription, SERVER, event_filter("10:Identifier"))
        refused = session.rewatch(subscription, item.MonitoredItemId, handle=9)
        assert refused.StatusCode.name == "BadEventFilterInvalid"
        await report(of, FAULT)
        await cycle(session)
        assert session.events == [(1, ["Fault"])]

    run(main)


def test_an_item_that_is_deleted_is_told_nothing(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        item = watch(session, subscription, SERVER, event_filter())
        await report(of, FAULT)
        params = ua.DeleteMonitoredItemsParameters(cast("ua.IntegerId", subscription), [item.MonitoredItemId, 4711])
        deleted = of.items.delete(session, params)
        assert [code.name for code in deleted] == ["Good", "BadMonitoredItemIdInvalid"]
        await report(of, FAULT)
        await cycle(session)
        assert session.events == []

    run(main)


# --- queues ---


def numbered(count: int) -> list[MachineEvent]:
    return [
        MachineEvent(id=f"{number:032x}", kind=MachineEventKind.FAULT, at=AT, machine_id="m") for number in range(count)
    ]


def test_a_queue_holds_a_burst_and_no_more_than_there_is_room_for(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        item = watch(session, subscription, SERVER, event_filter(), queue=1)
        assert item.RevisedQueueSize == LEAST_QUEUED
        assert watch(session, subscription, SERVER, event_filter(), queue=2**31).RevisedQueueSize == MOST_QUEUED
        await report(of, *numbered(5))
        await cycle(session)
        assert len(session.events) == 10

    run(main)


def test_a_queue_that_ran_over_says_so_first(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        wanted = event_filter("0:EventType", "0:EventId", of_type=MACHINE_EVENT)
        watch(session, session.begin(), SERVER, wanted, queue=1)
        for _ in ("once", "again"):
            await report(of, *numbered(LEAST_QUEUED + 3))
            await cycle(session)
            (_, (first_type, _)), *rest = session.events
            assert first_type == OVERFLOW
            assert [int.from_bytes(fields[1]) for _, fields in rest] == list(range(3, LEAST_QUEUED + 3))
            session.told.clear()
        await report(of, *numbered(LEAST_QUEUED))
        await cycle(session)
        assert [fields[0] for _, fields in session.events] == [MACHINE_EVENT] * LEAST_QUEUED

    run(main)


def test_a_queue_that_would_rather_miss_the_newest_says_so_last(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        wanted = event_filter("0:EventType", "0:EventId")
        watch(session, session.begin(), SERVER, wanted, queue=1, discard_oldest=False)
        await report(of, *numbered(LEAST_QUEUED + 3))
        await cycle(session)
        *first, (_, (last_type, _)) = session.events
        assert last_type == OVERFLOW
        assert [int.from_bytes(fields[1]) for _, fields in first] == list(range(LEAST_QUEUED))

    run(main)


def test_what_happens_after_a_gap_that_was_told_is_told_if_there_is_room(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin(MaxNotificationsPerPublish=cast("ua.Counter", 1))
        watch(session, subscription, SERVER, event_filter("0:EventId"), discard_oldest=False)
        *first, later, too_late = numbered(LEAST_QUEUED + 3)
        await report(of, *first)  # one more than there is room for
        await cycle(session)
        await report(of, later, too_late)
        for _ in range(LEAST_QUEUED + 2):
            await cycle(session)
        told = [int.from_bytes(event_id) for _, (event_id,) in session.events]
        assert told[:LEAST_QUEUED] == list(range(LEAST_QUEUED))
        assert told[LEAST_QUEUED + 1 : -1] == [LEAST_QUEUED + 1]  # between two that say so
        assert len(told) == LEAST_QUEUED + 3

    run(main)
