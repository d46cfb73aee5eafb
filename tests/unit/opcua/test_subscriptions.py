"""Subscriptions: when they speak, what they keep, whose they are, and how they end.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua import subscription as one_subscription
from edge_agent.sinks.opcua.address_space import AddressSpace
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.subscription import Terms
from edge_agent.sinks.opcua.subscriptions import REQUESTS_BESIDE
from tests.unit.opcua.subscriber import (
    TEMPERATURE,
    TEXT,
    Session,
    fault,
    now_s,
    run,
    service,
    write,
)

NAN = float("nan")


def asked(interval_ms: float = 100, lifetime: int = 300, keep_alive: int = 10, **more: Any) -> Terms:
    params = ua.CreateSubscriptionParameters(
        cast("ua.Duration", interval_ms), cast("ua.Counter", lifetime), cast("ua.Counter", keep_alive), **more
    )
    return Terms.revise(params)


def modify(session: Session, subscription: int, interval_ms: float, **more: Any) -> ua.ModifySubscriptionResult:
    ids = cast("ua.IntegerId", subscription), cast("ua.Duration", interval_ms)
    return session.of.modify(session, ua.ModifySubscriptionParameters(*ids, **more))


def republish(session: Session, subscription: int, number: int) -> ua.NotificationMessage:
    params = ua.RepublishParameters(cast("ua.IntegerId", subscription), cast("ua.Counter", number))
    return session.of.republish(session, params)


def numbers(session: Session) -> list[int]:
    return [int(result.NotificationMessage.SequenceNumber) for result in session.told]


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


# --- how they end ---


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


# --- whose they are ---


def test_nobody_touches_the_subscriptions_of_others(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        victim, attacker = Session(of, space), Session(of, space)
        made = victim.begin(100)
        item = victim.watch(made, TEMPERATURE).MonitoredItemId
        attacker.begin(100, requests=3)
        theirs = cast("ua.IntegerId", made)
        assert [code.name for code in of.delete(attacker, [made])] == ["BadSubscriptionIdInvalid"]
        mode = ua.SetPublishingModeParameters(cast("ua.Boolean", False), cast("Any", [made]))
        assert [code.name for code in of.set_publishing_mode(attacker, mode)] == ["BadSubscriptionIdInvalid"]
        items = of.items
        for ask in (
            lambda: modify(attacker, made, 1000),
            lambda: attacker.watch(made, TEMPERATURE),
            lambda: attacker.rewatch(made, item),
            lambda: items.delete(attacker, ua.DeleteMonitoredItemsParameters(theirs, [item])),
            lambda: items.link(attacker, ua.SetTriggeringParameters(theirs, item, cast("Any", [item]))),
            lambda: attacker.set_mode(made, ua.MonitoringMode.Disabled, item),
        ):
            assert fault(ask) == "BadSubscriptionIdInvalid"
        victim.publish()
        await asyncio.sleep(0.11)
        assert victim.values == [None]
        assert attacker.values == []

    run(main)


def test_ids_cannot_be_guessed(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        ids = [session.begin() for _ in range(20)]
        assert len(set(ids)) == 20
        assert min(abs(one - other) for one, other in itertools.pairwise(ids)) > 100

    run(main)


# --- transfer ---


def test_another_session_of_the_same_user_may_take_over(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        before, after = Session(of, space), Session(of, space)
        made = before.begin(100, requests=3)
        before.watch(made, TEMPERATURE, queue=10)
        before.watch(made, TEXT, mode=ua.MonitoringMode.Sampling)
        await asyncio.sleep(0.11)
        [result] = after.transfer(made)
        assert (result.StatusCode.name, result.AvailableSequenceNumbers) == ("Good", [1])
        assert before.statuses == [(made, "GoodSubscriptionTransferred")]
        assert before.refused == ["BadNoSubscription"]
        assert republish(after, made, 1) == before.told[0].NotificationMessage
        after.publish((made, 1))
        await write(space, 1.0)
        await asyncio.sleep(0.1)
        assert after.values == [1.0]
        assert [code.name for code in after.told[-1].Results] == ["Good"]
        assert [code.name for code in of.delete(before, [made])] == ["BadSubscriptionIdInvalid"]

    run(main)


def test_who_takes_over_may_have_all_values(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        before, after = Session(of, space), Session(of, space)
        made = before.begin(100, requests=1)
        before.watch(made, TEMPERATURE, queue=10)
        before.watch(made, TEXT, mode=ua.MonitoringMode.Sampling)
        await write(space, 1.0)
        await asyncio.sleep(0.11)
        after.transfer(made, initial_values=True)
        after.publish()
        await asyncio.sleep(0.1)
        assert after.values == [1.0]
        await write(space, 2.0)
        before.begin()
        before.transfer(made, initial_values=True)  # one that waits to be told anyway is not told twice
        before.publish()
        await asyncio.sleep(0.1)
        before.publish()
        await asyncio.sleep(0.1)
        assert before.values == [None, 1.0, 2.0]

    run(main)


def test_who_takes_over_has_the_values_of_items_that_report_only(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        before, after = Session(of, space), Session(of, space)
        made = before.begin(100, requests=1)
        item = before.watch(made, TEMPERATURE).MonitoredItemId
        await asyncio.sleep(0.11)
        before.set_mode(made, ua.MonitoringMode.Sampling, item)
        after.transfer(made, initial_values=True)
        after.set_mode(made, ua.MonitoringMode.Reporting, item)
        after.publish()
        await asyncio.sleep(0.2)
        assert after.values == []

    run(main)


@pytest.mark.parametrize(
    ("user", "uri", "code"),
    [
        ("mes-1", "urn:other", "Good"),
        ("mes-2", "urn:client", "BadUserAccessDenied"),
    ],
)
def test_other_users_may_not(space: AddressSpace, user: str, uri: str, code: str) -> None:
    async def main() -> None:
        of = service(space)
        made = Session(of, space).begin()
        [result] = Session(of, space, user=user, uri=uri).transfer(made)
        assert result.StatusCode.name == code

    run(main)


@pytest.mark.parametrize(
    ("uri", "code"), [("urn:client", "Good"), ("urn:other", "BadUserAccessDenied"), ("", "BadUserAccessDenied")]
)
def test_of_users_without_a_name_the_same_application_may(space: AddressSpace, uri: str, code: str) -> None:
    async def main() -> None:
        of = service(space)
        made = Session(of, space, user="anonymous", uri="urn:client" if uri else "").begin()
        [result] = Session(of, space, user="anonymous", uri=uri).transfer(made)
        assert result.StatusCode.name == code

    run(main)


def test_taking_over_what_is_not_there_or_ones_own(space: AddressSpace) -> None:
    async def main() -> None:
        session = Session(service(space), space)
        made = session.begin(100, requests=1)
        assert [result.StatusCode.name for result in session.transfer(4711, made)] == [
            "BadSubscriptionIdInvalid",
            "Good",
        ]
        assert (session.statuses, session.refused) == ([], [])

    run(main)


def test_what_a_closed_session_left_can_be_taken_over(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space)
        before, after = Session(of, space), Session(of, space)
        made = before.begin(100)
        before.watch(made, TEMPERATURE)
        of.leave(before, delete=False)
        after.transfer(made)
        after.publish()
        await asyncio.sleep(0.11)
        assert after.values == [None]

    run(main)


# --- limits ---


def test_a_session_has_so_many_subscriptions_and_all_have_so_many_together(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, most=5, limits=Limits(max_subscriptions=3))
        first, second, third = Session(of, space), Session(of, space), Session(of, space)
        made = [first.begin() for _ in range(3)]
        assert fault(first.begin) == "BadTooManySubscriptions"
        for _ in range(2):
            second.begin()
        assert fault(third.begin) == "BadTooManySubscriptions"
        of.leave(first, delete=False)
        first.is_closed = True  # its own make room for others, the oldest first
        assert third.begin() in of.subscriptions
        assert [each in of.subscriptions for each in made] == [False, True, True]
        assert [each in of.subscriptions for each in made[1:]] == [True, True]

    run(main)


def test_taking_over_does_not_get_round_the_limits(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, limits=Limits(max_subscriptions=2, max_monitored_items=3))
        before, after = Session(of, space), Session(of, space)
        with_items, without = before.begin(), before.begin()
        for _ in range(2):
            before.watch(with_items, TEMPERATURE)
            after.watch(after.begin(), TEMPERATURE) if not after.told and len(of.subscriptions) < 3 else None
        own = next(each.id for each in of.subscriptions.values() if each.owner is after)
        after.watch(own, TEMPERATURE)
        assert [result.StatusCode.name for result in after.transfer(with_items, without, with_items)] == [
            "BadTooManyMonitoredItems",
            "Good",
            "BadTooManySubscriptions",
        ]

    run(main)


@pytest.mark.parametrize("service_set", ["delete", "mode", "transfer", "create", "modify", "monitoring", "remove"])
def test_a_request_for_nothing_is_refused(space: AddressSpace, service_set: str) -> None:
    async def main() -> None:
        session = Session(of := service(space), space)
        made = cast("ua.IntegerId", session.begin())
        none: Any = None  # a null array
        ask = {
            "delete": lambda: of.delete(session, none),
            "mode": lambda: of.set_publishing_mode(session, ua.SetPublishingModeParameters(SubscriptionIds=none)),
            "transfer": lambda: of.transfer(session, ua.TransferSubscriptionsParameters(none)),
            "create": lambda: of.items.create(session, ua.CreateMonitoredItemsParameters(made, ItemsToCreate=none)),
            "modify": lambda: of.items.modify(session, ua.ModifyMonitoredItemsParameters(made, ItemsToModify=none)),
            "monitoring": lambda: of.items.set_mode(session, ua.SetMonitoringModeParameters(made)),
            "remove": lambda: of.items.delete(session, ua.DeleteMonitoredItemsParameters(made, none)),
        }[service_set]
        assert fault(ask) == "BadNothingToDo"

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
