"""What all checks look at: files, configuration, unit, and whom to ask. Read once, before the checks begin."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from ...computer import Computer, computer
from ...config import Config, ConfigFileError, Problem, Severity, load
from ...errors import UnavailableError
from ...sinks.http.options import HttpOptions
from ...sinks.http.report import AgentReport
from ..asking import get, this_computers
from ..check import Probe
from .commands import Ask, ask
from .rights import agents_rights, is_agents

UNIT = "edge-agent.service"
_PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "StatusText", "NRestarts", "MainPID", "User"),
    *("WatchdogUSec", "ExecMainStatus", "ActiveEnterTimestamp", "NeedDaemonReload", "MemoryCurrent", "MemoryHigh"),
)
_CREDENTIALS = Path("/run/credentials") / UNIT
_NOT_FOR_US = "may not be read by this user"
ADMISSION_S = 4.0
"""How long what is asked before the checks may take."""


T = TypeVar("T")


class Aside(Generic[T]):
    """Something that is asked in a thread of its own, which nobody waits for at the end."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._answers: list[T] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(call()), daemon=True)
        self._thread.start()

    def result(self, deadline: float, *, otherwise: T) -> T:
        """The answer, if it comes before ``deadline`` of the monotonic clock."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return self._answers[0] if self._answers else otherwise


class Reading(Struct, frozen=True, kw_only=True):
    """config.json as it is now. ``config`` is ``None`` if it cannot be used; ``problems`` then has the errors.

    ``files`` are those that count: config.json, and what it names. ``missing``: it is not there. ``hidden``: it, or a
    secret that it names, is not for this user to read.
    """

    config: Config | None = None
    problems: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()
    missing: bool = False
    hidden: bool = False


class Patient(Struct, frozen=True, kw_only=True):
    """What a check is given. ``unit`` is what systemd says of the agent's unit, empty without systemd.

    ``agent`` is what the running agent says of itself, ``None`` if it does not answer, and ``silence`` why. ``probe``
    asks one printer, ``ask`` a program of the system. ``default_config``: nobody has named the file, so it may be
    missing.
    """

    config_path: Path
    state_dir: Path
    default_config: bool
    reading: Reading
    computer: Computer
    unit: Mapping[str, str]
    agent: AgentReport | None
    silence: str
    probe: Probe
    ask: Ask
    now: datetime
    root: bool

    @property
    def secrets(self) -> list[str]:
        """What must not be in a finding."""
        config = self.reading.config
        if config is None:
            return []
        found = [*(machine.key for machine in config.machines), *(user.password for user in config.opcua.users)]
        found += [user.password for user in config.http.users]
        return [secret.reveal() for secret in found if secret is not None]

    @property
    def runs(self) -> bool:
        """The agent runs: its unit does, or it answers."""
        return self.unit.get("ActiveState") in {"active", "activating", "reloading"} or self.agent is not None


def admit(
    *,
    config_path: Path,
    state_dir: Path,
    default_config: bool,
    probe: Probe,
    ask: Ask = ask,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Patient:
    """Read what all checks need; takes `ADMISSION_S` where somebody does not answer."""
    if default_config or is_agents(config_path, state_dir):
        with agents_rights(state_dir):
            reading = read(config_path, state_dir)
    else:
        reading = read(config_path, state_dir)  # somebody's own, which the agent may not see
    asked = Aside(lambda: unit(ask))
    told = Aside(lambda: _agent(reading.config.http if reading.config else HttpOptions()))
    deadline = time.monotonic() + ADMISSION_S
    agent, silence = told.result(deadline, otherwise=(None, f"no answer from the agent in {ADMISSION_S:g} s"))
    return Patient(
        config_path=config_path,
        state_dir=state_dir,
        default_config=default_config,
        reading=reading,
        computer=computer(),
        unit=asked.result(deadline, otherwise={}),
        agent=agent,
        silence=silence,
        probe=probe,
        ask=ask,
        now=now(),
        root=os.geteuid() == 0,
    )


def read(config_path: Path, state_dir: Path) -> Reading:
    """The configuration, or all that is wrong with it; nothing is written."""
    try:
        config_path.lstat()
    except FileNotFoundError:
        return Reading(missing=True)
    except OSError:
        pass  # load() knows the words for it
    try:
        with _credentials():
            config = load(config_path, state_dir=state_dir, remember=False)
    except ConfigFileError as error:
        errors = [problem.text for problem in error.problems if problem.severity is Severity.ERROR]
        # Of root's own file that is a fault, of another's it is as it should be.
        hidden = os.geteuid() != 0 and all(_NOT_FOR_US in text for text in errors)
        return Reading(problems=error.problems, files=error.watched_files, hidden=hidden)
    return Reading(config=config, problems=config.warnings, files=config.watched_files)


@contextmanager
def _credentials() -> Iterator[None]:
    """The keys that systemd shows to the agent alone, and to root: a key among them is not missing."""
    added = "CREDENTIALS_DIRECTORY" not in os.environ and os.access(_CREDENTIALS, os.R_OK | os.X_OK)
    if added:
        os.environ["CREDENTIALS_DIRECTORY"] = str(_CREDENTIALS)
    try:
        yield
    finally:
        if added:
            del os.environ["CREDENTIALS_DIRECTORY"]


def unit(ask: Ask) -> dict[str, str]:
    """What systemd says of the agent's unit; empty without systemd."""
    said = ask("systemctl", "show", UNIT, "--no-pager", "--property", ",".join(_PROPERTIES))
    if said is None or said.code:
        return {}
    return {key: value for key, _, value in (line.partition("=") for line in said.text.splitlines()) if value}


def _agent(options: HttpOptions) -> tuple[AgentReport | None, str]:
    """What the running agent says of itself, or why it says nothing."""
    try:
        status, body = get(this_computers(options), "/api/v1/agent", timeout_s=ADMISSION_S)
    except UnavailableError as error:
        return None, str(error)
    try:
        return msgspec.json.decode(body, type=AgentReport), ""
    except msgspec.DecodeError:
        return None, f"another program, or another version of the agent, answers at port {options.port} (HTTP {status})"
