"""Print jobs: from a machine's snapshots to runs with a beginning, an end and an outcome.

Pure and synchronous, no I/O, no clock of its own.
"""

from __future__ import annotations

from .run import JobEvent, JobEventKind, JobRun, Outcome
from .tracker import JobTracker

__all__ = ["JobEvent", "JobEventKind", "JobRun", "JobTracker", "Outcome"]
