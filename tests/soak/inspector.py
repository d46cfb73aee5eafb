"""Looks, again and again, whether what the agent says is true, and whether it lives within its means."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from resource import getpagesize
from typing import Never

from edge_agent.health import Health
from edge_agent.model import DEFAULT_STATE_TABLE, MachineState, MesStatus, Quality
from edge_agent.observation import Observation
from edge_agent.store import Store
from tests.soak.asked import IDLE_INTERVALS
from tests.soak.life import Life
from tests.virtual_time import VirtualTimeLoop

LOOK_EVERY_S = 17.3  # in step with no interval
DEADLINE_S = 8.0
STALE_INTERVALS = 3  # written down here again: a promise is not to be read from the code that keeps it
SILENT_S = 60.0
LONGEST_CYCLE = timedelta(seconds=1)  # an answer may be that much older than its observation
MOST_CONNECTIONS = 2


class NotingStore(Store):
    """Tells each life what is said of it."""

    def __init__(self) -> None:
        super().__init__()
        self.lives: dict[str, Life] = {}
        self.published = 0

    def publish(self, observation: Observation) -> None:
        """As ever."""
        super().publish(observation)
        self.published += 1
        self.lives[observation.machine.id].heard(observation)


class CountingLog(logging.Handler):
    """Counts lines instead of keeping them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Counter[str] = Counter()
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        self.lines[record.levelname] += 1
        if record.levelno >= logging.ERROR:
            self.errors.append(self.format(record))


@dataclass(frozen=True)
class Means:
    """What the process holds at one moment."""

    blocks: int
    resident_bytes: int
    tasks: int
    timers: int
    connections: int
    observations: int


class Inspector:
    """Compares what is said with what is."""

    def __init__(
        self,
        lives: Mapping[str, Life],
        *,
        store: Store,
        health: Health,
        pollers: Mapping[str, asyncio.Task[Never]],
        interval_s: float,
    ) -> None:
        self._lives = lives
        self._store = store
        self._health = health
        self._pollers = pollers
        self._interval_s = interval_s
        self.looks = 0
        self.settled_looks = 0
        self.faulty_looks = 0

    async def run(self) -> Never:
        """Look for ever; raises at the first lie."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Look once at everything."""
        assert self._health.late() == []
        for machine_id, life in self._lives.items():
            assert not self._pollers[machine_id].done(), f"the poller of {machine_id} ended"
            assert len(life.double.open_connections) <= MOST_CONNECTIONS
            observation = self._store.latest(machine_id)
            assert observation is not None
            self.looks += 1
            life.asked.drain()
            _contradicts_itself_nowhere(observation)
            if life.fault:
                self._is_honest_about_a_fault(life, observation)
            else:
                self._is_right(life, observation)

    def _is_honest_about_a_fault(self, life: Life, said: Observation) -> None:
        self.faulty_looks += 1
        since_s = _time() - life.fault_since
        stale_s = STALE_INTERVALS * said.poll_interval_s
        if since_s > stale_s:
            assert said.quality is not Quality.GOOD, (since_s, life.fault, said)
        if since_s > max(SILENT_S, stale_s):
            assert said.quality in {Quality.NO_COMMUNICATION, Quality.ACCESS_DENIED}, (since_s, life.fault, said)
            assert said.mes_status is MesStatus.OFFLINE, (since_s, life.fault, said)
        if since_s > said.poll_interval_s + DEADLINE_S:
            assert not said.reachable, (since_s, life.fault, said)
            assert (said.quality is Quality.ACCESS_DENIED) == (life.fault == "403"), (since_s, life.fault, said)

    def _is_right(self, life: Life, said: Observation) -> None:
        snapshot = said.snapshot
        if said.quality is Quality.GOOD and snapshot and snapshot.observed_at > life.changed_at_utc + LONGEST_CYCLE:
            assert snapshot.state is life.state, (life.state, said)
            assert _same(snapshot.job.progress_ratio, life.progress_ratio), (life.progress_ratio, said)
        since_s = _time() - max(life.changed_at, life.asked.since)
        noticed_after_s = 1.0 + self._interval_s * (IDLE_INTERVALS if life.seldom_asked else 1)
        if not life.fit or since_s <= noticed_after_s:
            return
        self.settled_looks += 1
        assert said.quality is Quality.GOOD, (life.state, said)
        assert said.reachable, (life.state, said)
        assert snapshot, (life.state, said)
        assert snapshot.state is life.state, (life.state, said)
        assert said.mes_status is DEFAULT_STATE_TABLE.rows[life.state].mes_status, (life.state, said)
        assert (snapshot.error != "") == (life.state is MachineState.FAULT), (life.state, said)


def _contradicts_itself_nowhere(said: Observation) -> None:
    assert said.reachable == (said.error == "" and said.snapshot is not None), said
    if said.quality is Quality.GOOD:
        assert said.snapshot is not None, said
        assert said.temperature_quality is Quality.GOOD, said
    else:
        assert said.temperature_quality is said.quality, said


def _same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else math.isclose(one, other)


def _time() -> float:
    return asyncio.get_running_loop().time()


def means(lives: Mapping[str, Life]) -> Means:
    """What the process holds now, rubbish put out."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Means(
        blocks=sys.getallocatedblocks(),
        resident_bytes=pages * getpagesize(),
        tasks=len(asyncio.all_tasks()),
        timers=len([timer for timer in loop._scheduled if not timer.cancelled()]),  # type: ignore[attr-defined]
        connections=sum(len(life.double.open_connections) for life in lives.values()),
        observations=sum(isinstance(thing, Observation) for thing in gc.get_objects()),
    )
