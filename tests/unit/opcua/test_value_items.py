"""Items that watch a value: what they are told, and when. asyncua's: test_subscriptions_of_asyncua."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.opcua_space import ROOT
from tests.unit.opcua.subscriber import AT, TEMPERATURE, Session, fault, run, service, write
from tests.unit.opcua.watched_values import NUMBERS, cycle

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
