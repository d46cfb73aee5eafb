"""How much memory something took at its worst."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SELF = Path("/proc/self")
MEGABYTE = 1 << 20


class Growth:
    """``bytes``: the highest resident memory since the beginning, less what it was then; known at the end."""

    bytes = 0


@contextmanager
def measured() -> Iterator[Growth]:
    """Measure this process, all its threads included, also what was given back before the end."""
    growth = Growth()
    gc.collect()
    (_SELF / "clear_refs").write_text("5")  # the peak begins anew
    before = _resident("VmRSS")
    yield growth
    growth.bytes = _resident("VmHWM") - before


def _resident(name: str) -> int:
    lines = (_SELF / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
