"""What one look at a machine proves about a run: is it the same, is it over, how did it end, and when.

Polling sees states, not events, so much is inferred; docs/jobs.md says what cannot be. Facts of OctoPrint that decide:

- A finished print stays at 100 % (`MachineState.DONE`); a cancelled one keeps its file and loses its progress; a fault,
  a disconnect and a restart of the server lose the file as well.
- The elapsed time leaves pauses out, but only once they are over: it may run on during a pause and fall by the pause's
  length afterwards. It never falls otherwise.
- The state and the job come in two answers. Around a start or an end they can belong to two different moments.
- An upload to the printer's SD card looks like a print, except for its text.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ..model import MachineState, Snapshot
from .run import JobRun, Outcome

AWAY_S = 15.0
"""More than this between two looks, and things may have happened unseen: one missed poll is less, a restart is more."""
CLOCK_JUMP_S = 60.0
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A wall clock that shows an earlier time has not been set yet."""

_PROGRESS_SLACK = 0.01
_ELAPSED_SLACK_S = 1.0
_FIT_SLACK_S = 2.0
_START_SLACK_S = 60.0
_START_SLACK_RATIO = 0.05
_NEAR_END_RATIO = 0.99
_NEAR_END_S = 10.0

T = TypeVar("T")

_PAUSE = frozenset({MachineState.PAUSING, MachineState.PAUSED, MachineState.RESUMING})
WORKING = frozenset({MachineState.PRINTING, MachineState.RESUMING, MachineState.FINISHING})


class Sight(Struct, frozen=True, kw_only=True):
    """One look at a machine, beside what is known of the look before it.

    ``gap_s`` is the time between the two, ``None`` when the agent was restarted and its clocks cannot tell. ``jump_s``
    is by how much the wall clock moved more than time did.
    """

    snapshot: Snapshot
    now: datetime
    monotonic_s: float
    gap_s: float | None
    jump_s: float
    state_before: MachineState | None
    remaining_before_s: float | None

    @property
    def is_upload(self) -> bool:
        """A file goes to the printer's SD card: busy, but no print."""
        return self.snapshot.state_text.endswith("file to SD")

    @property
    def is_busy(self) -> bool:
        """A print is on."""
        return self.snapshot.state.busy and not self.is_upload

    @property
    def is_idle(self) -> bool:
        """The printer is connected, and nothing is going on."""
        return self.snapshot.state in {MachineState.READY, MachineState.DONE}

    @property
    def is_away(self) -> bool:
        """Things may have happened since the last look."""
        return self.gap_s is None or self.gap_s > AWAY_S

    @property
    def is_pause_near(self) -> bool:
        """A pause may have been going on between the looks."""
        return self.state_before in _PAUSE or self.snapshot.state in _PAUSE


def wall_gap_s(run: JobRun | None, now: datetime) -> float | None:
    """Seconds since the journal's last word on a run, ``None`` if one of the two clocks was not set."""
    if run is None or run.updated_at < EARLIEST or now < run.updated_at:
        return None
    return (now - run.updated_at).total_seconds()


def _fell(value: float | None, before: float | None, slack: float) -> bool:
    return value is not None and before is not None and value < before - slack


def _pause_s(run: JobRun, sight: Sight) -> float:
    """How much of the time since the last look was a pause: all, none, or what the elapsed time leaves over."""
    if sight.gap_s is None or sight.state_before not in {MachineState.PAUSING, MachineState.PAUSED}:
        return 0.0
    elapsed_s = sight.snapshot.job.elapsed_s
    if sight.snapshot.state in _PAUSE or not sight.is_away or elapsed_s is None or run.elapsed_s is None:
        return sight.gap_s
    return min(max(run.elapsed_s + sight.gap_s - elapsed_s, 0.0), sight.gap_s)


def _elapsed_fell(run: JobRun, sight: Sight) -> bool:
    """More than the run's pauses explain: the printer may have counted a pause and then left it out."""
    pauses_s = run.paused_s + _pause_s(run, sight)
    return _fell(sight.snapshot.job.elapsed_s, run.elapsed_s, _ELAPSED_SLACK_S + pauses_s)


def is_same_run(run: JobRun, sight: Sight) -> bool:
    """A busy machine is still at this run."""
    job = sight.snapshot.job
    if not run.may_be_of(job) or _starts_again(sight):
        return False
    if _fell(job.progress_ratio, run.progress_ratio, _PROGRESS_SLACK) or _elapsed_fell(run, sight):
        return False
    return not sight.is_away or _start_agrees(run, sight)


def _starts_again(sight: Sight) -> bool:
    """A run starts once: after a pause it resumes."""
    return sight.snapshot.state is MachineState.STARTING and sight.state_before not in {None, MachineState.STARTING}


def began_with_old_job(run: JobRun, sight: Sight) -> bool:
    """The machine starts again, and yet its job goes on where this run's was: the two answers are of two moments."""
    job = sight.snapshot.job
    fell = _fell(job.progress_ratio, run.progress_ratio, _PROGRESS_SLACK) or _elapsed_fell(run, sight)
    return _starts_again(sight) and run.may_be_of(job) and not fell


def _start_agrees(run: JobRun, sight: Sight) -> bool:
    """After a gap: the elapsed time fits a run that went on, not one begun meanwhile.

    What a clock cannot tell does not speak against it.
    """
    elapsed_s, gap_s = sight.snapshot.job.elapsed_s, sight.gap_s
    if elapsed_s is None or run.elapsed_s is None or gap_s is None:
        return True
    if elapsed_s > gap_s + _FIT_SLACK_S:
        return True  # older than the gap
    if sight.is_pause_near:
        return True
    return run.elapsed_s + gap_s - elapsed_s <= max(_START_SLACK_S, _START_SLACK_RATIO * gap_s)


def printed_unseen(idle: Sight, sight: Sight) -> bool:
    """A print was begun and done since the machine was last seen idle: it is at 100 %, in another way than before.

    Its time must fit in between. The same file again in the same number of seconds cannot be told from no print.
    """
    if sight.snapshot.state is not MachineState.DONE:
        return False
    before, job = idle.snapshot, sight.snapshot.job
    fits = job.elapsed_s is None or job.elapsed_s <= sight.monotonic_s - idle.monotonic_s + _FIT_SLACK_S
    if before.state is not MachineState.DONE:
        return fits
    same = (before.job.file_path, before.job.elapsed_s) == (job.file_path, job.elapsed_s)
    return fits and not same


def is_between(run: JobRun, sight: Sight) -> bool:
    """Idle, and yet in the middle of the file: the two answers are of two moments."""
    job = sight.snapshot.job
    return (
        sight.snapshot.state is MachineState.READY
        and job.progress_ratio is not None
        and sight.state_before is not MachineState.CANCELLING
        and run.may_be_of(job)
    )


def is_its_done(run: JobRun, sight: Sight) -> bool:
    """The machine is at 100 % with this run, as far as file and elapsed time tell."""
    return run.may_be_of(sight.snapshot.job) and not _elapsed_fell(run, sight)


def _was_at_end(run: JobRun, sight: Sight) -> bool:
    """Every line had been sent at the last look."""
    return sight.state_before is MachineState.FINISHING or (run.progress_ratio or 0.0) >= 1.0


def _may_have_finished(run: JobRun, sight: Sight) -> bool:
    """The time since the last look sufficed for the rest of the print, or may have."""
    gap_s, remaining_s = sight.gap_s, sight.remaining_before_s
    if gap_s is None or (run.progress_ratio or 0.0) >= _NEAR_END_RATIO:
        return True
    if remaining_s is None:
        return sight.is_away
    return remaining_s <= gap_s + _NEAR_END_S or (sight.is_away and remaining_s < 2 * gap_s)  # it is an estimate


def _silence(sight: Sight) -> str:
    gap_s = sight.gap_s
    return "not seen for an unknown time" if gap_s is None else f"not seen for {gap_s:.0f} s"


def without_its_end(run: JobRun, sight: Sight, what: str) -> tuple[Outcome, str]:
    """The outcome of a run whose end was not seen, and which is over because of ``what``."""
    if sight.state_before is MachineState.CANCELLING:
        return Outcome.CANCELLED, ""
    if _was_at_end(run, sight):
        return Outcome.COMPLETED, f"all of it had been sent; then {what}"
    if _may_have_finished(run, sight):
        return Outcome.LOST, f"{_silence(sight)}; then {what}"
    return Outcome.CANCELLED, what


def ending(run: JobRun, sight: Sight) -> tuple[Outcome, str]:
    """The outcome of a run on a machine that prints no longer, and why."""
    snapshot = sight.snapshot
    if snapshot.state is MachineState.DONE:
        return Outcome.COMPLETED, ""
    if snapshot.state is MachineState.FAULT:
        if sight.is_away and _may_have_finished(run, sight):
            return Outcome.LOST, f"{_silence(sight)}; then in fault: {snapshot.error}"
        return Outcome.FAILED, snapshot.error or snapshot.state_text
    if not snapshot.state.connected:
        return _disconnected(run, sight)
    if sight.is_upload or not snapshot.job.has_file:
        return _deselected(run, sight)
    if not run.may_be_of(snapshot.job):
        return without_its_end(run, sight, "another file was selected before this one was done")
    if sight.is_away and _may_have_finished(run, sight) and sight.state_before is not MachineState.CANCELLING:
        return Outcome.LOST, f"{_silence(sight)}; then idle without progress"
    return Outcome.CANCELLED, ""


def _disconnected(run: JobRun, sight: Sight) -> tuple[Outcome, str]:
    what = f"the printer was disconnected ({sight.snapshot.state_text})"
    if sight.state_before is MachineState.CANCELLING or _was_at_end(run, sight):
        return without_its_end(run, sight, what)
    if sight.is_away:
        return Outcome.LOST, f"{_silence(sight)}; then {what}"
    return Outcome.FAILED, what


def _deselected(run: JobRun, sight: Sight) -> tuple[Outcome, str]:
    what = "the printer is idle and its file no longer selected, as after a restart of its server"
    if sight.state_before is MachineState.CANCELLING or _was_at_end(run, sight):
        return without_its_end(run, sight, what)
    return Outcome.LOST, f"{_silence(sight)}; then {what}" if sight.is_away else what


def ended_at(run: JobRun, sight: Sight, outcome: Outcome) -> datetime:
    """When a run ended: at this look; if long unseen, when it was last seen, or by the elapsed time it ended with."""
    seen_at = run.updated_at if sight.gap_s is None else earlier(sight.now, sight.gap_s)
    if outcome is Outcome.LOST:
        return seen_at
    elapsed_s = sight.snapshot.job.elapsed_s
    if not sight.is_away or sight.gap_s is None or elapsed_s is None or run.elapsed_s is None:
        return sight.now
    return earlier(sight.now, sight.gap_s - min(max(elapsed_s - run.elapsed_s, 0.0), sight.gap_s))


def started_at(run: JobRun, sight: Sight) -> datetime:
    """The run's start by the clock as it is now: a clock that jumped was wrong before, the printer's was not."""
    jumped = abs(sight.jump_s) > CLOCK_JUMP_S
    if not jumped and not run.started_at < EARLIEST <= sight.now:
        return run.started_at
    elapsed_s = sight.snapshot.job.elapsed_s
    if sight.is_busy and elapsed_s is not None and not (jumped and sight.is_pause_near) and is_same_run(run, sight):
        return earlier(sight.now, elapsed_s + run.paused_s + _pause_s(run, sight))
    return earlier(run.started_at, -sight.jump_s)


def earlier(instant: datetime, seconds: float) -> datetime:
    """``instant`` less ``seconds``; the instant itself where the calendar ends."""
    try:
        return instant - timedelta(seconds=seconds)
    except OverflowError:
        return instant


def updated(run: JobRun, sight: Sight) -> JobRun:
    """The run with what the machine says of it now; what it does not say now stays."""
    job = sight.snapshot.job
    return replace(
        run,
        file_name=_known(run.file_name, job.file_name),
        file_path=_known(run.file_path, job.file_path),
        file_size_bytes=_known(run.file_size_bytes, job.file_size_bytes),
        file_date=_known(run.file_date, job.file_date),
        user=_known(run.user, job.user),
        updated_at=sight.now,
        paused_s=run.paused_s + _pause_s(run, sight),
        elapsed_s=_known(job.elapsed_s, run.elapsed_s),
        estimated_s=_known(job.estimated_s, run.estimated_s),
        progress_ratio=_known(job.progress_ratio, run.progress_ratio),
        filament_length_mm=_known(job.filament_length_mm, run.filament_length_mm),
        filament_volume_cm3=_known(job.filament_volume_cm3, run.filament_volume_cm3),
    )


def _known(first: T | None, second: T | None) -> T | None:
    return second if first is None else first
