"""What the journal keeps of events and counters, and how it is paged through."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.counters import Counters
from edge_agent.events import Event, MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.journal.schema import bring_up_to_date

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
RUN = JobRun(
    id="mark-one-20260504T120000-0a1b2c",
    machine_id="mark-one",
    file_name="Würfel.gcode",
    file_path="Würfel.gcode",
    file_size_bytes=2050,
    file_date=NOON - timedelta(days=3),
    user="änne",
    started_at=NOON,
    updated_at=NOON,
    elapsed_s=1.0,
    progress_ratio=0.0,
)
ENDED = replace(RUN, outcome=Outcome.FAILED, reason="MINTEMP", ended_at=NOON, elapsed_s=600.0, progress_ratio=0.5)


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[Journal]:
    journal = await Journal.open(path, **options)
    try:
        yield journal
    finally:
        await journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


def fault(number: int, machine_id: str = "mark-one") -> MachineEvent:
    at = NOON + timedelta(seconds=number)
    return MachineEvent(kind=MachineEventKind.FAULT, at=at, machine_id=machine_id, text=f"no. {number}")


async def page_by_page(journal: Journal, size: int, **options: Any) -> list[Event]:
    found: list[Event] = []
    while page := await journal.events(limit=size, after=found[-1].id if found else None, **options):
        found += page
        assert len(page) == size or not await journal.events(limit=size, after=found[-1].id, **options)
    return found


async def test_an_event_is_kept_as_it_was_when_it_happened(path: Path) -> None:
    events: list[Event] = [
        JobEvent(kind=JobEventKind.STARTED, at=NOON, run=RUN),
        fault(600),
        JobEvent(kind=JobEventKind.FAILED, at=NOON + timedelta(seconds=600), run=ENDED),
    ]
    async with opened(path) as journal:
        assert await journal.record([], events)
        assert await journal.events(newest_first=False) == events
    async with opened(path) as journal:
        assert await journal.events(newest_first=False) == events
        assert await journal.events() == events[::-1]
        assert await journal.run(RUN.id) == ENDED


async def test_an_event_that_waits_is_the_same_as_one_on_the_disk(path: Path) -> None:
    events: list[Event] = [JobEvent(kind=JobEventKind.STARTED, at=NOON, run=RUN), fault(1), fault(2)]
    path.parent.write_text("a file where the folder should be")
    async with opened(path) as journal:
        assert not await journal.record([], events)
        assert not await journal.record([ENDED], [])
        assert await journal.events(newest_first=False) == events
        path.parent.unlink()
    async with opened(path) as journal:
        assert await journal.events(newest_first=False) == events


async def test_an_event_of_a_machine_alone_is_written(path: Path) -> None:
    async with opened(path) as journal:
        assert await journal.record([], [fault(1)])
        assert journal.status.waiting == 0
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT machine_id, kind, text, run_id, run FROM events").fetchall()
    assert found == [("mark-one", "fault", "no. 1", None, None)]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("waiting", [0, 1, 3, 7])
async def test_pages_are_the_whole_in_order(
    path: Path, size: int, waiting: int, newest_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first part is on the disk, and the rest still waits for it."""
    monkeypatch.setattr("edge_agent.journal.disk._BUSY_TIMEOUT_S", 0.0)
    events = [fault(number, "other" if number == 3 else "mark-one") for number in range(7)]
    order = events[::-1] if newest_first else events
    async with opened(path, retry_s=3600) as journal:
        await journal.record([], events[: 7 - waiting])
        with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            assert await journal.record([], events[7 - waiting :]) is (waiting == 0)
            assert await page_by_page(journal, size, newest_first=newest_first) == order
            ours = [event for event in order if event.machine_id == "mark-one"]
            assert await page_by_page(journal, size, newest_first=newest_first, machine_id="mark-one") == ours
            some = {"since": NOON + timedelta(seconds=1), "until": NOON + timedelta(seconds=6)}
            expected = [event for event in order if event in events[1:6]]
            assert await page_by_page(journal, size, newest_first=newest_first, **some) == expected


async def test_the_order_is_that_of_recording_whatever_the_clock_said(path: Path) -> None:
    events = [fault(100), fault(5), fault(50)]
    async with opened(path) as journal:
        await journal.record([], events)
        assert await page_by_page(journal, 1, newest_first=False) == events


async def test_a_page_that_follows_is_not_moved_by_what_happens_meanwhile(path: Path) -> None:
    async with opened(path) as journal:
        await journal.record([], [fault(number) for number in range(4)])
        first = await journal.events(limit=2)
        await journal.record([], [fault(4)])
        second = await journal.events(limit=2, after=first[-1].id)
        assert [event.text for event in (*first, *second)] == ["no. 3", "no. 2", "no. 1", "no. 0"]


async def test_a_forgotten_event_is_followed_by_the_oldest_that_is_kept_and_preceded_by_none(path: Path) -> None:
    async with opened(path, keep_runs=1) as journal:
        forgotten = fault(0)
        await journal.record([], [forgotten])
        for number in range(1, 20):
            await journal.record([], [fault(number)])
        kept = await journal.events(newest_first=False)
        assert forgotten not in kept
        assert await journal.events(newest_first=False, after=forgotten.id) == kept
        assert await journal.events(after=forgotten.id) == []


async def test_counters_are_those_last_recorded(path: Path) -> None:
    async with opened(path) as journal:
        assert await journal.counters("mark-one") == Counters()
        await journal.record(counters={"mark-one": Counters(power_on_s=1.5), "other": Counters(completed=7)})
        await journal.record(counters={"mark-one": Counters(power_on_s=600.25, operation_s=0.5, completed=1)})
    async with opened(path) as journal:
        assert await journal.counters("mark-one") == Counters(power_on_s=600.25, operation_s=0.5, completed=1)
        assert await journal.counters("other") == Counters(completed=7)


async def test_counters_wait_for_the_disk(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    async with opened(path) as journal:
        assert not await journal.record(counters={"mark-one": Counters(completed=3)})
        assert await journal.counters("mark-one") == Counters(completed=3)
        path.parent.unlink()
    async with opened(path) as journal:
        assert await journal.counters("mark-one") == Counters(completed=3)


# A file of version 1.

SCHEMA_1 = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, machine_id TEXT NOT NULL, file_name TEXT, file_path TEXT,
    file_size_bytes INTEGER, user TEXT, started_at TEXT NOT NULL, updated_at TEXT NOT NULL, ended_at TEXT, outcome TEXT,
    reason TEXT NOT NULL, paused INTEGER NOT NULL, pauses INTEGER NOT NULL, paused_s REAL NOT NULL, elapsed_s REAL,
    estimated_s REAL, progress_ratio REAL, filament_length_mm REAL, filament_volume_cm3 REAL
);
CREATE TABLE events (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL, machine_id TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL,
    elapsed_s REAL, progress_ratio REAL, reason TEXT NOT NULL, UNIQUE (run_id, kind, at)
);
PRAGMA user_version = 1;
INSERT INTO runs VALUES (1, 'm-1', 'm', 'a.gcode', 'a.gcode', 2050, 'anna', '2026-05-04T12:00:00.000000+00:00',
    '2026-05-04T12:10:00.000000+00:00', '2026-05-04T12:10:00.000000+00:00', 'failed', 'MINTEMP', 0, 1, 30.0, 570.0,
    900.0, 0.6, 1500.5, 3.6);
INSERT INTO runs VALUES (2, 'm-2', 'm', 'b.gcode', 'b.gcode', NULL, NULL, '2026-05-04T13:00:00.000000+00:00',
    '2026-05-04T13:10:00.000000+00:00', NULL, NULL, '', 0, 0, 0.0, 600.0, NULL, 0.5, NULL, NULL);
INSERT INTO events VALUES (1, 'm-1', 'm', 'started', '2026-05-04T12:00:00.000000+00:00', 0.0, 0.0, '');
INSERT INTO events VALUES (2, 'm-1', 'm', 'paused', '2026-05-04T12:05:00.000000+00:00', 300.0, 0.3, '');
INSERT INTO events VALUES (3, 'm-1', 'm', 'failed', '2026-05-04T12:10:00.000000+00:00', 570.0, 0.6, 'MINTEMP');
INSERT INTO events VALUES (4, 'm-2', 'm', 'started', '2026-05-04T13:00:00.000000+00:00', 0.0, 0.0, '');
"""


def old_file(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; {SCHEMA_1}")


async def test_a_file_of_version_1_is_opened_with_all_that_is_in_it(path: Path) -> None:
    old_file(path)
    async with opened(path) as journal:
        assert journal.status.durable
        open_run, ended = await journal.runs("m")
        assert (open_run.id, open_run.is_open, open_run.elapsed_s, open_run.file_date) == ("m-2", True, 600.0, None)
        assert (ended.id, ended.outcome, ended.reason, ended.pauses) == ("m-1", Outcome.FAILED, "MINTEMP", 1)
        found = [event for event in await journal.events(newest_first=False) if isinstance(event, JobEvent)]
        assert [(event.run.id, event.kind.value, event.at.minute, event.run.elapsed_s) for event in found] == [
            ("m-1", "started", 0, 0.0),
            ("m-1", "paused", 5, 300.0),
            ("m-1", "failed", 10, 570.0),
            ("m-2", "started", 0, 0.0),
        ]
        assert [event.run.is_open for event in found] == [True, True, False, True]
        assert [event.run.paused for event in found] == [False, True, False, False]
        assert found[2].run == ended
        assert await journal.record([], [fault(1)], {"m": Counters(completed=1)})
    async with opened(path) as journal:
        again = await journal.events(newest_first=False)
        assert again[:4] == found  # with the ids that were made for them
        assert len({event.id for event in again}) == 5
    assert not list(path.parent.glob("*.bad-*"))


async def test_a_file_of_version_1_stays_as_it_was_if_it_cannot_be_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_file(path)
    monkeypatch.setattr("edge_agent.journal.schema._COUNTERS", "CREATE TABLE runs (twice)")

    class FullError(sqlite3.OperationalError):
        sqlite_errorcode = sqlite3.SQLITE_FULL

    def full(connection: sqlite3.Connection, version: int) -> None:
        try:
            bring_up_to_date(connection, version)
        except sqlite3.OperationalError as error:
            raise FullError from error

    monkeypatch.setattr("edge_agent.journal.disk.bring_up_to_date", full)
    async with opened(path) as journal:
        assert not journal.status.durable
        assert not await journal.record([RUN])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (4,)
        assert "file_date" not in str(connection.execute("SELECT sql FROM sqlite_schema").fetchall())
    assert not list(path.parent.glob("*.bad-*"))
