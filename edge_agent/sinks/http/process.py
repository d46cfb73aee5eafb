"""The agent's own process, as Linux counts it, in the names that Prometheus' client libraries have for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from msgspec import Struct

_SELF = Path("/proc/self")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process(Struct, frozen=True, kw_only=True):
    """CPU time of user and system, resident memory, open files, and when it started by today's clock."""

    cpu_s: float
    resident_bytes: int
    open_files: int
    started_at_s: float


def this_process() -> Process | None:
    """As it is now; ``None`` where there is no /proc."""
    try:
        # The name, in parentheses, may have spaces; after it the fields of proc(5) from the third on.
        fields = (_SELF / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        up_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        open_files = len(os.listdir(_SELF / "fd"))  # noqa: PTH208 - only counted
    except OSError:
        return None
    user, system, started, pages = (int(fields[place]) for place in (11, 12, 19, 21))
    return Process(
        cpu_s=(user + system) / _TICKS_PER_S,
        resident_bytes=pages * _PAGE_BYTES,
        open_files=open_files,
        started_at_s=time.time() - up_s + started / _TICKS_PER_S,
    )
