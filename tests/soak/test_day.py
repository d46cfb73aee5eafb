"""A day of twenty printers in a few minutes: real pollers, sources, sessions and loopback HTTP, in virtual time.

EDGE_AGENT_SOAK_INTERVAL_S sets the interval of an operational machine (the idle one is five times as long). Ten
seconds is for every day; 1, the default of the agent, is for nights: 1.5 million cycles. EDGE_AGENT_SOAK_SEED makes
another day of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from edge_agent.health import Health
from edge_agent.model import DEFAULT_STATE_TABLE, Machine
from edge_agent.poller import Poller, Polling
from edge_agent.secret import Secret
from edge_agent.session import open_session
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from tests.double import KEY, OctoPrintDouble
from tests.soak.asked import IDLE_INTERVALS
from tests.soak.inspector import DEADLINE_S, CountingLog, Inspector, Means, NotingStore, means
from tests.soak.life import Figures, Life
from tests.virtual_time import now, run

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
INTERVAL_S = float(os.environ.get("EDGE_AGENT_SOAK_INTERVAL_S", "10"))
SEED = int(os.environ.get("EDGE_AGENT_SOAK_SEED", "1"))
HOURS = 24
WARM_UP_HOURS = 4
VERSIONS = ("1.11.8",) * 17 + ("1.9.3", "1.3.6", "2.0.0rc7")
"""Of the doubles; more of those that keep connections, since the others cost the test twice the time."""


@contextmanager
def counted_log() -> Iterator[CountingLog]:
    """The agent's log and asyncio's complaints, counted and kept nowhere."""
    counting = CountingLog()
    loggers = [logging.getLogger(name) for name in ("edge_agent", "asyncio")]
    for logger in loggers:
        logger.addHandler(counting)
        logger.propagate = False
        logger.setLevel(logging.INFO)
    try:
        yield counting
    finally:
        for logger in loggers:
            logger.removeHandler(counting)
            logger.propagate = True
            logger.setLevel(logging.NOTSET)


class Day:
    """Twenty printers, their pollers, and what happens to them."""

    def __init__(self) -> None:
        self.figures = Figures()
        self.store = NotingStore()
        self.health = Health(monotonic=asyncio.get_running_loop().time)
        self.lives: dict[str, Life] = {}
        self.means: list[Means] = []
        self.inspector: Inspector

    async def pass_by(self) -> None:
        """From the first hour to the last."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(open_session())
            sources: dict[str, OctoPrint] = {}
            for number, version in enumerate(VERSIONS):
                double = await stack.enter_async_context(OctoPrintDouble(version, clock=now))
                dice = random.Random(f"{SEED} {number}")
                name = f"machine-{number}"
                self.lives[name] = Life(double, dice, self.figures, interval_s=INTERVAL_S)
                options = OctoPrintOptions(url=double.url, api_key=Secret(KEY))
                sources[name] = OctoPrint(options, session=session, now=now, monotonic=asyncio.get_running_loop().time)
            self.store.lives = self.lives
            async with asyncio.TaskGroup() as tasks:
                await self._hours(tasks, sources)
                # Those of the session and of the doubles are not in the group, and stay for their owners.
                for task in self._tasks:
                    task.cancel()

    async def _hours(self, tasks: asyncio.TaskGroup, sources: dict[str, OctoPrint]) -> None:
        pollers = {name: tasks.create_task(self._poller(name, source).run()) for name, source in sources.items()}
        self.inspector = Inspector(
            self.lives, store=self.store, health=self.health, pollers=pollers, interval_s=INTERVAL_S
        )
        self._tasks = [*pollers.values(), tasks.create_task(self.inspector.run())]
        for life in self.lives.values():
            self._tasks += [tasks.create_task(life.prints()), tasks.create_task(life.suffers())]
        for _ in range(HOURS):
            await asyncio.sleep(3600)
            self.means.append(means(self.lives))
        self.inspector.look()
        for life in self.lives.values():
            life.end()

    def _poller(self, name: str, source: OctoPrint) -> Poller:
        url = self.lives[name].double.url
        return Poller(
            machine=Machine(id=name, name=None, address=url, url=url, kind="octoprint", mes_ids=()),
            source=source,
            store=self.store,
            health=self.health,
            polling=Polling(interval_s=INTERVAL_S, idle_interval_s=IDLE_INTERVALS * INTERVAL_S, timeout_s=DEADLINE_S),
            states=DEFAULT_STATE_TABLE,
            now=now,
            dice=random.Random(f"{SEED} {name}"),
            offset_s=random.Random(f"{SEED} offset {name}").uniform(0, INTERVAL_S),
        )

    @property
    def growth(self) -> tuple[Means, Means]:
        """What the process held after warming up and at the end; each the least of a few hours, which vary."""
        return _least(self.means[WARM_UP_HOURS : WARM_UP_HOURS + 4]), _least(self.means[-4:])


def _least(hours: list[Means]) -> Means:
    return Means(**{name: min(getattr(hour, name) for hour in hours) for name in Means.__dataclass_fields__})


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_day_of_twenty_printers_leaves_everything_as_it_was_and_never_a_false_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def main() -> Day:
        day = Day()
        await day.pass_by()
        return day

    began, cpu = time.monotonic(), time.process_time()
    with counted_log() as log:
        day = run(main, start=START)
    with capsys.disabled():
        print(_summary(day, log, time.monotonic() - began, time.process_time() - cpu))
    figures = day.figures
    assert log.errors == []
    assert figures.recoveries >= figures.faults.total() - len(VERSIONS)
    assert log.lines["WARNING"] <= 1.5 * figures.faults.total(), "once a condition, not once a poll"
    assert log.lines["INFO"] <= figures.state_changes + figures.recoveries + len(VERSIONS)
    assert day.health._heartbeats == {}
    _check_means(day)
    _check_that_it_was_a_day(day)


def _check_means(day: Day) -> None:
    warm, end = day.growth
    assert end.blocks - warm.blocks < 2000, "less than one object for a hundred cycles"
    assert end.resident_bytes - warm.resident_bytes < 8 << 20
    assert end.tasks <= warm.tasks + 3
    assert end.timers <= warm.timers + 20
    assert end.connections <= 2 * len(VERSIONS)
    assert end.observations <= warm.observations + 3


def _check_that_it_was_a_day(day: Day) -> None:
    """A soak in which nothing happened proves nothing."""
    figures, inspector = day.figures, day.inspector
    assert len(figures.faults) == 11
    assert len(figures.nuisances) == 4
    assert figures.state_changes > 50 * len(VERSIONS)
    assert figures.cycles > 0.5 * HOURS * 3600 / (INTERVAL_S * 2) * len(VERSIONS)
    assert inspector.faulty_looks > 0.02 * inspector.looks
    assert inspector.settled_looks > 0.3 * inspector.looks


def _summary(day: Day, log: CountingLog, wall_s: float, cpu_s: float) -> str:
    figures, (warm, end) = day.figures, day.growth
    return (
        f"\na day of {len(VERSIONS)} printers at {INTERVAL_S:g} s in {wall_s:.0f} s ({cpu_s:.0f} s of CPU): "
        f"{figures.cycles} cycles without fault, {figures.requests} requests, {figures.state_changes} state changes, "
        f"{figures.faults.total()} faults {dict(sorted(figures.faults.items()))}, "
        f"{figures.nuisances.total()} nuisances, "
        f"{figures.recoveries} recoveries, the slowest after {figures.slowest_recovery_s:.1f} s; "
        f"{day.inspector.looks} looks ({day.inspector.settled_looks} at settled, {day.inspector.faulty_looks} at "
        f"unreachable machines); {dict(log.lines)} log lines; "
        f"memory blocks {warm.blocks} -> {end.blocks}, resident {warm.resident_bytes >> 10} -> "
        f"{end.resident_bytes >> 10} KiB, tasks {warm.tasks} -> {end.tasks}, timers {warm.timers} -> {end.timers}, "
        f"connections {warm.connections} -> {end.connections}, observations {warm.observations} -> {end.observations}"
    )
