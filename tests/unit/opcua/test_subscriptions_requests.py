"""Subscriptions: the requests they answer, and the messages they keep.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from edge_agent.sinks.opcua.monitoring import subscription as one_subscription
from edge_agent.sinks.opcua.monitoring.subscriptions import REQUESTS_BESIDE
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.unit.opcua.subscriber import TEMPERATURE, TEXT, Session, fault, now_s, run, service, write
from tests.unit.opcua.subscription_requests import numbers, republish

# --- requests ---


def test_too_many_requests_push_out_the_oldest(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.begin(100, requests=REQUESTS_BESIDE + 1)
        session.begin(100, requests=1)
        assert session.refused == []
        session.publish()
        assert session.refused == ["BadTooManyPublishRequests"]
        await asyncio.sleep(0.11)
        assert len(session.told) == 2

    run(main)


def test_a_request_that_nobody_can_answer_is_refused(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        assert fault(session.publish) == "BadNoSubscription"
        first, second = session.begin(requests=2), session.begin(requests=1)
        of.delete(session, [first])
        assert session.refused == []
        of.delete(session, [second])
        assert session.refused == ["BadNoSubscription"] * 3
        assert fault(session.publish) == "BadNoSubscription"

    run(main)


def test_a_client_cancels_its_requests_by_their_handle(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        session, other = Session(of, space), Session(of, space)
        session.begin(100)
        other.begin(100)
        other.publish(handle=7)
        for handle in (7, 8, 7):
            session.publish(handle=handle)
        assert session.publisher.cancel(9) == 0
        assert session.publisher.cancel(7) == 2
        assert session.refused == ["BadRequestCancelledByClient"] * 2
        assert session.publisher.cancel(7) == 0
        await asyncio.sleep(0.11)
        assert (len(session.told), len(other.told), other.refused) == (1, 1, [])

    run(main)


def test_a_request_whose_time_is_over_is_not_used(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        session.begin(1000)
        session.publish(expires_s=now_s() + 0.5)
        session.publish()
        await asyncio.sleep(1.1)
        assert session.refused == ["BadTimeout"]
        assert len(session.told) == 1

    run(main)


def test_nothing_is_sent_where_nobody_is_any_more(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, requests=2)
        session.watch(made, TEMPERATURE)
        session.gone = True
        await asyncio.sleep(0.5)
        assert (session.told, session.refused) == ([], [])
        session.gone = False  # its client has another connection
        session.publish()
        assert session.values == [None]
        assert of.subscriptions[made].available() == [1]
        session.publish()
        session.gone = True
        of.delete(session, [made])
        assert session.refused == []

    run(main)


@pytest.mark.parametrize("breaks", ["made", "sent"])
def test_a_message_that_fails_is_an_error_to_the_client_and_the_next_one_goes(
    space: AddressSpace, caplog: pytest.LogCaptureFixture, breaks: str
) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, requests=2)
        session.watch(made, TEMPERATURE)
        if breaks == "sent":
            session.publisher._requests[0].answer = cast("Any", None)
        else:
            of.subscriptions[made].items[1]._stamp = cast("Any", None)  # type: ignore[union-attr]
        await asyncio.sleep(0.11)
        assert session.refused == ["BadInternalError"]
        assert "could not be sent" in caplog.text
        session.rewatch(made, 1)
        await write(space, 1.0)
        await asyncio.sleep(0.1)
        assert session.values == [1.0]

    run(main)


# --- what is kept until it is acknowledged ---


def test_messages_are_kept_until_they_are_acknowledged(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        session, other = Session(of, space), Session(of, space)
        made, foreign = session.begin(100), other.begin(100)
        session.watch(made, TEMPERATURE)
        for number in range(3):
            await write(space, float(number))
            session.publish()
            await asyncio.sleep(0.1)
        assert numbers(session) == [1, 2, 3]
        assert session.told[-1].AvailableSequenceNumbers == [1, 2, 3]
        await write(space, 9.0)
        session.publish((made, 2), (made, 2), (made, 77), (foreign, 1), (4711, 1))
        await asyncio.sleep(0.1)
        assert [code.name for code in session.told[-1].Results] == [
            "Good",
            "BadSequenceNumberUnknown",
            "BadSequenceNumberUnknown",
            "BadSubscriptionIdInvalid",
            "BadSubscriptionIdInvalid",
        ]
        assert session.told[-1].AvailableSequenceNumbers == [1, 3, 4]

    run(main)


def test_a_message_can_be_had_again_and_again(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        session, other = Session(of, space), Session(of, space)
        made = session.begin(100, requests=1)
        session.watch(made, TEMPERATURE)
        await asyncio.sleep(0.11)
        for _ in range(2):
            assert republish(session, made, 1) == session.told[0].NotificationMessage
        assert fault(lambda: republish(session, made, 2)) == "BadMessageNotAvailable"
        assert fault(lambda: republish(session, 4711, 1)) == "BadSubscriptionIdInvalid"
        assert fault(lambda: republish(other, made, 1)) == "BadSubscriptionIdInvalid"

    run(main)


def test_no_more_is_kept_than_there_is_room_for(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(50, lifetime=100_000, keep_alive=1000)
        session.watch(made, TEMPERATURE)
        for number in range(one_subscription.MOST_MESSAGES + 5):
            await write(space, float(number))
            session.publish()
            await asyncio.sleep(0.05)
        assert of.subscriptions[made].available() == list(range(6, one_subscription.MOST_MESSAGES + 6))
        for _ in range(1000):
            session.watch(made, TEXT)
        for number in range(5):
            await write(space, str(number), node=TEXT)
            session.publish()
            await asyncio.sleep(0.05)
        held = of.subscriptions[made]
        assert held._kept == sum(map(one_subscription._count, held._sent.values())) <= one_subscription.MOST_KEPT

    run(main)


def test_sequence_numbers_begin_again_after_the_last(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = session.begin(100, requests=2)
        of.subscriptions[made]._sequence = 2**32 - 1
        session.watch(made, TEMPERATURE)
        await asyncio.sleep(0.11)
        await write(space, 1.0)
        await asyncio.sleep(0.1)
        assert numbers(session) == [2**32 - 1, 1]

    run(main)
