"""Random days of a printer, looked at now and then: what always holds of the events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.jobs import JobEvent, JobEventKind, JobTracker
from edge_agent.model import Job, MachineState, Snapshot

S = MachineState
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
AFTER = {
    S.OFF: (S.CONNECTING, S.OFF),
    S.CONNECTING: (S.READY, S.OFF, S.FAULT),
    S.FAULT: (S.CONNECTING, S.FAULT),
    S.READY: (S.STARTING, S.STARTING, S.READY, S.OFF, S.FAULT),
    S.DONE: (S.STARTING, S.READY, S.DONE, S.OFF),
    S.STARTING: (S.PRINTING, S.PRINTING, S.CANCELLING, S.FAULT, S.PAUSING),
    S.PRINTING: (S.PRINTING, S.PRINTING, S.PRINTING, S.PAUSING, S.CANCELLING, S.FAULT, S.FINISHING, S.OFF),
    S.PAUSING: (S.PAUSED,),
    S.PAUSED: (S.PAUSED, S.RESUMING, S.RESUMING, S.CANCELLING),
    S.RESUMING: (S.PRINTING,),
    S.FINISHING: (S.DONE,),
    S.CANCELLING: (S.READY,),
}
WITHOUT_JOB = {S.OFF, S.CONNECTING, S.FAULT}


class Printer:
    """A printer with a will of its own; every step takes some seconds and a half."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.state = S.READY
        self.file: str | None = "a.gcode"
        self.elapsed_s: float | None = None
        self.length_s = 100.0

    def step(self) -> float:
        """Move on; the seconds it took."""
        seconds = self.dice.choice([0.5, 1.5, 1.5, 4.5, 30.5, 500.5])
        self.state = self.dice.choice(AFTER[self.state])
        if self.state is S.STARTING:
            self.file, self.elapsed_s = self.dice.choice(["a.gcode", "b.gcode"]), 0.0
            self.length_s = self.dice.choice([3.0, 100.0, 2000.0])
        elif self.state in {S.PRINTING, S.FINISHING, S.CANCELLING} and self.elapsed_s is not None:
            self.elapsed_s += seconds
        elif self.state in {S.READY, *WITHOUT_JOB}:
            self.elapsed_s = None
            self.file = None if self.state in WITHOUT_JOB else self.file or "a.gcode"
        return seconds

    def look(self, now: datetime) -> Snapshot:
        ratio = None if self.elapsed_s is None else min(self.elapsed_s / self.length_s, 0.9)
        ratio = 1.0 if self.state in {S.FINISHING, S.DONE} else ratio
        job = Job(file_name=self.file, file_path=self.file, progress_ratio=ratio, elapsed_s=self.elapsed_s)
        return Snapshot(state=self.state, state_text=self.state.value, observed_at=now, response_time_s=0.01, job=job)


def looks(seed: int, steps: int, see_every: int) -> Iterator[tuple[float, Snapshot]]:
    """What somebody sees who looks at every so manyth step."""
    printer, time_s = Printer(seed), 0.0
    for number in range(steps):
        time_s += printer.step()
        if number % see_every == 0:
            yield time_s, printer.look(NOON + timedelta(seconds=time_s))


def watch(seen: Iterator[tuple[float, Snapshot]], *, times: int = 1, restart: int = 0) -> list[JobEvent]:
    """The events of a tracker that is shown each look so many times, and is made anew after every ``restart``."""
    tracker, events = JobTracker("m"), list[JobEvent]()
    for number, (time_s, snapshot) in enumerate(seen, 1):
        for again in range(times):
            now = NOON + timedelta(seconds=time_s + again * 0.01)
            events += tracker.observe(snapshot, now=now, monotonic_s=time_s + again * 0.01)
        if restart and number % restart == 0:
            tracker = JobTracker("m", open_run=tracker.current, last=tracker.last)
    return events


def check(events: list[JobEvent]) -> None:
    """At most one open run; each run started once and ended once; pauses and resumptions by turns."""
    open_id, paused, ended = None, False, set[str]()
    for event in events:
        run = event.run
        if event.kind is JobEventKind.STARTED:
            assert open_id is None
            assert run.id not in ended
            assert run.is_open
            open_id, paused = run.id, False
            continue
        assert run.id == open_id
        if event.kind.is_end:
            assert not run.is_open
            assert run.ended_at is not None
            assert run.ended_at >= run.started_at
            ended.add(run.id)
            open_id = None
        else:
            assert (event.kind is JobEventKind.PAUSED) is not paused
            paused = event.kind is JobEventKind.PAUSED
            assert run.paused is paused


SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS, steps=st.integers(1, 80), see_every=st.integers(1, 5), restart=st.integers(0, 9))
@settings(deadline=None, max_examples=400)
def test_events_tell_a_story_that_can_be_true(seed: int, steps: int, see_every: int, restart: int) -> None:
    check(watch(looks(seed, steps, see_every), restart=restart))


@given(seed=SEEDS, steps=st.integers(1, 80))
@settings(deadline=None, max_examples=200)
def test_looks_that_show_nothing_new_change_nothing(seed: int, steps: int) -> None:
    once, thrice = watch(looks(seed, steps, 1)), watch(looks(seed, steps, 1), times=3)
    assert [(event.kind, event.run.file_path, event.run.pauses) for event in once] == [
        (event.kind, event.run.file_path, event.run.pauses) for event in thrice
    ]


@given(seed=SEEDS, steps=st.integers(1, 80))
@settings(deadline=None, max_examples=200)
def test_somebody_who_sees_every_step_counts_every_print(seed: int, steps: int) -> None:
    events = watch(looks(seed, steps, 1))
    states = [snapshot.state for _, snapshot in looks(seed, steps, 1)]
    assert sum(event.kind is JobEventKind.STARTED for event in events) == states.count(S.STARTING)
    finished = sum(now is S.DONE and before is S.FINISHING for before, now in pairwise(states))
    assert sum(event.kind is JobEventKind.FINISHED for event in events) == finished


@given(states=st.lists(st.sampled_from(list(S)), max_size=40), seed=SEEDS)
@settings(deadline=None, max_examples=300)
def test_nonsense_makes_no_nonsense(states: list[MachineState], seed: int) -> None:
    dice, seen, time_s = Random(seed), list[tuple[float, Snapshot]](), 0.0
    for state in states:
        time_s += dice.choice([0.0, 1.0, 20.0, 1e5])
        job = Job(
            file_path=dice.choice([None, "a", "b"]),
            progress_ratio=dice.choice([None, 0.0, 0.5, 1.0]),
            elapsed_s=dice.choice([None, 0.0, 10.0, 1e9]),
            remaining_s=dice.choice([None, 0.0, 1e4]),
        )
        seen.append((time_s, Snapshot(state=state, state_text="", observed_at=NOON, response_time_s=0.0, job=job)))
    check(watch(iter(seen)))
