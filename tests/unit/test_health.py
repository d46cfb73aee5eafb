"""Heartbeats: who made no progress, and for how long."""

from __future__ import annotations

import pytest

from edge_agent.health import Health, Late


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
