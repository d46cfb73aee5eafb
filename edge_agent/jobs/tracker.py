"""One machine's runs, from its snapshots.

The tracker is shown every snapshot and answers with what happened. It is made with the run that the journal left open,
so that a print found running after a restart of the agent is the same job. What it takes as proof of what is told in
`evidence`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from ..model import MachineState, Snapshot
from .evidence import (
    WORKING,
    Sight,
    began_with_old_job,
    earlier,
    ended_at,
    ending,
    is_between,
    is_its_done,
    is_same_run,
    printed_unseen,
    started_at,
    updated,
    wall_gap_s,
    without_its_end,
)
from .run import JobEvent, JobEventKind, JobRun, Outcome

_STAMP = "%Y%m%dT%H%M%S"

_ENDS = {
    Outcome.COMPLETED: JobEventKind.FINISHED,
    Outcome.CANCELLED: JobEventKind.CANCELLED,
    Outcome.FAILED: JobEventKind.FAILED,
    Outcome.LOST: JobEventKind.LOST,
}


class JobTracker:
    """One machine's runs. Not for use by several threads."""

    def __init__(
        self,
        machine_id: str,
        *,
        open_run: JobRun | None = None,
        last: JobRun | None = None,
        token: Callable[[], str] = lambda: secrets.token_hex(3),
    ) -> None:
        """Begin where the journal ends.

        Args:
            machine_id: the machine's id; part of every run's id.
            open_run: the run that had not ended when the agent did, if any.
            last: the last run that ended, if any.
            token: makes the random part of an id.
        """
        self._machine_id = machine_id
        self._run = open_run
        self._last = last
        self._token = token
        self._newest_id = max((run.id for run in (open_run, last) if run is not None), default="")
        self._sight: Sight | None = None
        self._idle: Sight | None = None
        self._doubt: MachineState | None = None  # the state of a look that the next one has to explain
        self._events: list[JobEvent] = []

    @property
    def current(self) -> JobRun | None:
        """The open run as of the last look; ``None`` when nothing is being printed."""
        return self._run

    @property
    def last(self) -> JobRun | None:
        """The run that ended last."""
        return self._last

    def observe(self, snapshot: Snapshot, *, now: datetime, monotonic_s: float) -> tuple[JobEvent, ...]:
        """Look at the machine; not to be called while it cannot be reached.

        Args:
            snapshot: what it says.
            now: the agent's wall clock, UTC; it may be wrong, and jump.
            monotonic_s: seconds of a clock that never jumps; its zero may be anything.

        Returns:
            What happened since the last look, in order; empty if nothing did. Each event's run is worth recording.
        """
        sight = self._look(snapshot, now, monotonic_s)
        self._events = []
        doubt, self._doubt = self._doubt, None
        if self._run is None:
            self._wait_for_start(sight, doubt)
        else:
            run = replace(self._run, started_at=started_at(self._run, sight))
            if sight.is_busy:
                self._go_on(run, sight, doubt)
            else:
                self._find_end(run, sight, doubt)
        self._remember(sight)
        return tuple(self._events)

    def _look(self, snapshot: Snapshot, now: datetime, monotonic_s: float) -> Sight:
        before = self._sight
        if before is not None:
            gap_s: float | None = max(monotonic_s - before.monotonic_s, 0.0)
            jump_s = (now - before.now).total_seconds() - (monotonic_s - before.monotonic_s)
            state: MachineState | None = before.snapshot.state
            remaining_s = before.snapshot.job.remaining_s
        else:
            gap_s = wall_gap_s(self._run, now)
            jump_s = 0.0
            state = MachineState.PAUSED if self._run and self._run.paused else None
            remaining_s = None
        return Sight(
            snapshot=snapshot,
            now=now,
            monotonic_s=monotonic_s,
            gap_s=gap_s,
            jump_s=jump_s,
            state_before=state,
            remaining_before_s=remaining_s,
        )

    def _remember(self, sight: Sight) -> None:
        self._sight = sight
        if sight.is_idle:
            self._idle = sight
        elif self._doubt is None:
            self._idle = None

    def _wait_for_start(self, sight: Sight, doubt: MachineState | None) -> None:
        if sight.is_busy:
            if doubt is None and self._idle is not None and sight.snapshot.job == self._idle.snapshot.job:
                self._look_again(None, sight)
            else:
                self._begin(sight)
        elif self._idle is not None and printed_unseen(self._idle, sight):
            self._record_unseen(sight)

    def _look_again(self, run: JobRun | None, sight: Sight) -> None:
        """State and job are of two moments; at the next look they will not be, or it was so indeed."""
        self._run, self._doubt = run, sight.snapshot.state

    def _go_on(self, run: JobRun, sight: Sight, doubt: MachineState | None) -> None:
        if doubt is None and began_with_old_job(run, sight):
            self._look_again(run, sight)
            return
        if doubt is MachineState.STARTING or not is_same_run(run, sight):
            self._close(run, sight, *without_its_end(run, sight, "another print was begun before this one was done"))
            self._begin(sight)
            return
        run = self._run = updated(run, sight)
        state = sight.snapshot.state
        if state is MachineState.PAUSED and not run.paused:
            self._note(JobEventKind.PAUSED, replace(run, paused=True, pauses=run.pauses + 1), sight)
        elif run.paused and state in WORKING:
            self._note(JobEventKind.RESUMED, replace(run, paused=False), sight)

    def _find_end(self, run: JobRun, sight: Sight, doubt: MachineState | None) -> None:
        if doubt is None and is_between(run, sight):
            self._look_again(run, sight)
            return
        if sight.snapshot.state is MachineState.DONE and not is_its_done(run, sight):
            self._close(run, sight, *without_its_end(run, sight, "another print was done instead of this one"))
            self._record_unseen(sight)
            return
        self._close(run, sight, *ending(run, sight))

    def _begin(self, sight: Sight) -> None:
        job = sight.snapshot.job
        run = JobRun(
            id=self._make_id(sight.now),
            machine_id=self._machine_id,
            file_name=job.file_name,
            file_path=job.file_path,
            file_size_bytes=job.file_size_bytes,
            file_date=job.file_date,
            user=job.user,
            started_at=earlier(sight.now, job.elapsed_s or 0.0),
            updated_at=sight.now,
            elapsed_s=job.elapsed_s,
            estimated_s=job.estimated_s,
            progress_ratio=job.progress_ratio,
            filament_length_mm=job.filament_length_mm,
            filament_volume_cm3=job.filament_volume_cm3,
        )
        self._note(JobEventKind.STARTED, run, sight)
        if sight.snapshot.state is MachineState.PAUSED:
            self._note(JobEventKind.PAUSED, replace(run, paused=True, pauses=1), sight)

    def _record_unseen(self, sight: Sight) -> None:
        self._begin(sight)
        if self._run is not None:
            self._close(self._run, sight, Outcome.COMPLETED, "begun and done between two looks")

    def _close(self, run: JobRun, sight: Sight, outcome: Outcome, reason: str) -> None:
        end = max(ended_at(run, sight, outcome), run.started_at)
        if sight.snapshot.state is MachineState.DONE and is_its_done(run, sight):
            run = updated(run, sight)
        closed = replace(run, outcome=outcome, reason=reason, paused=False, ended_at=end)
        self._note(_ENDS[outcome], closed, sight)
        self._run, self._last = None, closed

    def _note(self, kind: JobEventKind, run: JobRun, sight: Sight) -> None:
        self._run = run
        self._events.append(JobEvent(kind=kind, at=sight.now, run=run))

    def _make_id(self, now: datetime) -> str:
        """Machine, second, random; later than the machine's last one even if the clock was set back meanwhile."""
        stamp = now.strftime(_STAMP).rjust(15, "0")  # years before 1000 are not padded everywhere
        newest = self._newest_id.rsplit("-", 2)[-2:-1]
        if newest and stamp <= newest[0]:
            stamp = _stamp_after(newest[0])
        self._newest_id = f"{self._machine_id}-{stamp}-{self._token()}"
        return self._newest_id


def _stamp_after(stamp: str) -> str:
    """The stamp one second later; a stamp that is none is kept, the random part then makes the difference."""
    try:
        return (datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)).strftime(_STAMP)
    except (ValueError, OverflowError):
        return stamp
