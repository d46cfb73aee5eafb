"""What is on a card when its power fails: all that was written before the last flush, and of the rest what chance left.

QEMU keeps a log of the writes and flushes of a board (its ``blklogwrites``, in the form of Linux's dm-log-writes). To
kill QEMU would be too kind: this computer keeps every write that the board has begun.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MAGIC = 0x6A736677736872
_HEAD = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD, _MARK = 1, 2, 4, 8


@dataclass(frozen=True)
class _Write:
    """``length_bytes`` at ``at_bytes`` of the card; they stand at ``found_at`` in the log, or are zeros."""

    at_bytes: int
    length_bytes: int
    found_at: int | None


@dataclass(frozen=True, kw_only=True)
class Loss:
    """How many writes there were, how many of them after the last flush, and how many of these were lost."""

    writes: int
    after_flush: int
    lost: int


def fail(card: Path, log: Path, *, chance: float, dice: random.Random, at: float = 1.0) -> Loss:
    """Make the card what it is after the power has failed.

    Args:
        card: as it was when the power came.
        log: of what was written since.
        chance: of each write after the last flush to be lost.
        dice: which are.
        at: when it failed, as a part of all that was written: 0 at the first write, 1 at the last.
    """
    with log.open("rb") as file:
        entries = list(_entries(file))
        entries = entries[: round(len(entries) * at)]
        flushed = max((number for number, entry in enumerate(entries) if entry is None), default=-1)
        safe = [entry for entry in entries[:flushed] if entry is not None]
        late = [entry for entry in entries[flushed + 1 :] if entry is not None]
        kept = [write for write in late if dice.random() >= chance]
        dice.shuffle(kept)  # what nobody flushed has no order
        with card.open("r+b") as target:
            for write in (*safe, *kept):
                _apply(write, file, target)
    return Loss(writes=len(safe) + len(late), after_flush=len(late), lost=len(late) - len(kept))


def _entries(file: BinaryIO) -> Iterator[_Write | None]:
    """Writes in their order; None is a flush. The log ends where nobody has written: QEMU may have been killed."""
    magic, version, _, sector = _HEAD.unpack(file.read(_HEAD.size))
    assert (magic, version) == (_MAGIC, 1), "this is no log of writes"
    place, size = sector, os.fstat(file.fileno()).st_size
    while place + sector <= size:
        file.seek(place)
        at, count, flags, _ = _ENTRY.unpack(file.read(_ENTRY.size))
        place += sector
        if not count and not flags:
            return
        if flags & _MARK:
            continue
        assert not flags & _FUA, "a virtio disk has no writes that force their way"
        if flags & _FLUSH:
            yield None
        if not count:
            continue
        zeros = bool(flags & _DISCARD)
        if not zeros and place + count * sector > size:
            return  # it was being written
        yield _Write(at * sector, count * sector, None if zeros else place)
        if not zeros:
            place += count * sector


def _apply(write: _Write, log: BinaryIO, target: BinaryIO) -> None:
    target.seek(write.at_bytes)
    left = write.length_bytes
    if write.found_at is not None:
        log.seek(write.found_at)
    while left:
        part = min(left, 1 << 20)
        target.write(log.read(part) if write.found_at is not None else bytes(part))
        left -= part
