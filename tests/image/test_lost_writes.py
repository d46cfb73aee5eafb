"""The power cuts of the boot tests are only worth something if what they call lost is lost."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from tests.boot.lost_writes import fail

SECTOR = 512
FLUSH, DISCARD = 1, 4
CHANCES = range(60)


class Log:
    """What QEMU's blklogwrites writes."""

    def __init__(self) -> None:
        self.content = struct.pack("<QQQI", 0x6A736677736872, 1, 0, SECTOR).ljust(SECTOR, b"\0")

    def write(self, sector: int, *letters: str) -> None:
        """Each letter fills a sector."""
        self._entry(sector, len(letters), 0)
        self.content += b"".join(letter.encode() * SECTOR for letter in letters)

    def flush(self) -> None:
        self._entry(0, 0, FLUSH)

    def discard(self, sector: int, count: int) -> None:
        self._entry(sector, count, DISCARD)

    def _entry(self, sector: int, count: int, flags: int) -> None:
        self.content += struct.pack("<QQQQ", sector, count, flags, 0).ljust(SECTOR, b"\0")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    file = tmp_path / "card"
    file.write_bytes(b"-" * SECTOR * 8)
    return file


def after(card: Path, log: Log, chance: float, seed: int = 1, at: float = 1.0) -> str:
    before = card.read_bytes()
    file = card.with_name("log")
    file.write_bytes(log.content)
    fail(card, file, chance=chance, dice=random.Random(seed), at=at)
    found = card.read_bytes()
    card.write_bytes(before)
    letters = found[::SECTOR].decode().replace("\0", ".")
    assert found == b"".join((letter.encode() if letter != "." else b"\0") * SECTOR for letter in letters)
    return letters


def test_what_was_flushed_is_kept_and_the_rest_may_be_lost(card: Path) -> None:
    log = Log()
    log.write(0, "a", "b")
    log.write(2, "c")
    log.flush()
    log.write(3, "d")
    log.write(4, "e")
    assert after(card, log, 1.0) == "abc-----"
    assert after(card, log, 0.0) == "abcde---"
    assert {after(card, log, 0.5, seed) for seed in CHANCES} == {"abc-----", "abcd----", "abc-e---", "abcde---"}


def test_what_nobody_flushed_has_no_order(card: Path) -> None:
    log = Log()
    log.write(0, "a")
    log.write(0, "b")
    assert {after(card, log, 0.0, seed) for seed in CHANCES} == {"a-------", "b-------"}


def test_a_cut_may_be_earlier(card: Path) -> None:
    log = Log()
    log.write(0, "a")
    log.flush()
    log.write(1, "b")
    log.flush()
    assert after(card, log, 1.0, at=0.5) == "a-------"
    assert after(card, log, 0.0, at=0.75) == "ab------"
    assert after(card, log, 1.0, at=0.75) == "a-------"
    assert after(card, log, 0.0, at=0.0) == "--------"


def test_discarded_sectors_are_empty(card: Path) -> None:
    log = Log()
    log.discard(1, 3)
    log.flush()
    assert after(card, log, 1.0) == "-...----"


@pytest.mark.parametrize("short_by", [1, SECTOR, SECTOR + 1, 2 * SECTOR])
def test_a_log_ends_where_it_was_being_written(card: Path, short_by: int) -> None:
    log = Log()
    log.write(0, "a")
    log.flush()
    log.write(1, "b")
    log.content = log.content[:-short_by]
    assert after(card, log, 0.0) == "a-------"
