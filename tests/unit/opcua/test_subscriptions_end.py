"""Subscriptions: how they end, and what keeps them alive.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.unit.opcua.subscriber import TEMPERATURE, Session, fault, run, service, write
from tests.unit.opcua.subscription_requests import modify, republish


def test_a_subscription_whose_client_asks_no_more_expires_and_says_so(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, lifetime=30, keep_alive=10)
        session.watch(made, TEMPERATURE, sampling_ms=500)
        await write(space, 1.0)
        await asyncio.sleep(2.85)
        assert made in of.subscriptions
        await asyncio.sleep(0.2)
        assert of.subscriptions == {}
        assert (space._watches, session.publisher._late) == ({}, {})
        session.publish()
        assert session.statuses == [(made, "BadTimeout")]
        assert fault(session.publish) == "BadNoSubscription"

    run(main)


def test_requests_for_others_keep_a_subscription_alive(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, lifetime=30, keep_alive=10)
        for _ in range(5):
            await asyncio.sleep(2.5)
            session.publish()
        assert list(of.subscriptions) == [made]
        await asyncio.sleep(2.5)
        republished = fault(lambda: republish(session, made, 1))
        await asyncio.sleep(2.5)
        assert (republished, list(of.subscriptions)) == ("BadMessageNotAvailable", [made])

    run(main)


def test_a_request_that_goes_to_another_keeps_it_alive_too(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        modest = session.begin(100, lifetime=30, keep_alive=10)
        greedy = session.begin(100, lifetime=30, keep_alive=1, Priority=cast("ua.Byte", 9))
        for _ in range(10):
            await asyncio.sleep(1)
            session.publish()
        assert {result.SubscriptionId for result in session.told} == {greedy}
        assert modest in of.subscriptions

    run(main)


def test_a_request_that_waits_while_another_subscription_expires_tells_of_it_at_once(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        dying, other = session.begin(100, lifetime=3, keep_alive=1), session.begin(60_000)
        session.watch(other, TEMPERATURE)
        await asyncio.sleep(0.25)
        of.subscriptions[dying]._life = 1
        session.publish()  # would save it; the moment it expires a request is there
        session.told.clear()
        session.publish()
        of.subscriptions[dying]._life = 1
        await asyncio.sleep(0.1)
        assert session.statuses == [(dying, "BadTimeout")]
        assert list(of.subscriptions) == [other]

    run(main)


def test_a_keep_alive_is_a_sign_of_life_too(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, lifetime=30, keep_alive=10, requests=5)
        await asyncio.sleep(4.0)
        assert list(of.subscriptions) == [made]

    run(main)


def test_what_is_deleted_does_nothing_more(space: AddressSpace, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made, other = session.begin(100, lifetime=30), session.begin(60_000, requests=3)
        modify(session, made, 200, RequestedLifetimeCount=30)
        of.delete(session, [made])
        with caplog.at_level(logging.INFO):
            await asyncio.sleep(20)
        assert (session.told, list(of.subscriptions)) == ([], [other])
        assert caplog.records == []

    run(main)


def test_a_session_that_ends_takes_its_subscriptions_along(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        session, other = Session(of, space), Session(of, space)
        session.watch(session.begin(requests=2), TEMPERATURE)
        kept = other.begin(requests=1)
        of.leave(session, delete=True)
        assert session.refused == ["BadSessionClosed"] * 2
        assert (list(of.subscriptions), space._watches) == ([kept], {})
        assert other.refused == []

    run(main)


def test_a_session_may_leave_its_subscriptions_until_they_expire(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        session.begin(100, lifetime=30, requests=1)
        of.leave(session, delete=False)
        assert session.refused == ["BadSessionClosed"]
        await asyncio.sleep(2.5)
        assert len(of.subscriptions) == 1
        await asyncio.sleep(30)
        assert of.subscriptions == {}

    run(main)


def test_an_end_is_logged_once_and_says_which(space: AddressSpace, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        made = session.begin(100, lifetime=3, keep_alive=1)
        with caplog.at_level(logging.INFO, "edge_agent"):
            await asyncio.sleep(5)
        assert [record.message for record in caplog.records] == [
            f"subscription {made} has expired: no Publish request in its lifetime"
        ]

    run(main)
