"""Real OctoPrint servers, with OctoPrint's own virtual printer behind them, for the integration tests.

    async with OctoPrintServer(tmp_path / "printer", series="1") as server:
        await server.upload("part.gcode", gcode(5))
        await server.start_print("part.gcode")
        await server.wait_for_state("Printing")

A server is a process of its own, seeded without a click, on a loopback port of its own. It belongs to no event loop, so
a fixture of any scope may hold it.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from tests.integration.seeding import seed

SERIES: Final = ("1", "2")
"""The series of OctoPrint that the tests run against: the n in tests/integration/requirements-octoprint-<n>.txt."""

ADMIN: Final = "admin"
"""The user who drives the printer: every permission."""
AGENT: Final = "agent"
"""The user an agent should have: STATUS and nothing else."""
NOBODY: Final = "nobody"
"""A user who is active but may do nothing."""
LEAVER: Final = "leaver"
"""A user with STATUS, to be deactivated by a test."""

IDLE: Final = "Operational"
FAULT: Final = "Offline after error"

_READY_S: Final = 60.0
_STOP_S: Final = 15.0
_POLL_S: Final = 0.05
_REQUEST_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)


class OctoPrintError(Exception):
    """A server did not do what a test told it to do; the text says what it answered or logged instead."""


def octoprint_venvs() -> dict[str, Path]:
    """Where the installed OctoPrint servers are.

    Returns:
        The venv of each series in `SERIES`.

    Raises:
        OctoPrintError: one is missing or out of date.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-agent"
    cache = Path(os.environ.get("EDGE_AGENT_CACHE") or cache)
    return {series: _venv(series, cache) for series in SERIES}


def _venv(series: str, cache: Path) -> Path:
    requirements = (Path(__file__).parent / f"requirements-octoprint-{series}.txt").read_bytes()
    version = next(
        line.removeprefix("OctoPrint==")
        for line in requirements.decode().splitlines()
        if line.startswith("OctoPrint==")
    )
    wanted = hashlib.sha256(requirements).hexdigest()
    # OctoPrint need not run on the same Python as the tests do, but if both are there, let it.
    own = f"octoprint-{version}-py{sys.version_info.major}.{sys.version_info.minor}"
    for venv in (cache / own, *sorted(cache.glob(f"octoprint-{version}-py*"))):
        with suppress(OSError):
            if (venv / "edge-agent.stamp").read_text().strip() == wanted:
                return venv
    raise OctoPrintError(f"OctoPrint {version} is missing or out of date in {cache}: run scripts/install-octoprint")


class OctoPrintServer:
    """One OctoPrint server with one virtual printer.

    Attributes:
        basedir: its folder: config, uploads, `logs/octoprint.log`, `console.log`. It survives restarts.
        keys: the API key of each user.
        port: where it listens, on 127.0.0.1, through all its restarts.
        series: which series of OctoPrint it is.
        url: its base URL, without a trailing slash.
    """

    def __init__(
        self,
        basedir: Path,
        *,
        series: str = "1",
        extruders: int = 1,
        chamber: bool = False,
        linger_s: int = 0,
        autoconnect: bool = True,
        overlay: Mapping[str, Any] | None = None,
    ) -> None:
        """Seeds the folder; nothing runs yet.

        Args:
            basedir: a folder for this server alone; made if missing.
            series: one of `SERIES`.
            extruders: how many the printer has.
            chamber: whether the printer has a heated chamber.
            linger_s: how long Starting, Pausing, Resuming, Cancelling and Finishing last; 0 is milliseconds.
            autoconnect: whether the server connects to the printer when it starts.
            overlay: merged into config.yaml, for what has no argument here.
        """
        self.basedir = basedir
        self.series = series
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = {user: secrets.token_hex(16) for user in (ADMIN, AGENT, NOBODY, LEAVER)}
        self._venv = octoprint_venvs()[series]
        self._autoconnect = autoconnect
        self._process: subprocess.Popen[bytes] | None = None
        seed(
            basedir,
            users=_users(self.keys),
            extruders=extruders,
            chamber=chamber,
            linger_s=linger_s,
            autoconnect=autoconnect,
            overlay=overlay or {},
        )

    # Its process.

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts it and waits until it serves and, if it connects by itself, until its printer is idle."""
        try:
            self.launch()
            await self.ready()
            if self._autoconnect:
                await self.wait_for_state(IDLE, timeout_s=_READY_S)
        except BaseException:
            await self.stop()  # the caller has nothing to stop it by
            raise

    def launch(self) -> None:
        """Starts it and returns at once, so that a test can watch it come up."""
        if self._process is not None:
            raise OctoPrintError(f"{self.url} runs already")
        command = [
            str(self._venv / "bin" / "octoprint"),
            "serve",
            "--iknowwhatimdoing",  # lets containers run it as root
            *("--basedir", str(self.basedir)),
            *("--host", "127.0.0.1"),
            *("--port", str(self.port)),
        ]
        if setpriv := shutil.which("setpriv"):
            # A test session that is killed would otherwise leave its servers behind.
            command = [setpriv, "--pdeathsig", "KILL", "--", *command]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with (self.basedir / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environment,
                cwd=self.basedir,
                start_new_session=True,  # a process group of its own, frozen and ended as a whole
            )

    async def ready(self, timeout_s: float = _READY_S) -> None:
        """Waits until it serves.

        Raises:
            OctoPrintError: it ended or did not serve in time; the text ends with its last log lines.
        """
        deadline = time.monotonic() + timeout_s
        async with aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT, headers=self._headers(ADMIN)) as session:
            while time.monotonic() < deadline:
                if self._process is None or self._process.poll() is not None:
                    raise OctoPrintError(f"{self.url} ended while starting:\n{self._log_tail()}")
                # Until it serves, connections are refused or answered with something that is not HTTP.
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{self.url}/api/version") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(_POLL_S)
        raise OctoPrintError(f"{self.url} does not serve after {timeout_s} s:\n{self._log_tail()}")

    async def stop(self) -> None:
        """Ends it, politely first, whatever state it is in; a second call does nothing."""
        if self._process is None:
            return
        self.thaw()
        self._signal(signal.SIGTERM)
        try:
            await self._ended()
        except OctoPrintError:
            await self.kill()

    async def kill(self) -> None:
        """Ends it with SIGKILL, as a power cut would."""
        self._signal(signal.SIGKILL)
        await self._ended()

    async def restart(self) -> None:
        """Ends it with SIGTERM and starts it again with the same port and folder."""
        self._signal(signal.SIGTERM)
        await self._ended()
        await self.start()

    def freeze(self) -> None:
        """Makes it hang with SIGSTOP: connections are accepted and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Ends a `freeze`; what was asked meanwhile is answered now."""
        self._signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The process id, while it runs."""
        if self._process is None:
            raise OctoPrintError(f"{self.url} does not run")
        return self._process.pid

    def _signal(self, number: signal.Signals) -> None:
        # The group is ours alone and its leader is not waited for yet, so the number cannot have been reused.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def _ended(self) -> None:
        process = self._process
        deadline = time.monotonic() + _STOP_S
        while process is not None and process.poll() is None:
            if time.monotonic() > deadline:
                raise OctoPrintError(f"{self.url} (process {process.pid}) does not end:\n{self._log_tail()}")
            await asyncio.sleep(_POLL_S)
        self._process = None

    def _log_tail(self) -> str:
        return "\n".join((self.basedir / "console.log").read_text(errors="replace").splitlines()[-30:])

    # Its REST API.

    def _headers(self, user: str | None) -> dict[str, str]:
        return {} if user is None else {"X-Api-Key": self.keys.get(user, user)}

    async def request(self, method: str, path: str, *, user: str | None = ADMIN, **options: Any) -> tuple[int, Any]:
        """Asks it anything.

        Args:
            method: the HTTP method.
            path: with its leading slash.
            user: whose key to send, or an API key as it is, or None to send none.
            options: passed on to aiohttp, `json=` above all.

        Returns:
            The status, and the body: decoded if it is JSON, otherwise text.
        """
        async with (
            aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT, headers=self._headers(user)) as session,
            session.request(method, self.url + path, **options) as response,
        ):
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def _do(self, method: str, path: str, **options: Any) -> Any:
        status, body = await self.request(method, path, **options)
        if status >= 300:
            raise OctoPrintError(f"{method} {self.url}{path} was answered with {status}: {body}")
        return body

    # Its jobs.

    async def upload(self, name: str, text: str) -> str:
        """Stores a G-code file in its local folder, replacing one of the same name.

        Args:
            name: may be in a folder (made if missing) and in any script.
            text: the file's text.

        Returns:
            The path it is stored under, which OctoPrint makes of the name, and which `start_print` takes.
        """
        folder, _, filename = name.rpartition("/")
        form = aiohttp.FormData(quote_fields=False)  # OctoPrint would keep the percent signs
        form.add_field("path", folder)
        form.add_field("file", text.encode(), filename=filename, content_type="application/octet-stream")
        body = await self._do("POST", "/api/files/local", data=form)
        return str(body["files"]["local"]["path"])

    async def start_print(self, path: str) -> None:
        """Selects an uploaded file and starts printing it."""
        await self._do("POST", f"/api/files/local/{path}", json={"command": "select", "print": True})

    async def pause(self) -> None:
        """Asks it to pause the print."""
        await self._do("POST", "/api/job", json={"command": "pause", "action": "pause"})

    async def resume(self) -> None:
        """Asks it to resume the print."""
        await self._do("POST", "/api/job", json={"command": "pause", "action": "resume"})

    async def cancel(self) -> None:
        """Asks it to cancel the print."""
        await self._do("POST", "/api/job", json={"command": "cancel"})

    async def state_text(self) -> str:
        """The state of its printer in its own words, as /api/job has it."""
        body = await self._do("GET", "/api/job")
        return str(body["state"])

    async def wait_for_state(self, *texts: str, timeout_s: float = 15.0) -> str:
        """Waits until its printer is in one of some states.

        Args:
            texts: the states, in OctoPrint's words.
            timeout_s: how long to wait.

        Returns:
            The state it is in.

        Raises:
            OctoPrintError: it was in none of them in time; the text tells which states it was in instead.
        """
        seen: list[str] = []
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            text = await self.state_text()
            if text in texts:
                return text
            if text not in seen[-1:]:
                seen.append(text)
            await asyncio.sleep(_POLL_S)
        raise OctoPrintError(f"{self.url} was not in {texts} within {timeout_s} s, but in {seen}")

    # Its printer.

    async def connect(self) -> None:
        """Asks it to connect to its printer; wait for `IDLE` to know that it did."""
        await self._do("POST", "/api/connection", json={"command": "connect", "port": "VIRTUAL", "baudrate": 115200})

    async def disconnect(self) -> None:
        """Asks it to disconnect from its printer."""
        await self._do("POST", "/api/connection", json={"command": "disconnect"})

    async def command(self, *lines: str) -> None:
        """Sends lines of G-code to its printer."""
        await self._do("POST", "/api/printer/command", json={"commands": lines})

    async def debug(self, command: str) -> None:
        """Sends a debug command to the virtual printer: `go_awol`, `reset`, `send <line>`, `sleep <seconds>`, ..."""
        await self.command(f"!!DEBUG:{command}")

    async def firmware_fault(self) -> None:
        """Makes the printer halt with a thermal runaway; wait for `FAULT` to know that it did."""
        await self.debug("trigger_fatal_error_marlin")

    async def drop_serial(self) -> None:
        """Pulls the printer's cable; wait for `FAULT` to know that OctoPrint noticed."""
        await self.debug("drop_connection")

    async def silence_printer(self) -> None:
        """Makes the printer stop answering; OctoPrint takes about ten seconds to call that a `FAULT`."""
        await self.debug("go_awol")

    async def wait_for_heaters(self, *names: str, timeout_s: float = 15.0) -> dict[str, Any]:
        """Waits until its printer has reported a temperature of each of some heaters: after connecting it has none.

        Args:
            names: the heaters, in OctoPrint's words: `tool0`, `bed`, `chamber`.
            timeout_s: how long to wait.

        Returns:
            What /api/printer says of all temperatures.

        Raises:
            OctoPrintError: one of them was not reported in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            body = await self._do("GET", "/api/printer", params={"exclude": "state,sd"})
            heaters: dict[str, Any] = body["temperature"]
            if all(heaters.get(name, {}).get("actual") is not None for name in names):
                return heaters
            if time.monotonic() > deadline:
                raise OctoPrintError(f"{self.url} did not report {names} within {timeout_s} s, but {heaters}")
            await asyncio.sleep(_POLL_S)

    # Its users.

    async def activate_user(self, user: str) -> None:
        """Lets a user in again."""
        await self._do("PUT", f"/api/access/users/{user}", json={"active": True})

    async def deactivate_user(self, user: str) -> None:
        """Shuts a user out without deleting them or their key."""
        await self._do("PUT", f"/api/access/users/{user}", json={"active": False})

    async def revoke_key(self, user: str) -> None:
        """Takes a user's API key away; `keys` still has it, so that a test can go on trying it."""
        await self._do("DELETE", f"/api/access/users/{user}/apikey")

    async def issue_key(self, user: str) -> str:
        """Gives a user a new API key, in place of the old one also in `keys`."""
        body = await self._do("POST", f"/api/access/users/{user}/apikey")
        self.keys[user] = str(body["apikey"])
        return self.keys[user]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _users(keys: Mapping[str, str]) -> dict[str, Any]:
    groups = {ADMIN: ["users", "admins"]}
    permissions = {AGENT: ["STATUS"], LEAVER: ["STATUS"]}
    users = {
        user: {
            "active": True,
            "apikey": key,
            "groups": groups.get(user, []),
            "permissions": permissions.get(user, []),
            "password": "no password has this hash",
            "settings": {},
        }
        for user, key in keys.items()
    }
    return {"_version": 2, **users}
