"""The data partition takes the rest of the card: an image is small, a card is not.

Asked at every boot, and done if there is more to take: first the entry in the partition table (one sector, so old or
new), then the kernel's idea of it, then the file system, which can be grown while it is mounted. Each step looks at
what is, and not at what an earlier run may have done.
"""

from __future__ import annotations

import re
from pathlib import Path

from .paths import Paths
from .shell import Run

SLACK_SECTORS = 8192
"""4 MiB at the end of a card are not worth a write to its partition table."""
_SECTOR_BYTES = 512
_BLOCKS = re.compile(r"^Block (count|size):\s+(\d+)$", re.MULTILINE)


class GrowError(Exception):
    """It could not be done; the text says which step failed and why. What was there is as it was."""


def grow(paths: Paths, run: Run) -> list[str]:
    """Grow partition and file system as far as the card goes.

    Returns:
        What was done, one line each; empty if there was nothing to do.

    Raises:
        GrowError: a step failed; the next boot tries again.
    """
    source = run("findmnt", "--noheadings", "--output", "SOURCE", "--target", str(paths.kept)).output.strip()
    partition = Path(source).name
    about = paths.root / "sys/class/block" / partition
    if not (about / "partition").is_file():
        raise GrowError(f"{paths.kept} is on {source or 'nothing'}, which is no partition of a card")
    done = []
    disk = about.resolve().parent
    number = _number(about / "partition")
    end = _number(about / "start") + _number(about / "size")
    if _number(disk / "size") - end > SLACK_SECTORS:
        _step(run, "sfdisk", "--no-reread", "--no-tell-kernel", "-N", str(number), f"/dev/{disk.name}", stdin=", +\n")
        _step(run, "partx", "--update", "--nr", str(number), f"/dev/{disk.name}")
        done.append(f"{source} goes to the end of the card now")
    if _number(about / "size") * _SECTOR_BYTES - _file_system_bytes(run, source) > SLACK_SECTORS * _SECTOR_BYTES:
        _step(run, "resize2fs", source)
        done.append(f"the file system of {source} is as large as its partition now")
    return done


def _file_system_bytes(run: Run, device: str) -> int:
    found = dict(_BLOCKS.findall(_step(run, "dumpe2fs", "-h", device)))
    return int(found["count"]) * int(found["size"])


def _step(run: Run, *command: str, stdin: str = "") -> str:
    said = run(*command, stdin=stdin, timeout_s=600.0)
    if not said.good:
        raise GrowError(f"{command[0]} failed: {said.reason}")
    return said.output


def _number(file: Path) -> int:
    return int(file.read_text())
