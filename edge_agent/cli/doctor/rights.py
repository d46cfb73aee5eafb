"""Root opens what the agent may have written with the agent's rights.

The agent can write its state folder, and config.json. Somebody who has broken into it could put a link there, or name a
file of root's as a key, and wait for root to read it, to send it to a host of theirs, or to put it into a bundle. But
root's own rights are needed for the rest: so only opening is done as somebody else, and only by the thread that opens.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def agents_rights(state_dir: Path) -> Iterator[None]:
    """Within, this thread has no more right to files than the agent's user; nothing changes if we are not root.

    setfsuid(2) is of the thread alone, and takes root's privileges over files away with it.
    """
    owner = _owner(state_dir)
    if os.geteuid() != 0 or owner is None or owner[0] == 0:
        yield
        return
    libc = ctypes.CDLL(None)
    uid, gid = owner
    libc.setfsgid(gid)
    libc.setfsuid(uid)
    try:
        if libc.setfsuid(-1) != uid:  # it returns what it was, and changes nothing for a user that cannot be
            raise PermissionError(1, "root's rights could not be given up")
        yield
    finally:
        libc.setfsuid(0)
        libc.setfsgid(0)


def forget_groups() -> None:
    """Root needs none, and what a group of root's may read is not for the agent; of the whole process, for good."""
    if os.geteuid() == 0:
        os.setgroups([])


def opened(file: Path, state_dir: Path) -> BinaryIO:
    """A file of the state folder, for reading.

    Raises:
        OSError: it is not there, or not for the agent, or us, to read.
    """
    with agents_rights(state_dir):
        return file.open("rb")


def text_of(file: Path, state_dir: Path, *, most_bytes: int = 64 * 1024) -> str:
    """What is in a small file of the state folder.

    Raises:
        OSError: as `opened`.
    """
    with opened(file, state_dir) as content:
        return content.read(most_bytes).decode("utf-8", "replace")


def is_agents(file: Path, state_dir: Path) -> bool:
    """Does it belong to the agent's user."""
    owner, author = _owner(state_dir), _owner(file)
    return owner is not None and author is not None and owner[0] == author[0]


def _owner(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        about = path.stat()
        return about.st_uid, about.st_gid
    return None
