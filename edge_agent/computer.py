"""The computer we run on, as far as it tells: what it is, how warm, how well fed, whether its clock is right.

Everything is read from files below a root folder, and everything may be missing: a container has no thermal zone, a PC
no firmware that watches the supply. ``None`` means that this computer does not tell.

Of a Raspberry Pi's power supply the kernel knows one bit (``rpi_volt``): was it too low in the last two seconds. Before
that, kernels of Raspberry Pi OS had the firmware's whole word in ``get_throttled``. It is not looked at where
``rpi_volt`` is there: newer kernels complain in their log when somebody does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

_UNDER_VOLTAGE, _CAPPED, _THROTTLED, _WARM, _WAS_UNDER_VOLTAGE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 16
_FIRMWARE_WORD = "sys/devices/platform/soc/soc:firmware/get_throttled"
_PROCESSORS = ("cpu", "x86_pkg", "soc", "coretemp", "k10temp")
"""How the names of sensors begin that are in the processor."""
_POWERED_OFF_CELSIUS = -100.0
_TIMEX_BYTES = 512
_CLOCK_IS_NOT_SET = 5
_MOST_CHARACTERS = 64 * 1024


class Computer(Struct, frozen=True, kw_only=True):
    """What a computer says of itself. ``None``: this one does not tell.

    ``under_voltage_now`` is of the last two seconds. ``throttled``: its processor is slowed down now, for heat or for
    want of power. ``memory_available_bytes`` is what programs could have without swapping.
    """

    model: str | None
    os: str | None
    python: str
    temperature_celsius: float | None
    under_voltage_now: bool | None
    under_voltage_since_boot: bool | None
    throttled: bool | None
    clock_synchronised: bool | None
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    uptime_s: float | None


class Disk(Struct, frozen=True, kw_only=True):
    """The file system that a folder is on. ``free_bytes`` is what others than root may have of it."""

    path: str
    total_bytes: int
    free_bytes: int
    read_only: bool


def computer(root: Path = Path("/")) -> Computer:
    """What the computer whose files are below ``root`` says of itself; never an error."""
    alarm = _voltage_alarm(root)
    word = _firmware_word(root) if alarm is None else None
    memory = _memory(root)
    return Computer(
        model=_model(root),
        os=_os(root),
        python=platform.python_version(),
        temperature_celsius=_temperature_celsius(root),
        under_voltage_now=alarm if word is None else bool(word & _UNDER_VOLTAGE),
        # The one bit forgets, but what is true now was true since boot.
        under_voltage_since_boot=alarm or None if word is None else bool(word & _WAS_UNDER_VOLTAGE),
        throttled=_slowed_down(root) if word is None else bool(word & (_CAPPED | _THROTTLED | _WARM)),
        clock_synchronised=_clock_synchronised(root),
        memory_total_bytes=memory.get("MemTotal"),
        memory_available_bytes=memory.get("MemAvailable"),
        uptime_s=_uptime_s(root),
    )


def disk(path: Path) -> Disk:
    """The file system that ``path`` is on.

    Raises:
        OSError: there is no such path, or it may not be looked at.
    """
    found = os.statvfs(path)
    return Disk(
        path=str(path),
        total_bytes=found.f_blocks * found.f_frsize,
        free_bytes=found.f_bavail * found.f_frsize,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def _text(file: Path) -> str:
    """A small file without white space and NUL around it; empty if it cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_MOST_CHARACTERS).strip("\0 \t\r\n")
    except OSError:
        return ""


def _number(file: Path) -> int | None:
    try:
        return int(_text(file))
    except ValueError:
        return None


def _folders(parent: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from sorted(parent.glob(pattern))
    except OSError:
        return


def _model(root: Path) -> str | None:
    """A board's name from its device tree, a PC's from its firmware."""
    board = _text(root / "proc/device-tree/model")
    if board:
        return board
    firmware = root / "sys/class/dmi/id"
    words = [_text(firmware / name) for name in ("sys_vendor", "product_name")]
    return " ".join(filter(None, words)) or None


def _os(root: Path) -> str | None:
    for file in ("etc/os-release", "usr/lib/os-release"):
        for line in _text(root / file).splitlines():
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME":
                return value.strip().strip("\"'") or None
    return None


def _temperature_celsius(root: Path) -> float | None:
    """The processor's, else the first there is."""
    found = [
        (_text(zone / "type"), _number(zone / "temp")) for zone in _folders(root / "sys/class/thermal", "thermal_zone*")
    ]
    found += [
        (_text(sensor / "name"), _number(sensor / "temp1_input"))
        for sensor in _folders(root / "sys/class/hwmon", "hwmon*")
    ]
    # A sensor without power says minus 274 degrees, or as little.
    known = [(name, milli / 1000) for name, milli in found if milli is not None and milli / 1000 > _POWERED_OFF_CELSIUS]
    known.sort(key=lambda reading: not reading[0].startswith(_PROCESSORS))
    return known[0][1] if known else None


def _voltage_alarm(root: Path) -> bool | None:
    for sensor in _folders(root / "sys/class/hwmon", "hwmon*"):
        if _text(sensor / "name") == "rpi_volt":
            alarm = _number(sensor / "in0_lcrit_alarm")
            return None if alarm is None else bool(alarm)
    return None


def _firmware_word(root: Path) -> int | None:
    try:
        return int(_text(root / _FIRMWARE_WORD), 16)
    except ValueError:
        return None


def _slowed_down(root: Path) -> bool | None:
    """Does the kernel hold the processor's clock down for its heat."""
    states = [
        state
        for device in _folders(root / "sys/class/thermal", "cooling_device*")
        if _text(device / "type").lower().startswith(("cpufreq", "thermal-cpufreq", "processor"))
        and (state := _number(device / "cur_state")) is not None
    ]
    return any(states) if states else None


def _clock_synchronised(root: Path) -> bool | None:
    """Systemd's own word, else the kernel's, which others that set clocks keep as well."""
    with contextlib.suppress(OSError):
        (root / "run/systemd/timesync/synchronized").lstat()
        return True
    return _kernel_says_synchronised() if root == Path("/") else None


def _kernel_says_synchronised(adjtimex: Callable[[ctypes.Array[ctypes.c_char]], int] | None = None) -> bool | None:
    """Ask without setting anything; ``None`` where asking is not allowed either."""
    try:
        # A struct timex whose first member, what to set, is zero.
        ask = adjtimex or ctypes.CDLL(None).adjtimex
        state = ask(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _CLOCK_IS_NOT_SET


def _memory(root: Path) -> dict[str, int]:
    """Bytes by the names of /proc/meminfo."""
    found = {}
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, amount = line.partition(":")
        number, _, unit = amount.strip().partition(" ")
        if number.isdigit() and unit == "kB":
            found[name] = int(number) * 1024
    return found


def _uptime_s(root: Path) -> float | None:
    try:
        return float(_text(root / "proc/uptime").split()[0])
    except (ValueError, IndexError):
        return None
