"""What waits in memory for the disk, and how it looks together with what is on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime

from ..jobs import JobEvent, JobRun, Outcome

EVENTS_PER_RUN = 4


class Waiting:
    """Runs and events, the newest so many of each. Its length is that of the runs."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._runs: dict[str, JobRun] = {}
        self._events: deque[JobEvent] = deque(maxlen=keep * EVENTS_PER_RUN)

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, runs: Iterable[JobRun], events: Iterable[JobEvent]) -> None:
        """Keep these, and forget the oldest if they are too many."""
        for event in events:
            self._events.append(event)
            self._runs[event.run.id] = event.run
        for run in runs:
            self._runs[run.id] = run
        for run_id in list(self._runs)[: -self._keep]:
            del self._runs[run_id]
            self._events = deque((event for event in self._events if event.run.id != run_id), self._events.maxlen)

    def clear(self) -> None:
        """Forget everything: it is on the disk."""
        self._runs.clear()
        self._events.clear()

    def all(self) -> tuple[list[JobRun], list[JobEvent]]:
        """Everything, the oldest first."""
        return list(self._runs.values()), list(self._events)

    def run(self, run_id: str) -> JobRun | None:
        """One run, if it waits."""
        return self._runs.get(run_id)

    def runs(
        self, on_disk: list[JobRun], machine_id: str | None, outcomes: Collection[Outcome | None] | None
    ) -> list[JobRun]:
        """Those that wait and match, newest first, before those on the disk, of which it may know better."""
        ours = [
            run
            for run in reversed(self._runs.values())
            if machine_id in {None, run.machine_id} and (outcomes is None or run.outcome in outcomes)
        ]
        return ours + [run for run in on_disk if run.id not in self._runs]

    def events(
        self, on_disk: list[JobEvent], machine_id: str | None, since: datetime, until: datetime
    ) -> list[JobEvent]:
        """Those that wait and match, newest first, before those on the disk."""
        ours = [
            JobEvent(kind=event.kind, at=event.at, run=self._runs[event.run.id])
            for event in reversed(self._events)
            if machine_id in {None, event.run.machine_id} and since <= event.at < until
        ]
        return ours + on_disk
