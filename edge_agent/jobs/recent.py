"""The last runs of a machine, for whoever shows a list of jobs."""

from __future__ import annotations

from collections.abc import Iterable

from .run import JobRun

KEEP_RECENT = 20


class RecentRuns:
    """The newest runs, the newest first. ``runs`` is the same tuple until one of them has more to tell."""

    def __init__(self, runs: Iterable[JobRun] = ()) -> None:
        self.runs = tuple(runs)[:KEEP_RECENT]

    def note(self, run: JobRun) -> None:
        """A run as it is now: a new one comes first, a known one keeps its place."""
        known = next((before for before in self.runs if before.id == run.id), None)
        if known is None:
            self.runs = (run, *self.runs)[:KEEP_RECENT]
        elif run.tells_more_than(known):
            self.runs = tuple(run if before.id == run.id else before for before in self.runs)
