"""Subscriptions: their terms, and when they speak.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.monitoring import subscription as one_subscription
from edge_agent.sinks.opcua.monitoring.subscription import Terms
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.unit.opcua.subscriber import TEMPERATURE, Session, fault, now_s, run, service, write
from tests.unit.opcua.subscription_requests import modify, numbers

NAN = float("nan")


def asked(interval_ms: float = 100, lifetime: int = 300, keep_alive: int = 10, **more: Any) -> Terms:
    params = ua.CreateSubscriptionParameters(
        cast("ua.Duration", interval_ms), cast("ua.Counter", lifetime), cast("ua.Counter", keep_alive), **more
    )
    return Terms.revise(params)


# --- terms ---


@pytest.mark.parametrize(
    ("interval_ms", "revised_s"),
    [(100, 0.1), (50, 0.05), (49.9, 0.05), (0, 0.05), (-1, 0.05), (NAN, 0.05), (1e300, 3600), (float("inf"), 3600)],
)
def test_intervals_are_revised(interval_ms: float, revised_s: float) -> None:
    assert asked(interval_ms).interval_s == revised_s


@pytest.mark.parametrize(
    ("interval_ms", "lifetime", "keep_alive", "revised"),
    [
        (1000, 300, 10, (300, 10)),
        (1000, 0, 10, (60, 10)),
        (1000, 0, 0, (60, 10)),
        (1000, 5, 10, (30, 10)),
        (1000, 5, 0, (30, 10)),
        (1000, 2**32 - 1, 2**32 - 1, (3600, 1200)),
        (3_600_000, 0, 0, (3, 1)),
        (50, 2**32 - 1, 1, (72_000, 1)),
    ],
)
def test_a_life_is_three_keep_alives_at_least_and_an_hour_at_most(
    interval_ms: float, lifetime: int, keep_alive: int, revised: tuple[int, int]
) -> None:
    terms = asked(interval_ms, lifetime, keep_alive)
    assert (terms.lifetime, terms.keep_alive) == revised


# --- when they speak ---


def test_the_first_message_comes_after_the_first_cycle_even_if_there_is_nothing_to_tell(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        began = now_s()
        session.begin(100, keep_alive=5, requests=10)
        await asyncio.sleep(1.75)
        assert [round(at - began, 3) for at in session.keep_alives] == [0.1, 0.6, 1.1, 1.6]
        assert numbers(session) == [1] * 4  # a keep-alive tells the next number, and does not use it
        assert len(session.told) == 4

    run(main)


def test_keep_alives_begin_anew_after_each_message(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(100, keep_alive=5, requests=10), TEMPERATURE)
        await asyncio.sleep(0.35)
        await write(space, 1.0)
        await asyncio.sleep(0.5)
        assert (session.values, session.keep_alives) == ([None, 1.0], [])
        await asyncio.sleep(0.1)
        assert len(session.keep_alives) == 1
        assert numbers(session) == [1, 2, 3]

    run(main)


def test_what_waits_for_a_request_goes_with_the_first_that_comes(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.watch(session.begin(100), TEMPERATURE)
        await asyncio.sleep(0.55)
        assert session.told == []
        session.publish()
        assert session.values == [None]
        session.publish()
        await write(space, 1.0)
        assert session.values == [None]  # not before the cycle is over
        await asyncio.sleep(0.1)
        assert session.values == [None, 1.0]

    run(main)


def test_a_disabled_subscription_hears_and_says_only_that_it_lives(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, keep_alive=3, requests=10, PublishingEnabled=cast("ua.Boolean", False))
        session.watch(made, TEMPERATURE, queue=10)
        await write(space, 1.0)
        await asyncio.sleep(0.45)
        assert (session.values, len(session.keep_alives)) == ([], 2)
        both = cast("Any", [made, 4711])
        results = of.set_publishing_mode(session, ua.SetPublishingModeParameters(cast("ua.Boolean", True), both))
        assert [code.name for code in results] == ["Good", "BadSubscriptionIdInvalid"]
        await asyncio.sleep(0.1)
        assert session.values == [None, 1.0]
        of.set_publishing_mode(session, ua.SetPublishingModeParameters(cast("ua.Boolean", False), both[:1]))
        await write(space, 2.0)
        await asyncio.sleep(0.1)
        assert session.values == [None, 1.0]

    run(main)


def test_a_modified_subscription_goes_on_as_it_is_told(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        made = session.begin(10_000, requests=20)
        session.watch(made, TEMPERATURE)
        result = modify(session, made, 200, RequestedLifetimeCount=90, RequestedMaxKeepAliveCount=4)
        revised = result.RevisedPublishingInterval, result.RevisedLifetimeCount, result.RevisedMaxKeepAliveCount
        assert revised == (200, 90, 4)
        await asyncio.sleep(0.21)
        assert session.values == [None]
        await asyncio.sleep(1.6)
        assert len(session.keep_alives) == 2
        assert fault(lambda: modify(session, 4711, 200)) == "BadSubscriptionIdInvalid"

    run(main)


def test_other_terms_leave_nothing_of_the_old_ones(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        made = session.begin(100, keep_alive=100, requests=20)
        await asyncio.sleep(0.15)
        assert len(session.told) == 1
        modify(session, made, 1000, RequestedLifetimeCount=90, RequestedMaxKeepAliveCount=2)
        await asyncio.sleep(10.1)
        assert len(session.told) == 1 + 5

    run(main)


def test_a_loop_that_was_busy_leaves_cycles_out(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = of.subscriptions[session.begin(100, keep_alive=1, requests=20)]
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.05)
        loop._virtual_s += 5.0  # type: ignore[attr-defined] # as if something had kept it busy
        await asyncio.sleep(0.16)
        assert len(session.told) == 3  # one for all that were missed
        assert made._due_s > loop.time()

    run(main)


# --- several of them ---


def test_the_most_important_goes_first_and_equals_take_turns(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        low, high, other = (session.begin(100, Priority=cast("ua.Byte", priority)) for priority in (1, 200, 1))
        await asyncio.sleep(0.35)
        for _ in range(3):
            session.publish()
        assert [result.SubscriptionId for result in session.told] == [high, low, other]

    run(main)


def test_a_long_story_is_told_in_several_messages(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        made = session.begin(100, MaxNotificationsPerPublish=cast("ua.Counter", 3))
        for queue in (5, 1, 1):
            session.watch(made, TEMPERATURE, queue=queue)
        await write(space, 1.0, 2.0, 3.0, 4.0)
        session.publish()
        await asyncio.sleep(0.11)
        assert session.values == [None, 1.0, 2.0]
        session.publish()
        session.publish()
        assert session.values == [None, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0]
        assert [result.MoreNotifications for result in session.told] == [True, True, False]
        assert numbers(session) == [1, 2, 3]
        made = session.begin(100, MaxNotificationsPerPublish=cast("ua.Counter", 2**31))
        assert session.of.subscriptions[made].terms.per_message == one_subscription.MOST_PER_MESSAGE

    run(main)
