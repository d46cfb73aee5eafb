from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import Unreachable
from edge_agent.model import MachineState, Snapshot
from edge_agent.sources import Source
from edge_agent.sources.simulated import SimulatedOptions, SimulatedPrinter, Stage, _cycles, demo_options

EPOCH = datetime(2026, 5, 24, 12, 0, 0, tzinfo=UTC)
DAY_S = 86_400.0

# What may follow what; anything else would be a printer that jumps.
PLAUSIBLE = {
    (MachineState.OFF, MachineState.CONNECTING),
    (MachineState.CONNECTING, MachineState.READY),
    (MachineState.READY, MachineState.STARTING),
    (MachineState.STARTING, MachineState.PRINTING),
    (MachineState.STARTING, MachineState.FAULT),
    (MachineState.PRINTING, MachineState.PAUSING),
    (MachineState.PAUSING, MachineState.PAUSED),
    (MachineState.PAUSED, MachineState.RESUMING),
    (MachineState.RESUMING, MachineState.PRINTING),
    (MachineState.PRINTING, MachineState.CANCELLING),
    (MachineState.PAUSED, MachineState.CANCELLING),
    (MachineState.CANCELLING, MachineState.READY),
    (MachineState.PRINTING, MachineState.FINISHING),
    (MachineState.FINISHING, MachineState.DONE),
    (MachineState.DONE, MachineState.READY),
    (MachineState.DONE, MachineState.OFF),
    (MachineState.PRINTING, MachineState.FAULT),
    (MachineState.FAULT, MachineState.OFF),
    (MachineState.FAULT, MachineState.CONNECTING),
}

seeds = st.integers(min_value=0, max_value=2**32)
instants = st.floats(min_value=0, max_value=DAY_S)


class Clock:
    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        return 5000.0 + self.elapsed_s


def printer(clock: Clock, options: SimulatedOptions) -> SimulatedPrinter:
    return SimulatedPrinter(options=options, now=clock.now, monotonic=clock.monotonic)


def fetch(source: Source) -> Snapshot:
    """One answer; nothing in a simulated printer ever waits, so no event loop is needed."""
    try:
        source.fetch().send(None)
    except StopIteration as answer:
        snapshot = answer.value
        assert isinstance(snapshot, Snapshot)
        return snapshot
    raise AssertionError("fetch waited")


def film(options: SimulatedOptions, *, seconds: int, step_s: float = 1.0) -> list[Snapshot | None]:
    """What a poller would see, one picture per step; ``None`` where the network is in trouble."""
    clock = Clock()
    source = printer(clock, options)
    pictures: list[Snapshot | None] = []
    for step in range(int(seconds / step_s)):
        clock.elapsed_s = step * step_s
        try:
            pictures.append(fetch(source))
        except Unreachable:
            pictures.append(None)
    return pictures


def quiet(seed: int, start: Stage | float | None = 0.0, **more: int) -> SimulatedOptions:
    return SimulatedOptions(seed=seed, start=start, network_trouble=False, tools=more.get("tools", 1))


@given(
    seed=seeds,
    start=st.one_of(st.none(), st.floats(0, 1), st.sampled_from(Stage)),
    tools=st.integers(1, 4),
    chamber=st.booleans(),
    at=st.lists(instants, min_size=1, max_size=20).map(sorted),
)
@settings(max_examples=100, deadline=None)
def test_every_answer_keeps_to_the_models_ranges(
    seed: int, start: Stage | float | None, tools: int, chamber: bool, at: list[float]
) -> None:
    clock = Clock()
    source = printer(
        clock, SimulatedOptions(seed=seed, start=start, tools=tools, chamber=chamber, network_trouble=False)
    )
    for clock.elapsed_s in at:
        snapshot = fetch(source)
        job = snapshot.job
        assert job.progress_ratio is None or 0 <= job.progress_ratio <= 1
        assert job.elapsed_s is None or 0 <= job.elapsed_s <= 480
        assert job.remaining_s is None or 0 <= job.remaining_s <= 1200
        assert (job.remaining_s is None) == (job.remaining_origin is None)
        assert (snapshot.error != "") == (snapshot.state is MachineState.FAULT)
        assert snapshot.observed_at == clock.now()
        assert 0 < snapshot.response_time_s < 0.1
        heaters = [f"tool{number}" for number in range(tools)] + ["bed"] + ["chamber"] * chamber
        assert list(snapshot.temperatures) == (heaters if snapshot.state.connected else [])
        assert (snapshot.temperatures_at is None) == (not snapshot.state.connected)
        for temperature in snapshot.temperatures.values():
            assert temperature.actual_celsius is not None
            assert 20 < temperature.actual_celsius < 247
            assert round(temperature.actual_celsius, 1) == temperature.actual_celsius


@given(seed=seeds, instant=instants, earlier=st.lists(instants, max_size=5))
@settings(max_examples=50, deadline=None)
def test_same_seed_and_time_say_the_same_however_often_it_was_asked_before(
    seed: int, instant: float, earlier: list[float]
) -> None:
    once, often = Clock(), Clock()
    asked_once, asked_often = printer(once, quiet(seed)), printer(often, quiet(seed))
    for often.elapsed_s in sorted(moment for moment in earlier if moment < instant):
        fetch(asked_often)
    once.elapsed_s = often.elapsed_s = instant
    assert fetch(asked_once) == fetch(asked_often)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_a_day_reaches_every_stage_by_plausible_ways(seed: int) -> None:
    clock = Clock()
    source = printer(clock, quiet(seed))
    phases = [
        phase
        for cycle in itertools.takewhile(lambda cycle: cycle.begins_s < DAY_S, _cycles(quiet(seed)))
        for phase in cycle.phases
    ]
    states = []
    for phase in phases:
        clock.elapsed_s = (phase.begins_s + phase.ends_s) / 2
        states.append(fetch(source).state)
    assert {phase.stage for phase in phases} == set(Stage)
    assert set(states) == set(MachineState)
    assert {pair for pair in itertools.pairwise(states) if pair[0] != pair[1]} <= PLAUSIBLE


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_phases_join_without_gap_or_jump(seed: int) -> None:
    cycles = itertools.islice(_cycles(quiet(seed, tools=2)), 24)
    phases = [phase for cycle in cycles for phase in cycle.phases]
    for before, after in itertools.pairwise(phases):
        assert before.begins_s < before.ends_s == after.begins_s
        assert before.celsius_at(before.ends_s) == after.celsius


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_a_finished_print_lasts_three_to_eight_minutes(seed: int) -> None:
    for cycle in itertools.islice(_cycles(quiet(seed)), 24):
        for phase in cycle.phases:
            if phase.stage is Stage.FINISHING:
                assert 179.9 <= phase.printed_s <= 480.1


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_printing_begins_at_temperature(seed: int) -> None:
    for cycle in itertools.islice(_cycles(quiet(seed)), 24):
        for phase in cycle.phases:
            if phase.stage is Stage.PRINTING:
                assert phase.celsius["tool0"] >= phase.run.hot["tool0"]
                assert phase.celsius["bed"] >= phase.run.hot["bed"]


@pytest.mark.parametrize("stage", Stage)
def test_starts_at_the_stage_asked_for(stage: Stage) -> None:
    snapshot = fetch(printer(Clock(), quiet(7, stage)))
    expected = {Stage.IDLE: "ready", Stage.SELECTED: "ready", Stage.HEATING: "starting"}.get(stage, stage.value)
    assert snapshot.state == expected


def test_while_printing_something_changes_every_second() -> None:
    pictures = film(quiet(3, Stage.PRINTING), seconds=40)
    for before, after in itertools.pairwise(pictures):
        assert before is not None
        assert after is not None
        assert before.job.elapsed_s != after.job.elapsed_s or before.state != after.state


def test_progress_only_grows_while_printing() -> None:
    ratios = [
        picture.job.progress_ratio
        for picture in film(quiet(11, Stage.PRINTING), seconds=100)
        if picture is not None and picture.state is MachineState.PRINTING and picture.job.progress_ratio is not None
    ]
    assert len(ratios) > 50
    assert all(before < after for before, after in itertools.pairwise(ratios))


def test_done_is_whole_and_tells_the_file() -> None:
    job = fetch(printer(Clock(), quiet(2, Stage.DONE))).job
    assert (job.progress_ratio, job.remaining_s, job.remaining_origin) == (1.0, 0.0, "linear")
    assert job.file_name
    assert job.file_path
    assert job.file_path.endswith(job.file_name)
    assert job.elapsed_s == pytest.approx(job.estimated_s, rel=0.08)


def test_time_scale_is_a_faster_film() -> None:
    options = quiet(5)
    slow = film(options, seconds=600, step_s=10)
    fast = film(SimulatedOptions(seed=5, start=0.0, network_trouble=False, time_scale=10), seconds=60)
    for one, other in zip(slow, fast, strict=True):
        assert one is not None
        assert other is not None
        assert (one.state, one.job, one.temperatures) == (other.state, other.job, other.temperatures)


def test_seeds_that_choose_their_start_stand_at_different_places() -> None:
    states = {
        (picture.state, picture.job) for seed in range(10) for picture in film(quiet(seed, None), seconds=1) if picture
    }
    assert len(states) > 5


def test_network_trouble_comes_and_goes_and_can_be_switched_off() -> None:
    troubled = film(SimulatedOptions(seed=1, start=0.0), seconds=12_000, step_s=3)
    silent = troubled.count(None)
    assert 3 < silent < 400
    assert troubled[-1] is not None or troubled[-40] is not None
    assert None not in film(quiet(1), seconds=12_000, step_s=3)


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_no_network_trouble_in_the_first_moments(seed: int) -> None:
    assert None not in film(SimulatedOptions(seed=seed), seconds=30, step_s=3)


@pytest.mark.parametrize(
    "wrong", [{"start": 1.5}, {"start": -0.1}, {"time_scale": 0.0}, {"time_scale": float("inf")}, {"tools": 0}]
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SimulatedOptions(**wrong)  # type: ignore[arg-type]


def test_a_demo_shows_variety_at_once() -> None:
    several = demo_options(8)
    states = {fetch(printer(Clock(), options)).state for options in several}
    assert len(states) >= 6
    assert len({options.seed for options in several}) == 8
    assert demo_options(0) == ()
