"""``edge-agent run`` as systemd sees it: what it hears, exit codes, and what the next start knows of the last."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.restarts import END_FILE, WORDS_FILE

KEY = "0123456789ABCDEF0123456789ABCDEF"
START_S = 40.0
CRASH = """
import sys
from edge_agent import agent
from edge_agent.cli import main
class Machines(agent.Machines):
    async def apply(self, config):
        raise LookupError(f"no machine answers to {config.machines[0].key.reveal()}")
agent.Machines = Machines
sys.exit(main())
"""
FREEZE = """
import signal, sys, time
from edge_agent.cli import main
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(60))
sys.exit(main())
"""


class Supervised:
    """A state folder, a configuration, and the agent as a process with NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "config.json"
        self.configure({"type": "OCTOPRINT", "url": "http://127.0.0.1:9", "api_key": KEY, "mes_id": [1]})
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(START_S)
        self.heard: list[str] = []

    def configure(self, *machines: object) -> None:
        opcua = {"port": 4840, "bind": "127.0.0.1"}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            opcua["port"] = free.getsockname()[1]
        self.config.write_text(json.dumps({"machines": machines, "opcua": opcua, "http": {"enabled": False}}))

    @contextmanager
    def run(self, program: str = "", *, watchdog_s: float = 30) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, *(["-c", program] if program else ["-m", "edge_agent"])]
        process = subprocess.Popen(
            [*command, "run", "--config", str(self.config), "--state-dir", str(self.state)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ
            | {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": str(int(watchdog_s * 1_000_000))},
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def hear(self, wanted: str) -> str:
        """The first message from now on that has this in it."""
        until = time.monotonic() + START_S
        while wanted not in (message := self.socket.recv(4096).decode()):
            self.heard.append(message)
            assert time.monotonic() < until, self.heard
        self.heard.append(message)
        return message

    def drain(self) -> list[str]:
        """Everything said, once the process has ended."""
        self.socket.setblocking(False)
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            self.socket.settimeout(START_S)
            return self.heard

    @property
    def restart(self) -> str:
        """Why the last run began."""
        return str(json.loads((self.state / WORDS_FILE).read_text())["restart"])


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    made = Supervised(tmp_path)
    yield made
    made.socket.close()


def test_from_ready_over_a_reload_to_a_stop_by_somebody(supervised: Supervised) -> None:
    with supervised.run() as process:
        supervised.hear("READY=1")
        assert "EXTEND_TIMEOUT_USEC=30000000" in supervised.heard
        assert supervised.hear("STATUS=").startswith("STATUS=0 of 1 machines reachable, OPC UA on :")
        supervised.hear("WATCHDOG=1")
        process.send_signal(signal.SIGHUP)
        assert supervised.hear("RELOADING=1").startswith("RELOADING=1\nMONOTONIC_USEC=")
        supervised.hear("READY=1")
        supervised.config.write_text("{")
        process.send_signal(signal.SIGHUP)
        supervised.hear("RELOADING=1")
        supervised.hear("READY=1")
        assert "config.json is refused" in supervised.hear("STATUS=")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert supervised.drain()[-1] == "STOPPING=1"
    with supervised.run() as process:
        assert process.wait(20) == 78
    assert supervised.restart == "operator: stopped by SIGTERM"
    assert supervised.drain()[-1].startswith("STATUS=ended: ")
    assert "config.json:1:2: " in supervised.heard[-1]
    with supervised.run() as process:
        assert process.wait(20) == 78
    assert supervised.restart.startswith("configuration: ")


def test_a_crash_is_known_to_the_next_start_without_the_key_it_crashed_over(supervised: Supervised) -> None:
    with supervised.run(CRASH) as process:
        assert process.wait(START_S) == 1
    with supervised.run() as process:
        supervised.hear("READY=1")
    assert supervised.restart == "crash: LookupError: no machine answers to ... (<string>:7 apply)"
    for file in (supervised.state / WORDS_FILE, supervised.state / "traceback.txt"):
        assert KEY not in file.read_text()


def test_the_call_in_which_the_event_loop_stands_still_is_known_to_the_next_start(supervised: Supervised) -> None:
    with supervised.run(FREEZE, watchdog_s=3) as process:
        supervised.hear("WATCHDOG=1")
        process.send_signal(signal.SIGUSR1)
        time.sleep(1)
        supervised.drain().clear()
        time.sleep(2)  # as long as systemd waits
        assert supervised.drain() == []
        process.send_signal(signal.SIGABRT)
        assert process.wait(20) == -signal.SIGABRT
    (supervised.state / END_FILE).write_text("watchdog killed ABRT\n")
    with supervised.run() as process:
        supervised.hear("READY=1")
    # Which call of ours it was is the moment's chance.
    assert supervised.restart.startswith("watchdog: the event loop stood still in <string>:4 <lambda>")
    assert not (supervised.state / END_FILE).exists()
