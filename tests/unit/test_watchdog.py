"""What systemd hears, on a socket like its own."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sdnotify

from edge_agent.health import Health
from edge_agent.watchdog import LONGEST_START_S, Watchdog, say_status, watchdog_interval_s
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

    def __init__(self, *, interval_s: float | None = 5.0) -> None:
        self.health = Health(monotonic=asyncio.get_running_loop().time)
        self.heartbeat = self.health.register("poller of a", kind="a poller", deadline_s=60, first_s=20)
        self.ready = asyncio.Event()
        self.status = "3 of 3 machines reachable"
        self.notifier = sdnotify.SystemdNotifier()
        self.late: list[list[str]] = []
        self.turns = 0
        self.watchdog = Watchdog(
            health=self.health,
            status=lambda: self.status,
            notifier=self.notifier,
            interval_s=interval_s,
            on_late=lambda late: self.late.append([one.for_everybody for one in late]),
            on_turn=self.turn,
        )

    def turn(self) -> None:
        self.turns += 1

    def get_ready(self) -> None:
        self.heartbeat.beat()
        self.ready.set()


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
    systemd: Systemd | None, test: Callable[[Agent], Awaitable[None]], *, interval_s: float | None = 5.0
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


MORE_TIME = ["EXTEND_TIMEOUT_USEC=30000000", "STATUS=starting: poller of a"]


def test_ready_is_said_only_once_the_endpoint_answers_and_every_machine_had_its_first_cycle(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        await asyncio.sleep(2)
        assert systemd.heard() == MORE_TIME
        agent.ready.set()
        await asyncio.sleep(2)
        assert systemd.heard() == []
        agent.heartbeat.beat()
        await asyncio.sleep(0.5)
        assert systemd.heard() == ["READY=1", "STATUS=3 of 3 machines reachable", "WATCHDOG=1"]

    watched(systemd, test)


def test_a_machine_without_a_first_cycle_is_waited_for_until_its_deadline(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.ready.set()
        await asyncio.sleep(19)
        assert systemd.heard() == MORE_TIME * 4
        await asyncio.sleep(2)
        assert systemd.heard()[0] == "READY=1"

    watched(systemd, test)


def test_a_part_that_is_known_only_later_is_waited_for_as_well(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        await asyncio.sleep(1)
        endpoint = agent.health.register("OPC UA port", deadline_s=60)
        agent.get_ready()
        await asyncio.sleep(500)
        assert "READY=1" not in systemd.heard()
        endpoint.beat()
        await asyncio.sleep(1)
        assert systemd.heard()[0] == "READY=1"

    watched(systemd, test)


def test_all_that_has_to_be_settled_is_waited_for(systemd: Systemd) -> None:
    async def run() -> None:
        agent = Agent()
        agent.heartbeat.beat()
        other = asyncio.Event()
        task = asyncio.create_task(agent.watchdog.run(agent.ready, other))
        agent.ready.set()
        await asyncio.sleep(1)
        assert systemd.heard() == ["EXTEND_TIMEOUT_USEC=30000000", "STATUS=starting"]
        other.set()
        await asyncio.sleep(1)
        assert systemd.heard()[0] == "READY=1"
        task.cancel()
        await asyncio.wait([task])
        agent.notifier.socket.close()

    virtual_time.run(run, start=START)


def test_a_start_that_takes_ten_minutes_is_stuck_and_gets_no_more_time(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        await asyncio.sleep(LONGEST_START_S + 1)
        asked = [message for message in systemd.heard() if message.startswith("EXTEND_TIMEOUT_USEC=")]
        assert len(asked) == LONGEST_START_S / 5
        await asyncio.sleep(60)
        assert set(systemd.heard()) == {"STATUS=starting"}
        assert agent.turns > LONGEST_START_S / 5  # the event loop is not what stands still

    watched(systemd, test)


def test_a_sign_of_life_is_given_at_each_interval_and_ready_but_once(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.get_ready()
        await asyncio.sleep(1)
        systemd.heard()
        for count in range(5):
            agent.status = f"{count} of 3 machines reachable"
            agent.heartbeat.beat()
            await asyncio.sleep(5)
            assert systemd.heard() == [f"STATUS={count} of 3 machines reachable", "WATCHDOG=1"]

    watched(systemd, test)


def test_a_status_in_any_script_arrives_as_it_is_and_one_of_many_lines_as_its_first(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.status = "歯車: Müller\nREADY=1"
        agent.get_ready()
        await asyncio.sleep(1)
        assert systemd.heard()[-2:] == ["STATUS=歯車: Müller", "WATCHDOG=1"]

    watched(systemd, test)


def test_a_reload_is_told_from_its_begin_to_its_end(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.get_ready()
        await asyncio.sleep(1)
        systemd.heard()
        before_us = time.monotonic_ns() // 1000
        with agent.watchdog.reloading():
            (reloading,) = systemd.heard()
            agent.status = "4 of 4 machines reachable"
        word, _, stamp = reloading.partition("\n")
        assert word == "RELOADING=1"
        assert before_us <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
        assert systemd.heard() == ["READY=1", "STATUS=4 of 4 machines reachable", "WATCHDOG=1"]
        with pytest.raises(OSError, match="no more"), agent.watchdog.reloading():
            raise OSError("no more")
        assert systemd.heard()[1] == "READY=1"

    watched(systemd, test)


def test_a_reload_during_the_start_does_not_make_it_ready(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        with agent.watchdog.reloading():
            pass
        assert "READY=1" not in systemd.heard()

    watched(systemd, test)


def test_no_sign_of_life_is_given_while_a_part_is_late_and_it_is_named(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.get_ready()
        await asyncio.sleep(66)
        systemd.heard()
        await asyncio.sleep(30)
        heard = systemd.heard()
        assert len(heard) == 6
        assert all(line.startswith("STATUS=poller of a made no progress for") for line in heard)
        agent.heartbeat.beat()
        await asyncio.sleep(5)
        assert systemd.heard() == ["STATUS=3 of 3 machines reachable", "WATCHDOG=1"]

    watched(systemd, test)


def test_being_late_is_logged_when_it_begins_and_not_each_time(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test(agent: Agent) -> None:
        agent.get_ready()
        await asyncio.sleep(300)
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "poller of a" in caplog.text
        assert agent.late == [["a poller made no progress for 60 s (deadline 60 s)"]]
        agent.heartbeat.beat()
        await asyncio.sleep(10)
        assert caplog.records[1].getMessage() == "poller of a: progress again"
        assert agent.late[1:] == [[]]
        await asyncio.sleep(300)
        assert len(caplog.records) == 3

    watched(systemd, test)
    assert systemd.heard()[-1] == "STOPPING=1"


def test_another_part_being_late_is_logged_too(systemd: Systemd, caplog: pytest.LogCaptureFixture) -> None:
    async def test(agent: Agent) -> None:
        agent.health.register("poller of b", deadline_s=200).beat()
        agent.get_ready()
        await asyncio.sleep(300)
        assert len(caplog.records) == 2
        assert "poller of b" in caplog.records[1].getMessage()

    watched(systemd, test)
    assert systemd.heard()


def test_a_systemd_that_does_not_watch_gets_status_and_no_signs_of_life(systemd: Systemd) -> None:
    async def test(agent: Agent) -> None:
        agent.get_ready()
        await asyncio.sleep(11)
        heard = systemd.heard()[len(MORE_TIME) :]
        assert heard[0] == "READY=1"
        assert set(heard[1:]) == {"STATUS=3 of 3 machines reachable"}
        assert len(heard) == 4

    watched(systemd, test, interval_s=None)


@pytest.mark.parametrize("is_ready", [True, False])
def test_stopping_is_said_last(systemd: Systemd, is_ready: bool) -> None:
    async def test(agent: Agent) -> None:
        if is_ready:
            agent.get_ready()
        await asyncio.sleep(1)

    watched(systemd, test)
    heard = systemd.heard()
    assert heard[-1] == "STOPPING=1"
    assert ("READY=1" in heard) is is_ready


def test_what_ends_a_start_is_told_before_anything_else_can_be(systemd: Systemd) -> None:
    say_status("ended: config.json:1:1: nothing there\nand more")
    assert systemd.heard() == ["STATUS=ended: config.json:1:1: nothing there"]


def test_it_finds_the_socket_by_itself(systemd: Systemd) -> None:
    health = Health(monotonic=lambda: 0.0)
    watchdog = Watchdog(health=health, status=lambda: "well", interval_s=10.0)
    watchdog.tell()
    assert systemd.heard() == ["STATUS=well", "WATCHDOG=1"]
    assert isinstance(watchdog._notifier, sdnotify.SystemdNotifier)
    watchdog._notifier.socket.close()


def test_what_is_said_only_once_waits_for_a_busy_systemd(systemd: Systemd) -> None:
    watchdog = Watchdog(health=Health(monotonic=lambda: 0.0), status=lambda: "well", interval_s=10.0)
    for _ in range(1000):
        watchdog.tell()
    later = threading.Timer(0.2, systemd.hear)
    later.start()
    watchdog._insist("READY=1")
    later.join()
    assert systemd.heard()[-1] == "READY=1"
    watchdog._notifier.socket.close()  # type: ignore[attr-defined]


@pytest.mark.timeout(5)
def test_a_systemd_too_busy_to_listen_stalls_nobody(systemd: Systemd) -> None:
    watchdog = Watchdog(health=Health(monotonic=lambda: 0.0), status=lambda: "well", interval_s=10.0)
    for _ in range(1000):
        watchdog.tell()
    assert 0 < len(systemd.heard()) < 2000
    watchdog._notifier.socket.close()  # type: ignore[attr-defined]


def test_without_systemd_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    watchdog = Watchdog(health=Health(monotonic=lambda: 0.0), status=lambda: "well", interval_s=None)
    watchdog.tell()
    with watchdog.reloading():
        say_status("well")


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
