"""Heartbeats: who made no progress, and for how long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from edge_agent.health import Health, Late, prove
from tests import virtual_time


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.time_s = 1000.0

    def __call__(self) -> float:
        return self.time_s

    def let_pass(self, seconds: float) -> None:
        self.time_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(monotonic=clock)


def test_an_agent_without_parts_is_well(health: Health) -> None:
    assert health.late() == []


def test_a_part_has_its_whole_deadline_before_it_is_late(health: Health, clock: Clock) -> None:
    health.register("poller of a", deadline_s=90)
    clock.let_pass(90)
    assert health.late() == []
    clock.let_pass(0.5)
    assert health.late() == [Late(part="poller of a", silent_s=90.5, deadline_s=90)]


def test_a_part_that_beats_is_never_late(health: Health, clock: Clock) -> None:
    heartbeat = health.register("poller of a", deadline_s=10)
    for _ in range(100):
        clock.let_pass(9)
        heartbeat.beat()
        assert health.late() == []
    clock.let_pass(4)
    assert heartbeat.silent_s == 4


def test_a_late_part_that_beats_again_is_well(health: Health, clock: Clock) -> None:
    heartbeat = health.register("poller of a", deadline_s=10)
    clock.let_pass(11)
    assert len(health.late()) == 1
    heartbeat.beat()
    assert health.late() == []


def test_all_late_parts_are_told_in_order_of_registration(health: Health, clock: Clock) -> None:
    parts = {
        name: health.register(name, deadline_s=deadline_s) for name, deadline_s in (("b", 10), ("a", 5), ("c", 99))
    }
    clock.let_pass(11)
    assert [late.part for late in health.late()] == ["b", "a"]
    parts["b"].beat()
    assert [late.part for late in health.late()] == ["a"]


def test_a_part_that_ended_on_purpose_is_not_missed(health: Health, clock: Clock) -> None:
    health.register("poller of a", deadline_s=10)
    health.forget("poller of a")
    clock.let_pass(100)
    assert health.late() == []


def test_forgetting_an_unknown_part_is_no_mistake(health: Health) -> None:
    health.forget("nobody")


def test_two_parts_cannot_have_one_name_and_a_forgotten_name_is_free(health: Health, clock: Clock) -> None:
    health.register("poller of a", deadline_s=10)
    with pytest.raises(ValueError, match="poller of a is registered already"):
        health.register("poller of a", deadline_s=10)
    health.forget("poller of a")
    clock.let_pass(100)
    health.register("poller of a", deadline_s=10)
    assert health.late() == []


def test_being_late_is_told_in_a_sentence() -> None:
    late = Late(part="poller of a", silent_s=90.6, deadline_s=90.0)
    assert str(late) == "poller of a made no progress for 91 s (deadline 90 s)"


def test_who_may_see_a_few_machines_only_is_not_told_the_name_of_one() -> None:
    late = Late(part="poller of a", silent_s=90.6, deadline_s=90.0, kind="a machine's poller", reason="stuck")
    assert late.for_everybody == "a machine's poller made no progress for 91 s (deadline 90 s): stuck"
    assert Late(part="journal", silent_s=1.0, deadline_s=0.0).for_everybody.startswith("journal made")


def test_a_part_is_awaited_until_its_first_beat_or_until_its_time_for_it_is_over(health: Health, clock: Clock) -> None:
    first = health.register("poller of a", deadline_s=90, first_s=8)
    health.register("poller of b", deadline_s=90, first_s=20)
    endpoint = health.register("OPC UA port", deadline_s=5)
    assert health.awaited() == ["poller of a", "poller of b", "OPC UA port"]
    first.beat()
    clock.let_pass(20)
    assert health.awaited() == ["OPC UA port"]
    clock.let_pass(1e6)
    assert health.awaited() == ["OPC UA port"]
    endpoint.beat()
    clock.let_pass(1e6)
    assert health.awaited() == []


def test_a_part_that_is_asked_beats_while_it_has_nothing_to_complain_of() -> None:
    answers = {2: "port 4840: connection refused", 3: "port 4840: connection refused"}
    asked: list[float] = []

    async def ask() -> str:
        asked.append(asyncio.get_running_loop().time())
        return answers.get(len(asked), "")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        health = Health(monotonic=loop.time)
        task = loop.create_task(prove(health.register("OPC UA port", deadline_s=25), ask, every_s=10))
        await asyncio.sleep(19)
        assert (health.late(), health.awaited(), len(asked)) == ([], [], 2)
        await asyncio.sleep(8)
        (late,) = health.late()
        assert str(late).endswith(" 27 s (deadline 25 s): port 4840: connection refused")
        await asyncio.sleep(8)
        assert health.late() == []
        await asyncio.sleep(15)
        assert health.late() == []
        task.cancel()
        await asyncio.wait([task])

    virtual_time.run(main, start=datetime(2026, 3, 1, tzinfo=UTC))


def test_a_part_that_never_answers_is_late() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        health = Health(monotonic=loop.time)
        task = loop.create_task(
            prove(health.register("journal", deadline_s=15), asyncio.Event().wait, every_s=10)  # type: ignore[arg-type]
        )
        await asyncio.sleep(16)
        assert [late.part for late in health.late()] == ["journal"]
        task.cancel()
        await asyncio.wait([task])

    virtual_time.run(main, start=datetime(2026, 3, 1, tzinfo=UTC))
