"""The tables of the journal's file, and how a file of an older version becomes one of ours."""

from __future__ import annotations

import sqlite3

from msgspec.structs import replace

from ..events import MachineEventKind
from ..jobs import JobEvent, JobEventKind
from .rows import FIELDS, INSERT_EVENT, event_row, read_job_event_1

SCHEMA_VERSION = 2

_RUNS = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,  -- in the order the runs were first recorded, whatever the clock said
    id TEXT NOT NULL UNIQUE,
    machine_id TEXT NOT NULL,
    file_name TEXT,
    file_path TEXT,
    file_size_bytes INTEGER,
    file_date TEXT,
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
)
"""
_EVENTS = f"""
CREATE TABLE events (
    number INTEGER PRIMARY KEY,  -- in the order they were recorded, whatever the clock said
    id TEXT NOT NULL UNIQUE,     -- 32 hex digits
    machine_id TEXT NOT NULL,
    kind TEXT NOT NULL,          -- of a print: {", ".join(JobEventKind)};
                                 -- of a machine: {", ".join(MachineEventKind)}
    at TEXT NOT NULL,
    text TEXT NOT NULL,          -- why, if there is anything to say
    run_id TEXT,                 -- NULL for an event of a machine, as is the next
    run TEXT                     -- the run as it was then, JSON with the columns of runs
)
"""
_COUNTERS = """
CREATE TABLE counters (
    machine_id TEXT PRIMARY KEY,
    power_on_s REAL NOT NULL,
    operation_s REAL NOT NULL,
    completed INTEGER NOT NULL
)
"""
# No more indices: ten thousand rows are looked through in milliseconds, and every index is one more page to write.


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Make the tables, or make them ours, in one transaction: killed in the middle, it has not been begun.

    Raises:
        sqlite3.Error: it cannot be done; the file is as it was.
    """
    if version == SCHEMA_VERSION:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if version == 0:
            connection.execute(_RUNS)
            connection.execute(_EVENTS)
        else:
            _from_1(connection)
        connection.execute(_COUNTERS)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _from_1(connection: sqlite3.Connection) -> None:
    """Version 1 had events of prints only, without ids, and kept little of the run as it was then."""
    connection.execute("ALTER TABLE runs ADD COLUMN file_date TEXT")
    connection.execute("ALTER TABLE events RENAME TO events_1")
    connection.execute(_EVENTS)
    columns = ", ".join(f"runs.{field}" for field in FIELDS)
    rows = connection.execute(
        "SELECT events_1.kind, events_1.at, events_1.elapsed_s, events_1.progress_ratio, "  # noqa: S608
        f"{columns} FROM events_1 JOIN runs ON runs.id = events_1.run_id ORDER BY events_1.number"
    )
    found = (_as_it_was(event) for row in rows if (event := read_job_event_1(row)) is not None)
    connection.executemany(INSERT_EVENT, [event_row(event) for event in found])
    connection.execute("DROP TABLE events_1")


def _as_it_was(event: JobEvent) -> JobEvent:
    """As far as can be told from the run as it became: before its end it had none."""
    if event.kind.is_end:
        return event
    paused = event.kind is JobEventKind.PAUSED
    run = replace(event.run, updated_at=event.at, ended_at=None, outcome=None, reason="", paused=paused)
    return replace(event, run=run)
