"""The machines being polled, kept in step with the configuration.

Each machine is a source, a tracker of its jobs, and a poller in a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from .chronicle import Chronicle
from .config import Config, MachineConfig
from .events import Incidents
from .health import Health
from .jobs import KEEP_RECENT, JobTracker, Outcome
from .journal import Journal
from .model import MachineState, Quality, StateTable
from .poller import Poller, Polling
from .session import ClientSession
from .sources import Source
from .sources.octoprint import OctoPrint, OctoPrintOptions
from .sources.simulated import SimulatedOptions, SimulatedPrinter
from .store import Store

log = logging.getLogger(__name__)


class _Running:
    """One machine being polled."""

    def __init__(self, config: MachineConfig, task: asyncio.Task[None]) -> None:
        self.config = config
        self.task = task


class Machines:
    """The pollers, kept in step with the configuration."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        *,
        session: ClientSession,
        store: Store,
        journal: Journal,
        health: Health,
        now: Callable[[], datetime],
        dice: random.Random,
        device_uuid: str,
    ) -> None:
        self._tasks = tasks
        self._session = session
        self._store = store
        self._journal = journal
        self._health = health
        self._now = now
        self._dice = dice
        self._device_uuid = device_uuid
        self._running: dict[str, _Running] = {}
        self._shared: tuple[Polling, StateTable] | None = None

    async def apply(self, config: Config) -> None:
        """Start, stop and restart pollers so that exactly the configured machines run; the unchanged ones go on."""
        wanted = {entry.machine.id: entry for entry in config.machines}
        shared = (config.polling, config.states)
        for machine_id, running in list(self._running.items()):
            if running.config != wanted.get(machine_id) or shared != self._shared:
                await self._stop(machine_id)
                if machine_id not in wanted:
                    self._store.remove(machine_id)
                    log.info("%s: removed", machine_id)
        self._shared = shared
        new = [entry for machine_id, entry in wanted.items() if machine_id not in self._running]
        for index, entry in enumerate(new):
            # Spread over an interval, so that machines are not asked all at the same instant.
            await self._start(entry, config, offset_s=config.polling.interval_s * index / len(new))

    async def _stop(self, machine_id: str) -> None:
        task = self._running.pop(machine_id).task
        task.cancel()
        await asyncio.wait([task])

    async def _start(self, entry: MachineConfig, config: Config, *, offset_s: float) -> None:
        polling = config.polling
        if entry.poll_interval_s is not None:
            polling = replace(
                polling,
                interval_s=entry.poll_interval_s,
                idle_interval_s=max(entry.poll_interval_s, polling.idle_interval_s),
            )
        poller = Poller(
            machine=replace(entry.machine, instance_uri=f"urn:edge-agent:{self._device_uuid}:{entry.machine.id}"),
            source=make_source(entry.source, session=self._session, now=self._now),
            store=self._store,
            health=self._health,
            polling=polling,
            states=config.states,
            now=self._now,
            dice=self._dice,
            offset_s=offset_s,
            chronicle=await self._chronicle(entry.machine.id),
        )
        task = self._tasks.create_task(poller.run(), name=f"poller of {entry.machine.id}")
        self._running[entry.machine.id] = _Running(entry, task)

    async def _chronicle(self, machine_id: str) -> Chronicle:
        """A story that goes on where the journal ends."""
        ended = await self._journal.runs(machine_id, outcomes=set(Outcome), limit=1)
        open_run = await self._journal.open_run(machine_id)
        return Chronicle(
            machine_id,
            now=self._now,
            jobs=JobTracker(machine_id, open_run=open_run, last=ended[0] if ended else None),
            journal=self._journal,
            recent=await self._journal.runs(machine_id, limit=KEEP_RECENT),
            counters=await self._journal.counters(machine_id),
            incidents=self._incidents(machine_id),
        )

    def _incidents(self, machine_id: str) -> Incidents:
        """A reload must not forget that a machine is lost or in a fault: its end is to be told as well."""
        before = self._store.latest(machine_id)
        if before is None or before.quality is Quality.WAITING:
            return Incidents(machine_id)
        faulty = before.snapshot.state is MachineState.FAULT if before.snapshot else None
        return Incidents(machine_id, reached=before.quality.usable, faulty=faulty)


def make_source(
    options: OctoPrintOptions | SimulatedOptions, *, session: ClientSession, now: Callable[[], datetime]
) -> Source:
    """The source that its options ask for."""
    monotonic = asyncio.get_running_loop().time
    if isinstance(options, SimulatedOptions):
        return SimulatedPrinter(options=options, now=now, monotonic=monotonic)
    return OctoPrint(options, session=session, now=now, monotonic=monotonic)
