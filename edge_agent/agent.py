"""The composition root: session, store, pollers, sinks and watchdog in one task group.

Floor 5. Everything is constructed here and handed on by keyword; there are no globals. A task that must not end, and
does, ends the process: systemd restarts it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from msgspec.structs import replace

from . import __version__
from .config import Config, ConfigFileError, MachineConfig
from .errors import EdgeAgentError, UnavailableError
from .health import Health
from .model import AgentStatus, StateTable
from .poller import Poller, Polling
from .session import open_session
from .sinks import Sink
from .sinks.opcua import OpcUaSink
from .sources import Source
from .sources.octoprint import OctoPrint, OctoPrintOptions
from .sources.simulated import SimulatedOptions, SimulatedPrinter
from .store import Store
from .watchdog import Watchdog, watchdog_interval_s

log = logging.getLogger(__name__)

FILE_CHECK_S = 2.0
_ASKED_TO_STOP = "asked to stop"


def utc_now() -> datetime:
    """The wall clock; the only place that reads it."""
    return datetime.now(UTC)


def _file_state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Running:
    """One machine being polled."""

    def __init__(self, config: MachineConfig, task: asyncio.Task[None]) -> None:
        self.config = config
        self.task = task


class Agent:
    """The running agent.

    ``load`` reads the configuration anew and raises `ConfigFileError`; without it there is nothing to reload.
    ``sinks`` are served beside the OPC UA endpoint.
    """

    def __init__(
        self,
        config: Config,
        *,
        state_dir: Path,
        load: Callable[[], Config] | None = None,
        sinks: Sequence[Sink] = (),
        now: Callable[[], datetime] = utc_now,
        dice: random.Random | None = None,
    ) -> None:
        self._config = config
        self._state_dir = state_dir
        self._load = load
        self._extra_sinks = sinks
        self._now = now
        self._dice = dice or random.Random()  # noqa: S311 - jitter, not cryptography
        self._refused_files: tuple[Path, ...] = ()
        self._reload_wanted = asyncio.Event()
        self.store = Store()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            EdgeAgentError: something the agent needs cannot be had.
        """
        loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(self._serve())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.cancel, _ASKED_TO_STOP)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)
        try:
            await serving
        except asyncio.CancelledError as error:
            if error.args != (_ASKED_TO_STOP,):
                raise  # nobody asked for it: that is a bug, and the process must not end as if it were fine
            log.info("stopped")
        except BaseExceptionGroup as group:
            raise _first_cause(group) from group

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        health = Health(monotonic=loop.time)
        opcua = OpcUaSink(
            self._config.opcua,
            device_uuid=device_uuid(self._state_dir),
            certificate_folder=self._state_dir / "pki",
            health=health,
        )
        watchdog = Watchdog(
            health=health,
            status=lambda: self._status_line(opcua),
            interval_s=watchdog_interval_s(os.environ),
        )
        self._publish_status(f"{len(self._config.machines)} machines")
        async with open_session() as session, asyncio.TaskGroup() as tasks:
            machines = _Machines(
                tasks, session=session, store=self.store, health=health, now=self._now, dice=self._dice
            )
            for sink in (opcua, *self._extra_sinks):
                tasks.create_task(sink.run(self.store), name=type(sink).__name__)
            tasks.create_task(watchdog.run(opcua.ready), name="watchdog")
            await machines.apply(self._config)
            await self._follow_changes(machines, opcua)

    async def _follow_changes(self, machines: _Machines, opcua: OpcUaSink) -> None:
        """Reload when told to by SIGHUP, or when a file has changed and settled."""
        loaded = seen = self._fingerprint()
        while True:
            try:
                async with asyncio.timeout(FILE_CHECK_S):
                    await self._reload_wanted.wait()
            except TimeoutError:
                previous, seen = seen, self._fingerprint()
                if seen == loaded or seen != previous:  # nothing new, or still being written
                    continue
            self._reload_wanted.clear()
            before = self._fingerprint()
            await self._reload(machines, opcua)
            seen = self._fingerprint()
            # A file that changed while it was being read differs from what it was before, and is read again.
            loaded = {path: before.get(path, state) for path, state in seen.items()}

    def _fingerprint(self) -> dict[Path, object]:
        """The state of every file the configuration came from, or would have come from."""
        return {path: _file_state(path) for path in (*self._config.watched_files, *self._refused_files)}

    async def _reload(self, machines: _Machines, opcua: OpcUaSink) -> None:
        """Take the new file over, or refuse it whole and keep the old one."""
        if self._load is None:
            return
        try:
            config = self._load()
        except ConfigFileError as error:
            self._refused_files = error.watched_files  # a secret file that is still missing heals it when it comes
            log.error("the new configuration is refused, the old one stays in force:\n%s", error)  # noqa: TRY400 - the text says it all
            self._publish_status(f"refused: {str(error).splitlines()[0]}")
            return
        for problem in config.warnings:
            log.warning("%s", problem)
        if replace(config.opcua, users=()) != replace(self._config.opcua, users=()):
            log.warning("a change under opcua other than of its users takes effect after a restart")
        self._config, self._refused_files = config, ()
        opcua.apply(config.opcua)
        await machines.apply(config)
        log.info("configuration reloaded: %d machines", len(config.machines))
        self._publish_status(f"{len(config.machines)} machines, reloaded")

    def _publish_status(self, config_status: str) -> None:
        started_at = self.store.agent.started_at if self.store.agent else self._now()
        self.store.publish_agent(
            AgentStatus(
                version=__version__,
                started_at=started_at,
                config_status=f"{self._now():%Y-%m-%dT%H:%M:%SZ} {config_status}",
            )
        )

    def _status_line(self, opcua: OpcUaSink) -> str:
        machines = self.store.observations()
        reachable = sum(observation.reachable for observation in machines)
        return f"{reachable} of {len(machines)} machines reachable, OPC UA on :{opcua.port}"


class _Machines:
    """The pollers, kept in step with the configuration."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        *,
        session: aiohttp.ClientSession,
        store: Store,
        health: Health,
        now: Callable[[], datetime],
        dice: random.Random,
    ) -> None:
        self._tasks = tasks
        self._session = session
        self._store = store
        self._health = health
        self._now = now
        self._dice = dice
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
            self._start(entry, config, offset_s=config.polling.interval_s * index / len(new))

    async def _stop(self, machine_id: str) -> None:
        task = self._running.pop(machine_id).task
        task.cancel()
        await asyncio.wait([task])

    def _start(self, entry: MachineConfig, config: Config, *, offset_s: float) -> None:
        polling = config.polling
        if entry.poll_interval_s is not None:
            polling = replace(
                polling,
                interval_s=entry.poll_interval_s,
                idle_interval_s=max(entry.poll_interval_s, polling.idle_interval_s),
            )
        poller = Poller(
            machine=entry.machine,
            source=make_source(entry.source, session=self._session, now=self._now),
            store=self._store,
            health=self._health,
            polling=polling,
            states=config.states,
            now=self._now,
            dice=self._dice,
            offset_s=offset_s,
        )
        task = self._tasks.create_task(poller.run(), name=f"poller of {entry.machine.id}")
        self._running[entry.machine.id] = _Running(entry, task)


def make_source(
    options: OctoPrintOptions | SimulatedOptions, *, session: aiohttp.ClientSession, now: Callable[[], datetime]
) -> Source:
    """The source that its options ask for."""
    monotonic = asyncio.get_running_loop().time
    if isinstance(options, SimulatedOptions):
        return SimulatedPrinter(options=options, now=now, monotonic=monotonic)
    return OctoPrint(options, session=session, now=now, monotonic=monotonic)


def device_uuid(state_dir: Path) -> str:
    """This device's identity, made at the first start and kept: it is in the namespaces that clients store.

    Raises:
        UnavailableError: the state folder cannot be used.
    """
    path = state_dir / "device-uuid"
    try:
        if path.exists():
            return str(uuid.UUID(path.read_text(encoding="ascii").strip()))
        state_dir.mkdir(parents=True, exist_ok=True)
        made = str(uuid.uuid4())
        temporary = path.with_suffix(".new")
        temporary.write_text(made + "\n", encoding="ascii")
        temporary.replace(path)
    except OSError as error:
        raise UnavailableError(
            f"state folder {state_dir}: {error.strerror}; give this user write access, or choose another by --state-dir"
        ) from error
    except ValueError as error:
        raise UnavailableError(
            f"{path} holds no UUID; restore it from a backup, or delete it to get a new one"
        ) from error
    return made


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception to end with: ours if there is one, else the first."""
    ours, others = group.split(EdgeAgentError)
    found: BaseException = ours or others or group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
