"""The journal: what is recorded stays, whatever happens to the power and the disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.events import MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun, JobTracker, Outcome
from edge_agent.journal import Journal, JournalStatus

from .test_jobs_random import check, looks

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LIVES = 500
ROOT = Path(__file__).parents[2]
RUN = JobRun(
    id="mark-one-20260504T120000-0a1b2c",
    machine_id="mark-one",
    file_name="Würfel.gcode",
    file_path="Kunden/Müller & Söhne/Würfel ✓ 立方体.gcode",
    file_size_bytes=2050,
    user="änne",
    started_at=NOON,
    updated_at=NOON + timedelta(microseconds=1),
    reason="",
    pauses=2,
    paused_s=1.5,
    elapsed_s=12.0,
    estimated_s=100.25,
    progress_ratio=0.125,
    filament_length_mm=1234.5,
    filament_volume_cm3=2.5,
)
ENDED = replace(RUN, outcome=Outcome.FAILED, reason="MINTEMP", ended_at=NOON + timedelta(hours=1))


def numbered(number: int, machine_id: str = "mark-one", **more: Any) -> JobRun:
    return replace(RUN, id=f"{machine_id}-{number:05}", machine_id=machine_id, **more)


def happened(kind: JobEventKind, run: JobRun, at: datetime = NOON) -> JobEvent:
    return JobEvent(kind=kind, at=at, run=run)


def outage(at: datetime = NOON, machine_id: str = "mark-one") -> MachineEvent:
    return MachineEvent(kind=MachineEventKind.CONNECTION_LOST, at=at, machine_id=machine_id, text="no answer")


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


async def durable(journal: Journal) -> None:
    """Wait until the disk is back."""
    async with asyncio.timeout(10):
        while not journal.status.durable:  # noqa: ASYNC110 - it tells nobody, it is asked
            await asyncio.sleep(0.01)


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def got(path: Path) -> bytes:
    return path.read_bytes()


def fill(ballast: Path) -> None:
    """Take all the space there is left."""
    with ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """As an admin would."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def test_what_is_recorded_is_there_after_a_restart(path: Path) -> None:
    async with opened(path) as journal:
        assert journal.status.durable
        assert await journal.record([], [happened(JobEventKind.STARTED, RUN)])
        assert await journal.open_run("mark-one") == RUN
    async with opened(path) as journal:
        assert await journal.open_run("mark-one") == RUN
        assert await journal.record([ENDED], [happened(JobEventKind.FAILED, ENDED, NOON + timedelta(hours=1))])
        assert await journal.open_run("mark-one") is None
        assert await journal.run(RUN.id) == ENDED
        assert await journal.run("no such") is None
        assert [event.kind for event in await journal.events()] == [JobEventKind.FAILED, JobEventKind.STARTED]


async def test_runs_newest_first_by_machine_and_outcome(path: Path) -> None:
    async with opened(path) as journal:
        await journal.record([numbered(1, outcome=Outcome.COMPLETED), numbered(2), numbered(3, "other")])
        await journal.record([numbered(1, outcome=Outcome.CANCELLED)])  # an update does not make it newer
        ids = [run.id for run in await journal.runs()]
        assert ids == ["other-00003", "mark-one-00002", "mark-one-00001"]
        assert [run.id for run in await journal.runs("mark-one", limit=1)] == ["mark-one-00002"]
        assert [run.id for run in await journal.runs(outcomes={None})] == ["other-00003", "mark-one-00002"]
        wanted = {None, Outcome.CANCELLED}
        assert [run.id for run in await journal.runs("mark-one", outcomes=wanted)] == ids[1:]
        assert await journal.runs(outcomes=()) == []


async def test_events_by_machine_and_time(path: Path) -> None:
    async with opened(path) as journal:
        times = [NOON + timedelta(seconds=number) for number in range(5)]
        await journal.record([], [happened(JobEventKind.PAUSED, RUN, at) for at in times])
        await journal.record([], [happened(JobEventKind.STARTED, numbered(1, "other"), NOON)])
        assert len(await journal.events()) == 6
        found = await journal.events("mark-one", since=times[1], until=times[3])
        assert [event.at for event in found] == [times[2], times[1]]
        assert [event.at for event in await journal.events("mark-one", limit=1)] == [times[4]]


async def test_recording_twice_is_recording_once(path: Path) -> None:
    event = happened(JobEventKind.STARTED, RUN)
    async with opened(path) as journal:
        for _ in range(2):
            await journal.record([RUN], [event])
        assert len(await journal.runs()) == len(await journal.events()) == 1


async def test_old_runs_and_events_are_pruned_but_never_an_open_run(path: Path) -> None:
    async with opened(path, keep_runs=40) as journal:
        await journal.record([], [happened(JobEventKind.STARTED, numbered(0))])
        for number in range(1, 250):
            run = numbered(number, outcome=Outcome.COMPLETED)
            await journal.record([], [happened(JobEventKind.FINISHED, run)])
            assert len(await journal.runs(limit=1000)) <= 40 + 2 + 1
            assert len(await journal.events(limit=1000)) <= 160 + 2
        ids = [run.id for run in await journal.runs(limit=1000)]
        assert (len(ids), ids[0], ids[-1]) == (len(ids), "mark-one-00249", "mark-one-00000")
        assert len(ids) >= 40 + 1
        assert len(await journal.events(limit=1000)) >= 160


async def test_events_of_machines_are_bounded_as_well(path: Path) -> None:
    async with opened(path, keep_runs=10) as journal:
        for number in range(100):
            await journal.record([], [outage(NOON + timedelta(seconds=number))])
        found = await journal.events(limit=1000)
        assert 40 <= len(found) <= 41
        assert found[0].at == NOON + timedelta(seconds=99)


def open_to_all(file: Path) -> None:
    file.chmod(0o644)


def modes_in(folder: Path) -> dict[str, str]:
    return {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()}


@pytest.mark.parametrize("made_open_before", [False, True])
async def test_nobody_else_may_read_it(path: Path, *, made_open_before: bool) -> None:
    if made_open_before:
        await (await Journal.open(path)).close()
        open_to_all(path)
    journal = await Journal.open(path)
    await journal.record([RUN], [])
    modes = modes_in(path.parent)
    await journal.close()
    assert modes == dict.fromkeys([path.name, f"{path.name}-wal", f"{path.name}-shm"], "0o600")


async def test_an_admin_reads_it_with_sqlite3(path: Path) -> None:
    async with opened(path) as journal:
        await journal.record([], [happened(JobEventKind.FAILED, ENDED)])
        assert query(
            path, "SELECT file_path, started_at, outcome, reason, progress_ratio, typeof(pauses) FROM runs"
        ) == [(RUN.file_path, "2026-05-04T12:00:00.000000+00:00", "failed", "MINTEMP", 0.125, "integer")]
        assert query(path, "SELECT kind, at, text, json_extract(run, '$.progress_ratio') FROM events") == [
            ("failed", "2026-05-04T12:00:00.000000+00:00", "MINTEMP", 0.125)
        ]
        assert query(path, "PRAGMA journal_mode") == [("wal",)]


async def test_an_acknowledgement_means_synchronous_full(path: Path) -> None:
    async with opened(path) as journal:

        def synchronous() -> int:
            assert journal._disk is not None
            return int(journal._disk._connection.execute("PRAGMA synchronous").fetchone()[0])

        assert await journal._do(synchronous) == 2


async def test_odd_texts_and_numbers_are_kept_as_well_as_can_be(path: Path) -> None:
    odd = replace(RUN, file_name="half \ud83d pair", user="a\x00b", file_size_bytes=1 << 70, elapsed_s=float("nan"))
    async with opened(path) as journal:
        assert await journal.record([], [happened(JobEventKind.STARTED, odd)])
        found = await journal.run(odd.id)
        (event,) = await journal.events()
    assert isinstance(event, JobEvent)
    assert event.run == found
    assert found is not None
    assert (found.file_name, found.user, found.file_size_bytes) == ("half ? pair", "a\x00b", (1 << 63) - 1)
    assert found.elapsed_s is None


async def test_a_row_that_no_agent_wrote_is_passed_over(path: Path) -> None:
    async with opened(path) as journal:
        runs = [numbered(1), numbered(2), numbered(3), RUN]
        await journal.record([], [happened(JobEventKind.STARTED, run) for run in runs])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET outcome = 'eaten' WHERE id = ?", (RUN.id,))
        connection.execute("UPDATE events SET kind = 'sneezed' WHERE run_id = 'mark-one-00001'")
        connection.execute("UPDATE events SET run = '{}' WHERE run_id = 'mark-one-00002'")
        connection.execute("UPDATE events SET run = 'eaten' WHERE run_id = 'mark-one-00003'")
    async with opened(path) as journal:
        assert [run.id for run in await journal.runs()] == [f"mark-one-0000{number}" for number in (3, 2, 1)]
        # A page is full all the same: who pages on takes a shorter one for the last.
        assert [event.text for event in await journal.events(limit=1, newest_first=False)] == [""]


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be looked at" * 30, b"SQLite format 3\x00" + b"\xff" * 5000]
)
async def test_a_damaged_file_is_set_aside(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    put(path, content)
    async with opened(path, now=lambda: NOON) as journal:
        assert journal.status.durable
        assert await journal.record([RUN])
    assert (path.parent / "journal.db.bad-20260504T120000Z").read_bytes() == content
    assert "is damaged" in caplog.text


async def test_a_file_that_is_damaged_inside_is_set_aside(path: Path) -> None:
    async with opened(path) as journal:
        for number in range(200):
            await journal.record([numbered(number)])
    whole = got(path)
    put(path, whole[:8192] + b"\x5a" * 8192 + whole[16384:])
    async with opened(path) as journal:
        assert journal.status.durable
        assert await journal.runs() == []
    assert len(list(path.parent.glob("journal.db.bad-*"))) == 1


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_a_file_with_other_tables_is_set_aside(path: Path, version: int) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"CREATE TABLE events (x); PRAGMA user_version = {version}")
    async with opened(path) as journal:
        assert await journal.record([RUN])
    assert len(list(path.parent.glob("journal.db.bad-*"))) == 1


@pytest.mark.parametrize("table", ["runs", "events", "counters"])
async def test_a_file_with_one_other_table_is_set_aside_before_anything_is_recorded(path: Path, table: str) -> None:
    async with opened(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"DROP TABLE {table}; CREATE TABLE {table} (x)")
    async with opened(path):
        assert len(list(path.parent.glob("journal.db.bad-*"))) == 1


async def test_a_newer_file_is_left_alone(path: Path) -> None:
    async with opened(path) as journal:
        await journal.record([RUN])
    query(path, "PRAGMA user_version = 3")
    before = got(path)
    async with opened(path) as journal:
        assert not journal.status.durable
        assert "made by a newer edge-agent (its version is 3, ours 2)" in journal.status.reason
        assert await journal.record([numbered(1)]) is False
        assert [run.id for run in await journal.runs()] == ["mark-one-00001"]
    assert got(path) == before


async def test_a_disk_that_cannot_be_had_and_comes_back(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.write_text("a file where the folder should be")
    async with opened(path, retry_s=0.02) as journal:
        assert await journal.record([], [happened(JobEventKind.STARTED, RUN)]) is False
        assert await journal.record([], [happened(JobEventKind.FAILED, ENDED)]) is False
        assert (journal.status.durable, journal.status.waiting) == (False, 1)
        assert "File exists" in journal.status.reason
        assert await journal.runs() == [ENDED]
        assert await journal.run(RUN.id) == ENDED
        assert await journal.open_run("mark-one") is None
        assert [event.kind for event in await journal.events("mark-one")] == [JobEventKind.FAILED, JobEventKind.STARTED]
        await asyncio.sleep(0.1)
        assert caplog.text.count("cannot be written") == 1  # said once, not at every try
        path.parent.unlink()
        await durable(journal)
        assert journal.status.waiting == 0
        assert await journal.record([numbered(1)])
    assert query(path, "SELECT count(*) FROM runs") == [(2,)]
    assert query(path, "SELECT kind FROM events ORDER BY number") == [("started",), ("failed",)]


async def test_memory_is_bounded_too(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    async with opened(path, keep_waiting=10) as journal:
        for number in range(50):
            await journal.record([], [happened(JobEventKind.STARTED, numbered(number))])
        assert journal.status.waiting == 10
        assert [run.id for run in await journal.runs(limit=2)] == ["mark-one-00049", "mark-one-00048"]
        assert len(await journal.events()) == 40


async def test_what_waits_is_written_at_the_latest_when_closing(path: Path) -> None:
    path.parent.write_text("a file where the folder should be")
    async with opened(path) as journal:
        await journal.record([RUN])
        path.parent.unlink()
    assert query(path, "SELECT id FROM runs") == [(RUN.id,)]
    await journal.close()


async def test_who_is_cancelled_while_waiting_has_recorded_all_the_same(path: Path) -> None:
    async with opened(path) as journal:
        task = asyncio.create_task(journal.record([RUN]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await journal.run(RUN.id) == RUN


async def test_a_journal_somebody_else_holds_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.journal.disk._BUSY_TIMEOUT_S", 0.05)
    async with opened(path, retry_s=0.02) as journal:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            assert await journal.record([RUN]) is False
            assert "locked" in journal.status.reason
        await durable(journal)
    assert query(path, "SELECT id FROM runs") == [(RUN.id,)]


# --- a disk of its own ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, for those who may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk(small_disk: Path) -> None:
    async with opened(small_disk / "journal.db", retry_s=0.02) as journal:
        assert await journal.record([numbered(0)])
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            fill(ballast)
        number, written = 0, True
        while written:
            number += 1
            written = await journal.record([], [happened(JobEventKind.STARTED, numbered(number))])
        assert "full" in journal.status.reason
        assert await journal.record([numbered(number + 1)]) is False
        assert len(await journal.runs(limit=10_000)) == number + 2  # what is on the disk and what waits
        ballast.unlink()
        await durable(journal)
        assert len(await journal.runs(limit=10_000)) == number + 2
    assert query(small_disk / "journal.db", "SELECT count(*) FROM runs") == [(number + 2,)]


async def test_a_disk_that_becomes_read_only(small_disk: Path) -> None:
    async with opened(small_disk / "journal.db") as journal:
        await journal.record([numbered(0)])
    remount(small_disk, "ro")
    async with opened(small_disk / "journal.db", retry_s=0.02) as journal:
        assert await journal.record([numbered(1)]) is False
        assert journal.status.reason
        remount(small_disk, "rw")
        await durable(journal)
        assert [run.id for run in await journal.runs()] == ["mark-one-00001", "mark-one-00000"]


FULL_FOR_A_PROCESS = """
import asyncio, resource, sys
from pathlib import Path
from edge_agent.journal import Journal
from tests.unit.test_journal import durable, numbered

async def main():
    journal = await Journal.open(Path(sys.argv[1]), retry_s=0.02)
    await journal.record([numbered(0)])
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    number, written = 0, True
    while written:
        number += 1
        written = await journal.record([numbered(number)])
    print(journal.status.reason)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await durable(journal)
    assert len(await journal.runs(limit=10_000)) == number + 1
    await journal.close()

asyncio.run(main())
"""


def test_a_disk_that_is_full_for_this_process(path: Path) -> None:
    command = [sys.executable, "-c", FULL_FOR_A_PROCESS, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "OperationalError" in done.stdout
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.timeout(180)
def test_nothing_acknowledged_is_lost_in_500_deaths(path: Path) -> None:
    path.parent.mkdir()
    command = [sys.executable, "-m", "tests.unit.journal_lives", str(path), str(LIVES), "7"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=170, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > LIVES / 10  # they did live, even on a slow host


@pytest.mark.parametrize("seed", range(8))
async def test_jobs_and_journal_survive_restarts_together(path: Path, seed: int) -> None:
    """Every few looks the agent is killed, as far as memory goes; the events still make one story."""
    told: list[JobEvent] = []
    seen = list(looks(seed, 120, 1))
    for start in range(0, len(seen), 7):
        async with opened(path) as journal:
            ended = await journal.runs("m", outcomes=set(Outcome), limit=1)
            tracker = JobTracker("m", open_run=await journal.open_run("m"), last=next(iter(ended), None))
            for time_s, snapshot in seen[start : start + 7]:
                events = tracker.observe(snapshot, now=NOON + timedelta(seconds=time_s), monotonic_s=time_s)
                assert await journal.record([event.run for event in events], events)
                told += events
    check(told)
    async with opened(path) as journal:
        kept = {run.id: run for run in await journal.runs(limit=1000)}
        assert kept == {event.run.id: event.run for event in told}
        assert [event.kind for event in reversed(await journal.events(limit=1000))] == [event.kind for event in told]


async def test_an_idle_journal_finds_out_by_itself_that_it_cannot_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.journal.disk._BUSY_TIMEOUT_S", 0.0)
    monkeypatch.setattr("edge_agent.journal.journal.WRITE_EVERY_S", 0.0)
    async with opened(path, retry_s=0.01) as journal:
        written = path.with_name(f"{path.name}-wal").stat().st_size
        assert await journal.prove() == ""
        assert journal.status == JournalStatus(durable=True)
        assert path.with_name(f"{path.name}-wal").stat().st_size > written  # a write, not a promise of one
        with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            assert await journal.prove() == ""
            assert "locked" in journal.status.reason
            assert await journal.prove() == ""  # known already
        async with asyncio.timeout(5):
            while not journal.status.durable:  # noqa: ASYNC110 - it tells nobody when it is
                await asyncio.sleep(0.01)
