"""Items that watch a value: what waits to be told, and what is missed. asyncua's: test_subscriptions_of_asyncua."""

from __future__ import annotations

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.monitoring import value_item
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.unit.opcua.subscriber import TEMPERATURE, Session, run, service, write
from tests.unit.opcua.watched_values import OVERFLOW, codes, cycle


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
