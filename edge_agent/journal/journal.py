"""The journal as the agent sees it: asynchronous, bounded, and never a reason to stop.

One thread does everything that touches the file, so that a slow SD card delays nobody. While the file cannot be written
(full, read-only, gone, of a newer version) what happens is kept in memory, and written when the disk is back.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from ..counters import Counters
from ..events import Event
from ..jobs import JobRun, Outcome
from .batch import Batch
from .disk import FOREVER, NEVER, Disk, is_damage
from .waiting import EVENTS_PER_RUN, Waiting, in_period

log = logging.getLogger(__name__)

KEEP_RUNS = 10_000
KEEP_WAITING = 1_000
RETRY_S = 60.0
WRITE_EVERY_S = 300.0

T = TypeVar("T")


class JournalStatus(Struct, frozen=True, kw_only=True):
    """How the journal does. ``reason`` says why it is not ``durable``; ``waiting`` counts the runs only in memory."""

    durable: bool
    reason: str = ""
    waiting: int = 0


class Journal:
    """The durable record of runs, events and counters. Open it with `open`, and close it.

    No method raises for the disk's sake: see `status`.
    """

    def __init__(
        self, path: Path, *, keep_runs: int, keep_waiting: int, retry_s: float, now: Callable[[], datetime]
    ) -> None:
        self._path = path
        self._keep_runs = keep_runs
        self._prune_every = max(keep_runs // 20, 1)
        self._retry_s = retry_s
        self._now = now
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._status = JournalStatus(durable=False, reason="not yet open")
        self._retry: asyncio.TimerHandle | None = None
        self._closed = False
        # From here on the thread's own.
        self._disk: Disk | None = None
        self._waiting = Waiting(keep_waiting)
        self._noted = Waiting(keep_waiting)
        self._written_at_s = -math.inf
        self._unpruned = self._prune_every

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        keep_runs: int = KEEP_RUNS,
        keep_waiting: int = KEEP_WAITING,
        retry_s: float = RETRY_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Journal:
        """Open or begin the journal; a damaged file is set aside as ``<name>.bad-<time>``.

        Args:
            path: the file; its folder is made if need be.
            keep_runs: how many of the newest runs are kept, and four times as many events; up to a twentieth of that
                number more of either until they are pruned.
            keep_waiting: how many runs, and four times as many events, are kept in memory while the disk is not to be
                had.
            retry_s: seconds between two tries to write what waits in memory.
            now: the wall clock, for the names of damaged files.
        """
        journal = cls(path, keep_runs=keep_runs, keep_waiting=keep_waiting, retry_s=retry_s, now=now)
        await journal._do(journal._flush)
        return journal

    @property
    def status(self) -> JournalStatus:
        """Is what is recorded safe, and if not, why not."""
        return self._status

    @property
    def size_bytes(self) -> int | None:
        """Of the file, with SQLite's log beside it; ``None`` if there is no file."""
        found = [size for ending in ("", "-wal", "-shm") if (size := _size_bytes(f"{self._path}{ending}")) is not None]
        return sum(found) if found else None

    async def close(self) -> None:
        """Write what waits, if that is possible now, and close the file. Closing twice is closing."""
        if self._closed:
            return
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
        await self._do(self._finish)
        self._thread.shutdown()

    async def record(
        self, runs: Iterable[JobRun] = (), events: Iterable[Event] = (), counters: Mapping[str, Counters] | None = None
    ) -> bool:
        """Record runs as they are now, events with their runs, and counters by machine id, in one transaction.

        Returns:
            When it is done: true if everything is on the disk, false if it is only in memory (see `status`).
        """
        batch = Batch(runs=list(runs), events=list(events), counters=dict(counters or {}))
        at_s = asyncio.get_running_loop().time()
        return await self._do(lambda: self._record(batch, at_s))

    async def note(self, runs: Iterable[JobRun] = (), counters: Mapping[str, Counters] | None = None) -> None:
        """Keep in memory how things stand, for the next write: one for all machines, since a card wears.

        Runs are not among what is read until then.
        """
        batch = Batch(runs=list(runs), counters=dict(counters or {}))
        await self._do(lambda: self._noted.add(batch))

    async def prove(self) -> str:
        """Nothing to complain of, as soon as the disk's thread has time.

        Writes what was noted, or else something that changes nothing, if the last write was `WRITE_EVERY_S` ago, and it
        is not known that this is not possible now. What cannot be written waits in memory and is no fault of the
        process (see `status`). A disk that neither takes a write nor refuses it is: then this never returns.
        """
        at_s = asyncio.get_running_loop().time()
        await self._do(lambda: self._prove(at_s))
        return ""

    async def open_run(self, machine_id: str) -> JobRun | None:
        """The machine's newest run that has not ended."""
        return next(iter(await self.runs(machine_id, outcomes={None}, limit=1)), None)

    async def runs(
        self, machine_id: str | None = None, *, outcomes: Collection[Outcome | None] | None = None, limit: int = 100
    ) -> list[JobRun]:
        """Runs, newest first.

        Args:
            machine_id: only this machine's; ``None`` for all.
            outcomes: only those that ended so; ``None`` among them stands for open runs. ``None`` for all.
            limit: at most so many.
        """
        return await self._do(
            lambda: self._waiting.runs(
                self._read(lambda disk: disk.runs(machine_id, outcomes, limit + len(self._waiting)), []),
                machine_id,
                outcomes,
            )[:limit]
        )

    async def run(self, run_id: str) -> JobRun | None:
        """One run by its id."""
        return await self._do(lambda: self._waiting.run(run_id) or self._read(lambda disk: disk.run(run_id), None))

    async def counters(self, machine_id: str) -> Counters:
        """A machine's counters as they were last recorded, or noted."""
        found = await self._do(
            lambda: (
                self._noted.counters(machine_id)
                or self._waiting.counters(machine_id)
                or self._read(lambda disk: disk.counters(machine_id), None)
            )
        )
        return found or Counters()

    async def events(
        self,
        machine_id: str | None = None,
        *,
        since: datetime = NEVER,
        until: datetime = FOREVER,
        limit: int = 100,
        after: str | None = None,
        newest_first: bool = True,
    ) -> list[Event]:
        """Events of machines and prints, as they were when they happened, in the order of recording.

        A page is full unless it is the last one. To get the next, pass the id of its last event as ``after``. That
        stays right while events are added, also over restarts; if the event was forgotten meanwhile, the pages go on at
        the oldest that is kept, or end, newest first.

        Args:
            machine_id: only this machine's; ``None`` for all.
            since: only those that happened then or later.
            until: only those that happened before.
            limit: at most so many.
            after: only what follows the event with this id, in the order asked for.
            newest_first: the last recorded first, else the first recorded.
        """

        def on_disk(at_most: int, cursor: str | None) -> list[Event]:
            return self._read(
                lambda disk: disk.events(machine_id, since, until, at_most, after=cursor, newest_first=newest_first),
                [],
            )

        matches = in_period(machine_id, since, until)
        return await self._do(
            lambda: self._waiting.events(on_disk, matches, limit=limit, after=after, newest_first=newest_first)
        )

    async def _do(self, work: Callable[[], T]) -> T:
        """Do something on the thread. Whoever waits for it may be cancelled; the work is done all the same."""
        done = await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))
        self._plan_retry()
        return done

    def _plan_retry(self) -> None:
        if self._status.durable or self._closed or self._retry is not None:
            return
        self._retry = asyncio.get_running_loop().call_later(self._retry_s, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._flush)
        future.add_done_callback(lambda _: self._plan_retry())

    # --- on the thread ---

    def _record(self, batch: Batch, at_s: float) -> bool:
        self._take_notes()  # first: they are older
        self._waiting.add(batch)
        if self._status.durable:
            self._written_at_s = at_s
            return self._flush()
        self._tell(self._status.reason)  # the next try is planned: not one per event on a disk that is broken
        return False

    def _flush(self) -> bool:
        """Write what waits; false if it has to go on waiting."""
        try:
            self._write()
        except Exception as error:  # noqa: BLE001 - printing goes on whatever becomes of its journal
            return self._failed(error)
        self._waiting.clear()
        self._tell("")
        return True

    def _take_notes(self) -> None:
        self._waiting.add(self._noted.all())
        self._noted.clear()

    def _prove(self, at_s: float) -> None:
        if self._disk is None or not self._status.durable:
            return  # it is known already, and the next try is planned
        if at_s - self._written_at_s < WRITE_EVERY_S:
            return
        self._written_at_s = at_s
        self._take_notes()
        if self._waiting:
            self._flush()
            return
        try:
            self._disk.touch()
        except Exception as error:  # noqa: BLE001 - as in writing
            self._failed(error)

    def _write(self) -> None:
        try:
            self._write_once()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self._set_aside(error)
            self._write_once()

    def _write_once(self) -> None:
        if self._disk is not None and not self._status.durable:
            self._shut()  # what failed once is opened anew, the disk may be another
        if self._disk is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._disk = Disk(self._path)
        if self._waiting:
            batch = self._waiting.all()
            self._disk.write(batch)
            self._unpruned += max(len(batch.runs), len(batch.events))
        if self._unpruned >= self._prune_every:
            self._disk.prune(runs=self._keep_runs, events=self._keep_runs * EVENTS_PER_RUN)
            self._unpruned = 0

    def _failed(self, error: Exception) -> bool:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, sqlite3.Error | OSError) else str(error)
        if not self._status.reason.startswith(reason):
            log.warning("%s cannot be written (%s); jobs are kept in memory until it can", self._path, reason)
        self._tell(reason)
        return False

    def _tell(self, reason: str) -> None:
        if not reason and self._status.waiting:
            log.info("%s is written again", self._path)
        self._status = JournalStatus(durable=not reason, reason=reason, waiting=len(self._waiting))

    def _set_aside(self, error: Exception) -> None:
        """Move a damaged file away, with the log that belongs to it: it may still be of use to somebody."""
        self._shut()
        aside = self._path.with_name(f"{self._path.name}.bad-{self._now():%Y%m%dT%H%M%SZ}")
        for ending in ("-wal", "-shm", ""):
            part = self._path.with_name(self._path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
        log.warning("%s is damaged (%s); it is now %s, and a new one is begun", self._path, error, aside.name)

    def _read(self, query: Callable[[Disk], T], otherwise: T) -> T:
        try:
            return otherwise if self._disk is None else query(self._disk)
        except Exception as error:  # noqa: BLE001 - as in writing
            log.warning("%s cannot be read: %s", self._path, error)
            return otherwise

    def _finish(self) -> None:
        self._take_notes()
        if self._waiting:
            self._flush()
        self._shut()

    def _shut(self) -> None:
        disk, self._disk = self._disk, None
        if disk is not None:
            disk.close()


def _size_bytes(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None
