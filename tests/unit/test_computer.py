"""What made-up computers say of themselves: their files below a root folder."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_agent import computer as computers
from edge_agent.computer import Computer, computer, disk

_MEMORY = """\
MemTotal:        1000000 kB
MemFree:          100000 kB
MemAvailable:     400000 kB
HugePages_Total:       0
"""
_DEBIAN = 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
_LEGACY = "sys/devices/platform/soc/soc:firmware/get_throttled"


def _tree(root: Path, **files: str) -> Path:
    """A root folder with these files beside what every Linux has."""
    return _put(root, {"proc/meminfo": _MEMORY, "proc/uptime": "93784.25 1.0\n", "etc/os-release": _DEBIAN} | files)


def _put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def _pi(root: Path, *, model: str, alarm: str) -> Path:
    """As Debian's kernel shows a Raspberry Pi."""
    return _tree(
        root,
        **{
            "proc/device-tree/model": f"{model}\0",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "61835\n",
            "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0\n",
            "sys/class/thermal/cooling_device0/cur_state": "0\n",
            "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
            "sys/class/hwmon/hwmon0/temp1_input": "61835\n",
            "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
            "sys/class/hwmon/hwmon1/in0_lcrit_alarm": alarm,
            "run/systemd/timesync/synchronized": "",
        },
    )


@pytest.mark.parametrize(
    "model", ["Raspberry Pi 3 Model B Rev 1.2", "Raspberry Pi 4 Model B Rev 1.5", "Raspberry Pi 5 Model B Rev 1.0"]
)
def test_a_pi_with_a_good_supply(tmp_path: Path, model: str) -> None:
    """That it was always good, the kernel's one bit does not say."""
    found = computer(_pi(tmp_path, model=model, alarm="0\n"))
    assert found == Computer(
        model=model,
        os="Debian GNU/Linux 13 (trixie)",
        python=found.python,
        temperature_celsius=61.835,
        under_voltage_now=False,
        under_voltage_since_boot=None,
        throttled=False,
        clock_synchronised=True,
        memory_total_bytes=1_024_000_000,
        memory_available_bytes=409_600_000,
        uptime_s=93784.25,
    )
    assert found.python.startswith("3.")


def test_a_pi_with_a_poor_supply(tmp_path: Path) -> None:
    found = computer(_pi(tmp_path, model="Raspberry Pi 4 Model B Rev 1.5", alarm="1\n"))
    assert found.under_voltage_now is True
    assert found.under_voltage_since_boot is True


@pytest.mark.parametrize(
    ("word", "now", "since_boot", "throttled"),
    [
        ("0", False, False, False),
        ("50000", False, True, False),
        ("50005", True, True, True),
        ("80008", False, False, True),
        ("20002", False, False, True),
    ],
)
def test_the_firmwares_word_of_older_kernels(
    tmp_path: Path, word: str, now: bool, since_boot: bool, throttled: bool
) -> None:
    found = computer(_tree(tmp_path, **{"proc/device-tree/model": "Raspberry Pi 3\0", _LEGACY: f"{word}\n"}))
    assert (found.under_voltage_now, found.under_voltage_since_boot, found.throttled) == (now, since_boot, throttled)


def test_the_old_word_is_left_alone_beside_the_new_bit(tmp_path: Path) -> None:
    found = computer(_put(_pi(tmp_path, model="Raspberry Pi 4", alarm="0"), {_LEGACY: "50005"}))
    assert found.under_voltage_now is False
    assert found.throttled is False


def test_a_processor_that_is_slowed_down_for_its_heat(tmp_path: Path) -> None:
    _pi(tmp_path, model="Raspberry Pi 5", alarm="0")
    _put(tmp_path, {"sys/class/thermal/cooling_device0/cur_state": "2\n"})
    _put(tmp_path, {"sys/class/thermal/cooling_device1/type": "pwm-fan\n"})
    _put(tmp_path, {"sys/class/thermal/cooling_device1/cur_state": "0\n"})
    assert computer(tmp_path).throttled is True


def test_a_fan_that_turns_slows_nothing_down(tmp_path: Path) -> None:
    _pi(tmp_path, model="Raspberry Pi 5", alarm="0")
    _put(tmp_path, {"sys/class/thermal/cooling_device1/type": "pwm-fan\n"})
    _put(tmp_path, {"sys/class/thermal/cooling_device1/cur_state": "3\n"})
    assert computer(tmp_path).throttled is False


def test_a_pc(tmp_path: Path) -> None:
    """The warmest thing in it is not meant, nor the one that is named first."""
    files = {
        "sys/class/dmi/id/sys_vendor": "LENOVO\n",
        "sys/class/dmi/id/product_name": "ThinkCentre M70q\n",
        "sys/class/thermal/thermal_zone0/type": "acpitz\n",
        "sys/class/thermal/thermal_zone0/temp": "27800\n",
        "sys/class/thermal/thermal_zone1/type": "x86_pkg_temp\n",
        "sys/class/thermal/thermal_zone1/temp": "44000\n",
        "sys/class/thermal/thermal_zone2/type": "cpu-off\n",
        "sys/class/thermal/thermal_zone2/temp": "-274000\n",
        "sys/class/hwmon/hwmon0/name": "nvme\n",
        "sys/class/hwmon/hwmon0/temp1_input": "51000\n",
        "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "1\n",
    }
    found = computer(_tree(tmp_path, **files))
    assert found.model == "LENOVO ThinkCentre M70q"
    assert found.temperature_celsius == 44
    assert (found.under_voltage_now, found.under_voltage_since_boot, found.throttled) == (None, None, None)
    assert found.clock_synchronised is None


def test_a_computer_without_any_files(tmp_path: Path) -> None:
    found = computer(tmp_path)
    told = {name: getattr(found, name) for name in Computer.__struct_fields__ if name != "python"}
    assert set(told.values()) == {None}


def test_a_computer_whose_files_are_rubbish(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": "MemTotal: much kB\nMemAvailable\n\0",
        "proc/uptime": "",
        "etc/os-release": "PRETTY_NAME=\n",
        "sys/class/thermal/thermal_zone0/temp": "hot",
        "sys/class/hwmon/hwmon0/name": "rpi_volt",
        "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "?",
        "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0",
        _LEGACY: "0x",
    }
    (tmp_path / "proc/device-tree/model").mkdir(parents=True)
    found = computer(_put(tmp_path, files))
    told = {name: getattr(found, name) for name in Computer.__struct_fields__ if name != "python"}
    assert set(told.values()) == {None}


def test_this_computer() -> None:
    found = computer()
    assert found.uptime_s is not None
    assert found.memory_available_bytes is not None
    assert found.memory_total_bytes is not None
    assert 0 < found.memory_available_bytes <= found.memory_total_bytes


@pytest.mark.parametrize(("answer", "told"), [(0, True), (1, True), (5, False), (-1, None)])
def test_the_kernels_word_on_the_clock(answer: int, told: bool | None) -> None:
    asked: list[bytes] = []

    def adjtimex(timex: ctypes.Array[ctypes.c_char]) -> int:
        asked.append(bytes(timex))
        return answer

    assert computers._kernel_says_synchronised(adjtimex) is told
    assert not any(asked[0])  # a bit in its first word would set the clock


def test_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = SimpleNamespace(f_blocks=1000, f_frsize=4096, f_bavail=10, f_bfree=60, f_flag=os.ST_RDONLY)
    monkeypatch.setattr(os, "statvfs", lambda _: about)
    found = disk(tmp_path)
    assert (found.path, found.total_bytes, found.free_bytes) == (str(tmp_path), 4_096_000, 40_960)
    assert found.read_only


def test_a_disk_that_is_not_there(tmp_path: Path) -> None:
    assert not disk(tmp_path).read_only
    with pytest.raises(FileNotFoundError):
        disk(tmp_path / "missing")
