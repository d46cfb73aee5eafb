"""Subscriptions: whose they are, and who may take them over.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.unit.opcua.subscriber import TEMPERATURE, TEXT, Session, fault, run, service, write
from tests.unit.opcua.subscription_requests import modify, republish

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


@pytest.mark.parametrize(("before", "after"), [(False, False), (True, False), (False, True)])
def test_without_security_an_application_is_not_known_by_what_it_says(
    space: AddressSpace, *, before: bool, after: bool
) -> None:
    async def main() -> None:
        of = service(space)
        made = Session(of, space, user="anonymous", encrypted=before).begin()
        [result] = Session(of, space, user="anonymous", encrypted=after).transfer(made)
        assert result.StatusCode.name == "BadUserAccessDenied"

    run(main)


@pytest.mark.parametrize(("user", "code"), [("mes-1", "BadUserAccessDenied"), ("mes-2", "BadSubscriptionIdInvalid")])
def test_a_method_that_asks_for_the_subscription_of_another_session(space: AddressSpace, user: str, code: str) -> None:
    async def main() -> None:
        of = service(space)
        made = Session(of, space).begin()
        other: Any = Session(of, space, user=user)
        assert fault(lambda: of.called(other, made)) == code

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
