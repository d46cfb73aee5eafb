"""What is counted of a machine's work, and what is not."""

from __future__ import annotations

from typing import Any

from edge_agent.counters import Counters, Meter


def looks(meter: Meter, *looks: tuple[float, bool, bool], longest_step_s: float = 3.0, **more: Any) -> Counters:
    for at_s, on, printing in looks:
        meter.look(at_s=at_s, on=on, printing=printing, longest_step_s=longest_step_s, **({"completed": 0} | more))
    return meter.counters


ON, OFF = True, False
PRINTING, IDLE = True, False


def test_what_was_found_holds_until_the_next_look() -> None:
    found = looks(
        Meter(Counters()), (0, ON, IDLE), (1, ON, PRINTING), (3, ON, PRINTING), (3.5, ON, IDLE), (6, OFF, IDLE)
    )
    assert found == Counters(power_on_s=6.0, operation_s=2.5)


def test_before_the_first_look_nothing_is_known() -> None:
    assert looks(Meter(Counters()), (1000, ON, PRINTING)) == Counters()


def test_a_gap_counts_nothing_and_what_follows_it_does() -> None:
    found = looks(Meter(Counters()), (0, ON, PRINTING), (3, ON, PRINTING), (6.1, ON, PRINTING), (7.1, ON, PRINTING))
    assert found == Counters(power_on_s=4.0, operation_s=4.0)


def test_a_printer_that_is_off_counts_nothing() -> None:
    assert looks(Meter(Counters()), (0, OFF, IDLE), (1, OFF, IDLE), (2, ON, IDLE)) == Counters()


def test_counting_goes_on_from_what_was_counted() -> None:
    before = Counters(power_on_s=100.0, operation_s=50.0, completed=3)
    found = looks(Meter(before), (0, ON, PRINTING), (2, ON, PRINTING))
    assert found == Counters(power_on_s=102.0, operation_s=52.0, completed=3)


def test_completed_prints_are_counted_also_after_a_gap_and_of_a_printer_that_is_off() -> None:
    assert looks(Meter(Counters(completed=1)), (0, OFF, IDLE), completed=1) == Counters(completed=2)
    meter = Meter(Counters())
    looks(meter, (0, ON, IDLE))
    assert looks(meter, (1000, ON, IDLE), completed=2) == Counters(completed=2)


def test_counters_are_the_same_object_until_they_change() -> None:
    meter = Meter(Counters())
    before = meter.counters
    assert looks(meter, (0, OFF, IDLE), (1, OFF, IDLE), (1, ON, IDLE)) is before
