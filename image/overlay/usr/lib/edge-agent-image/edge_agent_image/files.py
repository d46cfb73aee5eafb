"""Files that survive a power cut, and files that are to leave no trace."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

SECRET = 0o600


def replace(file: Path, content: bytes, *, mode: int = 0o644, owner: tuple[int, int] | None = None) -> None:
    """Write a file whole or not at all: beside it, to the disk, then renamed.

    Args:
        file: to be made or replaced; its folder exists.
        content: all of it.
        mode: its permission bits; a FAT has none, and does not mind.
        owner: its user and group, if we are root.

    Raises:
        OSError: it could not be written; then the old one is untouched.
    """
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    # Never through a link: where we are root, the folder may be one that the agent can write to.
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, SECRET)
    with os.fdopen(number, "wb") as opened:
        opened.write(content)
        _own(opened.fileno(), mode, owner)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    flush(file.parent)


def _own(number: int, mode: int, owner: tuple[int, int] | None) -> None:
    if os.geteuid() == 0 and owner is not None:
        os.fchown(number, *owner)
    with contextlib.suppress(PermissionError):  # a FAT has one mode for all
        os.fchmod(number, mode)


def make_folder(folder: Path, *, mode: int, owner: tuple[int, int] | None) -> None:
    """Make a folder, or leave one that is there alone."""
    if not folder.is_dir():
        folder.mkdir(mode=mode)
        if os.geteuid() == 0 and owner is not None:
            os.chown(folder, *owner)
        flush(folder.parent)


def wipe(file: Path) -> None:
    """Overwrite a file with zeros, then remove it.

    It first gets a name that `remnants` finds: if the power fails in between, the next boot goes on. A memory card may
    keep the old blocks where only its maker can read them; the text in the card's README says so.
    """
    going = file.with_name(f"{file.name}{_GOING}")
    file.replace(going)
    flush(file.parent)
    with going.open("r+b") as opened:
        opened.write(bytes(os.fstat(opened.fileno()).st_size))
        opened.flush()
        os.fsync(opened.fileno())
    going.unlink()
    flush(file.parent)


_GOING = ".wiping"


def remnants(folder: Path) -> list[Path]:
    """Files whose wiping was interrupted."""
    return [file for file in sorted(folder.rglob(f"*{_GOING}")) if file.is_file()]


def finish_wiping(folder: Path) -> None:
    """Wipe what an interrupted run was about to wipe."""
    for file in remnants(folder):
        wipe(file)


def flush(folder: Path) -> None:
    """Make renames in a folder durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all it holds, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def owner_of(path: Path) -> tuple[int, int]:
    """User and group of a file or folder."""
    about = path.stat()
    return about.st_uid, about.st_gid
