"""The composition root: session, store, pollers, sinks and watchdog in one task group.

Everything is constructed here and handed on by keyword; there are no globals. A task that must not end, and
does, ends the process: systemd restarts it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from . import __version__, told
from .admin import Admin
from .computer import computer
from .config import Config, ConfigFileError, Problem
from .errors import EdgeAgentError, UnavailableError
from .files import write_private
from .freeze import Freeze
from .health import Health, Late, prove
from .journal import Journal
from .machines import Machines
from .observation import AgentStatus
from .restarts import LastWords
from .session import ClientSession, open_session
from .sinks import Sink
from .sinks.http.about import About
from .sinks.http.setting_up import SetUp
from .sinks.opcua.options import OPEN_TO_ALL
from .sinks.opcua.server import OpcUaSink
from .store import Store
from .watchdog import Watchdog, watchdog_interval_s

log = logging.getLogger(__name__)

FILE_CHECK_S = 2.0
_ASKED_TO_STOP = "asked to stop"
_JOURNAL_EVERY_S = 60.0
_JOURNAL_DEADLINE_S = 150.0
"""A worn SD card is known to stall for a minute and to go on."""


def utc_now() -> datetime:
    """The wall clock of everything that runs."""
    return datetime.now(UTC)


def _file_state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Agent:
    """The running agent.

    ``load`` reads the configuration anew and raises `ConfigFileError`; without it there is nothing to reload. It reads
    ``config_path``, which the status page may change; without that there is nothing to set up.
    ``sinks`` are served beside the OPC UA endpoint. ``last_words`` knows why this run began, and is told of parts that
    are late; ``freeze`` is told that the event loop goes round.

    Attributes:
        stopped_by: the signal that ended it, empty if none did.
    """

    def __init__(
        self,
        config: Config,
        *,
        state_dir: Path,
        load: Callable[[], Config] | None = None,
        config_path: Path | None = None,
        sinks: Sequence[Sink] = (),
        last_words: LastWords | None = None,
        freeze: Freeze | None = None,
        now: Callable[[], datetime] = utc_now,
        dice: random.Random | None = None,
    ) -> None:
        self._config = config
        self._state_dir = state_dir
        self._load = load
        self._config_path = config_path
        self._extra_sinks = sinks
        self._last_words = last_words
        self._freeze = freeze
        self._now = now
        self._dice = dice or random.Random()  # noqa: S311 - jitter, not cryptography
        self._refused_files: tuple[Path, ...] = ()
        self._refused_for: tuple[Problem, ...] = ()
        self._reload_wanted = asyncio.Event()
        self._page_trouble: Callable[[], str] = str
        self.stopped_by = ""
        self.store = Store()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            EdgeAgentError: something the agent needs cannot be had.
        """
        loop = asyncio.get_running_loop()
        serving = asyncio.ensure_future(self._serve())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, serving, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)
        try:
            await serving
        except asyncio.CancelledError as error:
            if error.args != (_ASKED_TO_STOP,):
                raise  # nobody asked for it: that is a bug, and the process must not end as if it were fine
            log.info("stopped")
        except BaseExceptionGroup as group:
            raise _first_cause(group) from group

    @property
    def secrets(self) -> list[str]:
        """Of the configuration in force: what must not be in anything that is told."""
        config = self._config
        found = [*(entry.key for entry in config.machines), *(user.password for user in config.opcua.users)]
        found += [user.password for user in config.http.users]
        return [secret.reveal() for secret in found if secret is not None]

    def _stop(self, serving: asyncio.Future[None], number: signal.Signals) -> None:
        self.stopped_by = number.name
        serving.cancel(_ASKED_TO_STOP)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        health = Health(monotonic=loop.time)
        identity = device_uuid(self._state_dir)
        async with (
            _journal(self._state_dir) as journal,
            open_session() as session,
            self._setting_up(session) as set_up,
            asyncio.TaskGroup() as tasks,
        ):
            opcua = OpcUaSink(
                self._config.opcua,
                device_uuid=identity,
                state_dir=self._state_dir,
                health=health,
                journal=journal,
            )
            watchdog = Watchdog(
                health=health,
                status=lambda: self._status_line(opcua),
                interval_s=watchdog_interval_s(os.environ),
                on_late=self._note_late,
                on_turn=self._freeze.turn if self._freeze is not None else lambda: None,
            )
            self._publish_status(self._config.in_words, opcua)
            machines = Machines(
                tasks,
                session=session,
                store=self.store,
                journal=journal,
                health=health,
                now=self._now,
                dice=self._dice,
                device_uuid=identity,
            )
            about = self._about(opcua, health=health, journal=journal, set_up=set_up)
            for sink in (opcua, *self._page(about), *self._extra_sinks):
                tasks.create_task(sink.run(self.store), name=type(sink).__name__)
            polled = asyncio.Event()
            tasks.create_task(watchdog.run(opcua.settled, polled), name="watchdog")
            tasks.create_task(opcua.prove(), name="OPC UA port")
            journal_heartbeat = health.register("journal", deadline_s=_JOURNAL_DEADLINE_S)
            tasks.create_task(prove(journal_heartbeat, journal.prove, every_s=_JOURNAL_EVERY_S), name="journal")
            await machines.apply(self._config)
            polled.set()
            await self._follow_changes(machines, opcua, watchdog)

    def _note_late(self, late: Sequence[Late]) -> None:
        """Keep who is late, for after the restart; not on the event loop, since the disk may be the cause."""
        if self._last_words is not None:
            texts = ("; ".join(map(str, late)), "; ".join(one.for_everybody for one in late))
            asyncio.get_running_loop().run_in_executor(None, self._last_words.late, *texts)

    async def _follow_changes(self, machines: Machines, opcua: OpcUaSink, watchdog: Watchdog) -> None:
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
            with watchdog.reloading():
                await self._reload(machines, opcua)
            seen = self._fingerprint()
            # A file that changed while it was being read differs from what it was before, and is read again.
            loaded = {path: before.get(path, state) for path, state in seen.items()}

    def _fingerprint(self) -> dict[Path, object]:
        """The state of every file the configuration came from, or would have come from."""
        return {path: _file_state(path) for path in (*self._config.watched_files, *self._refused_files)}

    async def _reload(self, machines: Machines, opcua: OpcUaSink) -> None:
        """Take the new file over, or refuse it whole and keep the old one."""
        if self._load is None:
            return
        try:
            config = self._load()
        except ConfigFileError as error:
            self._refused_files = error.watched_files  # a secret file that is still missing heals it when it comes
            self._refused_for = error.problems
            log.error("the new configuration is refused, the old one stays in force:\n%s", error)  # noqa: TRY400 - the text says it all
            self._publish_status(f"refused: {str(error).splitlines()[0]}", opcua)
            return
        for problem in config.warnings:
            log.warning("%s", problem)
        if config.opcua.differs_in_more_than_users(self._config.opcua):
            log.warning("a change under opcua other than of its users takes effect after a restart")
        if not config.http.same_listener(self._config.http):
            log.warning("a change of http.port, http.bind or http.enabled takes effect after a restart")
        self._config, self._refused_files, self._refused_for = config, (), ()
        await opcua.apply(config.opcua)
        await machines.apply(config)
        log.info("configuration reloaded: %d machines", len(config.machines))
        self._publish_status(f"{config.in_words}, reloaded", opcua)

    def _about(self, opcua: OpcUaSink, *, health: Health, journal: Journal, set_up: SetUp | None) -> About:
        """Where the status page asks for what the store does not hold."""
        return About(
            endpoint=lambda: told.endpoint(opcua),
            health=health,
            journal=journal,
            node_id=opcua.node_id,
            mes_users=lambda: told.mes_users(opcua),
            sessions=lambda: told.sessions(opcua),
            config_problems=lambda: told.config_problems(self._config.warnings, self._refused_for),
            starts=lambda: told.starts(self._last_words),
            computer=computer,
            disks=told.disks(self._state_dir, Path("/")),
            admin=Admin(self._state_dir),
            set_up=set_up,
        )

    @asynccontextmanager
    async def _setting_up(self, session: ClientSession) -> AsyncIterator[SetUp | None]:
        """What the status page's guide works with, where there is a page and a file that it can write."""
        if self._config_path is None or not self._config.http.enabled:
            yield None
            return
        from .setup.room import Room  # noqa: PLC0415 - as in `_page`

        room = Room(
            config_path=self._config_path,
            state_dir=self._state_dir,
            session=session,
            in_force=lambda: self._config,
            on_written=self._reload_wanted.set,
        )
        try:
            yield room
        finally:
            await room.close()

    def _page(self, about: About) -> list[Sink]:
        """The status page, where it is wanted; what it needs is not imported otherwise."""
        if not self._config.http.enabled:
            return []
        from .sinks.http.server import HttpSink  # noqa: PLC0415 - see above

        page = HttpSink(lambda: self._config.http, about=about, now=self._now)
        self._page_trouble = lambda: page.trouble
        return [page]

    def _publish_status(self, config_status: str, opcua: OpcUaSink) -> None:
        warning = f"; {OPEN_TO_ALL}" if opcua.open_to_all else ""
        started_at = self.store.agent.started_at if self.store.agent else self._now()
        self.store.publish_agent(
            AgentStatus(
                version=__version__,
                started_at=started_at,
                config_status=f"{self._now():%Y-%m-%dT%H:%M:%SZ} {config_status}{warning}",
                config_refused=bool(self._refused_files),
                last_restart=self._last_words.restart.told if self._last_words is not None else "",
            )
        )

    def _status_line(self, opcua: OpcUaSink) -> str:
        machines = self.store.observations()
        reachable = sum(observation.reachable for observation in machines)
        endpoint = f"OPC UA on :{opcua.port}" if opcua.ready.is_set() else "OPC UA waits for the clock to be set"
        warning = f"; {OPEN_TO_ALL}" if opcua.open_to_all else ""
        doing = f"{reachable} of {len(machines)} machines reachable"
        if self._refused_files:
            doing = "config.json is refused, see: edge-agent check; " + doing
        elif self._config.missing:
            doing = self._config.in_words
        trouble = self._page_trouble()
        return f"{doing}, {endpoint}{warning}" + (f"; {trouble}" if trouble else "")


@asynccontextmanager
async def _journal(state_dir: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(state_dir / "journal.db")
    try:
        yield journal
    finally:
        await journal.close()


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
        write_private(path, f"{made}\n".encode())
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
