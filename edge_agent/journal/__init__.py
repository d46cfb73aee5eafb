"""The journal: jobs and what happened to them, on a disk that loses its power at any moment.

It stands above `jobs`, whose structs it keeps.
"""

from __future__ import annotations

from .journal import Journal, JournalStatus

__all__ = ["Journal", "JournalStatus"]
