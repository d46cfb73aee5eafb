"""Files that survive a power cut: written beside, flushed to disk, then renamed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

PRIVATE = 0o600


def write_private(file: Path, content: bytes, *, mode: int = PRIVATE, owner: tuple[int, int] | None = None) -> None:
    """Replace ``file`` in one step; at no instant is it half written or readable by others than ``mode`` says.

    Args:
        file: to be made or replaced.
        content: all of it.
        mode: its permission bits.
        owner: its user and group if we are root; by default those of the folder.

    Raises:
        OSError: the folder is missing, not writable or full; then the old file is untouched.
    """
    number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as opened:
            opened.write(content)
            os.fchmod(opened.fileno(), mode)
            if os.geteuid() == 0:
                os.fchown(opened.fileno(), *(owner or owner_of(file.parent)))
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(file.parent)


def give(file: Path, owner: tuple[int, int]) -> None:
    """Hand a file that root made to ``owner``; others own what they make anyway."""
    if os.geteuid() == 0:
        os.chown(file, *owner, follow_symlinks=False)


def owner_of(path: Path) -> tuple[int, int]:
    """User and group of ``path``."""
    about = path.stat()
    return about.st_uid, about.st_gid


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
