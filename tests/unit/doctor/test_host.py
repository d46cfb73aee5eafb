"""Clock, disk, power, memory, unit, versions: each with one thing wrong at a time."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.cli.doctor import host
from edge_agent.cli.doctor.finding import Level
from edge_agent.cli.doctor.running import running
from edge_agent.cli.doctor.service import service
from edge_agent.computer import Disk
from edge_agent.sinks.http.report import JournalReport
from tests.unit.doctor.patients import NOW, PI, UNIT, Programs, agent, levels, one, only, patient


def test_a_clock_that_is_right(tmp_path: Path) -> None:
    assert only(host.clock(patient(tmp_path))).level is Level.OK


def test_a_clock_of_a_board_without_battery(tmp_path: Path) -> None:
    found = only(host.clock(patient(tmp_path, now=datetime(1970, 1, 1, tzinfo=UTC))))
    assert (found.level, "1970-01-01" in found.text) == (Level.BAD, True)


@pytest.mark.parametrize(("told", "level"), [(False, Level.LOOK), (None, Level.UNSEEN)])
def test_a_clock_that_nobody_sets(tmp_path: Path, told: bool | None, level: Level) -> None:
    found = only(host.clock(patient(tmp_path, computer=replace(PI, clock_synchronised=told))))
    assert found.level is level


def test_a_clock_that_went_back(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / "last-words.json"
    file.write_text("{}")
    os.utime(file, (NOW.timestamp(), NOW.timestamp() + 1800))
    assert levels(host.clock(patient(tmp_path))) == [Level.OK]
    os.utime(file, (NOW.timestamp(), NOW.timestamp() + 7200))
    assert levels(host.clock(patient(tmp_path))) == [Level.LOOK, Level.OK]


@pytest.mark.parametrize(
    ("more", "level"),
    [
        ({}, Level.OK),
        ({"free_bytes": 100 << 20}, Level.LOOK),
        ({"free_bytes": 1 << 20}, Level.BAD),
        ({"read_only": True}, Level.BAD),
    ],
)
def test_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], level: Level) -> None:
    (tmp_path / "state").mkdir()
    usual: dict[str, Any] = {"path": "x", "total_bytes": 8 << 30, "free_bytes": 4 << 30, "read_only": False}
    monkeypatch.setattr(host, "disk", lambda _: Disk(**(usual | more)))
    assert only(host.storage(patient(tmp_path))).level is level


def test_a_disk_that_the_kernel_complains_of(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    said = "mmcblk0: error -110 transferring data\n"
    found = one(host.storage(patient(tmp_path, ask=Programs(EXT4=said))), Level.LOOK)
    assert "mmcblk0: error -110 transferring data" in found.text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another owner")
def test_what_root_left_in_the_state_folder(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12345, 12345)
    (tmp_path / "state" / "ids.json").write_text("{}")
    found = one(host.storage(patient(tmp_path, root=True)), Level.LOOK)
    assert found.text.startswith("not of the agent's user: ids.json in ")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [Level.OK, Level.OK]),
        ({"under_voltage_now": True}, [Level.BAD, Level.OK]),
        ({"under_voltage_since_boot": True}, [Level.LOOK, Level.OK]),
        ({"under_voltage_now": None}, [Level.UNSEEN, Level.OK]),
        ({"throttled": True}, [Level.OK, Level.LOOK]),
        ({"temperature_celsius": 82.0}, [Level.OK, Level.LOOK]),
        ({"temperature_celsius": None}, [Level.OK]),
    ],
)
def test_a_power_supply(tmp_path: Path, more: dict[str, Any], expected: list[Level]) -> None:
    assert levels(host.power(patient(tmp_path, computer=replace(PI, **more)))) == expected


def test_the_kernels_log_remembers_a_poor_supply(tmp_path: Path) -> None:
    said = Programs(**{"under-": "hwmon hwmon1: Undervoltage detected!\n"})
    assert levels(host.power(patient(tmp_path, ask=said))) == [Level.LOOK, Level.OK]


def test_memory(tmp_path: Path) -> None:
    assert levels(host.memory(patient(tmp_path))) == [Level.OK]
    low = patient(tmp_path, computer=replace(PI, memory_available_bytes=100 << 20))
    assert levels(host.memory(low)) == [Level.LOOK]
    slowed = patient(tmp_path, unit=UNIT | {"MemoryCurrent": "170000000", "MemoryHigh": "167772160"})
    assert levels(host.memory(slowed)) == [Level.OK, Level.LOOK]
    unlimited = patient(tmp_path, unit=UNIT | {"MemoryCurrent": "170000000", "MemoryHigh": "infinity"})
    assert levels(host.memory(unlimited)) == [Level.OK]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """What is installed, by name; wanted and tested are "one" and "two", tested is "three" in addition."""
    there = {"one": "2.10", "two": "1.10.3rc1"}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(metadata, "requires", lambda _: ["one>=2.9", "two>=1.10.3", "four; extra == 'x'"])
    monkeypatch.setattr(metadata, "version", version)
    (tmp_path / "tested.txt").write_text("one==2.10\nthree==1\ntwo==1.10.3rc1\n")
    monkeypatch.setattr(host, "_TESTED", tmp_path / "tested.txt")
    return there


def test_libraries(installed: dict[str, str]) -> None:
    assert only(host.libraries()).text == "one 2.10, two 1.10.3rc1; all as tested"
    installed["two"] = "1.9"
    assert one(host.libraries(), Level.BAD).text == "two 1.9 is older than 1.10.3"
    del installed["two"]
    assert one(host.libraries(), Level.BAD).text == "the library two is missing"


def test_other_libraries_than_those_tested_are_told(installed: dict[str, str]) -> None:
    installed["three"] = "2"
    found = only(host.libraries())
    assert (found.level, bool(found.remedy)) == (Level.OK, True)
    assert found.text == "one 2.10, two 1.10.3rc1; not as tested: three 2 (tested: 1)"


def test_the_versions_compared_with_are_those_of_the_lock() -> None:
    lock = (Path(__file__).parents[3] / "requirements.txt").read_text()
    pinned = re.findall(r"^[a-z][a-z0-9.-]*==[^ ;\\\n]+", lock, re.MULTILINE)
    assert len(pinned) > 10
    assert host._TESTED.read_text().splitlines() == pinned


def test_versions_of_this_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run from a checkout that nobody has installed.
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["aiohttp>=3.9", "asyncua>=1.1"])
    assert set(levels(host.versions(patient(tmp_path)))) == {Level.OK}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [Level.OK]),
        ({"UnitFileState": "disabled"}, [Level.OK, Level.LOOK]),
        ({"NRestarts": "3"}, [Level.OK, Level.LOOK]),
        ({"NeedDaemonReload": "yes"}, [Level.OK, Level.LOOK]),
        ({"WatchdogUSec": "0"}, [Level.OK, Level.LOOK]),
        ({"ActiveState": "activating"}, [Level.LOOK]),
        ({"ActiveState": "inactive", "WatchdogUSec": "0"}, [Level.BAD]),
        ({"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78"}, [Level.BAD]),
        ({"LoadState": "not-found"}, [Level.UNSEEN]),
        ({"LoadState": "masked"}, [Level.BAD]),
    ],
)
def test_a_unit(tmp_path: Path, more: dict[str, str], expected: list[Level]) -> None:
    assert levels(service(patient(tmp_path, unit=UNIT | more))) == expected


def test_a_unit_that_gave_up_says_why(tmp_path: Path) -> None:
    ended = {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78", "StatusText": "ended: it is wrong"}
    found = only(service(patient(tmp_path, unit=UNIT | ended)))
    assert found.text == "it does not run: failed (exit-code, exit code 78); it said: ended: it is wrong"
    assert "configuration" in found.remedy


def test_no_systemd(tmp_path: Path) -> None:
    assert only(service(patient(tmp_path, unit={}))).level is Level.UNSEEN


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [Level.OK]),
        ({"complaints": ("poller of mark-one made no progress",)}, [Level.BAD, Level.OK]),
        ({"config_refused": True}, [Level.BAD, Level.OK]),
        ({"journal": JournalReport(durable=False, reason="disk full", waiting=2)}, [Level.BAD, Level.OK]),
        ({"warnings": ("everybody reads everything",)}, [Level.OK, Level.OK]),
        ({"version": "0.0.1"}, [Level.LOOK, Level.OK]),
        ({"machines_reachable": 0}, [Level.LOOK]),
        ({"last_restart": "watchdog: poller of mark-one"}, [Level.LOOK, Level.OK]),
        ({"last_restart": "watchdog: x", "started_at": datetime(2026, 1, 1, tzinfo=UTC)}, [Level.OK]),
    ],
)
def test_what_the_agent_says(tmp_path: Path, more: dict[str, Any], expected: list[Level]) -> None:
    assert levels(running(patient(tmp_path, agent=agent(**more)))) == expected


def test_an_agent_that_says_nothing(tmp_path: Path) -> None:
    silent: dict[str, Any] = {"agent": None, "silence": "no agent answers at x; is it running?"}
    assert only(running(patient(tmp_path, **silent))).level is Level.LOOK
    assert only(running(patient(tmp_path, unit={}, **silent))).level is Level.LOOK
    stopped = UNIT | {"ActiveState": "inactive"}  # told by the check of the unit
    assert only(running(patient(tmp_path, unit=stopped, **silent))).level is Level.UNSEEN
    closed = {"agent": None, "silence": "x: only users of http.users may read it; run this as root"}
    assert only(running(patient(tmp_path, **closed))).level is Level.UNSEEN
