"""The last hour's temperatures: what is kept, what is a gap, what it costs, and how it is drawn."""

from __future__ import annotations

import itertools
import re
import tracemalloc
from datetime import timedelta
from math import sin

import pytest
from msgspec.structs import replace

from edge_agent.model import MachineState, Quality, Temperature
from edge_agent.observation import Observation
from edge_agent.sinks.http.curves import MOST_HEATERS, SLOTS, STEP_S, Curves
from edge_agent.sinks.http.drawing import large, small
from edge_agent.sinks.http.report import CurveReport
from edge_agent.sinks.http.words import EN
from tests.observations import AT, PRINTING

from .bench import observed


def warm(*temperatures: tuple[str, float, float | None], number: int = 1) -> Observation:
    heaters = {name: Temperature(actual, target) for name, actual, target in temperatures}
    return observed(number, snapshot=replace(PRINTING, temperatures=heaters))


def noted(*turns: tuple[float, list[Observation]]) -> Curves:
    curves = Curves()
    for seconds, observations in turns:
        curves.note(observations, monotonic_s=seconds, at=AT + timedelta(seconds=seconds))
    return curves


def actual(curves: Curves, heater: str = "tool0") -> list[float | None]:
    return list(curves.of("machine-1").heaters[heater].actual_celsius)


def test_there_is_a_value_for_every_half_minute_the_newest_last() -> None:
    curves = noted(*((turn * 5.0, [warm(("tool0", turn, 210.0))]) for turn in range(18)))
    told = curves.of("machine-1")
    assert actual(curves)[-3:] == [0.0, 6.0, 12.0]  # the first of each half minute
    assert actual(curves)[:-3] == [None] * (SLOTS - 3)
    assert told.heaters["tool0"].target_celsius[-1] == 210.0
    assert (told.step_s, told.ends_at) == (STEP_S, AT + timedelta(seconds=60))


def test_an_hour_is_kept_and_no_more() -> None:
    curves = noted(*((turn * STEP_S, [warm(("tool0", turn, None))]) for turn in range(SLOTS + 7)))
    assert actual(curves) == [float(turn) for turn in range(7, SLOTS + 7)]
    assert set(curves.of("machine-1").heaters["tool0"].target_celsius) == {None}


@pytest.mark.parametrize(
    "untrusted",
    [
        observed(1, quality=Quality.NO_COMMUNICATION),
        observed(1, quality=Quality.ACCESS_DENIED),
        observed(1, temperature_quality=Quality.NOT_CONNECTED),
        observed(1, snapshot=replace(PRINTING, state=MachineState.OFF)),
        observed(1, snapshot=None, quality=Quality.WAITING),
        warm(("tool0", float("nan"), 1.0)),
        warm(("tool0", 1e300, 1.0)),
    ],
)
def test_what_cannot_be_trusted_is_a_gap(untrusted: Observation) -> None:
    good = warm(("tool0", 20.0, 0.0))
    curves = noted((0, [good]), (STEP_S, [untrusted]), (2 * STEP_S, [good]))
    assert actual(curves)[-3:] == [20.0, None, 20.0]


def test_half_minutes_that_were_slept_through_are_a_gap() -> None:
    good = warm(("tool0", 20.0, 0.0))
    curves = noted((0, [good]), (3 * STEP_S, [good]))
    assert actual(curves)[-4:] == [20.0, None, None, 20.0]
    curves.note([good], monotonic_s=1e6, at=AT)
    assert actual(curves) == [*[None] * (SLOTS - 1), 20.0]


def test_who_is_gone_costs_nothing() -> None:
    good, other = warm(("tool0", 20.0, 0.0)), warm(("bed", 20.0, 0.0))
    curves = noted((0, [good]), (STEP_S, []))
    assert curves.of("machine-1").heaters == {}
    curves = noted((0, [good]), *(((turn + 1) * STEP_S, [other]) for turn in range(SLOTS)))
    assert list(curves.of("machine-1").heaters) == ["bed"]
    assert curves.of("nobody").heaters == {}


def test_names_that_keep_changing_do_not_fill_the_memory() -> None:
    curves = noted(*((turn * STEP_S, [warm((f"t{turn}", 20.0, 0.0))]) for turn in range(50)))
    assert len(curves.of("machine-1").heaters) == MOST_HEATERS


def test_a_hundred_machines_with_three_heaters_cost_less_than_a_third_of_a_megabyte() -> None:
    fleet = [warm(("tool0", 1.5, 2.0), ("tool1", 1.5, 2.0), ("bed", 1.5, 2.0), number=number) for number in range(100)]
    curves = Curves()
    tracemalloc.start()
    try:
        for turn in range(3):
            curves.note(fleet, monotonic_s=turn * STEP_S, at=AT)
        cost, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 100 * 3 * SLOTS * 4 < cost < 300_000


def curve(*values: float | None, goals: tuple[float | None, ...] | None = None) -> CurveReport:
    return CurveReport(actual_celsius=values, target_celsius=goals or (None,) * len(values))


def paths(drawing: str, kind: str) -> list[str]:
    return re.findall(rf'<path class="{kind}" d="([^"]*)"/>', drawing)


def test_a_steady_temperature_is_one_straight_line() -> None:
    steady = curve(*(205 + sin(number) * 0.3 for number in range(SLOTS)))
    assert [path.count("L") for path in paths(small("tool0", steady, STEP_S, EN), "actual")] == [1]


def test_a_curve_goes_where_the_temperatures_went() -> None:
    values = [20.0] * 10 + [20.0 + 6 * step for step in range(31)] + [200.0] * 79
    [path] = paths(small("tool0", curve(*values), STEP_S, EN), "actual")
    points = [(int(x), float(y)) for x, y in re.findall(r"[ML](\d+) ([\d.]+)", path)]
    assert points[0] == (0, 28.0)
    assert points[-1] == (120, 0.0)
    for slot, value in enumerate(values):  # every sample is within a pixel of the line
        x = slot * 120 / 119
        (x0, y0), (x1, y1) = next(pair for pair in itertools.pairwise(points) if pair[1][0] >= round(x))
        drawn = y0 + (y1 - y0) * (x - x0) / (x1 - x0)
        assert drawn == pytest.approx(28 - (value - 20) / 180 * 28, abs=1.2), slot


def test_a_gap_is_not_bridged_and_a_heater_that_is_off_has_no_goal() -> None:
    drawing = small(
        "bed",
        curve(20.0, 30.0, None, 40.0, None, 50.0, 60.0, goals=(0.0, 0.0, 0.0, 60.0, 60.0, 60.0, 60.0)),
        STEP_S,
        EN,
    )
    assert [path.count("M") for path in paths(drawing, "actual")] == [3]
    [goal] = paths(drawing, "goal")
    assert goal.startswith("M60 ")


def test_what_was_before_the_first_value_takes_no_room_but_for_ten_minutes() -> None:
    [path] = paths(small("bed", curve(*(None,) * 80, *[20.0] * 39, 30.0), STEP_S, EN), "actual")
    assert path.startswith("M0 ")
    [path] = paths(small("bed", curve(*(None,) * 110, *[20.0] * 9, 30.0), STEP_S, EN), "actual")
    assert path.startswith("M63 ")


def test_what_is_told_in_words_is_the_range() -> None:
    assert 'aria-label="bed, last 2 min: 20 to 60 °C"' in small("bed", curve(20.0, 60.4, None), STEP_S, EN)
    assert 'aria-label="&quot;&gt;&lt;x, last' in large('"><x', curve(20.0, 60.4, None), STEP_S, EN)


def test_one_value_is_no_curve() -> None:
    for draw in (small, large):
        assert draw("bed", curve(None, 20.0, None), STEP_S, EN) == ""
        assert draw("bed", curve(None, None, goals=(60.0, 60.0)), STEP_S, EN) == ""
        assert draw("bed", curve(), STEP_S, EN) == ""


def test_a_noisy_hour_is_less_than_a_kilobyte_and_a_half() -> None:
    noisy = curve(*(150 + 50 * sin(number * 7.7) for number in range(SLOTS)), goals=(200.0,) * SLOTS)
    assert len(small("tool0", noisy, STEP_S, EN)) < 1500


def test_the_large_one_has_numbers_at_its_axes() -> None:
    drawing = large("tool0", curve(*(None,) * (SLOTS - 80), *[20.0] * 79, 200.0), STEP_S, EN)
    assert re.findall(r"<text[^>]*>([^<]*)</text>", drawing) == [
        "20", "65", "110", "155", "200", "-40 min", "-30 min", "-20 min", "-10 min", "0 min"
    ]  # fmt: skip
