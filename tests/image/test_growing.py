"""Growing: each step looks at what is, so it can be cut anywhere and begun again."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from edge_agent_image.growing import GrowError, grow
from edge_agent_image.shell import Said, run

from .boards import Board, Programs

MIB = 2048
"""Sectors."""


class Card:
    """A card of so many sectors, the data partition at its end: what the kernel tells, what the programs change."""

    def __init__(self, board: Board, *, sectors: int, fail: str = "") -> None:
        self._disk = board.paths.root / "sys/devices/mmcblk0"
        self._partition = self._disk / "mmcblk0p3"
        self._partition.mkdir(parents=True)
        links = board.paths.root / "sys/class/block"
        links.mkdir(parents=True)
        (links / "mmcblk0p3").symlink_to(self._partition)
        self._tell(self._disk / "size", sectors)
        for name, number in {"partition": 3, "start": 1900 * MIB, "size": 32 * MIB}.items():
            self._tell(self._partition / name, number)
        self.table = self.file_system = 32 * MIB
        self.fail = fail
        self.programs = Programs(
            {
                "findmnt": "/dev/mmcblk0p3\n",
                "sfdisk": self._step("sfdisk", self._sfdisk),
                "partx": self._step("partx", self._partx),
                "resize2fs": self._step("resize2fs", self._resize2fs),
                "dumpe2fs": lambda: Said(
                    code=0, output=f"Block count:   {self.file_system // 8}\nBlock size:   4096\n"
                ),
            }
        )

    def _step(self, name: str, action: Callable[[], None]) -> Callable[[], Said]:
        def step() -> Said:
            if name == self.fail:
                return Said(code=1, errors="the power failed")
            action()
            return Said(code=0)

        return step

    def _sfdisk(self) -> None:
        self.table = int((self._disk / "size").read_text()) - 1900 * MIB

    def _partx(self) -> None:
        self._tell(self._partition / "size", self.table)

    def _resize2fs(self) -> None:
        self.file_system = int((self._partition / "size").read_text())

    def boots(self) -> None:
        """The kernel reads the table anew."""
        self._partx()

    @staticmethod
    def _tell(file: Path, number: int) -> None:
        file.write_text(f"{number}\n")


def test_the_rest_of_the_card_is_taken(board: Board) -> None:
    card = Card(board, sectors=30000 * MIB)
    assert len(grow(board.paths, card.programs)) == 2
    assert card.file_system == card.table == 28100 * MIB
    assert "sfdisk --no-reread --no-tell-kernel -N 3 /dev/mmcblk0 <, +" in card.programs.asked


def test_nothing_is_done_twice(board: Board) -> None:
    card = Card(board, sectors=30000 * MIB)
    grow(board.paths, card.programs)
    asked = len(card.programs.asked)
    assert grow(board.paths, card.programs) == []
    assert {question.split()[0] for question in card.programs.asked[asked:]} == {"findmnt", "dumpe2fs"}


def test_a_card_without_more_room_is_left_alone(board: Board) -> None:
    card = Card(board, sectors=1934 * MIB)
    assert grow(board.paths, card.programs) == []


@pytest.mark.parametrize("step", ["sfdisk", "partx", "resize2fs"])
def test_cut_at_any_step_it_goes_on_in_the_next_boot(board: Board, step: str) -> None:
    card = Card(board, sectors=30000 * MIB, fail=step)
    with pytest.raises(GrowError, match=f"{step} failed: the power failed"):
        grow(board.paths, card.programs)
    card.fail = ""
    card.boots()
    grow(board.paths, card.programs)
    assert card.file_system == card.table == 28100 * MIB


def test_what_is_no_partition_is_not_touched(board: Board) -> None:
    with pytest.raises(GrowError, match="no partition of a card"):
        grow(board.paths, Programs({"findmnt": "tmpfs\n"}))


@pytest.mark.skipif(
    not shutil.which("sfdisk", path="/usr/sbin:/sbin"), reason="sfdisk is not installed (package fdisk)"
)
def test_sfdisk_takes_the_words_that_it_is_given(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.touch()
    subprocess.run(["truncate", "--size", "64M", disk], check=True)
    table = "label: dos\nstart=2048,size=4096,type=c\nstart=8192,size=4096,type=83\nstart=16384,size=4096,type=83\n"
    assert run("/sbin/sfdisk", "--quiet", str(disk), stdin=table).good
    first = disk.read_bytes()[512:]
    said = run("/sbin/sfdisk", "--no-reread", "--no-tell-kernel", "-N", "3", str(disk), stdin=", +\n")
    assert said.good, said.reason
    found = re.findall(r"start=\s*(\d+), size=\s*(\d+)", run("/sbin/sfdisk", "--dump", str(disk)).output)
    assert found == [("2048", "4096"), ("8192", "4096"), ("16384", str(64 * MIB - 16384))]
    assert disk.read_bytes()[512:] == first  # one sector was written
