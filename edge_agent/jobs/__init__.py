"""Print jobs: from a machine's snapshots to runs with a beginning, an end and an outcome.

Pure and synchronous, no I/O, no clock of its own.
"""

from __future__ import annotations

from .recent import KEEP_RECENT, RecentRuns
from .run import JobEvent, JobEventKind, JobRun, Outcome, new_event_id
from .tracker import JobTracker

__all__ = [
    "KEEP_RECENT",
    "JobEvent",
    "JobEventKind",
    "JobRun",
    "JobTracker",
    "Outcome",
    "RecentRuns",
    "new_event_id",
]
