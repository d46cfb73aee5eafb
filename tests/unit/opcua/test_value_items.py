"""Items that watch a value: what they are told, when, and with what. asyncua's: test_subscriptions_of_asyncua."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.ua import DataChangeTrigger as Trigger
from asyncua.ua import DeadbandType as Deadband

from edge_agent.sinks.opcua import value_item
from edge_agent.sinks.opcua.address_space import AddressSpace
from edge_agent.sinks.opcua.nodeset import Key
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.wire import node_id
from tests.opcua_space import ROOT, of_machine
from tests.unit.opcua.subscriber import (
    AT,
    TEMPERATURE,
    TEXT,
    Codes,
    Disabled,
    Reporting,
    Sampling,
    Session,
    fault,
    run,
    service,
    write,
)

NUMBERS = of_machine("MesIds")
OVERFLOW = 0x480


def changes(
    trigger: Trigger = Trigger.StatusValue, kind: Deadband = Deadband.None_, value: float = 0.0
) -> ua.DataChangeFilter:
    return ua.DataChangeFilter(trigger, cast("ua.UInt32", int(kind)), cast("ua.Double", value))


async def cycle(session: Session, cycles: float = 1) -> None:
    session.publish()
    await asyncio.sleep(0.1 * cycles + 0.01)


# --- what is told ---


def test_the_value_there_is_comes_first_then_each_change(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        await write(space, 1.0)
        assert session.watch(subscription, TEMPERATURE, handle=7).StatusCode.is_good()
        await cycle(session)
        await write(space, 2.0)
        await cycle(session)
        assert session.values == [1.0, 2.0]
        assert [told.ClientHandle for told in session.notifications] == [7, 7]

    run(main)


def test_a_value_that_is_written_again_is_no_change(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(), TEMPERATURE, queue=10)
        await write(space, 1.0, 1.0)
        await write(space, 1.0, at=AT + timedelta(seconds=1))
        await cycle(session)
        assert session.values == [None, 1.0]

    run(main)


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (Trigger.Status, [(1.0, "Good"), (2.0, "UncertainLastUsableValue")]),
        (Trigger.StatusValue, [(1.0, "Good"), (2.0, "Good"), (2.0, "UncertainLastUsableValue")]),
        (
            Trigger.StatusValueTimestamp,
            [(1.0, "Good"), (2.0, "Good"), (2.0, "Good"), (2.0, "UncertainLastUsableValue")],
        ),
    ],
)
def test_what_counts_as_a_change(space: AddressSpace, trigger: Trigger, expected: list[Any]) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 1.0)
        session.watch(session.begin(), TEMPERATURE, wanted=changes(trigger), queue=10)
        await write(space, 2.0)
        await write(space, 2.0, at=AT + timedelta(seconds=1))
        await write(space, 2.0, at=AT + timedelta(seconds=1), code=Codes.UncertainLastUsableValue)
        await cycle(session)
        assert [(told.Value.Value.Value, told.Value.StatusCode.name) for told in session.notifications] == expected

    run(main)


@pytest.mark.parametrize(
    ("stamps", "source", "server"),
    [("Source", True, False), ("Server", False, True), ("Both", True, True), ("Neither", False, False)],
)
def test_timestamps_are_those_asked_for(space: AddressSpace, stamps: str, source: bool, server: bool) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        await write(space, 1.0)
        session.watch(subscription, TEMPERATURE, stamps=ua.TimestampsToReturn[stamps])
        await cycle(session)
        ((told,),) = [session.notifications]
        assert (told.Value.SourceTimestamp is not None, told.Value.ServerTimestamp is not None) == (source, server)
        held = space.read(TEMPERATURE)
        assert held.SourceTimestamp is not None
        assert held.ServerTimestamp is not None

    run(main)


def test_timestamps_that_are_none_are_refused(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        wrong = ua.TimestampsToReturn.Invalid
        item = session.watch(subscription, TEMPERATURE)
        assert fault(lambda: session.watch(subscription, TEMPERATURE, stamps=wrong)) == "BadTimestampsToReturnInvalid"
        again = fault(lambda: session.rewatch(subscription, item.MonitoredItemId, stamps=wrong))
        assert again == "BadTimestampsToReturnInvalid"

    run(main)


def test_attributes_are_watched_too(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(), ROOT, attribute=ua.AttributeIds.DisplayName)
        await cycle(session)
        assert [value.Text for value in session.values] == ["Mark One"]

    run(main)


def test_a_part_of_a_value_is_told_when_that_part_changes(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, [1, 2, 3], node=NUMBERS)
        session.watch(session.begin(), NUMBERS, index_range="1:2", queue=10)
        await write(space, [9, 2, 3], [9, 2, 4], [9], node=NUMBERS)
        await cycle(session)
        told = [(each.Value.Value.Value, each.Value.StatusCode.name) for each in session.notifications]
        assert told == [([2, 3], "Good"), ([2, 4], "Good"), (None, "BadIndexRangeNoData")]

    run(main)


# --- sampling ---


def test_a_sampling_interval_makes_one_change_of_many(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin(50)
        result = session.watch(subscription, TEMPERATURE, sampling_ms=1000, queue=100)
        assert result.RevisedSamplingInterval == 1000
        await asyncio.sleep(0.05)
        for number in range(40):
            await asyncio.sleep(0.1)
            await write(space, float(number))
            session.publish()
        # the value there was, then one a second: the last of it
        assert session.values == [None, 8.0, 18.0, 28.0, 38.0]
        await cycle(session, 10)
        assert session.values[5:] == [39.0]

    run(main)


def test_a_change_after_a_pause_does_not_wait_for_the_sampling_interval(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(50, lifetime=10_000, requests=10), TEMPERATURE, sampling_ms=10_000)
        await asyncio.sleep(20)
        await write(space, 1.0)
        await asyncio.sleep(0.051)
        assert session.values[-1] == 1.0

    run(main)


def test_without_an_interval_every_change_is_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        result = session.watch(session.begin(), TEMPERATURE, sampling_ms=0, queue=10)
        assert result.RevisedSamplingInterval == 0
        await write(space, 1.0, 2.0, 3.0)
        await cycle(session)
        assert session.values == [None, 1.0, 2.0, 3.0]

    run(main)


@pytest.mark.parametrize(
    ("asked", "revised"), [(-1, 100), (-7.5, 100), (float("nan"), 100), (0.5, 0.5), (1e12, 3_600_000)]
)
def test_sampling_intervals_are_revised(space: AddressSpace, asked: float, revised: float) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin(100)
        assert session.watch(subscription, TEMPERATURE, sampling_ms=asked).RevisedSamplingInterval == revised

    run(main)


def waiting_samples() -> list[Any]:
    """Timers at whose end a value will be looked at."""
    timers: Any = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [timer for timer in timers if not timer.cancelled() and "_sample" in repr(timer)]


def test_an_item_that_is_deleted_in_its_interval_leaves_nothing_behind(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEMPERATURE, sampling_ms=60_000)
        await write(space, 1.0, 2.0, 3.0)  # the last waits for the end of the interval
        assert len(waiting_samples()) == 1
        params = ua.DeleteMonitoredItemsParameters(cast("ua.IntegerId", subscription), [item.MonitoredItemId])
        of.items.delete(session, params)
        assert (space._watches, waiting_samples()) == ({}, [])
        await cycle(session, 700)
        assert session.values == []

    run(main)


# --- queues ---


def codes(session: Session) -> list[int]:
    return [told.Value.StatusCode.value for told in session.notifications]


def test_a_queue_that_ran_over_misses_the_oldest_and_says_so(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(), TEMPERATURE, queue=3)
        await write(space, 1.0, 2.0, 3.0, 4.0)
        await cycle(session)
        assert session.values == [2.0, 3.0, 4.0]
        assert codes(session) == [OVERFLOW, 0, 0]
        assert space.read(TEMPERATURE).StatusCode == ua.StatusCode()

    run(main)


def test_a_queue_may_miss_the_newest_instead(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(), TEMPERATURE, queue=3, discard_oldest=False)
        await write(space, 1.0, 2.0, 3.0, 4.0)
        await cycle(session)
        assert session.values == [None, 1.0, 4.0]
        assert codes(session) == [0, 0, OVERFLOW]

    run(main)


def test_which_end_of_a_queue_is_missed_can_be_changed(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEMPERATURE, queue=3).MonitoredItemId
        session.rewatch(subscription, item, queue=3, discard_oldest=False)
        await write(space, 1.0, 2.0, 3.0, 4.0)
        await cycle(session)
        assert session.values == [None, 1.0, 4.0]

    run(main)


@pytest.mark.parametrize("discard_oldest", [True, False])
def test_a_queue_of_one_holds_the_last_value_and_says_nothing(space: AddressSpace, discard_oldest: bool) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(), TEMPERATURE, queue=1, discard_oldest=discard_oldest)
        await write(space, 1.0, 2.0)
        await cycle(session)
        assert (session.values, codes(session)) == ([2.0], [0])

    run(main)


@pytest.mark.parametrize(("asked", "revised"), [(0, 1), (1, 1), (5, 5), (2**32 - 1, value_item.MOST_QUEUED)])
def test_queue_sizes_are_revised(space: AddressSpace, asked: int, revised: int) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEMPERATURE, queue=asked)
        assert item.RevisedQueueSize == revised
        assert session.rewatch(subscription, item.MonitoredItemId, queue=asked).RevisedQueueSize == revised

    run(main)


# --- deadbands ---


def test_an_absolute_deadband_is_exceeded_from_the_last_value_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 10.0)
        session.watch(session.begin(), TEMPERATURE, wanted=changes(kind=Deadband.Absolute, value=2.0), queue=10)
        await write(space, 11.0, 12.0, 12.5, 11.0, 10.0)
        await cycle(session)
        assert session.values == [10.0, 12.5, 10.0]

    run(main)


def test_a_percent_deadband_is_of_the_range(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 10.0)  # the bed has an EURange of 0 to 120
        session.watch(session.begin(), TEMPERATURE, wanted=changes(kind=Deadband.Percent, value=10.0), queue=10)
        await write(space, 22.0, 22.5, 11.0, 10.0)
        await cycle(session)
        assert session.values == [10.0, 22.5, 10.0]

    run(main)


def test_a_deadband_lets_other_changes_through(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, 10.0)
        wanted = changes(Trigger.StatusValueTimestamp, Deadband.Absolute, 5.0)
        session.watch(session.begin(), TEMPERATURE, wanted=wanted, queue=10)
        await write(space, 11.0, at=AT + timedelta(seconds=1))  # timestamps do not count beside a deadband
        await write(space, 11.0, code=Codes.UncertainLastUsableValue)
        await write(space, None, 12.0, float("nan"), float("nan"), 13.0)
        await cycle(session)
        assert str(session.values) == "[10.0, 11.0, None, 12.0, nan, 13.0]"

    run(main)


def test_one_element_of_an_array_is_enough_for_a_deadband(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        await write(space, [10, 20], node=NUMBERS)
        session.watch(session.begin(), NUMBERS, wanted=changes(kind=Deadband.Absolute, value=5.0), queue=10)
        await write(space, [11, 21], [11, 26], [11, 26, 26], node=NUMBERS)
        await cycle(session)
        assert session.values == [[10, 20], [11, 26], [11, 26, 26]]

    run(main)


@pytest.mark.parametrize(
    ("node", "attribute", "wanted", "code"),
    [
        (TEXT, 13, changes(kind=Deadband.Absolute, value=1.0), "BadFilterNotAllowed"),
        (TEXT, 13, changes(kind=Deadband.Percent, value=1.0), "BadFilterNotAllowed"),
        (of_machine("Job/FileSize"), 13, changes(kind=Deadband.Percent, value=1.0), "BadFilterNotAllowed"),
        (of_machine("Job/FileSize"), 13, changes(kind=Deadband.Absolute, value=1.0), "Good"),
        (TEMPERATURE, 17, changes(kind=Deadband.Absolute, value=1.0), "BadFilterNotAllowed"),
        (TEMPERATURE, 13, changes(kind=Deadband.Absolute, value=-1.0), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Absolute, value=float("nan")), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Percent, value=100.1), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Percent, value=-0.1), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=cast("Any", 3), value=1.0), "BadDeadbandFilterInvalid"),
        (TEMPERATURE, 13, changes(kind=Deadband.Percent, value=100.0), "Good"),
        (TEMPERATURE, 13, ua.AggregateFilter(), "BadMonitoredItemFilterUnsupported"),
        (TEMPERATURE, 13, ua.EventFilter([ua.SimpleAttributeOperand()]), "BadFilterNotAllowed"),
    ],
)
def test_filters_that_fit(space: AddressSpace, node: Key, attribute: int, wanted: Any, code: str) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        assert session.watch(subscription, node, wanted=wanted, attribute=attribute).StatusCode.name == code
        item = session.watch(subscription, node, attribute=attribute)
        assert session.rewatch(subscription, item.MonitoredItemId, wanted=wanted).StatusCode.name == code

    run(main)


# --- modes ---


def test_what_is_sampled_waits_until_it_may_be_reported(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEMPERATURE, mode=Sampling, queue=10)
        await write(space, 1.0, 2.0)
        await cycle(session)
        assert session.values == []
        assert session.set_mode(subscription, Reporting, item.MonitoredItemId) == ["Good"]
        await cycle(session)
        assert session.values == [None, 1.0, 2.0]
        session.set_mode(subscription, Sampling, item.MonitoredItemId)
        await write(space, 3.0)
        await cycle(session)
        assert session.values == [None, 1.0, 2.0]

    run(main)


def test_what_waits_when_an_item_is_only_sampled_again_is_not_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEMPERATURE, queue=10).MonitoredItemId
        session.set_mode(subscription, Sampling, item)
        await cycle(session)
        assert session.values == []
        session.set_mode(subscription, Reporting, item)
        await cycle(session)
        assert session.values == [None]

    run(main)


def test_a_disabled_item_knows_nothing_and_begins_with_the_value_there_is(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEMPERATURE, mode=Disabled, queue=10)
        assert space._watches == {}
        await write(space, 1.0, 2.0)
        session.set_mode(subscription, Reporting, item.MonitoredItemId)
        await cycle(session)
        assert session.values == [2.0]
        await write(space, 3.0)
        session.set_mode(subscription, Disabled, item.MonitoredItemId)
        session.set_mode(subscription, Reporting, item.MonitoredItemId)
        await cycle(session)
        assert session.values == [2.0, 3.0]  # what was queued is lost, the value there is now is not
        assert session.set_mode(subscription, Reporting, 4711) == ["BadMonitoredItemIdInvalid"]

    run(main)


# --- triggering ---


def link(
    session: Session, subscription: int, item: int, *, add: tuple[int, ...] = (), remove: tuple[int, ...] = ()
) -> tuple[list[str], list[str]]:
    ids = cast("ua.IntegerId", subscription), cast("ua.IntegerId", item), cast("Any", add), cast("Any", remove)
    result = session.of.items.link(session, ua.SetTriggeringParameters(*ids))
    return [code.name for code in result.AddResults], [code.name for code in result.RemoveResults]


def test_an_item_has_others_speak(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        trigger = session.watch(subscription, TEXT, handle=1, queue=10).MonitoredItemId
        item = session.watch(subscription, TEMPERATURE, handle=2, mode=Sampling, queue=10).MonitoredItemId
        await cycle(session)
        assert link(session, subscription, trigger, add=(item, 4711)) == (["Good", "BadMonitoredItemIdInvalid"], [])
        await write(space, 1.0)
        await cycle(session)
        assert session.values == [None]
        await write(space, "a", node=TEXT)
        await write(space, 2.0)  # what comes until the message goes is told with it
        await cycle(session)
        assert sorted(str(value) for value in session.values[1:]) == ["1.0", "2.0", "None", "a"]
        await write(space, 3.0)
        await cycle(session)
        assert len(session.values) == 5
        assert link(session, subscription, trigger, remove=(item, item)) == ([], ["Good", "BadMonitoredItemIdInvalid"])
        await write(space, "b", node=TEXT)
        await cycle(session)
        assert session.values[5:] == ["b"]

    run(main)


def test_an_item_that_is_deleted_is_not_triggered(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        subscription = session.begin()
        trigger = session.watch(subscription, TEXT).MonitoredItemId
        item = session.watch(subscription, TEMPERATURE, mode=Sampling).MonitoredItemId
        link(session, subscription, trigger, add=(item,))
        of.items.delete(session, ua.DeleteMonitoredItemsParameters(cast("ua.IntegerId", subscription), [item]))
        await write(space, "a", node=TEXT)
        await cycle(session)
        assert session.values == ["a"]
        assert of.subscriptions[subscription].items[trigger].links == {}
        of.items.delete(session, ua.DeleteMonitoredItemsParameters(cast("ua.IntegerId", subscription), [trigger]))
        assert of.subscriptions[subscription]._triggering == {}

    run(main)


def test_triggering_that_cannot_be(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        subscription = session.begin()
        item = session.watch(subscription, TEXT).MonitoredItemId
        assert fault(lambda: link(session, subscription, 4711, add=(item,))) == "BadMonitoredItemIdInvalid"
        assert fault(lambda: link(session, subscription, item)) == "BadNothingToDo"
        assert fault(lambda: link(session, 4711, item, add=(item,))) == "BadSubscriptionIdInvalid"

    run(main)


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
