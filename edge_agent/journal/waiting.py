"""What waits in memory for the disk, and how it looks together with what is on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from itertools import dropwhile, islice

from ..counters import Counters
from ..events import Event
from ..jobs import JobEvent, JobRun, Outcome
from .batch import Batch

EVENTS_PER_RUN = 4


class Waiting:
    """Runs, the newest so many, four times as many events, and counters. Its length is that of the runs."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._runs: dict[str, JobRun] = {}
        self._events: deque[Event] = deque(maxlen=keep * EVENTS_PER_RUN)
        self._counters: dict[str, Counters] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __bool__(self) -> bool:
        return bool(self._runs or self._events or self._counters)

    def add(self, batch: Batch) -> None:
        """Keep these, and forget the oldest if they are too many."""
        self._events.extend(batch.events)
        for run in (*(event.run for event in batch.events if isinstance(event, JobEvent)), *batch.runs):
            self._runs[run.id] = run
        for run_id in list(self._runs)[: -self._keep]:
            del self._runs[run_id]
        self._counters.update(batch.counters)

    def clear(self) -> None:
        """Forget everything: it is on the disk."""
        self._runs.clear()
        self._events.clear()
        self._counters.clear()

    def all(self) -> Batch:
        """Everything, the oldest first."""
        return Batch(runs=list(self._runs.values()), events=list(self._events), counters=dict(self._counters))

    def run(self, run_id: str) -> JobRun | None:
        """One run, if it waits."""
        return self._runs.get(run_id)

    def counters(self, machine_id: str) -> Counters | None:
        """A machine's counters, if they wait."""
        return self._counters.get(machine_id)

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
        self,
        on_disk: Callable[[int, str | None], list[Event]],
        matches: Callable[[Event], bool],
        *,
        limit: int,
        after: str | None,
        newest_first: bool,
    ) -> list[Event]:
        """Those that wait, all of them newer, together with those that ``on_disk`` gives for a limit and a cursor."""
        waiting = [event.id for event in self._events]
        ours = list(reversed(self._events)) if newest_first else list(self._events)
        if after in waiting:
            ours = list(dropwhile(lambda event: event.id != after, ours))[1:]
        matching = list(islice(filter(matches, ours), limit))
        if newest_first:
            if after is None or after in waiting:
                return matching + on_disk(limit - len(matching), None)
            return on_disk(limit, after)
        if after in waiting:
            return matching
        older = on_disk(limit, after)
        return older + matching[: limit - len(older)]


def in_period(machine_id: str | None, since: datetime, until: datetime) -> Callable[[Event], bool]:
    """Is an event one of this machine's (``None``: of any's), from ``since`` to before ``until``."""
    return lambda event: machine_id in {None, event.machine_id} and since <= event.at < until
