"""Subscriptions: how many there may be, and requests for nothing.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.monitoring.shares import room
from edge_agent.sinks.opcua.monitoring.subscriptions import Subscriptions
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.wire import node_id
from tests.unit.opcua.subscriber import TEMPERATURE, Session, fault, run, service, write


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


def crowd(of: Subscriptions, space: AddressSpace, user: str, *, sessions: int = 10) -> list[Session]:
    """As many sessions as a user may have."""
    return [Session(of, space, user=user) for _ in range(sessions)]


def begin_all(sessions: list[Session]) -> int:
    """Begin subscriptions until every session is refused."""
    made = 0
    for session in sessions:
        while fault(session.begin) == "Good":
            made += 1
    return made


def watch_all(sessions: list[Session]) -> int:
    """Watch until every session is refused; each has a subscription already."""
    made = 0
    for session in sessions:
        own = next(each.id for each in session.of.subscriptions.values() if each.owner is session)
        while session.watch(own, TEMPERATURE).StatusCode.is_good():
            made += 1
    return made


def test_users_who_take_all_they_can_leave_every_other_its_share(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, most=128, users=("mes-1", "mes-2", "mes-3", "scada"))
        assert begin_all(crowd(of, space, "mes-1")) == 128 - 3 * 16
        assert [begin_all(crowd(of, space, user)) for user in ("mes-2", "mes-3")] == [16, 16]
        assert begin_all(crowd(of, space, "scada")) == 16
        assert len(of.subscriptions) == 128

    run(main)


def test_users_who_watch_all_they_can_leave_every_other_its_share(space: AddressSpace) -> None:
    async def main() -> None:
        limits = Limits(max_total_monitored_items=80)
        of = service(space, limits=limits, users=("mes-1", "mes-2", "scada", "anonymous"))
        greedy, second, scada = (crowd(of, space, user, sessions=2) for user in ("mes-1", "mes-2", "scada"))
        for session in (*greedy, *second, *scada):
            session.begin(100, requests=2)
        assert watch_all(greedy) == 80 - 3 * 10
        assert watch_all(second) == 10
        assert watch_all(scada) == 10
        await asyncio.sleep(0.11)
        assert len(scada[0].values) == 10  # and it is served
        assert watch_all(greedy) == 0

    run(main)


def test_sessions_that_exist_go_on_when_there_is_room_for_no_more(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, limits=Limits(max_total_monitored_items=4), users=("mes-1", "mes-2"))
        working, other = Session(of, space, user="mes-1"), Session(of, space, user="mes-2")
        own = working.begin(100, requests=3)
        item = working.watch(own, TEMPERATURE).MonitoredItemId
        other.begin()
        assert watch_all([other]) == 3  # one is left of the half that all have
        assert working.watch(own, TEMPERATURE).StatusCode.name == "BadTooManyMonitoredItems"
        assert working.rewatch(own, item, queue=5).StatusCode.is_good()
        await write(space, 7.0)
        await asyncio.sleep(0.11)
        assert working.values[-1] == 7.0

    run(main)


def test_a_request_for_more_items_than_there_is_room_for_gets_those_that_fit(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, limits=Limits(max_total_monitored_items=3))
        session = Session(of, space)
        wanted = ua.MonitoredItemCreateRequest(ua.ReadValueId(node_id(TEMPERATURE), ua.AttributeIds.Value))
        made = cast("ua.IntegerId", session.begin())
        asked = ua.CreateMonitoredItemsParameters(made, ItemsToCreate=[wanted] * 5)
        codes = [result.StatusCode.name for result in of.items.create(session, asked)]
        assert codes == ["Good"] * 3 + ["BadTooManyMonitoredItems"] * 2

    run(main)


def test_a_user_that_is_new_has_its_share_as_soon_as_there_is_any_room(space: AddressSpace) -> None:
    async def main() -> None:
        users = ["mes-1"]
        of = service(space, most=8, users=users)
        first = Session(of, space, user="mes-1")
        assert begin_all([first]) == 8
        users.append("mes-2")
        second = Session(of, space, user="mes-2")
        assert begin_all([second]) == 0
        of.delete(first, list(of.subscriptions)[:3])
        assert begin_all([first]) == 1
        assert begin_all([second]) == 2
        assert begin_all([first]) == 0

    run(main)


def test_what_a_user_left_behind_within_its_share_is_not_ended_for_others(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, most=8, users=("mes-1", "mes-2"))
        away, attacker = Session(of, space, user="mes-2"), crowd(of, space, "mes-1")
        kept = [away.begin(), away.begin()]
        of.leave(away, delete=False)
        away.is_closed = True
        assert begin_all(attacker) == 6
        back = Session(of, space, user="mes-2")
        assert [result.StatusCode.name for result in back.transfer(*kept)] == ["Good", "Good"]

    run(main)


def test_what_was_left_behind_beyond_a_share_makes_room_for_items_too(space: AddressSpace) -> None:
    async def main() -> None:
        of = service(space, limits=Limits(max_total_monitored_items=8), users=("mes-1", "mes-2"))
        for _ in range(4):  # a client that crashes, and never says goodbye
            session = Session(of, space, user="mes-1")
            made = session.begin()
            assert [session.watch(made, TEMPERATURE).StatusCode.name for _ in range(5)] == ["Good"] * 5
            of.leave(session, delete=False)
            session.is_closed = True
        assert len(of.subscriptions) == 1
        other = Session(of, space, user="mes-2")
        other.begin()
        assert watch_all([other]) == 6

    run(main)


@pytest.mark.parametrize(
    ("held", "users", "expected"),
    [
        ({}, (), 8),
        ({}, ("a",), 8),
        ({}, ("a", "b"), 6),
        ({"b": 1}, ("a", "b"), 6),
        ({"b": 6}, ("a", "b"), 2),
        ({"a": 6}, ("a", "b"), 0),
        ({"b": 8}, ("a", "b"), 0),
        ({"gone": 5}, ("a", "b"), 2),
        ({}, tuple("abcdefghijklmnop"), 1),  # more users than there is of it: who comes first
        ({"b": 8}, tuple("abcdefghijklmnop"), 0),
    ],
)
def test_room_for_a_user(held: dict[str | None, int], users: tuple[str, ...], expected: int) -> None:
    assert room("a", held=held, users=users, most=8) == expected


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
