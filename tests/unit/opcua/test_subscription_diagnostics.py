"""What a subscription counts, and what becomes of values that are made for one session when another takes them over."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.events.base_event import SERVER
from edge_agent.sinks.opcua.events.event_filter import Occurrence
from edge_agent.sinks.opcua.monitoring.diagnostics import COUNTER_WRAPS, diagnostics
from edge_agent.sinks.opcua.monitoring.event_item import LEAST_QUEUED
from edge_agent.sinks.opcua.monitoring.subscription import MOST_MESSAGES
from edge_agent.sinks.opcua.monitoring.subscriptions import Subscriptions
from edge_agent.sinks.opcua.space import attributes
from edge_agent.sinks.opcua.space.address_space import AddressSpace, Viewer
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.sight import Sight
from edge_agent.sinks.opcua.space.wire import node_id
from tests.unit.opcua.subscriber import (
    TEMPERATURE,
    Disabled,
    Session,
    fault,
    names,
    run,
    service,
    write,
)
from tests.unit.opcua.subscription_requests import modify

MADE = Key(0, 3707)


def told_of(of: Subscriptions, subscription: int) -> ua.SubscriptionDiagnosticsDataType:
    return diagnostics(of.subscriptions[subscription])


def republish(subscription: int, number: int) -> ua.RepublishParameters:
    return ua.RepublishParameters(cast("ua.IntegerId", subscription), cast("ua.Counter", number))


def test_its_terms_are_told_and_its_session_as_long_as_there_is_one(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(250, lifetime=90, keep_alive=30, MaxNotificationsPerPublish=7, Priority=3)
        shown = told_of(of, made)
        assert (shown.SessionId, shown.SubscriptionId, shown.Priority) == (session.session_id, made, 3)
        assert (shown.PublishingInterval, shown.MaxKeepAliveCount, shown.MaxLifetimeCount) == (250.0, 30, 90)
        assert (shown.MaxNotificationsPerPublish, shown.PublishingEnabled) == (7, True)
        session.is_closed = True
        assert told_of(of, made).SessionId == ua.NodeId()

    run(main)


def test_what_it_tells_is_counted(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, requests=3)
        session.watch(made, TEMPERATURE, queue=10)
        await asyncio.sleep(0.15)
        await write(space, 21.0, 22.0)
        await asyncio.sleep(0.1)
        shown = told_of(of, made)
        assert (shown.DataChangeNotificationsCount, shown.EventNotificationsCount, shown.NotificationsCount) == (
            3,
            0,
            3,
        )
        assert (shown.PublishRequestCount, shown.NextSequenceNumber, shown.UnacknowledgedMessageCount) == (2, 3, 2)
        session.publish((made, 1))
        assert told_of(of, made).UnacknowledgedMessageCount == 1
        assert told_of(of, made).LatePublishRequestCount == 0

    run(main)


def test_it_is_late_once_however_long_nobody_asks(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100)
        session.watch(made, TEMPERATURE)
        await asyncio.sleep(0.55)
        shown = told_of(of, made)
        assert (shown.LatePublishRequestCount, shown.CurrentLifetimeCount) == (1, 5)
        session.publish()
        assert told_of(of, made).CurrentLifetimeCount == 0
        await write(space, 30.0)
        await asyncio.sleep(0.1)
        assert told_of(of, made).LatePublishRequestCount == 2

    run(main)


def test_it_keeps_alive_once_between_two_messages(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, keep_alive=2, requests=50)
        session.watch(made, TEMPERATURE)
        await asyncio.sleep(1.05)
        assert told_of(of, made).CurrentKeepAliveCount == 1
        await write(space, 30.0)
        await asyncio.sleep(1.0)
        assert told_of(of, made).CurrentKeepAliveCount == 2

    run(main)


def test_what_is_asked_of_it_is_counted(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, requests=1)
        session.watch(made, TEMPERATURE)
        await asyncio.sleep(0.15)
        modify(session, made, 100)
        for enabled in (False, True, True):
            session.of.set_publishing_mode(session, ua.SetPublishingModeParameters(enabled, [made]))
        codes = [fault(partial(of.republish, session, republish(made, number))) for number in (1, 9)]
        assert codes == ["Good", "BadMessageNotAvailable"]
        shown = told_of(of, made)
        assert (shown.ModifyCount, shown.EnableCount, shown.DisableCount) == (1, 2, 1)
        assert (shown.RepublishRequestCount, shown.RepublishMessageRequestCount, shown.RepublishMessageCount) == (
            2,
            2,
            1,
        )

    run(main)


def test_who_takes_it_over_is_counted(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        first, second = Session(of, space), Session(of, space)
        third, stranger = Session(of, space, uri="urn:other"), Session(of, space, user="mes-2")
        made = first.begin()
        assert [names([to.transfer(made)[0].StatusCode])[0] for to in (second, third, stranger)] == [
            "Good", "Good", "BadUserAccessDenied",
        ]  # fmt: skip
        shown = told_of(of, made)
        assert (shown.TransferRequestCount, shown.TransferredToSameClientCount, shown.TransferredToAltClientCount) == (
            3,
            1,
            1,
        )

    run(main)


def test_messages_that_nobody_acknowledges_are_counted_when_they_go(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, requests=5)
        session.watch(made, TEMPERATURE)
        for number in range(MOST_MESSAGES + 3):
            await write(space, float(number + 100))
            await asyncio.sleep(0.1)
            session.publish()
        shown = told_of(of, made)
        assert (shown.UnacknowledgedMessageCount, shown.DiscardedMessageCount) == (MOST_MESSAGES, 3)

    run(main)


@pytest.mark.parametrize("oldest", [True, False])
def test_queues_that_run_over_are_counted_also_of_items_that_are_gone(space: AddressSpace, oldest: bool) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100)
        item = int(session.watch(made, TEMPERATURE, queue=2, discard_oldest=oldest).MonitoredItemId)
        session.watch(made, TEMPERATURE, queue=1)  # holds the newest, and loses nothing that it promised
        off = session.watch(made, TEMPERATURE, mode=Disabled)
        assert off.StatusCode.is_good()
        await write(space, 1.0, 2.0, 3.0, 4.0)
        shown = told_of(of, made)
        assert (shown.MonitoringQueueOverflowCount, shown.EventQueueOverflowCount) == (3, 0)
        assert (shown.MonitoredItemCount, shown.DisabledMonitoredItemCount) == (3, 1)
        of.subscriptions[made].remove(item)
        assert told_of(of, made).MonitoringQueueOverflowCount == 3

    run(main)


def test_events_are_counted_and_those_that_were_left_out(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, requests=1)
        clause = ua.SimpleAttributeOperand(node_id(Key(0, 2041)), [ua.QualifiedName("Message")], ua.AttributeIds.Value)
        session.watch(made, SERVER, attribute=ua.AttributeIds.EventNotifier, wanted=ua.EventFilter([clause]))
        occurrence = Occurrence(event_type=node_id(Key(0, 2041)), fields={})
        for _ in range(LEAST_QUEUED + 2):
            of.subscriptions[made].report(occurrence, [node_id(SERVER)])
        shown = told_of(of, made)
        assert (shown.MonitoringQueueOverflowCount, shown.EventQueueOverflowCount) == (2, 1)
        await asyncio.sleep(0.15)
        assert told_of(of, made).EventNotificationsCount == LEAST_QUEUED + 1

    run(main)


def test_counters_begin_anew_before_they_cannot_be_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin()
        of.subscriptions[made].counts.values = COUNTER_WRAPS + 5
        assert told_of(of, made).NotificationsCount == 5

    run(main)


# --- values that are made for who reads them ---


class Maker:
    """Says who asked, and how often anybody did."""

    def __init__(self, space: AddressSpace) -> None:
        self.asked = 0
        space.make(MADE, self, sampling_ms=1000.0)

    def __call__(self, viewer: Viewer) -> ua.DataValue:
        self.asked += 1
        return ua.DataValue(ua.Variant(f"{viewer.session_id.Identifier!s} {self.asked}", ua.VariantType.String))


def viewing(of: Subscriptions, space: AddressSpace) -> Session:
    session = Session(of, space)
    session.sight = Sight(space, session.sight.sees, session)
    return session


def test_a_value_is_made_for_who_reads_it_and_for_nobody_else(space: AddressSpace) -> None:
    maker = Maker(space)
    denied = [space.read(MADE), Sight(space, lambda _: True).read(MADE)]
    assert [found.StatusCode and found.StatusCode.name for found in denied] == ["BadUserAccessDenied"] * 2
    assert maker.asked == 0


async def test_it_is_made_once_for_a_request_and_not_to_be_refused(space: AddressSpace) -> None:
    maker = Maker(space)
    session = viewing(service(space), space)
    for index_range in (None, "0", "0:1"):
        wanted: Any = ua.ReadValueId(node_id(MADE), ua.AttributeIds.Value, index_range)
        before = maker.asked
        found = await attributes.read(ua.ReadParameters(NodesToRead=[wanted] * 500), session.sight.for_one_request())
        assert {each.StatusCode.is_good() for each in found if each.StatusCode} == {True}
        assert maker.asked - before == 1
    refused = ua.WriteValue(node_id(MADE), ua.AttributeIds.Value, Value=ua.DataValue(ua.Variant("planted")))
    assert names(attributes.write(ua.WriteParameters([refused]), session.sight.unmade())) == ["BadUserAccessDenied"]
    made, before = session.begin(), maker.asked
    assert session.watch(made, MADE, wanted=ua.AggregateFilter()).StatusCode.name == "BadMonitoredItemFilterUnsupported"
    assert session.watch(made, MADE, index_range="x").StatusCode.name == "BadIndexRangeInvalid"
    assert session.watch(made, MADE, encoding="Default XML").StatusCode.name == "BadDataEncodingUnsupported"
    assert maker.asked == before


def test_an_item_has_it_made_at_its_sampling_interval_until_it_ends(space: AddressSpace) -> None:
    async def main() -> None:
        maker = Maker(space)
        session = viewing(of := service(space), space)
        made = session.begin(100, requests=90)
        item = int(session.watch(made, MADE, sampling_ms=2000.0, queue=9).MonitoredItemId)
        before = maker.asked
        await asyncio.sleep(10.05)
        assert maker.asked - before == 5
        assert len(session.values) == 6
        session.set_mode(made, Disabled, item)
        await asyncio.sleep(10)
        session.of.delete(session, [made])
        await asyncio.sleep(10)
        assert maker.asked - before == 5
        assert of.subscriptions == {}

    run(main)


def test_what_was_made_for_one_session_is_not_told_to_another(space: AddressSpace) -> None:
    async def main() -> None:
        Maker(space)
        of = service(space)
        former, latter = viewing(of, space), viewing(of, space)
        made = former.begin(100, requests=1)
        former.watch(made, MADE)
        await asyncio.sleep(1.15)  # one message is sent, one value waits
        assert len(former.values) == 1
        assert latter.transfer(made)[0].AvailableSequenceNumbers == []
        assert fault(lambda: of.republish(latter, republish(made, 1))) == "BadMessageNotAvailable"
        latter.publish()
        await asyncio.sleep(0.2)
        [told] = latter.values
        assert told.startswith(f"{latter.session_id.Identifier!s} ")
        assert told_of(of, made).DiscardedMessageCount == 1

    run(main)
