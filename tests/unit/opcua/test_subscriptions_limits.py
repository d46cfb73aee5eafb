"""Subscriptions: how many there may be, and requests for nothing.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.unit.opcua.subscriber import TEMPERATURE, Session, fault, run, service


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
