"""Each storey of the agent is frozen, killed or broken in turn: who notices, when, and what is told after the restart.

The times are printed (``pytest -s``). To see each in seconds, systemd's patience and the parts' deadlines are shortened
here; docs/supervision.md has the real ones. What breaks the agent from inside is no part of it: `INJECTED` is a
sitecustomize that only these boxes have.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest
from asyncua import Client

from .box import SUITES, Box
from .installed import installed_box

UNIT = "edge-agent"
STATE = "/var/lib/edge-agent"
ORDER = "/run/storeys/order"
OFTEN = "STOREYS_JOURNAL_OFTEN"
WATCHDOG_S = 4
DEADLINE_S = 3

INJECTED = f"""
import asyncio, gc, os, signal, time
from pathlib import Path

if "{OFTEN}" in os.environ:  # the journal is asked, and writes, each second
    import edge_agent.agent, edge_agent.journal.journal
    edge_agent.agent._JOURNAL_EVERY_S = 1
    edge_agent.journal.journal.WRITE_EVERY_S = 0

def freeze_the_event_loop():
    time.sleep(600)

def stick_one_poller():
    from edge_agent.poller import Poller
    ask = Poller._cycle
    async def cycle(poller):
        if poller._machine.id == "one":
            await asyncio.Event().wait()
        return await ask(poller)
    Poller._cycle = cycle
    for each in of("Heartbeat"):
        if each.part == "poller of one":
            each.deadline_s = {DEADLINE_S}

def close_the_listener():
    for each in of("Heartbeat"):
        if each.part == "OPC UA port":
            each.deadline_s = {10 + DEADLINE_S}  # it is asked every 10 s
    for each in of("Listener"):
        for server in getattr(each, "_servers", ()):  # the status page has a Listener, too
            server.close()

def crash():
    from edge_agent.poller import Poller
    async def rest(poller, delay_s):
        raise LookupError(f"no entry for {{of('Secret')[0].reveal()}}")
    Poller._rest = rest

def lose_patience_with_the_journal():
    for each in of("Heartbeat"):
        if each.part == "journal":
            each.deadline_s = {DEADLINE_S}

def freeze_the_journal():
    from edge_agent.journal.disk import Disk
    Disk.touch = Disk.write = lambda *_: time.sleep(600)

def of(kind):
    return [each for each in gc.get_objects() if type(each).__name__ == kind]

signal.signal(signal.SIGUSR1, lambda *_: globals()[Path("{ORDER}").read_text()]())
"""
DROP_IN = f"""
[Service]
WatchdogSec={WATCHDOG_S}
RestartSec=1
RestartSteps=0
Environment=PYTHONPATH=/opt/storeys
"""
KEY = "0123456789ABCDEF0123456789ABCDEF"
CONFIG = {
    "machines": [
        {"type": "OCTOPRINT", "url": f"http://127.0.0.1:{port}", "api_key": KEY, "mes_id": [1], "custom_name": name}
        for name, port in (("One", 9), ("Two", 10))
    ],
    "opcua": {"anonymous": True, "bind": "127.0.0.1"},
}


class Storeys(Box):
    """A box in which the agent runs and can be broken from inside."""

    ended_after_s = 0.0

    def agent_runs(self) -> bool:
        return self.show(UNIT, "ActiveState") == "active" and self.show(UNIT, "SubState") == "running"

    def start_agent(self) -> None:
        self.run("systemctl", "start", UNIT)
        assert self.agent_runs()

    def order(self, what: str) -> None:
        """Break it from inside."""
        self.write(ORDER, what)
        self.run("kill", "-USR1", str(self.main_pid(UNIT)))

    def restart_after(self, harm: Callable[[], object], *, within_s: float = 60.0) -> str:
        """Do harm, wait for the restart, print how long it took, and give back the reason that a client reads."""
        before = self.main_pid(UNIT)
        began = time.monotonic()
        harm()
        self.wait_until(lambda: self.main_pid(UNIT) != before, "it ended", within_s=within_s)
        self.ended_after_s = time.monotonic() - began
        self.wait_until(
            lambda: self.main_pid(UNIT) not in {0, before} and self.agent_runs(), "it runs again", within_s=within_s
        )
        reason = self.reason()
        ready_s = time.monotonic() - began
        print(f"\n{self.suite}: {reason!r}: ended after {self.ended_after_s:.1f} s, ready after {ready_s:.1f} s")
        return reason

    def reason(self) -> str:
        """`LastRestartReason`, as a client reads it."""

        async def read() -> str:
            async with Client("opc.tcp://127.0.0.1:4840") as client:
                index = await client.get_namespace_index("urn:edge-agent:types")
                objects = client.nodes.objects
                for child in await objects.get_children():
                    if (await child.read_browse_name()).Name == "Agent":
                        return str(await (await child.get_child(f"{index}:LastRestartReason")).read_value())
            raise AssertionError("no Agent")

        with self.network():
            return asyncio.run(read())


@cache
def below(suite: str) -> Box:
    """A box with the agent installed and configured, switched off."""
    with ExitStack() as stack:
        box = stack.enter_context(installed_box(suite))
        box.write("/opt/storeys/sitecustomize.py", INJECTED)
        box.write(f"/etc/systemd/system/{UNIT}.service.d/zz-storeys.conf", DROP_IN)
        box.write("/etc/edge-agent/config.json", json.dumps(CONFIG), mode="640", owner="root:edge-agent")
        box.cut_power()
        atexit.register(stack.pop_all().close)
    return box


@pytest.fixture
def off(request: pytest.FixtureRequest) -> Iterator[Storeys]:
    """A box that is on, its agent not yet. What does not depend on systemd is tried with the newest one only."""
    suite = getattr(request, "param", SUITES[-1])
    with Storeys(suite, on=below(suite)) as made:
        yield made


@pytest.fixture
def box(off: Storeys) -> Storeys:
    """A box in which the agent runs."""
    off.start_agent()
    return off


everywhere = pytest.mark.parametrize("off", SUITES, indirect=True)


@everywhere
def test_a_process_that_is_stopped_as_a_whole(box: Storeys) -> None:
    reason = box.restart_after(lambda: box.run("kill", "-STOP", str(box.main_pid(UNIT))))
    assert reason == "watchdog: the process as a whole stood still"
    assert box.ended_after_s <= WATCHDOG_S + 2
    assert "Watchdog timeout" in box.journal(UNIT)


def test_an_event_loop_that_is_blocked(box: Storeys) -> None:
    reason = box.restart_after(lambda: box.order("freeze_the_event_loop"))
    assert reason.startswith("watchdog: the event loop stood still in storeys/sitecustomize.py:")
    assert "freeze_the_event_loop" in reason
    assert "freeze_the_event_loop" in box.read(f"{STATE}/traceback-before.txt")


def test_a_poller_that_is_stuck(box: Storeys) -> None:
    reason = box.restart_after(lambda: box.order("stick_one_poller"))
    assert reason.startswith("watchdog: a machine's poller made no progress for ")
    assert "no sign of life to systemd: poller of one made no progress" in box.journal(UNIT)
    assert "starts; before: watchdog: poller of one made no progress" in box.journal(UNIT)


def test_a_listener_that_died(box: Storeys) -> None:
    reason = box.restart_after(lambda: box.order("close_the_listener"))
    assert reason.startswith("watchdog: OPC UA port made no progress for ")
    assert reason.endswith(": port 4840: Connection refused")


def test_a_journal_that_neither_writes_nor_fails(off: Storeys) -> None:
    off.write(f"/etc/systemd/system/{UNIT}.service.d/zzz.conf", f"[Service]\nEnvironment={OFTEN}=1\n")
    off.run("systemctl", "daemon-reload")
    off.start_agent()
    pid = off.main_pid(UNIT)
    off.order("lose_patience_with_the_journal")
    time.sleep(2 * WATCHDOG_S)
    assert off.main_pid(UNIT) == pid, "one that is well is asked often enough"
    reason = off.restart_after(lambda: off.order("freeze_the_journal"))
    assert reason.startswith("watchdog: journal made no progress for ")


@everywhere
def test_kill_9(box: Storeys) -> None:
    reason = box.restart_after(lambda: box.run("kill", "-KILL", str(box.main_pid(UNIT))))
    assert reason == "killed: by signal KILL"


def test_a_crash(box: Storeys) -> None:
    reason = box.restart_after(lambda: box.order("crash"))
    assert reason.startswith("crash: LookupError: no entry for ... (sitecustomize.py:")
    assert KEY not in reason
    assert KEY not in box.read(f"{STATE}/last-words.json")


@everywhere
def test_stop_restart_and_a_new_version(box: Storeys) -> None:
    assert box.restart_after(lambda: box.run("systemctl", "restart", UNIT)) == "operator: stopped by SIGTERM"
    before = json.loads(box.read(f"{STATE}/last-words.json"))
    box.run("systemctl", "stop", UNIT)
    assert box.read(f"{STATE}/last-end") == "success exited 0\n"
    words = json.loads(box.read(f"{STATE}/last-words.json")) | {"version": "0.0.9"}
    box.write(f"{STATE}/last-words.json", json.dumps(words), mode="600", owner="edge-agent:edge-agent")
    box.start_agent()
    assert box.reason() == f"update: from 0.0.9 to {before['version']}"


def test_a_power_cut(box: Storeys) -> None:
    box.cut_power()
    box.boot()
    # A box has the boot id of the host, which stays; so the run before the cut is given another.
    words = json.loads(box.read(f"{STATE}/last-words.json")) | {"boot_id": "another"}
    box.write(f"{STATE}/last-words.json", json.dumps(words), mode="600", owner="edge-agent:edge-agent")
    box.start_agent()
    assert box.reason() == "power loss: the host started anew, and the agent had not been stopped"


def test_what_the_kernel_ends_for_want_of_memory_is_told_by_systemd(box: Storeys) -> None:
    """The kernel's own part cannot be had in a box: here is what systemd would have written."""
    box.run("systemctl", "kill", "--signal=KILL", UNIT)
    box.run("systemctl", "stop", UNIT)
    box.write(f"{STATE}/last-end", "oom-kill killed KILL\n", owner="edge-agent:edge-agent")
    box.start_agent()
    assert box.reason() == "out of memory: the kernel ended it for want of memory"


def test_a_bad_configuration_at_the_start_and_at_a_reload(box: Storeys) -> None:
    box.write("/etc/edge-agent/config.json", "{", mode="640", owner="root:edge-agent")
    pid = box.main_pid(UNIT)
    box.run("systemctl", "reload", UNIT, check=False)
    box.wait_until(lambda: "config.json is refused" in box.show(UNIT, "StatusText"), "the refusal is told")
    assert box.main_pid(UNIT) == pid
    assert box.agent_runs()
    assert box.run("systemctl", "restart", UNIT, check=False).returncode != 0
    time.sleep(2)  # RestartSec= is 1
    assert box.show(UNIT, "ActiveState") == "failed"
    assert box.show(UNIT, "NRestarts") == "0"
    status = box.run("systemctl", "status", UNIT, check=False).stdout
    assert "ended: " in status
    assert "config.json:1:2" in status
    box.write("/etc/edge-agent/config.json", json.dumps(CONFIG), mode="640", owner="root:edge-agent")
    box.start_agent()
    assert box.reason().startswith("configuration: ")


def test_a_full_disk_costs_the_journal_and_nothing_else(off: Storeys) -> None:
    off.sh(f"mkdir -p {STATE} && mount -t tmpfs -o size=3m,mode=700 none {STATE} && chown edge-agent: {STATE}")
    off.start_agent()
    off.sh(f"dd if=/dev/zero of={STATE}/filler bs=64k 2>/dev/null || true; df {STATE} | grep -q 100%")
    pid = off.main_pid(UNIT)
    time.sleep(2 * WATCHDOG_S)
    assert off.main_pid(UNIT) == pid
    assert off.restart_after(lambda: off.run("kill", "-KILL", str(pid))).startswith("killed: ")
    assert "cannot be written" in off.journal(UNIT)


def test_a_state_folder_that_is_read_only_costs_what_is_kept_in_it_and_nothing_else(box: Storeys) -> None:
    box.run("systemctl", "stop", UNIT)
    box.write(f"/etc/systemd/system/{UNIT}.service.d/zzz.conf", f"[Service]\nReadOnlyPaths={STATE}\n")
    box.run("systemctl", "daemon-reload")
    box.start_agent()
    assert box.reason() == "operator: stopped by SIGTERM"
    time.sleep(2 * WATCHDOG_S)
    assert box.show(UNIT, "NRestarts") == "0"
    assert "journal.db cannot be written" in box.journal(UNIT)


def test_a_clock_that_goes_to_1970_and_ten_years_on(off: Storeys) -> None:
    """A box has the host's clock, so the agent alone is lied to, by libfaketime."""
    clock = "/run/storeys/clock"
    library = off.sh("ls /usr/lib/*/faketime/libfaketimeMT.so.1").strip()
    lies = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": clock,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    settings = "".join(f"Environment={name}={value}\n" for name, value in lies.items())
    off.write(f"/etc/systemd/system/{UNIT}.service.d/zzz.conf", f"[Service]\n{settings}")
    off.write(clock, "@1970-01-02 00:00:00")
    off.run("systemctl", "daemon-reload")
    off.start_agent()
    assert "OPC UA waits for the clock to be set" in off.show(UNIT, "StatusText")
    off.write(clock, "+0")
    off.wait_until(lambda: "OPC UA on :4840" in off.show(UNIT, "StatusText"), "it opens when the clock is set")
    pid = off.main_pid(UNIT)
    for lie in ("@1970-01-02 00:00:00", "+3650d", "+0"):
        off.write(clock, lie)
        time.sleep(WATCHDOG_S + 1)
        assert off.main_pid(UNIT) == pid, lie
        assert "OPC UA on :4840" in off.show(UNIT, "StatusText")
        assert off.reason().startswith("first start: ")
