"""What systemd hears, on a socket like its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sdnotify

from edge_agent.health import Health
from edge_agent.watchdog import Watchdog, watchdog_interval_s
from tests import virtual_time

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
OWN_PID = str(os.getpid())


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self._messages: list[str] = []

    def hear(self) -> None:
        """Take over what was said; its queue is short, and whoever finds it full waits."""
        with suppress(BlockingIOError):
            while True:
                self._messages.append(self.socket.recv(4096).decode())

    def heard(self) -> list[str]:
        """Everything said since the last call."""
        self.hear()
        messages, self._messages = self._messages, []
        return messages


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    listening = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield listening
    listening.socket.close()


class Agent:
    """An agent with one part, watched."""

    def __init__(self, *, interval_s: float | None = 10.0) -> None:
        self.health = Health(monotonic=asyncio.get_running_loop().time)
        self.heartbeat = self.health.register("poller of a", deadline_s=60)
        self.ready = asyncio.Event()
        self.status = "3 of 3 machines reachable"
        self.notifier = sdnotify.SystemdNotifier()
        self.watchdog = Watchdog(
            health=self.health, status=lambda: self.status, notifier=self.notifier, interval_s=interval_s
        )


@asynccontextmanager
async def running(agent: Agent) -> AsyncIterator[None]:
    task = asyncio.create_task(agent.watchdog.run(agent.ready))
    try:
        await asyncio.sleep(0)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if agent.notifier.socket is not None:
            agent.notifier.socket.close()


def watched(
    systemd: Systemd | None, test: Callable[[Agent], Awaitable[None]], *, interval_s: float | None = 10.0
) -> None:
    """Run a test on a watched agent, in virtual time."""

    async def run() -> None:
        agent = Agent(interval_s=interval_s)
        if systemd is not None:
            asyncio.get_running_loop().add_reader(systemd.socket, systemd.hear)
        async with running(agent):
            await test(agent)
        if systemd is not None:
            asyncio.get_running_loop().remove_reader(systemd.socket)

    virtual_time.run(run, start=START)


def test_ready_is_said_only_once_the_agent_is(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        await asyncio.sleep(3600)
        assert systemd.heard() == []
        agent.heartbeat.beat()
        agent.ready.set()
        await asyncio.sleep(1)
        assert systemd.heard() == ["READY=1", "STATUS=3 of 3 machines reachable", "WATCHDOG=1"]

    watched(systemd, test)


def test_a_sign_of_life_is_given_at_each_interval_and_ready_but_once(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(1)
        systemd.heard()
        for count in range(5):
            agent.status = f"{count} of 3 machines reachable"
            agent.heartbeat.beat()
            await asyncio.sleep(10)
            assert systemd.heard() == [f"STATUS={count} of 3 machines reachable", "WATCHDOG=1"]

    watched(systemd, test)


def test_no_sign_of_life_is_given_while_a_part_is_late_and_it_is_named(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(65)
        systemd.heard()
        await asyncio.sleep(30)
        heard = systemd.heard()
        assert len(heard) == 3
        assert all(line.startswith("STATUS=poller of a made no progress for") for line in heard)
        agent.heartbeat.beat()
        await asyncio.sleep(10)
        assert systemd.heard() == ["STATUS=3 of 3 machines reachable", "WATCHDOG=1"]

    watched(systemd, test)


def test_being_late_is_logged_when_it_begins_and_not_each_time(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(300)
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "poller of a" in caplog.text
        agent.heartbeat.beat()
        await asyncio.sleep(10)
        assert len(caplog.records) == 1
        await asyncio.sleep(300)
        assert len(caplog.records) == 2

    watched(systemd, test)
    assert systemd.heard()[-1] == "STOPPING=1"


def test_another_part_being_late_is_logged_too(systemd: Systemd, caplog: pytest.LogCaptureFixture) -> None:
    async def test(agent: Agent) -> None:
        agent.health.register("poller of b", deadline_s=200)
        agent.ready.set()
        await asyncio.sleep(300)
        assert len(caplog.records) == 2
        assert "poller of b" in caplog.records[1].getMessage()

    watched(systemd, test)
    assert systemd.heard()


def test_a_systemd_that_does_not_watch_gets_status_and_no_signs_of_life(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(11)
        heard = systemd.heard()
        assert heard[0] == "READY=1"
        assert set(heard[1:]) == {"STATUS=3 of 3 machines reachable"}
        assert len(heard) == 4

    watched(systemd, test, interval_s=None)


def test_stopping_is_said_last(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(1)

    watched(systemd, test)
    assert systemd.heard()[-1] == "STOPPING=1"


def test_an_agent_that_never_got_ready_says_nothing_at_all(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        assert not agent.ready.is_set()

    watched(systemd, test)
    assert systemd.heard() == []


def test_it_finds_the_socket_by_itself(systemd: Systemd) -> None:
    health = Health(monotonic=lambda: 0.0)
    watchdog = Watchdog(health=health, status=lambda: "well", interval_s=10.0)
    watchdog.tell()
    assert systemd.heard() == ["STATUS=well", "WATCHDOG=1"]
    assert isinstance(watchdog._notifier, sdnotify.SystemdNotifier)
    watchdog._notifier.socket.close()


@pytest.mark.timeout(5)
def test_a_systemd_too_busy_to_listen_stalls_nobody(systemd: Systemd) -> None:
    watchdog = Watchdog(health=Health(monotonic=lambda: 0.0), status=lambda: "well", interval_s=10.0)
    for _ in range(1000):
        watchdog.tell()
    assert 0 < len(systemd.heard()) < 2000
    watchdog._notifier.socket.close()  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sdnotify drops its unused socket
def test_without_systemd_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(100)

    watched(None, test, interval_s=None)


def test_a_systemd_that_went_away_does_no_harm(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(1)
        systemd.socket.close()
        await asyncio.sleep(100)

    watched(None, test)


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": OWN_PID}, 10.0),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "1500000"}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({}, None),
    ],
)
def test_the_interval_is_a_third_of_what_systemd_allows_this_process(
    environment: dict[str, str], interval_s: float | None
) -> None:
    assert watchdog_interval_s(environment) == interval_s
