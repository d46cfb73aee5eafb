"""The store: the latest of everything, to readers of any speed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from edge_agent.events import MachineEvent, MachineEventKind
from edge_agent.model import Machine, MesStatus, Quality, StackLight
from edge_agent.observation import AgentStatus, Observation
from edge_agent.store import AGENT, KEEP_EVENTS, Store, Watch

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
STATUS = AgentStatus(version="1", started_at=NOW, config_status="2 machines")


def observation(machine_id: str, error: str = "") -> Observation:
    return Observation(
        machine=Machine(id=machine_id, name=None, address="octopi:80", url="http://octopi", kind="X", mes_ids=(1,)),
        quality=Quality.WAITING,
        temperature_quality=Quality.WAITING,
        reachable=False,
        mes_status=MesStatus.OFFLINE,
        stack_light=StackLight.OFF,
        poll_interval_s=1.0,
        error=error,
    )


async def quiet(watch: Watch) -> bool:
    """Nothing is waiting to be taken."""
    waiting = asyncio.ensure_future(watch.wait())
    await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    return not done


def test_the_latest_of_a_machine_is_the_last_that_was_published() -> None:
    store = Store()
    assert store.latest("a") is None
    for error in ("first", "second"):
        store.publish(observation("a", error))
    latest = store.latest("a")
    assert latest
    assert latest.error == "second"


def test_machines_keep_the_order_they_first_appeared_in() -> None:
    store = Store()
    for machine_id in ("c", "a", "b", "c", "a"):
        store.publish(observation(machine_id))
    assert [found.machine.id for found in store.observations()] == ["c", "a", "b"]


def test_a_list_of_observations_does_not_change_afterwards() -> None:
    store = Store()
    store.publish(observation("a"))
    found = store.observations()
    store.publish(observation("b"))
    assert len(found) == 1


def test_a_removed_machine_is_gone_and_said_to_have_changed() -> None:
    store = Store()
    store.publish(observation("a"))
    with store.watch() as watch:
        watch.take()
        store.remove("a")
        assert watch.take() == ("a",)
    assert store.latest("a") is None
    assert store.observations() == []


def test_removing_an_unknown_machine_changes_nothing() -> None:
    store = Store()
    with store.watch() as watch:
        store.remove("a")
        assert watch.take() == ()


async def test_the_first_turn_names_every_machine_there_is() -> None:
    store = Store()
    for machine_id in ("b", "a"):
        store.publish(observation(machine_id))
    with store.watch() as watch:
        assert not await quiet(watch)
        assert watch.take() == ("b", "a")


async def test_an_empty_store_has_nothing_to_tell_at_first() -> None:
    with Store().watch() as watch:
        assert await quiet(watch)


async def test_a_slow_reader_skips_values_and_hears_of_each_machine_once() -> None:
    store = Store()
    with store.watch() as watch:
        for count in range(1000):
            store.publish(observation("a", str(count)))
            store.publish(observation("b", str(count)))
        assert watch.take() == ("a", "b")
        assert await quiet(watch)
        latest = store.latest("a")
        assert latest
        assert latest.error == "999"


async def test_what_changes_after_a_turn_comes_with_the_next() -> None:
    store = Store()
    with store.watch() as watch:
        store.publish(observation("a"))
        assert watch.take() == ("a",)
        assert await quiet(watch)
        store.publish(observation("b"))
        assert not await quiet(watch)
        assert watch.take() == ("b",)


async def test_a_waiting_reader_is_woken_by_a_change() -> None:
    store = Store()
    with store.watch() as watch:
        turns = aiter(watch)
        waiting = asyncio.ensure_future(anext(turns))
        await asyncio.sleep(0)
        assert not waiting.done()
        store.publish(observation("a"))
        assert await waiting == ("a",)
        store.publish(observation("b"))
        assert await anext(turns) == ("b",)


def test_readers_do_not_take_from_each_other() -> None:
    store = Store()
    with store.watch() as fast, store.watch() as slow:
        store.publish(observation("a"))
        assert fast.take() == ("a",)
        store.publish(observation("b"))
        assert fast.take() == ("b",)
        assert slow.take() == ("a", "b")


def test_a_reader_that_ended_or_died_is_told_nothing_more() -> None:
    store, watches = Store(), []

    def read(last_words: type[Exception] | None) -> None:
        with store.watch() as watch:
            watches.append(watch)
            if last_words is not None:
                raise last_words

    read(None)
    with pytest.raises(RuntimeError):
        read(RuntimeError)
    store.publish(observation("a"))
    assert [watch.take() for watch in watches] == [(), ()]


def test_the_agents_word_on_itself_is_told_like_a_machines() -> None:
    store = Store()
    said = [store.agent]
    with store.watch() as watch:
        store.publish_agent(STATUS)
        assert watch.take() == (AGENT,)
    said.append(store.agent)
    assert said == [None, STATUS]
    assert store.observations() == []


def event(number: int = 0) -> MachineEvent:
    return MachineEvent(kind=MachineEventKind.FAULT, at=NOW, machine_id="a", text=str(number))


async def test_an_event_wakes_every_reader_and_is_taken_once() -> None:
    store = Store()
    with store.watch() as one, store.watch() as other:
        assert await quiet(one)
        first, second = event(1), event(2)
        store.announce(first)
        store.announce(second)
        for watch in (one, other):
            assert not await quiet(watch)
            assert watch.take() == ()
            assert watch.take_events() == (first, second)
            assert watch.take_events() == ()
            assert await quiet(watch)


async def test_a_reader_that_takes_no_events_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    with store.watch() as watch:
        for number in range(KEEP_EVENTS + 10):
            store.announce(event(number))
        watch.take()
        assert await quiet(watch)
    assert caplog.text == ""


def test_a_reader_that_falls_behind_gets_the_newest_and_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    with store.watch() as watch:
        assert watch.take_events() == ()
        for number in range(KEEP_EVENTS + 10):
            store.announce(event(number))
        taken = [int(found.text) for found in watch.take_events() if isinstance(found, MachineEvent)]
        assert taken == list(range(10, KEEP_EVENTS + 10))
        assert caplog.text.count("the oldest are left out") == 1


def test_what_happened_before_a_reader_came_is_not_told_to_it() -> None:
    store = Store()
    store.announce(event())
    with store.watch() as watch:
        assert watch.take_events() == ()
