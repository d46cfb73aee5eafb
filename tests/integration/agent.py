"""The agent as its users run it: a process of its own, started by the command, fed by files and signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PASSWORD = "reader's password"
START_S = 30.0


class AgentProcess:
    """One ``edge-agent run``, on loopback, with folders of its own.

    Attributes:
        config_path: its config.json; `configure` writes it.
        log_path: what it wrote to standard error.
        port: its OPC UA port, through all its restarts.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config_path = folder / "config.json"
        self.log_path = folder / "agent.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "password.txt").write_text(PASSWORD)
        (folder / "password.txt").chmod(0o600)

    def configure(self, machines: list[Mapping[str, Any]], *, anonymous: bool = False, **sections: Any) -> None:
        """Write config.json with these machines and a user ``reader``."""
        opcua = {
            "port": self.port,
            "bind": "127.0.0.1",
            "hostname": "127.0.0.1",
            "anonymous": anonymous,
            "users": [{"name": "reader", "password_file": "password.txt"}],
        }
        temporary = self.config_path.with_suffix(".new")
        http = {"enabled": False}
        temporary.write_text(json.dumps({"machines": machines, "opcua": opcua, "http": http, **sections}, indent=2))
        temporary.replace(self.config_path)

    def secret(self, name: str, key: str) -> str:
        """Write a secret file beside config.json; the result is what config.json calls it."""
        path = self.folder / f"{name}.txt"
        path.write_text(key + "\n")
        path.chmod(0o600)
        return path.name

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it and wait until its endpoint listens."""
        process = self._launch()
        deadline = time.monotonic() + START_S
        while not await listens(self.port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the agent did not come up:\n{self.log}")
            await asyncio.sleep(0.05)

    async def exit_code(self) -> int:
        """Start it, expecting it to end by itself; the result is its exit code."""
        process = self._launch()
        self._process = None
        try:
            return await asyncio.to_thread(process.wait, START_S)
        finally:
            process.kill()

    def _launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "edge_agent", "run"]
        command += ["--config", str(self.config_path), "--state-dir", str(self.state_dir)]
        environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        return self._process

    async def stop(self) -> int | None:
        """End it with SIGTERM; the result is its exit code."""
        if self._process is None:
            return None
        self._process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self._process.wait, 20)
        self._process = None
        return code

    async def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait, 20)
            self._process = None

    def reload(self) -> None:
        """SIGHUP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    @property
    def state_dir(self) -> Path:
        """Where it keeps what must survive a restart."""
        return self.folder / "state"

    @property
    def log(self) -> str:
        """Everything it has logged, over all its starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


def machine(url: str, secret: str, **more: Any) -> dict[str, Any]:
    """A machine object as the Aggregator 1.2 and later writes it."""
    return {"type": "OCTOPRINT", "url": url, "authentication_file_path": secret, "mes_id": [1]} | more


async def listens(port: int) -> bool:
    """Somebody accepts connections there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
