"""Items that watch a value: which cannot be made or modified, and how many there may be.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.ua import DeadbandType as Deadband

from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.wire import node_id
from tests.opcua_space import ROOT
from tests.unit.opcua.subscriber import TEMPERATURE, TEXT, Reporting, Session, run, service, write
from tests.unit.opcua.watched_values import NUMBERS, OVERFLOW, changes, codes, cycle

# --- what is refused ---


@pytest.mark.parametrize(
    ("node", "more", "code"),
    [
        (Key(13, "m/Nowhere"), {}, "BadNodeIdUnknown"),
        (Key(0, 999_999), {}, "BadNodeIdUnknown"),
        (ROOT, {}, "BadAttributeIdInvalid"),
        (TEMPERATURE, {"attribute": 99}, "BadAttributeIdInvalid"),
        (TEMPERATURE, {"encoding": "Default XML"}, "BadDataEncodingUnsupported"),
        (TEMPERATURE, {"encoding": "Default Binary", "attribute": 4}, "BadDataEncodingInvalid"),
        (TEMPERATURE, {"encoding": "Default Binary"}, "Good"),
        (NUMBERS, {"index_range": "2:1"}, "BadIndexRangeInvalid"),
        (NUMBERS, {"index_range": "one"}, "BadIndexRangeInvalid"),
        (NUMBERS, {"index_range": "70:80"}, "Good"),
    ],
)
def test_items_that_cannot_be(space: AddressSpace, node: Key, more: dict[str, Any], code: str) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        result = session.watch(subscription, node, **more)
        assert result.StatusCode.name == code
        assert bool(result.MonitoredItemId) is (code == "Good")
        assert len(space._watches) == (code == "Good")

    run(main)


def test_what_must_not_be_seen_is_not_there(space: AddressSpace) -> None:
    async def main() -> None:
        seen = {TEXT}
        session = Session(service(space), space, sees=seen.__contains__)
        subscription = session.begin()
        assert session.watch(subscription, TEMPERATURE).StatusCode.name == "BadNodeIdUnknown"
        await write(space, "a", node=TEXT)
        session.watch(subscription, TEXT, queue=10)
        seen.clear()  # the machine is given to another MES
        await write(space, "b", node=TEXT)
        await cycle(session)
        told = [(each.Value.Value.Value, each.Value.StatusCode.name) for each in session.notifications]
        assert told == [("a", "Good"), (None, "BadNodeIdUnknown")]

    run(main)


def test_modifying_what_is_not_there(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        assert session.rewatch(session.begin(), 4711).StatusCode.name == "BadMonitoredItemIdInvalid"

    run(main)


def test_a_modified_item_does_as_it_is_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEMPERATURE, handle=1, queue=10).MonitoredItemId
        await write(space, 1.0, 2.0)
        result = session.rewatch(
            subscription,
            item,
            wanted=changes(kind=Deadband.Absolute, value=5.0),
            stamps=ua.TimestampsToReturn.Neither,
            handle=9,
            sampling_ms=1000,
            queue=2,
        )
        assert (result.RevisedSamplingInterval, result.RevisedQueueSize) == (1000, 2)
        await write(space, 3.0)
        await cycle(session)
        told = [
            (each.ClientHandle, each.Value.Value.Value, each.Value.ServerTimestamp) for each in session.notifications
        ]
        assert told == [(9, 1.0, None), (9, 2.0, None)]
        assert codes(session) == [OVERFLOW, 0]
        refused = session.rewatch(subscription, item, wanted=changes(kind=Deadband.Percent, value=-1.0), handle=3)
        assert refused.StatusCode.name == "BadDeadbandFilterInvalid"
        await write(space, 9.0)
        await cycle(session, 20)
        assert session.notifications[-1].ClientHandle == 9

    run(main)


# --- limits ---


def test_a_session_has_so_many_items_in_all_its_subscriptions(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, limits=Limits(max_monitored_items=3))
        session, other = Session(of, space), Session(of, space)
        first, second = session.begin(), session.begin()
        request = ua.MonitoredItemCreateRequest(ua.ReadValueId(node_id(TEMPERATURE), ua.AttributeIds.Value), Reporting)
        params = ua.CreateMonitoredItemsParameters(cast("ua.IntegerId", first), ItemsToCreate=[request] * 2)
        assert [each.StatusCode.name for each in of.items.create(session, params)] == ["Good"] * 2
        params.SubscriptionId = cast("ua.IntegerId", second)
        results = of.items.create(session, params)
        assert [each.StatusCode.name for each in results] == ["Good", "BadTooManyMonitoredItems"]
        assert other.watch(other.begin(), TEMPERATURE).StatusCode.is_good()
        of.items.delete(session, ua.DeleteMonitoredItemsParameters(params.SubscriptionId, [results[0].MonitoredItemId]))
        assert session.watch(first, TEMPERATURE).StatusCode.is_good()
        await write(space, 1.0)
        await cycle(session)
        assert session.values == [1.0] * 3

    run(main)


def test_five_thousand_items_are_made_told_and_deleted_without_the_loop_standing_still(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        request = ua.MonitoredItemCreateRequest(ua.ReadValueId(node_id(TEMPERATURE), ua.AttributeIds.Value), Reporting)
        params = ua.CreateMonitoredItemsParameters(cast("ua.IntegerId", subscription), ItemsToCreate=[request] * 5000)
        began = time.process_time()
        made = of.items.create(session, params)
        for _ in range(5):
            session.publish()
        await asyncio.sleep(0.11)
        ids = [each.MonitoredItemId for each in made]
        of.items.delete(session, ua.DeleteMonitoredItemsParameters(params.SubscriptionId, ids))
        assert time.process_time() - began < 2.0
        assert len(session.values) == 5000
        assert [len(result.NotificationMessage.NotificationData[0].MonitoredItems) for result in session.told] == [
            1000
        ] * 5
        assert [result.MoreNotifications for result in session.told] == [True] * 4 + [False]
        assert space._watches == {}

    run(main)
