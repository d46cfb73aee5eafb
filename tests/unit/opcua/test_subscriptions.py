"""Events on their way to subscribers; the same done to asyncua's own subscriptions shows what they are replaced for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.common.event_objects import BaseEvent
from asyncua.server.subscription_service import SubscriptionService

from edge_agent.events import MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun
from edge_agent.sinks.opcua.event_filter import Supertypes
from edge_agent.sinks.opcua.events import notifiers, occurrence
from edge_agent.sinks.opcua.nodeset import Key
from edge_agent.sinks.opcua.subscriptions import LEAST_QUEUE, EventSubscriptions
from edge_agent.sinks.opcua.wire import node_id, status

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SERVER, MACHINE = node_id(Key(0, 2253)), node_id(Key(13, "mk3"))
RESULTS = node_id(Key(13, "mk3/MachineryBuildingBlocks/JobManagement/JobOrderResults"))
MESSAGES = node_id(Key(13, "mk3/Notification/Messages"))
QUIET, VARIABLE = node_id(Key(13, "mk3/Quiet")), node_id(Key(13, "mk3/Variable"))
BASE, JOB_EVENT, MACHINE_EVENT = node_id(Key(0, 2041)), node_id(Key(5, 1006)), node_id(Key(10, 35))
SESSION, OTHER = node_id(Key(0, 11)), node_id(Key(0, 12))

RUN = JobRun(id="run-1", machine_id="mk3", file_name="a.gcode", started_at=AT, updated_at=AT)
STARTED = JobEvent(id="0" * 32, kind=JobEventKind.STARTED, at=AT, run=RUN)
FAULT = MachineEvent(id="f" * 32, kind=MachineEventKind.FAULT, at=AT, machine_id="mk3", text="hot")


class Space:
    """As much of an address space as subscriptions ask for."""

    def read_attribute_value(self, node: ua.NodeId, attribute: ua.AttributeIds) -> ua.DataValue:
        if attribute != ua.AttributeIds.EventNotifier:
            return ua.DataValue(ua.Variant(1, ua.VariantType.Int32))
        if node in {SERVER, MACHINE, RESULTS, MESSAGES}:
            return ua.DataValue(ua.Variant(5, ua.VariantType.Byte))
        if node == QUIET:
            return ua.DataValue(ua.Variant(4, ua.VariantType.Byte))
        code = ua.StatusCodes.BadAttributeIdInvalid if node == VARIABLE else ua.StatusCodes.BadNodeIdUnknown
        return ua.DataValue(ua.Variant(), status(code))

    def add_datachange_callback(self, *_: object) -> tuple[ua.StatusCode, int]:
        return ua.StatusCode(), 1


def supertypes(node: ua.NodeId) -> Iterable[ua.NodeId]:
    return (BASE,) if node in {JOB_EVENT, MACHINE_EVENT} else ()


def everything(_: ua.NodeId, __: str) -> bool:
    return True


class Subscriber:
    """A subscription that publishes at once."""

    def __init__(self, service: SubscriptionService) -> None:
        self.service = service
        self.told: list[tuple[int, list[Any]]] = []
        self.id = 0

    async def begin(self, session: ua.NodeId = SESSION) -> Subscriber:
        params = ua.CreateSubscriptionParameters(RequestedPublishingInterval=cast("ua.Duration", 0.0))
        self.id = (await self.service.create_subscription(params, self._publish, session)).SubscriptionId
        return self

    async def _publish(self, result: ua.PublishResult) -> None:
        for notification in result.NotificationMessage.NotificationData or ():
            if isinstance(notification, ua.EventNotificationList):
                self.told += [
                    (fields.ClientHandle, [field.Value for field in fields.EventFields])
                    for fields in notification.Events
                ]

    async def watch(
        self,
        node: ua.NodeId,
        wanted: Any = None,
        *,
        handle: int = 1,
        mode: ua.MonitoringMode = ua.MonitoringMode.Reporting,
        queue: int = 0,
        attribute: int = 12,
    ) -> ua.MonitoredItemCreateResult:
        item = ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(node, cast("ua.AttributeIds", attribute)),
            MonitoringMode=mode,
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=cast("ua.IntegerId", handle), Filter=wanted, QueueSize=cast("ua.Counter", queue)
            ),
        )
        params = ua.CreateMonitoredItemsParameters(SubscriptionId=cast("ua.IntegerId", self.id), ItemsToCreate=[item])
        (result,) = await self.service.create_monitored_items(params)
        return result

    def modify(self, item: int, wanted: Any, *, handle: int = 1, queue: int = 0) -> ua.MonitoredItemModifyResult:
        change = ua.MonitoredItemModifyRequest(
            cast("ua.IntegerId", item),
            ua.MonitoringParameters(
                ClientHandle=cast("ua.IntegerId", handle), Filter=wanted, QueueSize=cast("ua.Counter", queue)
            ),
        )
        params = ua.ModifyMonitoredItemsParameters(SubscriptionId=cast("ua.IntegerId", self.id), ItemsToModify=[change])
        (result,) = self.service.modify_monitored_items(params)
        return result


def field(name: str) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(BASE, [ua.QualifiedName.from_string(name)], cast("ua.IntegerId", 13))


def event_filter(*names: str, of_type: ua.NodeId | None = None) -> ua.EventFilter:
    elements = []
    if of_type is not None:
        elements = [ua.ContentFilterElement(ua.FilterOperator.OfType, [ua.LiteralOperand(ua.Variant(of_type))])]
    return ua.EventFilter([field(name) for name in names or ("0:EventId",)], ua.ContentFilter(elements))


def base_event(**fields: Any) -> Any:
    """Made by asyncua, which annotates nothing of it."""
    return cast("Any", BaseEvent)(**fields)


MaySee = Callable[[ua.NodeId, str], bool]


def ours(may_see: MaySee = everything, *, types: Supertypes = supertypes) -> EventSubscriptions:
    return EventSubscriptions(cast("Any", Space()), None, supertypes=types, may_see=may_see)


def theirs() -> SubscriptionService:
    return SubscriptionService(cast("Any", Space()))


async def report(service: EventSubscriptions, *events: JobEvent | MachineEvent) -> None:
    for event in events:
        await service.report(occurrence(event, source_name="MK3"), notifiers(event), machine_id=event.machine_id)


ZEROS, EFFS = bytes(16), b"\xff" * 16


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (SERVER, [ZEROS, EFFS]),
        (MACHINE, [ZEROS, EFFS]),
        (RESULTS, [ZEROS, EFFS]),
        (MESSAGES, [EFFS]),
    ],
)
async def test_each_notifiers_subscriber_is_told_once(node: ua.NodeId, expected: list[bytes]) -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    assert (await subscriber.watch(node, event_filter())).StatusCode.is_good()
    await report(service, STARTED, FAULT)
    assert subscriber.told == [(1, [expected_id]) for expected_id in expected]


async def test_each_item_is_told_on_its_own() -> None:
    service = ours()
    first, second = await Subscriber(service).begin(), await Subscriber(service).begin()
    await first.watch(SERVER, event_filter("0:Severity"), handle=1)
    await first.watch(MACHINE, event_filter("10:Identifier"), handle=2)
    await second.watch(SERVER, event_filter("0:SourceName"), handle=3)
    await report(service, FAULT)
    assert sorted(first.told) == [(1, [700]), (2, ["Fault"])]
    assert second.told == [(3, ["MK3"])]


async def test_asyncua_tells_one_node_only() -> None:
    service = theirs()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("0:Severity"))
    event = base_event()
    event.emitting_node = MACHINE
    await service.trigger_event(event)
    assert subscriber.told == []


async def test_structures_arrive() -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("5:JobOrder", "5:JobState", "5:JobResponse"))
    await report(service, STARTED)
    ((_, (job_order, states, response)),) = subscriber.told
    assert (job_order.JobOrderID, states[0].StateNumber, response.JobResponseID) == ("run-1", 3, "run-1")


async def test_only_events_of_the_wanted_type() -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("0:EventType", of_type=MACHINE_EVENT), handle=1)
    await subscriber.watch(SERVER, event_filter("0:EventType", of_type=BASE), handle=2)
    await report(service, STARTED, FAULT)
    assert sorted(subscriber.told, key=lambda told: told[0]) == [
        (1, [MACHINE_EVENT]),
        (2, [JOB_EVENT]),
        (2, [MACHINE_EVENT]),
    ]


async def test_asyncua_leaves_out_subtypes() -> None:
    service = theirs()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("0:Severity", of_type=BASE))
    event = base_event()
    event.EventType = MACHINE_EVENT
    await service.trigger_event(event)
    assert subscriber.told == []


async def test_who_may_not_see_a_machine_hears_nothing_of_it() -> None:
    service = ours(lambda session, machine: session == SESSION and machine == "mk3")
    allowed, other = await Subscriber(service).begin(SESSION), await Subscriber(service).begin(OTHER)
    for subscriber in (allowed, other):
        await subscriber.watch(SERVER, event_filter())
    await report(service, FAULT)
    assert (len(allowed.told), other.told) == (1, [])


async def test_one_that_fails_keeps_no_other_waiting(caplog: pytest.LogCaptureFixture) -> None:
    service = ours()
    broken, fine = await Subscriber(service).begin(), await Subscriber(service).begin()
    for subscriber in (broken, fine):
        await subscriber.watch(SERVER, event_filter())

    async def fail(_: object) -> None:
        raise ConnectionError

    service.subscriptions[broken.id].pub_result_callback = fail
    await report(service, FAULT)
    assert len(fine.told) == 1
    assert "could not be told" in caplog.text


async def test_what_is_deleted_while_another_is_told_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    service = ours()
    first, second = await Subscriber(service).begin(), await Subscriber(service).begin()
    for subscriber in (first, first, second):
        await subscriber.watch(SERVER, event_filter())

    async def delete(_: object) -> None:
        await service.delete_subscriptions([first.id, second.id])

    service.subscriptions[first.id].pub_result_callback = delete
    await report(service, FAULT)
    assert second.told == []
    assert service.subscriptions == {}
    assert "could not be told" not in caplog.text


@pytest.mark.parametrize("mode", [ua.MonitoringMode.Disabled, ua.MonitoringMode.Sampling])
async def test_an_item_that_does_not_report_is_told_nothing(mode: ua.MonitoringMode) -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    item = await subscriber.watch(SERVER, event_filter(), mode=mode)
    await report(service, FAULT)
    assert subscriber.told == []
    items = service.subscriptions[subscriber.id].monitored_item_srv
    await items.set_monitoring_mode(ua.MonitoringMode.Reporting, [item.MonitoredItemId])
    await report(service, FAULT)
    assert len(subscriber.told) == 1


async def test_asyncua_tells_disabled_items_too() -> None:
    service = theirs()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("0:Severity"), mode=ua.MonitoringMode.Disabled)
    await service.trigger_event(base_event())
    assert len(subscriber.told) == 1


async def test_events_of_asyncua_itself_are_told_too() -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("0:Severity", "0:EventType", "10:Identifier", of_type=BASE))
    event = base_event(severity=42)
    await service.trigger_event(event)
    assert subscriber.told == [(1, [42, BASE, None])]


# --- what is refused ---


async def test_items_that_cannot_be() -> None:
    subscriber = await Subscriber(ours()).begin()

    async def code(node: ua.NodeId, wanted: Any, attribute: int = 12) -> str:
        result = await subscriber.watch(node, wanted, attribute=attribute)
        assert result.MonitoredItemId == 0
        return str(result.StatusCode.name)

    assert await code(node_id(Key(13, "mk9")), event_filter()) == "BadNodeIdUnknown"
    assert await code(VARIABLE, event_filter()) == "BadAttributeIdInvalid"
    assert await code(QUIET, event_filter()) == "BadNotSupported"
    assert await code(SERVER, None) == "BadEventFilterInvalid"
    assert await code(SERVER, ua.DataChangeFilter()) == "BadEventFilterInvalid"
    assert await code(VARIABLE, event_filter(), attribute=13) == "BadMonitoredItemFilterUnsupported"


async def test_asyncua_fails_the_whole_request_for_an_item_without_a_filter() -> None:
    subscriber = await Subscriber(theirs()).begin()
    with pytest.raises(AttributeError):
        await subscriber.watch(SERVER, None)


async def test_what_is_wrong_with_a_filter_is_told() -> None:
    subscriber = await Subscriber(ours()).begin()
    wrong = event_filter()
    wrong.WhereClause = ua.ContentFilter([ua.ContentFilterElement(ua.FilterOperator.InView, [])])
    refused = await subscriber.watch(SERVER, wrong)
    assert refused.StatusCode.name == "BadEventFilterInvalid"
    found = cast("ua.EventFilterResult", refused.FilterResult).WhereClauseResult.ElementResults
    assert [result.StatusCode.name for result in found] == ["BadFilterOperatorUnsupported"]
    odd = event_filter()
    odd.SelectClauses[0].AttributeId = cast("ua.IntegerId", 4)
    accepted = await subscriber.watch(SERVER, odd)
    assert accepted.StatusCode.is_good()
    told = cast("ua.EventFilterResult", accepted.FilterResult).SelectClauseResults
    assert [result.name for result in told] == ["BadAttributeIdInvalid"]


async def test_values_are_watched_as_before() -> None:
    subscriber = await Subscriber(ours()).begin()
    for wanted in (None, ua.DataChangeFilter()):
        assert (await subscriber.watch(VARIABLE, wanted, attribute=13)).StatusCode.is_good()


# --- what is modified ---


async def test_a_modified_item_does_as_it_is_told() -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    item = await subscriber.watch(SERVER, event_filter("0:Severity", of_type=JOB_EVENT), handle=1)
    changed = subscriber.modify(
        item.MonitoredItemId, event_filter("10:Identifier", of_type=MACHINE_EVENT), handle=9, queue=500
    )
    assert changed.StatusCode.is_good()
    assert changed.RevisedQueueSize == 500
    await report(service, STARTED, FAULT)
    assert subscriber.told == [(9, ["Fault"])]


async def test_a_modification_that_is_refused_changes_nothing() -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    item = await subscriber.watch(SERVER, event_filter("10:Identifier"))
    assert subscriber.modify(item.MonitoredItemId, None, handle=9).StatusCode.name == "BadEventFilterInvalid"
    await report(service, FAULT)
    assert subscriber.told == [(1, ["Fault"])]


async def test_modifying_an_item_that_is_not_there() -> None:
    subscriber = await Subscriber(ours()).begin()
    assert subscriber.modify(4711, event_filter()).StatusCode.name == "BadMonitoredItemIdInvalid"
    with pytest.raises(TypeError):
        (await Subscriber(theirs()).begin()).modify(4711, event_filter())


async def test_values_items_are_modified_too() -> None:
    subscriber = await Subscriber(ours()).begin()
    item = await subscriber.watch(VARIABLE, attribute=13)
    refused = subscriber.modify(item.MonitoredItemId, event_filter())
    assert refused.StatusCode.name == "BadMonitoredItemFilterUnsupported"
    assert subscriber.modify(item.MonitoredItemId, ua.DataChangeFilter(), queue=5).RevisedQueueSize == 5


async def test_a_queue_holds_a_burst() -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    item = await subscriber.watch(SERVER, event_filter(), queue=1)
    assert item.RevisedQueueSize == LEAST_QUEUE
    service.subscriptions[subscriber.id].data.RevisedPublishingInterval = cast("ua.Duration", 1000.0)
    await report(service, *[FAULT] * 5)
    await service.subscriptions[subscriber.id].publish_results()
    assert len(subscriber.told) == 5


async def test_a_queue_that_ran_over_says_so_first() -> None:
    service = ours()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("0:EventType", "0:EventId", of_type=MACHINE_EVENT), queue=1)
    subscription = service.subscriptions[subscriber.id]
    subscription.data.RevisedPublishingInterval = cast("ua.Duration", 1000.0)
    numbered = [
        MachineEvent(id=f"{number:032x}", kind=MachineEventKind.FAULT, at=AT, machine_id="mk3")
        for number in range(LEAST_QUEUE + 3)
    ]
    for _ in ("once", "again"):
        await report(service, *numbered)
        await subscription.publish_results()
        (_, (first_type, _)), *rest = subscriber.told
        assert first_type == node_id(Key(0, 3035))
        assert [int.from_bytes(fields[1]) for _, fields in rest] == list(range(3, LEAST_QUEUE + 3))
        subscriber.told.clear()
    await report(service, *numbered[:LEAST_QUEUE])
    await subscription.publish_results()
    assert [fields[0] for _, fields in subscriber.told] == [MACHINE_EVENT] * LEAST_QUEUE


async def test_asyncua_says_nothing_of_a_queue_that_ran_over() -> None:
    service = theirs()
    subscriber = await Subscriber(service).begin()
    await subscriber.watch(SERVER, event_filter("0:Severity"), queue=1)
    subscription = service.subscriptions[subscriber.id]
    subscription.data.RevisedPublishingInterval = cast("ua.Duration", 1000.0)
    for severity in (1, 2, 3):
        await service.trigger_event(base_event(severity=severity))
    await subscription.publish_results()
    assert subscriber.told == [(1, [3])]
