"""The journal's file: SQLite in WAL mode, every transaction on the disk before it is acknowledged.

Synchronous and of one thread: whoever opens a `Disk` uses and closes it. It raises what SQLite raises, and
`JournalTooNew`; `journal` decides what to do about it. Columns are named and typed as the fields of `JobRun`, for
people with sqlite3.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec

from ..counters import Counters
from ..events import Event
from ..files import PRIVATE
from ..jobs import JobRun, Outcome
from .batch import Batch
from .rows import (
    FIELDS,
    INSERT_EVENT,
    UPSERT_COUNTERS,
    UPSERT_RUN,
    counters_row,
    event_row,
    plain_text,
    read_counters,
    read_event,
    read_run,
    run_row,
    time_text,
)
from .schema import SCHEMA_VERSION, bring_up_to_date

NEVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)

_BUSY_TIMEOUT_S = 5.0
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_RUN = ", ".join(f"runs.{field}" for field in FIELDS)
_SELECT_RUNS = (
    f"SELECT {_RUN} FROM runs WHERE (:machine_id IS NULL OR machine_id = :machine_id) "  # noqa: S608
    "AND (:any OR coalesce(outcome, 'open') IN (SELECT value FROM json_each(:outcomes))) "
    "ORDER BY number DESC LIMIT :limit"
)
_SELECT_EVENTS = (
    "SELECT id, machine_id, kind, at, text, run FROM events "
    "WHERE (:machine_id IS NULL OR machine_id = :machine_id) AND at >= :since AND at < :until "
)
_AFTER = "(SELECT number FROM events WHERE id = :after)"
# What followed an event that was pruned is all there is; what preceded it was pruned as well.
_OLDEST_FIRST = f"{_SELECT_EVENTS} AND number > coalesce({_AFTER}, 0) ORDER BY number"
_NEWEST_FIRST = f"{_SELECT_EVENTS} AND (:after IS NULL OR number < {_AFTER}) ORDER BY number DESC"


class JournalTooNew(Exception):
    """A newer version of the agent made this file; to write to it could spoil it."""


def is_damage(error: Exception) -> bool:
    """The file itself is no good, and neither waiting nor freeing space will change that."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in _DAMAGED


class Disk:
    """An open journal file; one of an older version is brought up to date.

    Raises:
        JournalTooNew: the file is of a newer version; it was not touched.
        sqlite3.Error, OSError: it cannot be opened; see `is_damage`.
    """

    def __init__(self, path: Path) -> None:
        _make_private(path)
        self._connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        try:
            self._prepare(path)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; SQLite then folds its log into it."""
        self._connection.close()

    def write(self, batch: Batch) -> None:
        """Record everything or nothing; it is on the disk when this returns. The same again changes nothing."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(UPSERT_RUN, [run_row(run) for run in batch.runs])
            self._connection.executemany(INSERT_EVENT, [event_row(event) for event in batch.events])
            counters = [counters_row(machine_id, counted) for machine_id, counted in batch.counters.items()]
            self._connection.executemany(UPSERT_COUNTERS, counters)

    def touch(self) -> None:
        """Write something that changes nothing: proof that the disk takes what it is given."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")

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
        return [run for row in rows if (run := read_run(row)) is not None]

    def run(self, run_id: str) -> JobRun | None:
        """One run, ``None`` if it is not there."""
        row = self._connection.execute(f"SELECT {_RUN} FROM runs WHERE id = ?", (plain_text(run_id),)).fetchone()  # noqa: S608
        return None if row is None else read_run(row)

    def events(
        self,
        machine_id: str | None,
        since: datetime,
        until: datetime,
        limit: int,
        *,
        after: str | None = None,
        newest_first: bool = True,
    ) -> list[Event]:
        """From ``since`` to before ``until``, in the order of recording; fewer than ``limit`` only if there are."""
        rows = self._connection.execute(
            _NEWEST_FIRST if newest_first else _OLDEST_FIRST,
            {"machine_id": machine_id, "since": time_text(since), "until": time_text(until), "after": after},
        )
        return list(islice((event for row in rows if (event := read_event(row)) is not None), limit))

    def counters(self, machine_id: str) -> Counters | None:
        """A machine's counters, ``None`` if none were recorded."""
        found = self._connection.execute(
            "SELECT power_on_s, operation_s, completed FROM counters WHERE machine_id = ?", (plain_text(machine_id),)
        )
        return read_counters(found.fetchone())

    def prune(self, *, runs: int, events: int) -> None:
        """Forget all but the newest so many of each. An open run is never forgotten."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            # Numbers have no gaps to speak of, and counting rows would read the whole file from a slow card.
            for table, keep, also in (("runs", runs, "AND outcome IS NOT NULL"), ("events", events, "")):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ? {also}",  # noqa: S608 - all ours
                    (keep,),
                )

    def _prepare(self, path: Path) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JournalTooNew(
                f"{path} was made by a newer edge-agent (its version is {version}, ours {SCHEMA_VERSION}); "
                "update the agent, or move the file away"
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _damage(str(found))
        try:
            bring_up_to_date(self._connection, version)
            # Tables that are not ours fail here and not in the middle of a print.
            self.run("")
            self.events(None, NEVER, FOREVER, 0)
            self.counters("")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise _damage(str(error)) from error


def _damage(text: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _make_private(path: Path) -> None:
    """What was printed for whom is nobody else's to read; SQLite gives its log and index the mode of the file."""
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        if os.fstat(number).st_mode & 0o077:
            with contextlib.suppress(PermissionError):  # another's file that we may write: they know whom they let in
                os.fchmod(number, PRIVATE)
    finally:
        os.close(number)
