"""Signed updates: refused, installed, failed, and tried again no more than three times."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from edge_agent_image.shell import Said
from edge_agent_image.update import Updates, heal

from .boards import Answer, Board, Programs

NAME = "edge-agent-1.2.3-linux-arm64.tar.gz"
GOOD_SIGNATURE: Mapping[str, Answer] = {"signify-openbsd": ""}


def archive(board: Board, *, name: str = NAME, signed: bool = True, script: bool = True, made_at: int = 0) -> Path:
    """Put one on the card."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("edge-agent-1.2.3-linux-arm64/" + ("install.sh" if script else "README"))
        member.mode, member.mtime = 0o755, made_at
        tar.addfile(member)
    if signed:
        board.drop(f"{name}.sig", "a signature")
    return board.drop(name, packed.getvalue())


def updates(board: Board, programs: Programs, *, key: bool = True) -> Updates:
    """With or without a public key in the image."""
    board.paths.share.mkdir(parents=True, exist_ok=True)
    if key:
        (board.paths.share / "update.pub").write_text("a key")
    return Updates(board.paths, programs, machine="arm64")


def result(board: Board) -> str:
    """``update-result.txt``."""
    return (board.paths.card / "update-result.txt").read_bytes().decode("utf-8-sig")


def installed(programs: Programs) -> bool:
    """An install.sh was run."""
    return any("install.sh" in question for question in programs.asked)


def test_a_signed_update_is_installed_and_goes(board: Board) -> None:
    archive(board)
    programs = Programs({**GOOD_SIGNATURE, str(board.paths.kept): "edge-agent: edge-agent 1.2.3 is ready"})
    updates(board, programs).from_card(board.writable)
    assert installed(programs)
    assert board.on_card == ["update-result.txt"]
    assert "Installed.\r\n    edge-agent: edge-agent 1.2.3 is ready" in result(board)
    assert [file.name for file in (board.paths.kept / "update").iterdir()] == []


def test_what_is_verified_is_the_copy_that_is_run(board: Board) -> None:
    archive(board)
    programs = Programs(GOOD_SIGNATURE)
    updates(board, programs).from_card(board.writable)
    verified = next(question for question in programs.asked if question.startswith("signify-openbsd"))
    assert str(board.paths.card) not in verified
    assert verified.endswith(f"-m {board.paths.kept}/update/copy.tar.gz")


@pytest.mark.parametrize(
    ("name", "signed", "words"),
    [
        (NAME, False, "its signature is missing"),
        ("edge-agent-1.2.3-linux-amd64.tar.gz", True, "another kind of computer"),
    ],
)
def test_what_is_refused_says_why(board: Board, name: str, signed: bool, words: str) -> None:
    file = archive(board, name=name, signed=signed)
    programs = Programs(GOOD_SIGNATURE)
    updates(board, programs).from_card(board.writable)
    assert not installed(programs)
    assert words in result(board)
    assert f"{file.name}.refused" in board.on_card


def test_a_wrong_signature_is_refused(board: Board) -> None:
    archive(board)
    programs = Programs({"signify-openbsd": Said(code=1, errors="signature verification failed")})
    updates(board, programs).from_card(board.writable)
    assert not installed(programs)
    assert "REFUSED: its signature is not of the key in this image" in result(board)


def test_without_a_key_in_the_image_nothing_is_accepted(board: Board) -> None:
    archive(board)
    programs = Programs(GOOD_SIGNATURE)
    updates(board, programs, key=False).from_card(board.writable)
    assert not installed(programs)
    assert "without a key for updates" in result(board)


def test_one_that_does_not_get_ready_is_told_and_put_away(board: Board) -> None:
    archive(board)
    failed = Said(code=40, errors="edge-agent: error 40: it does not get ready")
    programs = Programs({**GOOD_SIGNATURE, str(board.paths.kept): failed})
    updates(board, programs).from_card(board.writable)
    assert "NOT INSTALLED.\r\n    The version before runs again." in result(board)
    assert f"{NAME}.failed" in board.on_card


def test_one_that_makes_the_board_fall_over_is_tried_three_times(board: Board) -> None:
    class PowerCut(BaseException):
        pass

    def cut() -> Said:
        raise PowerCut

    archive(board)
    programs = Programs({**GOOD_SIGNATURE, str(board.paths.kept): cut})
    for _ in range(3):
        with pytest.raises(PowerCut):
            updates(board, programs).from_card(board.writable)
        assert NAME in board.on_card
    updates(board, programs).from_card(board.writable)
    assert "begun 3 times" in result(board)
    assert NAME not in board.on_card


def test_one_that_is_no_archive_is_told(board: Board) -> None:
    archive(board).write_bytes(b"not an archive")
    updates(board, Programs(GOOD_SIGNATURE)).from_card(board.writable)
    assert "could not be unpacked" in result(board)


def test_a_clock_that_nobody_sets_is_brought_to_the_update_by_timesyncd(board: Board) -> None:
    later = 4_000_000_000
    clock = board.paths.root / "var/lib/systemd/timesync/clock"
    clock.parent.mkdir(parents=True)
    archive(board, made_at=later)
    programs = Programs(GOOD_SIGNATURE)
    updates(board, programs).from_card(board.writable)
    assert clock.stat().st_mtime == later
    assert "systemctl restart systemd-timesyncd.service" in programs.asked


def test_on_a_stick_the_file_stays_for_the_next_board(board: Board, tmp_path: Path) -> None:
    file = archive(board)
    stick = tmp_path / "stick"
    stick.mkdir()
    for name in (NAME, f"{NAME}.sig"):
        file.with_name(name).rename(stick / name)
    updates(board, Programs(GOOD_SIGNATURE)).from_stick(stick, board.writable, board="edge-agent-1234")
    assert sorted(entry.name for entry in stick.iterdir()) == [NAME, f"{NAME}.sig", "update-result-edge-agent-1234.txt"]


def test_a_card_without_updates_is_not_written(board: Board) -> None:
    updates(board, Programs()).from_card(board.writable)
    assert board.opened == 0


def test_the_unit_of_an_update_is_put_in_place_again_after_a_reboot(board: Board) -> None:
    release = board.paths.opt / "releases/1.2.3-py313/share/edge-agent"
    (release / "systemd").mkdir(parents=True)
    (release / "systemd/edge-agent.service").write_text("new")
    (board.paths.opt / "current").symlink_to(board.paths.opt / "releases/1.2.3-py313")
    unit = board.paths.root / "etc/systemd/system/edge-agent.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("old")
    programs = Programs()
    assert heal(board.paths, programs)
    assert programs.asked[0].endswith("share/edge-agent/install.sh --version 1.2.3 --no-start")
    unit.write_text("new")
    assert not heal(board.paths, programs)
