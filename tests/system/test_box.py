"""The box itself: it is a computer of its own, its disk outlives its power, and nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .box import SUITES, Box, cgroup2_mount, sweep

_LEFT_ALONE = """
import time
from tests.system.box import Box
box = Box("trixie").boot()
box.start("sleep", "1000")
print(box.name, box._keeper.pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("suite", SUITES)
def test_systemd_is_its_first_process_and_no_unit_fails(suite: str) -> None:
    began = time.monotonic()
    with Box(suite) as box:
        print(f"\n{suite}: booted in {time.monotonic() - began:.2f} s")
        assert box.run("systemctl", "is-system-running").stdout.strip() == "running"
        assert box.read("/proc/1/comm").strip() == "systemd"
        assert f"VERSION_CODENAME={suite}" in box.read("/etc/os-release")


def test_disk_survives_a_power_cut_and_run_does_not() -> None:
    with Box("trixie") as box:
        box.write("/srv/kept", "on the disk")
        box.write("/run/lost", "in memory")
        box.cut_power()
        box.boot()
        assert box.read("/srv/kept") == "on the disk"
        assert not box.exists("/run/lost")
        box.power_off()
        box.boot()
        assert box.read("/srv/kept") == "on the disk"


def test_boxes_stand_on_one_that_is_off_and_do_not_change_it() -> None:
    with Box("trixie") as below:
        below.write("/srv/installed", "once")
        below.power_off()
        with Box("trixie", on=below) as first:
            assert first.read("/srv/installed") == "once"
            first.run("rm", "/srv/installed")
        with Box("trixie", on=below) as second:
            assert second.read("/srv/installed") == "once"


def test_its_network_can_be_entered_and_is_its_own() -> None:
    with Box("trixie") as box:
        with box.network():
            listener = socket.create_server(("127.0.0.1", 0))
        with listener:
            port = listener.getsockname()[1]
            meet = f"import socket; socket.create_connection(('127.0.0.1', {port})); print('met')"
            assert box.run("python3", "-c", meet).stdout == "met\n"
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", port), timeout=2)
        assert "lo" in (links := box.run("ip", "-o", "link").stdout)
        assert links.count("\n") == 1


def test_neither_it_nor_a_command_may_set_the_hosts_clock_or_kernel() -> None:
    cap_sys_module, cap_sys_time = 16, 25
    with Box("trixie") as box:
        for process in ("1", "self"):  # looked at, not tried: a trial that succeeds moves the clock of this host
            status = box.read(f"/proc/{process}/status")
            capabilities = int(status.split("CapEff:")[1].split()[0], 16)
            assert capabilities & (1 << cap_sys_time | 1 << cap_sys_module) == 0
        assert box.run("test", "-w", "/proc/sys/kernel/panic", check=False).returncode != 0


def test_killing_a_command_kills_it_inside() -> None:
    with Box("trixie") as box:
        command = box.start("sleep", "1234")
        box.wait_until(lambda: box.run("pgrep", "-f", "sleep 1234", check=False).stdout, "it runs")
        command.kill()
        command.communicate()
        box.wait_until(lambda: not box.run("pgrep", "-fx", "sleep 1234", check=False).stdout, "it is gone")


def test_nothing_stays_when_the_test_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _LEFT_ALONE], stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        name = test.stdout.readline().split()[0]
        assert remains(name)
        os.kill(test.pid, signal.SIGKILL)
    gone_soon(name)


def test_nothing_stays_when_the_test_fails() -> None:
    box = Box("trixie")

    def test() -> None:
        with box:
            box.start("sleep", "1000", output=subprocess.DEVNULL)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        test()
    assert remains(box.name) == []


def test_what_a_test_left_that_was_killed_with_its_keeper_is_swept_by_the_next() -> None:
    with subprocess.Popen([sys.executable, "-c", _LEFT_ALONE], stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        name, keeper = test.stdout.readline().split()
        os.kill(int(keeper), signal.SIGKILL)
        os.kill(test.pid, signal.SIGKILL)
    sweep()
    gone_soon(name)


def gone_soon(name: str) -> None:
    """Nothing is left in ten seconds."""
    deadline = time.monotonic() + 10
    while remains(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert remains(name) == []


def remains(name: str) -> list[str]:
    """What is left on this host of a box: processes, cgroups, mounts, files."""
    found = [str(path) for path in (cgroup2_mount() / name, Path("/tmp") / name) if path.exists()]  # noqa: S108
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if name in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if name in (process / "cmdline").read_text() or name in (process / "cgroup").read_text():
                found.append(f"{process.name} {(process / 'cmdline').read_text()}")
        except OSError:  # it has just ended
            continue
    return found
