"""Items that watch a value: whether they speak, and which others make them.

What asyncua's own do is in test_subscriptions_of_asyncua.py.
"""

from __future__ import annotations

from typing import Any, cast

from asyncua import ua

from edge_agent.sinks.opcua.space.address_space import AddressSpace
from tests.unit.opcua.subscriber import (
    TEMPERATURE,
    TEXT,
    Disabled,
    Reporting,
    Sampling,
    Session,
    fault,
    run,
    service,
    write,
)
from tests.unit.opcua.watched_values import cycle

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
