"""Processes that record in a journal and are killed at random instants.

Usage: python -m tests.unit.journal_lives FILE LIVES SEED.

Ends with 0 when after each death the file was whole and held all
that had been acknowledged. Lives are forked, so that Python is started once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from msgspec.structs import replace

from edge_agent.counters import Counters
from edge_agent.jobs import JobEvent, JobEventKind, JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.journal.disk import FOREVER, NEVER, Disk

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
LONGEST_LIFE_S = 0.04
KEEP_RUNS = 3000


async def live(path: Path, life: int, acknowledged: int) -> None:
    """Record prints for ever; write ``id outcome`` after each acknowledgement."""
    journal = await Journal.open(path, keep_runs=KEEP_RUNS)
    for number in range(sys.maxsize):
        run = JobRun(id=f"m-{life:05}-{number:05}", machine_id="m", started_at=NOON, updated_at=NOON)
        ended = replace(run, outcome=Outcome.COMPLETED, ended_at=NOON)
        for kind, state in ((JobEventKind.STARTED, run), (JobEventKind.FINISHED, ended)):
            counted = {str(life): Counters(completed=number + (kind is JobEventKind.FINISHED))}
            if await journal.record([state], [JobEvent(kind=kind, at=NOON, run=state)], counted):
                os.write(acknowledged, f"{state.id} {kind.value}\n".encode())


def one_life(path: Path, life: int, length_s: float) -> list[str]:
    """What was acknowledged in a life that was ended after so many seconds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        asyncio.run(live(path, life, writing))
    os.close(writing)
    time.sleep(length_s)
    os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, encoding="utf-8") as lines:
        said = lines.read().splitlines()
    _, status = os.waitpid(child, 0)
    if os.WTERMSIG(status) != signal.SIGKILL:
        raise SystemExit(f"life {life} ended by itself: status {status}")
    return said


def check(path: Path, life: int, acknowledged: list[str]) -> None:
    """Open it as the next life would, and look for everything."""
    disk = Disk(path)
    try:
        found = {
            f"{event.run.id} {event.kind.value}"
            for event in disk.events(None, NEVER, FOREVER, 2 * len(acknowledged) + 10)
            if isinstance(event, JobEvent)
        }
        missing = [line for line in acknowledged if line not in found]
        finished = [line.split()[0] for line in acknowledged if line.endswith("finished")]
        open_ones = [run_id for run_id in finished if (run := disk.run(run_id)) is None or run.is_open]
        if missing or open_ones:
            raise SystemExit(f"lost: {missing}, not ended: {open_ones}")
        counted = disk.counters(str(life)) or Counters()
        if counted.completed < len(finished):
            raise SystemExit(f"{len(finished)} were completed, and {counted.completed} counted")
    finally:
        disk.close()
    if list(path.parent.glob("*.bad-*")):
        raise SystemExit("a journal was found damaged")


def main(path: Path, lives: int, seed: int) -> None:
    dice, total = Random(seed), 0
    for life in range(lives):
        acknowledged = one_life(path, life, dice.uniform(0, LONGEST_LIFE_S))
        check(path, life, acknowledged)
        total += len(acknowledged)
    print(total)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
