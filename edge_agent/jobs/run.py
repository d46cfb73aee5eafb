"""What a run is, how it can end, and what can happen to it."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime
from operator import attrgetter

from msgspec import Struct, field

from ..model import Job


class Outcome(enum.StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """The printer reported a fault or was disconnected; ``reason`` says which."""
    LOST = "lost"
    """It ended, and the agent cannot know how: it was away, or the printer's server was."""


class JobEventKind(enum.StrEnum):
    """What happened to a run."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    LOST = "lost"

    @property
    def is_end(self) -> bool:
        """Nothing follows for this run."""
        return self not in {JobEventKind.STARTED, JobEventKind.PAUSED, JobEventKind.RESUMED}


class JobRun(Struct, frozen=True, kw_only=True):
    """One print run. Times are UTC by the agent's clock; ``None`` means not known, or for the end not yet.

    ``id`` is unique for ever, and sorts by time within a machine. ``started_at`` is reckoned back by the printer's
    elapsed time, so it is the latest possible start if there were pauses before the agent looked. ``updated_at`` is
    when the agent last saw the run. ``ended_at`` of a lost run is when it was last seen. ``elapsed_s`` is the
    printer's own; ``paused_s`` is what the agent saw of ``pauses``. ``progress_ratio`` is the last one seen. The
    filament is what the file needs, not what was used.
    """

    id: str
    machine_id: str
    file_name: str | None = None
    file_path: str | None = None
    file_size_bytes: int | None = None
    file_date: datetime | None = None
    user: str | None = None
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    reason: str = ""
    paused: bool = False
    pauses: int = 0
    paused_s: float = 0.0
    elapsed_s: float | None = None
    estimated_s: float | None = None
    progress_ratio: float | None = None
    filament_length_mm: float | None = None
    filament_volume_cm3: float | None = None

    @property
    def is_open(self) -> bool:
        """It has not ended, as far as is known."""
        return self.outcome is None

    def tells_more_than(self, before: JobRun) -> bool:
        """Something else has changed than time, progress and the rest that grows while a print goes on."""
        return bool(_steady(self) != _steady(before))

    def may_be_of(self, job: Job) -> bool:
        """The job's file may be the run's; what either does not say is no difference."""
        pairs = ((self.file_path, job.file_path), (self.file_size_bytes, job.file_size_bytes))
        return all(ours is None or theirs is None or ours == theirs for ours, theirs in pairs)


_GROWING = {"updated_at", "paused_s", "elapsed_s", "progress_ratio"}
_steady = attrgetter(*(name for name in JobRun.__struct_fields__ if name not in _GROWING))


def new_event_id() -> str:
    """32 hex digits that no other event has."""
    return uuid.uuid4().hex


class JobEvent(Struct, frozen=True, kw_only=True):
    """Something happened to a run; ``run`` is the run right after it, ``at`` when the agent saw it, in UTC.

    ``id`` stays with the event: it is the same live, in the journal, and in what a client is told of the past.
    """

    kind: JobEventKind
    at: datetime
    run: JobRun
    id: str = field(default_factory=new_event_id)

    @property
    def machine_id(self) -> str:
        """Where it happened."""
        return self.run.machine_id

    @property
    def text(self) -> str:
        """Why, empty if there is nothing to say."""
        return self.run.reason
