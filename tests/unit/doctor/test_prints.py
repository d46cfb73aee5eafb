"""The print journal is looked at in a copy, whatever the agent does to it meanwhile."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.cli.doctor import prints as module
from edge_agent.cli.doctor.finding import Level
from edge_agent.cli.doctor.prints import copy, prints
from edge_agent.journal import Journal
from tests.unit.doctor.patients import levels, one, only, patient
from tests.unit.test_journal import numbered


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


async def _filled(state: Path, runs: int) -> Journal:
    journal = await Journal.open(state / "journal.db")
    await journal.record([numbered(number) for number in range(runs)])
    assert journal.status.durable
    return journal


async def test_while_the_agent_writes(tmp_path: Path) -> None:
    """What is still in SQLite's log is seen, and no file is touched."""
    state = tmp_path / "state"
    journal = await _filled(state, 3)
    try:
        before = _files(state)
        assert (state / "journal.db-wal").stat().st_size
        found = only(prints(patient(tmp_path)))
        assert (found.level, found.text) == (Level.OK, "whole, 3 prints")
        assert _files(state) == before
    finally:
        await journal.close()


async def test_after_the_agent_was_killed_no_file_is_made(tmp_path: Path) -> None:
    state = tmp_path / "state"
    journal = await _filled(state, 1)
    left = {name: content for name, (content, _) in _files(state).items() if not name.endswith("-shm")}
    await journal.close()
    for file in state.iterdir():
        file.unlink()
    for name, content in left.items():
        (state / name).write_bytes(content)
    before = _files(state)
    assert only(prints(patient(tmp_path))).text == "whole, 1 print"
    assert _files(state) == before


async def test_a_damaged_one(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await (await _filled(state, 40)).close()
    file = state / "journal.db"
    content = bytearray(file.read_bytes())
    content[4096 : 4096 + 600] = os.urandom(600)
    file.write_bytes(content)
    found = one(prints(patient(tmp_path)), Level.BAD)
    assert "is damaged" in found.text
    file.write_bytes(b"no database at all" * 100)
    assert "is damaged" in one(prints(patient(tmp_path)), Level.BAD).text


async def test_of_a_newer_agent(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await (await _filled(state, 1)).close()
    with closing(sqlite3.connect(state / "journal.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "version 99" in one(prints(patient(tmp_path)), Level.BAD).text


async def test_one_that_was_set_aside_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await (await _filled(state, 1)).close()
    (state / "journal.db.bad-20260101T000000Z").touch()
    (state / "journal.db.bad-20260101T000000Z-wal").touch()
    found = one(prints(patient(tmp_path)), Level.UNSEEN)
    assert found.text == "damaged ones were set aside: journal.db.bad-20260101T000000Z"


def test_none_yet(tmp_path: Path) -> None:
    assert levels(prints(patient(tmp_path))) == [Level.UNSEEN]


async def test_one_that_changes_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    await (await _filled(state, 1)).close()
    copies = 0
    original = module.shutil.copyfileobj  # type: ignore[attr-defined]

    def changing(source: BinaryIO, target: BinaryIO) -> None:
        nonlocal copies
        copies += 1
        original(source, target)
        os.utime(source.name, ns=(copies, copies))

    monkeypatch.setattr(module.shutil, "copyfileobj", changing)  # type: ignore[attr-defined]
    assert "changes too often" in only(prints(patient(tmp_path))).text
    assert copies == module._TRIES


async def test_one_that_cannot_be_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    await (await _filled(state, 1)).close()
    monkeypatch.setattr(module, "_LARGEST_BYTES", 1000)
    assert only(prints(patient(tmp_path))).level is Level.UNSEEN
    with pytest.raises(module.Unreadable), copy(state):
        pass
