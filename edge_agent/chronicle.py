"""What happens to one machine: told apart, counted, and on the disk before anybody hears of it.

The poller shows it every answer, and what becomes of the values while there is none; it gets back what to announce.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from .counters import Counters, Meter
from .events import Event, Incidents, MachineEvent
from .jobs import JobEvent, JobEventKind, JobRun, JobTracker, RecentRuns
from .journal import Journal
from .model import MachineState, Quality, Snapshot

log = logging.getLogger(__name__)

NOTE_EVERY_S = 60.0


class Chronicle:
    """One machine's story. ``run``, ``recent`` and ``counters`` are what may be shown: it is safe already.

    Without ``jobs`` prints are not told apart, and without ``journal`` nothing is kept.
    """

    def __init__(
        self,
        machine_id: str,
        *,
        now: Callable[[], datetime],
        jobs: JobTracker | None = None,
        journal: Journal | None = None,
        recent: Iterable[JobRun] = (),
        counters: Counters | None = None,
        incidents: Incidents | None = None,
    ) -> None:
        """Begin where the journal ends: with its recent runs, and the counters that it has."""
        self._machine_id = machine_id
        self._now = now
        self._jobs = jobs
        self._journal = journal
        self._recent = RecentRuns(recent)
        self._meter = Meter(counters or Counters())
        self._incidents = incidents or Incidents(machine_id)
        self._unrecorded: list[MachineEvent] = []
        self._noted_at_s = 0.0
        self._recorded_counters = self.counters = self._meter.counters
        self.run = (jobs.current or jobs.last) if jobs else None

    @property
    def recent(self) -> tuple[JobRun, ...]:
        """The last runs, the newest first; the same tuple until one of them has more to tell."""
        return self._recent.runs

    async def answered(self, snapshot: Snapshot, *, longest_step_s: float) -> tuple[Event, ...]:
        """The machine answered; not to be called while it does not.

        Args:
            snapshot: what it said.
            longest_step_s: more than this since the last answer, and nobody knows what it did meanwhile.

        Returns:
            What happened, in order, to be announced once the answer has been published. It is in the journal.
        """
        at_s, now = asyncio.get_running_loop().time(), self._now()
        jobs = self._jobs.observe(snapshot, now=now, monotonic_s=at_s) if self._jobs else ()
        self._count(snapshot, jobs, at_s=at_s, longest_step_s=longest_step_s)
        self._unrecorded += self._incidents.answered(snapshot, now)
        events = await self._record(jobs)
        if at_s - self._noted_at_s > NOTE_EVERY_S:
            await self._note(at_s)
        # Only now: a value that ages while the disk is slow is published too, and must not tell what is not safe yet.
        self._show(jobs)
        return events

    def unanswered(self, quality: Quality, why: str) -> bool:
        """Note what becomes of the machine's values while it does not answer; true if there is something to `tell`."""
        self._unrecorded += self._incidents.unanswered(quality, why, self._now())
        return bool(self._unrecorded)

    async def tell(self) -> tuple[Event, ...]:
        """What happened while the machine did not answer, to be announced. It is in the journal."""
        return await self._record(())

    async def save(self) -> None:
        """Bring the journal up to date."""
        current = self._current()
        if self._journal is not None and (current or self._has_counted() or self._unrecorded):
            events, self._unrecorded = self._unrecorded, []
            self._recorded_counters = self._meter.counters
            await self._journal.record(current, events, {self._machine_id: self._meter.counters})

    async def _note(self, at_s: float) -> None:
        """Have the journal know with its next write how things stand: what a power cut then leaves."""
        self._noted_at_s = at_s
        current = self._current()
        if self._journal is not None and (current or self._has_counted()):
            self._recorded_counters = self._meter.counters
            await self._journal.note(current, {self._machine_id: self._meter.counters})

    def _current(self) -> list[JobRun]:
        current = self._jobs.current if self._jobs else None
        return [current] if current else []

    def _has_counted(self) -> bool:
        return self._meter.counters is not self._recorded_counters

    async def _record(self, jobs: tuple[JobEvent, ...]) -> tuple[Event, ...]:
        events: tuple[Event, ...] = (*self._unrecorded, *jobs)
        self._unrecorded = []
        for event in events:
            _log(event)
        if events and self._journal is not None:
            self._recorded_counters = self._meter.counters
            await self._journal.record([event.run for event in jobs], events, {self._machine_id: self._meter.counters})
        return events

    def _count(self, snapshot: Snapshot, jobs: tuple[JobEvent, ...], *, at_s: float, longest_step_s: float) -> None:
        """An upload to the printer's SD card keeps it busy, too, and is no print."""
        state = snapshot.state
        is_print = self._jobs is not None and self._jobs.current is not None
        self._meter.look(
            at_s=at_s,
            on=state.connected,
            printing=is_print and state.busy and state is not MachineState.PAUSED,
            completed=sum(event.kind is JobEventKind.FINISHED for event in jobs),
            longest_step_s=longest_step_s,
        )

    def _show(self, jobs: tuple[JobEvent, ...]) -> None:
        self.counters = self._meter.counters
        if self._jobs is not None:
            self.run = self._jobs.current or self._jobs.last
        for run in (*(event.run for event in jobs), *([self.run] if self.run else ())):
            self._recent.note(run)


def _log(event: Event) -> None:
    if isinstance(event, JobEvent):
        name, reason = event.run.file_name or "unknown file", event.run.reason
        log.info("%s: job %s: %s%s", event.machine_id, event.kind.value, name, f" ({reason})" * bool(reason))
