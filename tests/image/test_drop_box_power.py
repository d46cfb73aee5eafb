"""The drop box under power cuts: before every single change of the disk, and what the next boot makes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .boards import KEY, Board, config, powered

pytestmark = pytest.mark.timeout(240)  # hundreds of boots, each with real writes to a real disk

OLD, NEW = config(url="http://192.168.1.1"), config(url="http://192.168.1.2", key="secrets/new.key")


@pytest.mark.parametrize("inline", [False, True], ids=["a key file", "a key inside config.json"])
def test_a_power_cut_anywhere_loses_nothing(tmp_path: Path, inline: bool) -> None:
    whole = prepared(tmp_path / "whole", inline=inline)
    whole.drop_box().empty()
    for cut in range(1000):
        board = prepared(tmp_path / "cut", inline=inline)
        done = powered(board.drop_box().empty, cut_after=cut)
        assert_usable(board)
        powered(board.drop_box().empty, cut_after=1000)
        assert board.on_card == []
        assert board.in_force == whole.in_force
        shutil.rmtree(tmp_path / "cut")
        if done:
            break
    assert cut > 20  # it was cut at all


def test_a_second_cut_in_the_boot_after_loses_nothing(tmp_path: Path) -> None:
    whole = prepared(tmp_path / "whole", inline=False)
    whole.drop_box().empty()
    for first in range(3, 1000, 7):
        board = prepared(tmp_path / "cut", inline=False)
        done = powered(board.drop_box().empty, cut_after=first)
        for second in (1, 5, 12, 25):
            powered(board.drop_box().empty, cut_after=second)
            assert_usable(board)
        powered(board.drop_box().empty, cut_after=1000)
        assert (board.on_card, board.in_force) == ([], whole.in_force)
        shutil.rmtree(tmp_path / "cut")
        if done:
            break


def prepared(root: Path, *, inline: bool) -> Board:
    """One configuration in force, another on the card."""
    root.mkdir()
    board = Board(root)
    board.install("mark.key", KEY)
    board.install("config.json", OLD)
    if inline:
        board.drop("config.json", config(url="http://192.168.1.2", key=None, api_key=KEY[::-1]))
    else:
        board.drop("config.json", NEW)
        board.drop("secrets/new.key", KEY[::-1])
    return board


def assert_usable(board: Board) -> None:
    """The agent can start with what is in force, and the new key is still somewhere."""
    verdict = board.agent.check(board.paths.etc / "config.json")
    assert verdict.good, verdict.errors
    somewhere = [file for file in board.paths.root.rglob("*") if file.is_file()]
    assert any(KEY[::-1].encode() in file.read_bytes() for file in somewhere)
