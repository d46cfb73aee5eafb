"""The computer: clock, power supply, memory, what is installed."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import metadata
from pathlib import Path

from ... import RELEASED, __version__
from ...computer import disk
from .finding import Finding, Level, bad, look, ok, unseen
from .patient import Patient

_LEAST_DISK_BYTES = 20 << 20
_LITTLE_DISK_BYTES = 200 << 20
_LEAST_MEMORY_RATIO = 0.08
_WARM_CELSIUS = 80.0
_WRITTEN_LATER = timedelta(hours=1)
_LOG_LINES = 5
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)>=([0-9.]+)$")
_TESTED = Path(__file__).with_name("tested.txt")
_SUPPLY = "use the power supply made for this board, and a short cable; take power-hungry things off its USB ports"


def clock(patient: Patient) -> Iterator[Finding]:
    """Certificates, time stamps and the order of what happened depend on it."""
    now = patient.now
    if now < RELEASED:
        yield bad(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, which cannot be",
            "is there a time server in this network? See: timedatectl status",
        )
        return
    newest = _newest(patient.state_dir)
    if newest is not None and newest > now.timestamp() + _WRITTEN_LATER.total_seconds():
        yield look(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, and files of the agent were written later than that",
            "it was set back, or is still wrong; see: timedatectl status",
        )
    match patient.computer.clock_synchronised:
        case True:
            yield ok(f"{now:%Y-%m-%d %H:%M:%S} UTC, synchronised")
        case False:
            yield look(
                f"{now:%Y-%m-%d %H:%M:%S} UTC, not synchronised with a time server",
                "see: timedatectl timesync-status; NTP= in /etc/systemd/timesyncd.conf names a server of yours",
            )
        case None:
            yield unseen(f"{now:%Y-%m-%d %H:%M:%S} UTC; whether it is synchronised, this computer does not tell")


def _newest(folder: Path) -> float | None:
    try:
        with os.scandir(folder) as found:
            return max((file.stat().st_mtime for file in found if file.is_file()), default=None)
    except OSError:
        return None


def time_zone(patient: Patient) -> Iterator[Finding]:
    """Of the log and of the MES' people; the agent itself speaks UTC."""
    local = patient.now.astimezone()
    offset = f"{local:%z}"
    if Path("/etc/localtime").exists():
        yield ok(f"{local:%Z} (UTC{offset[:3]}:{offset[3:]}); the agent itself tells UTC everywhere")
    else:
        yield ok("none is set, so logs are in UTC, as everything of the agent")


def storage(patient: Patient) -> Iterator[Finding]:
    """The state folder's disk: room, writable, and what the kernel complains of."""
    folder = patient.state_dir
    try:
        found = disk(folder)
    except FileNotFoundError:
        yield unseen(f"there is no {folder} yet: the agent makes it")
        return
    except OSError as error:
        yield unseen(f"{folder}: {error.strerror}", "run this with sudo")
        return
    free = f"{_size(found.free_bytes)} of {_size(found.total_bytes)} free for {folder}"
    room = "sudo journalctl --vacuum-size=50M and sudo apt-get clean make room; see: sudo du -xh / | sort -h | tail"
    if found.read_only:
        yield bad(
            f"{folder} is on a file system that is read-only",
            "a worn or damaged card becomes so: see sudo dmesg, keep a copy of the state folder, replace the card",
        )
    elif found.free_bytes < _LEAST_DISK_BYTES:
        yield bad(free, room)
    elif found.free_bytes < _LITTLE_DISK_BYTES:
        yield look(free, room)
    else:
        yield ok(free)
    if patient.root:
        yield from _owned(patient)
    yield from _disk_errors(patient)


def _owned(patient: Patient) -> Iterator[Finding]:
    """Files that root made there once by hand are the usual reason why the agent cannot write."""
    owner = patient.state_dir.stat().st_uid
    strange = [file.name for file in patient.state_dir.iterdir() if file.lstat().st_uid != owner]
    if strange:
        yield look(
            f"not of the agent's user: {', '.join(sorted(strange)[:5])} in {patient.state_dir}",
            f"sudo chown --recursive --reference {patient.state_dir} {patient.state_dir}",
        )


def _disk_errors(patient: Patient) -> Iterator[Finding]:
    said = patient.ask(
        *("journalctl", "--dmesg", "--boot", "--quiet", "--no-pager", "--output", "cat", "--lines", str(_LOG_LINES)),
        *(
            "--grep",
            r"(mmc\w*|sd[a-z]|nvme\w*)\b.*\b(I/O )?error|EXT4-fs (\(.*\): )?error|Remounting filesystem read-only",
        ),
    )
    lines = said.text.splitlines() if said and said.code == 0 else []
    if lines:
        yield look(
            f"since the start the kernel complained of a disk: {lines[-1]}",
            "a card that begins so will fail: keep a copy of config.json and the state folder, and replace it",
        )


def power(patient: Patient) -> Iterator[Finding]:
    """A supply that is too weak looks like anything: wrong bits, lost cards, restarts."""
    told = patient.computer
    if told.under_voltage_now:
        yield bad("the supply's voltage is too low now", _SUPPLY)
    elif told.under_voltage_since_boot or _was_too_low(patient):
        yield look("the supply's voltage was too low since the start", _SUPPLY)
    elif told.under_voltage_now is None:
        yield unseen("this computer does not watch its supply")
    else:
        yield ok("the supply's voltage is high enough")
    warm = "" if told.temperature_celsius is None else f"{told.temperature_celsius:.0f} °C"
    if told.throttled:
        yield look(
            f"the processor is slowed down{f', at {warm}' if warm else ''}", f"give it air or a heat sink; {_SUPPLY}"
        )
    elif told.temperature_celsius is not None and told.temperature_celsius > _WARM_CELSIUS:
        yield look(f"the processor has {warm}", "give it air or a heat sink: at 85 °C it is slowed down")
    elif warm:
        yield ok(f"the processor has {warm}")


def _was_too_low(patient: Patient) -> bool:
    """The kernel forgets, its log does not."""
    said = patient.ask(
        *("journalctl", "--dmesg", "--boot", "--quiet", "--no-pager", "--output", "cat", "--lines", "1"),
        *("--grep", r"under-?voltage detected"),
    )
    return bool(said and said.code == 0 and said.text.strip())


def memory(patient: Patient) -> Iterator[Finding]:
    """Of the computer, and of the unit against its limit."""
    total, available = patient.computer.memory_total_bytes, patient.computer.memory_available_bytes
    if not total or available is None:
        yield unseen("this computer does not tell")
        return
    text = f"{_size(available)} of {_size(total)} available"
    if available < total * _LEAST_MEMORY_RATIO:
        yield look(text, "what else runs here? See: systemd-cgtop -m; OctoPrint's webcam wants most")
    else:
        yield ok(text)
    used, limit = patient.unit.get("MemoryCurrent", ""), patient.unit.get("MemoryHigh", "")
    if used.isdigit() and limit.isdigit() and 0 < int(limit) < int(used):
        yield look(
            f"the agent has {_size(int(used))}, and is slowed down above {_size(int(limit))}",
            "restart it (sudo systemctl restart edge-agent), and tell the makers: edge-agent support-bundle",
        )


def versions(patient: Patient) -> Iterator[Finding]:
    """What is installed, and whether it is what this version was tested with."""
    told = patient.computer
    yield ok(
        f"edge-agent {__version__}, Python {told.python}, {told.os or 'an unknown system'}, "
        f"{os.uname().machine}, {told.model or 'a computer that does not tell its model'}"
    )
    yield from libraries()


def libraries() -> Iterator[Finding]:
    """Each library at least as new as the oldest that the tests were run with."""
    try:
        wanted = metadata.requires("edge-agent") or []
    except metadata.PackageNotFoundError:
        yield unseen("edge-agent is not installed as a package: its libraries are whatever is here")
        return
    found = []
    for requirement in wanted:
        named = _REQUIREMENT.match(requirement)
        if named is None:
            continue
        name, least = named.groups()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield bad(f"the library {name} is missing", "install the agent anew: docs/install.md")
            continue
        found.append(f"{name} {version}")
        if _numbers(version) < _numbers(least):
            yield bad(f"{name} {version} is older than {least}", "install the agent anew: docs/install.md")
    other = list(_others(_TESTED.read_text(encoding="utf-8")))
    text = ", ".join(found)
    if other:
        # Newer ones are how a distribution's packages come: told with advice, and no reason to look again.
        text += f"; not as tested: {', '.join(other)}"
        yield Finding(level=Level.OK, text=text, remedy="a release archive or the Debian package brings those tested")
    else:
        yield ok(f"{text}; all as tested")


def _others(tested: str) -> Iterator[str]:
    """What is installed in another version than the tests of this one had; not everything is needed everywhere."""
    for line in tested.splitlines():
        name, _, version = line.partition("==")
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed = metadata.version(name)
            if installed != version:
                yield f"{name} {installed} (tested: {version})"


def _numbers(version: str) -> tuple[int, ...]:
    """As far as it is numbers: "3.13.4rc1" is 3, 13, 4."""
    return tuple(int(found[0]) for part in version.split(".") if (found := re.match(r"\d+", part)))


def _size(count: int) -> str:
    """Bytes in a unit that people read."""
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    return f"{count >> 20} MiB"
