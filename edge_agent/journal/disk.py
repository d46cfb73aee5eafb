"""The journal's file: SQLite in WAL mode, every transaction on the disk before it is acknowledged.

Synchronous and of one thread: whoever opens a `Disk` uses and closes it. It raises what SQLite raises, and
`JournalTooNew`; `journal` decides what to do about it. Columns are named and typed as the fields of `JobRun`, for
people with sqlite3.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ..jobs import JobEvent, JobRun, Outcome

SCHEMA_VERSION = 1
NEVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)

_BUSY_TIMEOUT_S = 5.0
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LARGEST_INTEGER = (1 << 63) - 1

_SCHEMA = """
BEGIN;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,  -- in the order the runs were first recorded, whatever the clock said
    id TEXT NOT NULL UNIQUE,
    machine_id TEXT NOT NULL,
    file_name TEXT,
    file_path TEXT,
    file_size_bytes INTEGER,
    user TEXT,
    started_at TEXT NOT NULL,    -- UTC, 2026-05-04T12:00:00.000000+00:00
    updated_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,                -- NULL while open, else completed, cancelled, failed or lost
    reason TEXT NOT NULL,
    paused INTEGER NOT NULL,     -- 0 or 1
    pauses INTEGER NOT NULL,
    paused_s REAL NOT NULL,
    elapsed_s REAL,
    estimated_s REAL,
    progress_ratio REAL,         -- 0 to 1
    filament_length_mm REAL,
    filament_volume_cm3 REAL
);
CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    machine_id TEXT NOT NULL,
    kind TEXT NOT NULL,          -- started, paused, resumed, finished, cancelled, failed or lost
    at TEXT NOT NULL,
    elapsed_s REAL,              -- these three as they were then
    progress_ratio REAL,
    reason TEXT NOT NULL,
    UNIQUE (run_id, kind, at)
);
-- No more indices: ten thousand rows are looked through in milliseconds, and every index is one more page to write.
PRAGMA user_version = 1;
COMMIT;
"""

_FIELDS = JobRun.__struct_fields__
_RUN = ", ".join(f"runs.{field}" for field in _FIELDS)
_UPSERT = (
    f"INSERT INTO runs ({', '.join(_FIELDS)}) VALUES ({', '.join(f':{field}' for field in _FIELDS)}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{field} = excluded.{field}' for field in _FIELDS if field != 'id')}"
)
_INSERT_EVENT = (
    "INSERT OR IGNORE INTO events (run_id, machine_id, kind, at, elapsed_s, progress_ratio, reason) "
    "VALUES (:run_id, :machine_id, :kind, :at, :elapsed_s, :progress_ratio, :reason)"
)
_SELECT_RUNS = (
    f"SELECT {_RUN} FROM runs WHERE (:machine_id IS NULL OR machine_id = :machine_id) "  # noqa: S608
    "AND (:any OR coalesce(outcome, 'open') IN (SELECT value FROM json_each(:outcomes))) "
    "ORDER BY number DESC LIMIT :limit"
)
_SELECT_EVENTS = (
    f"SELECT events.kind, events.at, {_RUN} FROM events JOIN runs ON runs.id = events.run_id "  # noqa: S608
    "WHERE (:machine_id IS NULL OR events.machine_id = :machine_id) AND at >= :since AND at < :until "
    "ORDER BY events.number DESC LIMIT :limit"
)


class JournalTooNew(Exception):
    """A newer version of the agent made this file; to write to it could spoil it."""


def is_damage(error: Exception) -> bool:
    """The file itself is no good, and neither waiting nor freeing space will change that."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in _DAMAGED


class Disk:
    """An open journal file.

    Raises:
        JournalTooNew: the file is of a newer version; it was not touched.
        sqlite3.Error, OSError: it cannot be opened; see `is_damage`.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            self._prepare(path)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; SQLite then folds its log into it."""
        self._connection.close()

    def write(self, runs: Iterable[JobRun], events: Iterable[JobEvent]) -> None:
        """Record everything or nothing; it is on the disk when this returns. The same again changes nothing."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_UPSERT, [_run_row(run) for run in runs])
            self._connection.executemany(_INSERT_EVENT, [_event_row(event) for event in events])

    def runs(self, machine_id: str | None, outcomes: Collection[Outcome | None] | None, limit: int) -> list[JobRun]:
        """Newest first. ``None`` for a machine means all, for outcomes any; ``None`` among them means open."""
        wanted = [outcome.value if outcome else "open" for outcome in outcomes or ()]
        rows = self._connection.execute(
            _SELECT_RUNS,
            {
                "machine_id": machine_id,
                "any": outcomes is None,
                "outcomes": msgspec.json.encode(wanted).decode(),
                "limit": limit,
            },
        )
        return [run for row in rows if (run := _run(row)) is not None]

    def run(self, run_id: str) -> JobRun | None:
        """One run, ``None`` if it is not there."""
        row = self._connection.execute(f"SELECT {_RUN} FROM runs WHERE id = ?", (_text(run_id),)).fetchone()  # noqa: S608
        return None if row is None else _run(row)

    def events(self, machine_id: str | None, since: datetime, until: datetime, limit: int) -> list[JobEvent]:
        """Newest first, from ``since`` to before ``until``, each with its run as that is now."""
        rows = self._connection.execute(
            _SELECT_EVENTS,
            {"machine_id": machine_id, "since": _time(since), "until": _time(until), "limit": limit},
        )
        return [event for row in rows if (event := _event(row)) is not None]

    def prune(self, keep: int) -> None:
        """Forget all but the newest runs, and their events. An open run is never forgotten."""
        oldest = self._connection.execute(
            "SELECT number FROM runs ORDER BY number DESC LIMIT 1 OFFSET ?", (keep - 1,)
        ).fetchone()
        if oldest is None:
            return
        gone = "SELECT id FROM runs WHERE number < ? AND outcome IS NOT NULL"
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(f"DELETE FROM events WHERE run_id IN ({gone})", oldest)  # noqa: S608
            self._connection.execute("DELETE FROM runs WHERE number < ? AND outcome IS NOT NULL", oldest)

    def _prepare(self, path: Path) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JournalTooNew(
                f"{path} was made by a newer edge-agent (its version is {version}, ours {SCHEMA_VERSION}); "
                "update the agent, or move the file away"
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if version == 0:
            self._connection.executescript(_SCHEMA)
        found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _damage(str(found))
        try:
            self.run("")  # tables that are not ours fail here and not in the middle of a print
        except sqlite3.OperationalError as error:
            raise _damage(str(error)) from error


def _damage(text: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _time(instant: datetime) -> str:
    """Of one width, so that texts sort as the times do."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def _text(text: str) -> str:
    """Half a surrogate pair, which SQLite refuses, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _column(value: object) -> object:
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, str):
        return _text(value)  # also of an Outcome, whose value it then is
    if isinstance(value, int):
        return min(value, _LARGEST_INTEGER)
    return value


def _run_row(run: JobRun) -> Mapping[str, object]:
    return {field: _column(getattr(run, field)) for field in _FIELDS}


def _event_row(event: JobEvent) -> Mapping[str, object]:
    run = event.run
    return {
        "run_id": _text(run.id),
        "machine_id": _text(run.machine_id),
        "kind": event.kind.value,
        "at": _time(event.at),
        "elapsed_s": run.elapsed_s,
        "progress_ratio": run.progress_ratio,
        "reason": _text(run.reason),
    }


def _run(row: tuple[object, ...]) -> JobRun | None:
    """``None`` for a row that no agent wrote."""
    try:
        return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), JobRun, strict=False)
    except msgspec.ValidationError:
        return None


def _event(row: tuple[object, ...]) -> JobEvent | None:
    run = _run(row[2:])
    if run is None:
        return None
    try:
        return msgspec.convert({"kind": row[0], "at": row[1], "run": run}, JobEvent, strict=False)
    except msgspec.ValidationError:
        return None
