"""What is wrong with asyncua's own subscriptions, and why there are others here.

One that fails says that asyncua has put it right: see then what of ours can go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.common.event_objects import BaseEvent
from asyncua.common.utils import ServiceError
from asyncua.server.subscription_service import SubscriptionService

from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.wire import node_id
from tests.unit.opcua.subscriber import AT, TEMPERATURE, TEXT, Disabled, Reporting, monitoring, names, write
from tests.unit.opcua.test_event_items import BASE, MACHINE_EVENT, SERVER, event_filter

EVENTS, VALUE = ua.AttributeIds.EventNotifier, ua.AttributeIds.Value
HOUR_MS = 3_600_000.0
SESSION, OTHER = node_id(Key(0, 11)), node_id(Key(0, 12))


class Stock:
    """A subscription of asyncua's that publishes when it is told to."""

    def __init__(self, space: AddressSpace) -> None:
        self.space = space
        self.service = SubscriptionService(cast("Any", space))
        self.told: list[ua.PublishResult] = []
        self.id = 0

    async def begin(self, **more: Any) -> Stock:
        params = ua.CreateSubscriptionParameters(
            cast("ua.Duration", HOUR_MS), cast("ua.Counter", 300), cast("ua.Counter", 10), **more
        )
        made = await self.service.create_subscription(params, self._publish, SESSION, self._request)
        self.id = made.SubscriptionId
        return self

    def _request(self, _: int) -> object:
        return object()

    async def _publish(self, result: ua.PublishResult, _: object) -> None:
        self.told.append(result)

    async def watch(self, node: Key, wanted: Any = None, *, attribute: int = VALUE, **more: Any) -> Any:
        mode = more.pop("mode", Reporting)
        stamps = more.pop("stamps", ua.TimestampsToReturn.Both)
        watched = ua.ReadValueId(node_id(node), cast("ua.AttributeIds", attribute))
        item = ua.MonitoredItemCreateRequest(watched, mode, monitoring(wanted, **more))
        params = ua.CreateMonitoredItemsParameters(cast("ua.IntegerId", self.id), stamps, [item])
        (result,) = await self.service.create_monitored_items(params)
        return result

    async def publish(self) -> None:
        await self.service.subscriptions[self.id].publish_results()

    def parts(self, kind: type) -> list[Any]:
        return [
            part
            for result in self.told
            for part in cast("Any", result.NotificationMessage.NotificationData)
            if isinstance(part, kind)
        ]

    @property
    def values(self) -> list[Any]:
        parts = self.parts(ua.DataChangeNotification)
        return [item.Value.Value.Value for part in parts for item in part.MonitoredItems]

    @property
    def events(self) -> list[Any]:
        parts = self.parts(ua.EventNotificationList)
        return [[field.Value for field in event.EventFields] for part in parts for event in part.Events]


def event(**fields: Any) -> Any:
    """Made by asyncua, which annotates nothing of it."""
    return cast("Any", BaseEvent)(**fields)


@pytest.fixture
def space(space: AddressSpace) -> AddressSpace:
    space.hold(SERVER, ua.DataValue(ua.Variant(1, ua.VariantType.Byte)), EVENTS)
    return space


# --- events ---


async def test_an_event_is_told_on_one_node_only(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await stock.watch(SERVER, event_filter("0:Severity"), attribute=EVENTS)
    other = event()
    other.emitting_node = node_id(Key(13, "m"))
    await stock.service.trigger_event(other)
    await stock.publish()
    assert stock.events == []


async def test_subtypes_are_left_out(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await stock.watch(SERVER, event_filter("0:Severity", of_type=BASE), attribute=EVENTS)
    fault = event()
    fault.EventType = MACHINE_EVENT
    await stock.service.trigger_event(fault)
    await stock.publish()
    assert stock.events == []


async def test_disabled_items_are_told_events(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await stock.watch(SERVER, event_filter("0:Severity"), attribute=EVENTS, mode=Disabled)
    await stock.service.trigger_event(event())
    await stock.publish()
    assert len(stock.events) == 1


async def test_nothing_is_said_of_a_queue_that_ran_over(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await stock.watch(SERVER, event_filter("0:Severity"), attribute=EVENTS, queue=1)
    await stock.watch(TEMPERATURE, queue=2)
    await stock.publish()
    for severity in (1, 2, 3):
        await stock.service.trigger_event(event(severity=severity))
    await write(space, 1.0, 2.0, 3.0)
    await stock.publish()
    assert stock.events == [[3]]
    told = stock.parts(ua.DataChangeNotification)[-1].MonitoredItems
    assert [(item.Value.Value.Value, item.Value.StatusCode.value) for item in told] == [(2.0, 0), (3.0, 0)]


async def test_an_item_without_a_filter_fails_the_whole_request(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    with pytest.raises(AttributeError):
        await stock.watch(SERVER, attribute=EVENTS)


async def test_so_does_modifying_one_that_is_not_there(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    change = ua.MonitoredItemModifyRequest(cast("ua.IntegerId", 4711), monitoring())
    params = ua.ModifyMonitoredItemsParameters(cast("ua.IntegerId", stock.id), ItemsToModify=[change])
    with pytest.raises(TypeError):
        stock.service.modify_monitored_items(params)


# --- values ---


async def test_a_sampling_interval_is_ignored(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    item = await stock.watch(TEMPERATURE, sampling_ms=60_000.0, queue=10)
    assert item.RevisedSamplingInterval == HOUR_MS
    await write(space, 1.0, 2.0)
    await stock.publish()
    assert stock.values == [None, 1.0, 2.0]


async def test_timestamps_that_are_not_asked_for_come_all_the_same(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await write(space, 1.0)
    await stock.watch(TEMPERATURE, stamps=ua.TimestampsToReturn.Neither)
    await stock.publish()
    [told] = stock.parts(ua.DataChangeNotification)[0].MonitoredItems
    assert told.Value.SourceTimestamp == AT


async def test_the_newest_value_cannot_be_the_one_to_miss(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await stock.watch(TEMPERATURE, queue=2, discard_oldest=False)
    await write(space, 1.0, 2.0, 3.0)
    await stock.publish()
    assert stock.values == [2.0, 3.0]


async def test_a_percent_deadband_is_accepted_and_ignored(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    wanted = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, cast("ua.UInt32", 2), cast("ua.Double", 50.0))
    await write(space, 1.0)
    assert (await stock.watch(TEMPERATURE, wanted, queue=10)).StatusCode.is_good()
    await write(space, 1.5)
    await stock.publish()
    assert stock.values == [1.0, 1.5]


async def test_a_text_with_a_deadband_is_never_told(space: AddressSpace, caplog: pytest.LogCaptureFixture) -> None:
    stock = await Stock(space).begin()
    wanted = ua.DataChangeFilter(ua.DataChangeTrigger.StatusValue, cast("ua.UInt32", 1), cast("ua.Double", 1.0))
    await write(space, "a", node=TEXT)
    assert (await stock.watch(TEXT, wanted, queue=10)).StatusCode.is_good()
    await write(space, "b", node=TEXT)
    await stock.publish()
    assert stock.values == ["a"]
    assert "unsupported operand" in caplog.text


async def test_parts_of_a_value_cannot_be_watched(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await write(space, "abc", node=TEXT)
    watched = ua.ReadValueId(node_id(TEXT), VALUE, cast("ua.String", "0:1"))
    item = ua.MonitoredItemCreateRequest(watched, Reporting, monitoring())
    params = ua.CreateMonitoredItemsParameters(cast("ua.IntegerId", stock.id), ItemsToCreate=[item])
    assert (await stock.service.create_monitored_items(params))[0].StatusCode.is_good()
    await stock.publish()
    assert stock.values == ["abc"]


# --- subscriptions ---


async def test_terms_are_taken_as_they_come(space: AddressSpace) -> None:
    service = SubscriptionService(cast("Any", space))
    params = ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=cast("ua.Duration", float("nan")),
        RequestedLifetimeCount=cast("ua.Counter", 1),
        RequestedMaxKeepAliveCount=cast("ua.Counter", 100),
    )
    made = await service.create_subscription(params, cast("Any", None), SESSION)
    assert made.RevisedPublishingInterval != made.RevisedPublishingInterval  # NaN
    assert (made.RevisedLifetimeCount, made.RevisedMaxKeepAliveCount) == (1, 100)


async def test_what_is_to_be_modified_is_ignored(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    params = ua.ModifySubscriptionParameters(cast("ua.IntegerId", stock.id), cast("ua.Duration", 500.0))
    assert stock.service.modify_subscription(params).RevisedPublishingInterval == HOUR_MS


async def test_everything_goes_in_one_message(space: AddressSpace) -> None:
    stock = await Stock(space).begin(MaxNotificationsPerPublish=cast("ua.Counter", 1))
    for _ in range(5):
        await stock.watch(TEMPERATURE)
    await stock.publish()
    assert len(stock.values) == 5
    assert [result.MoreNotifications for result in stock.told] == [False]


async def test_messages_that_never_were_are_acknowledged_and_sent_again(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    ack = ua.SubscriptionAcknowledgement(cast("ua.IntegerId", stock.id), cast("ua.Counter", 4711))
    assert names(stock.service.publish([ack])[1]) == ["Good"]
    for subscription in (stock.id, 4711):
        params = ua.RepublishParameters(cast("ua.IntegerId", subscription), cast("ua.Counter", 4711))
        assert stock.service.republish(params).SequenceNumber == 0


async def test_a_message_can_be_had_again_once_only(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await stock.watch(TEMPERATURE)
    await stock.publish()
    params = ua.RepublishParameters(cast("ua.IntegerId", stock.id), cast("ua.Counter", 1))
    assert [stock.service.republish(params).SequenceNumber for _ in range(2)] == [1, 0]


async def test_the_end_is_told_to_nobody(space: AddressSpace) -> None:
    stock = await Stock(space).begin()
    await stock.watch(TEMPERATURE)
    subscription = stock.service.subscriptions[stock.id]
    subscription._publish_cycles_count = subscription.data.RevisedLifetimeCount + 1
    await stock.publish()
    assert stock.service.subscriptions == {}
    assert stock.parts(ua.StatusChangeNotification) == []
    with pytest.raises(ServiceError):
        stock.service.publish([])


# --- of others ---


def _delete(service: SubscriptionService, subscription: int) -> Any:
    return service.delete_subscriptions([subscription])


def _transfer(service: SubscriptionService, subscription: int) -> Any:
    params = ua.TransferSubscriptionsParameters(cast("Any", [subscription]))
    return service.transfer_subscriptions(params, OTHER, cast("Any", None))


def _silence(service: SubscriptionService, subscription: int) -> Any:
    params = ua.SetPublishingModeParameters(cast("ua.Boolean", False), cast("Any", [subscription]))
    return service.set_publishing_mode(params)


@pytest.mark.parametrize("attack", [_delete, _transfer, _silence])
async def test_everybody_may_do_everything_to_everybodys(
    space: AddressSpace, attack: Callable[[SubscriptionService, int], Any]
) -> None:
    stock = await Stock(space).begin()
    [result] = await attack(stock.service, stock.id)
    assert getattr(result, "StatusCode", result).is_good()


async def test_ids_are_counted_up(space: AddressSpace) -> None:
    stock = Stock(space)
    ids = [(await stock.begin()).id for _ in range(3)]
    assert ids == [78, 79, 80]
