"""A card with the image on it, and a board that QEMU makes up: slow, but with the image's own kernel and programs.

card = Card(folder / "card")
with Board(card, machine=VIRT) as board:
    board.wait_until(lambda: board.answers(board.opcua), "port 4840 answers", within_s=300)
    print(board.report()["state"])
    board.cut_power()

The boot ROM and the firmware of a Raspberry Pi are not there: QEMU takes kernel, initial RAM disk and command line from
the boot partition in their place.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
_FIRMWARE_AT = 4 * 1024 * 1024  # where partitions.toml puts the first partition
_END_OF_REPORT = "=== end of report"
_REPORT = f"""{{
echo; echo "=== state"; systemctl is-system-running --wait
echo "=== failed"; systemctl list-units --failed --no-legend --plain
echo "=== why"; systemctl list-units --failed --no-legend --plain | while read -r unit rest; do
  journalctl --boot --no-pager --output cat --unit "$unit" | tail -n 20; done
echo "=== cycles"; journalctl --boot --no-pager --output cat --grep 'ordering cycle'
echo "=== errors"; journalctl --boot --no-pager --output cat --priority err
echo "=== memory"; free --mebi
echo "=== times"; systemd-analyze; systemd-analyze blame --no-pager | head -n 25
echo "=== identity"; cat /etc/machine-id; uname -n
echo "=== mounts"; findmnt --noheadings --raw --output TARGET,SOURCE,FSTYPE,OPTIONS --types ext4,vfat,overlay
echo "=== disk"; df --block-size=1M --output=target,size,used
echo "{_END_OF_REPORT}"
}} >/run/tell-tests 2>&1
cat /run/tell-tests >/dev/@TTY@ # at once: systemd writes there as well
"""
_UNIT = """[Unit]
Description=Tell the tests how this boot went
RequiresMountsFor=/boot/firmware
After=multi-user.target
[Service]
ExecStart=/bin/sh /boot/firmware/tell-tests
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A board that QEMU knows how to make up.

    ``hardware`` is for QEMU, with files in the place of CARD and SERIAL; ``device_tree`` lies on the boot partition.
    """

    hardware: tuple[str, ...]
    tty: str
    command_line: str = ""
    device_tree: str | None = None


VIRT = Machine(
    hardware=(
        *("-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024", "-serial", "file:SERIAL"),
        *("-drive", "if=none,id=card,format=raw,file=CARD", "-device", "virtio-blk-pci,drive=card"),
        *("-device", "virtio-net-pci,netdev=net,romfile=", "-device", "i6300esb"),
    ),
    tty="ttyAMA0",
)
# What takes a board a second may take a minute here, and systemd's patience is made for boards.
_PATIENCE = "systemd.default_device_timeout_sec=900 systemd.default_timeout_start_sec=900"
# Without an address of a board's maker its Ethernet would be usb0. The watchdog is left alone: QEMU's resets the board
# as soon as it is armed.
RASPI3B = Machine(
    hardware=(
        *("-M", "raspi3b", "-serial", "null", "-serial", "file:SERIAL"),
        *("-drive", "if=sd,format=raw,file=CARD", "-device", "usb-net,netdev=net,mac=b8:27:eb:00:00:01"),
    ),
    tty="ttyS1",
    command_line="systemd.watchdog_sec=0 modprobe.blacklist=bcm2835_wdt",
    device_tree="bcm2837-rpi-3-b.dtb",
)


def cache() -> Path:
    """Where image/build keeps its things."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(os.environ.get("EDGE_AGENT_CACHE", home / "edge-agent"))


def builder() -> Path | None:
    """The newest Debian that image/build has made for its tools: QEMU is among them."""
    found = [folder for folder in cache().glob("image-builder-*") if not folder.name.endswith(".new")]
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)


def image() -> Path:
    """What image/build has made last."""
    return cache() / "image-work" / "image.img"


def _within(*command: str | Path) -> list[str | Path]:
    tools = builder()
    assert tools is not None, "no tools: run image/build first"
    inside = [ROOT / "image/steps/within", "--entered", tools, ROOT, cache() / "image-work", *command]
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", *inside]


def run_tool(*command: str | Path) -> str:
    """Run one of the builder's tools, in its own mounts."""
    done = subprocess.run(
        _within(*command), check=True, capture_output=True, text=True, env={**os.environ, "NATIVE": "yes"}
    )
    return done.stdout


class Card:
    """A copy of the image on a card of 8 GB. A file of its boot partition is named as ``edge-agent/config.json``."""

    def __init__(self, name: str, *, size_gib: int = 8) -> None:
        self.folder = cache() / "image-work" / "boot" / f"{name}-{os.getpid()}"
        for older in self.folder.parent.glob(f"{name}-*"):
            if older.stat().st_mtime < time.time() - 86400:
                shutil.rmtree(older, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.file = self.folder / "card.img"
        subprocess.run(["cp", "--sparse=always", image(), self.file], check=True)
        os.truncate(self.file, size_gib * 1024**3)

    @property
    def _firmware(self) -> str:
        return f"{self.inside(self.file)}@@{_FIRMWARE_AT}"

    def inside(self, file: Path) -> str:
        """The name that tools have for one of its files."""
        return f"/build/boot/{self.folder.name}/{file.name}"

    def take(self, name: str) -> Path:
        """Copy a file of the boot partition, and say where the copy is."""
        target = self.folder / Path(name).name
        run_tool("mcopy", "-n", "-i", self._firmware, f"::{name}", self.inside(target))
        return target

    def put(self, name: str, content: bytes) -> None:
        """Write a file on the boot partition, as a PC does."""
        source = self.folder / "put"
        source.write_bytes(content)
        run_tool("mcopy", "-o", "-i", self._firmware, self.inside(source), f"::{name}")

    def names(self, folder: str = "") -> list[str]:
        """What lies in a folder of the boot partition."""
        told = run_tool("mdir", "-b", "-i", self._firmware, f"::{folder}")
        return [line.removeprefix("::/") for line in told.splitlines()]

    def remove(self) -> None:
        """Throw it away. What was said on its serial line stays for a day."""
        for file in self.folder.iterdir():
            if file.suffix != ".log":
                file.unlink()


class Board:
    """A board that runs from `__enter__`, or `boot`, to `close`."""

    def __init__(self, card: Card, *, machine: Machine = VIRT) -> None:
        self._card = card
        self._machine = machine
        self._process: subprocess.Popen[bytes] | None = None
        self._boots = 0
        self.serial = card.folder / "serial.log"
        self.opcua, self.page = _free_ports(2)
        self.began = 0.0

    def __enter__(self) -> Self:
        return self.boot()

    def __exit__(self, *_: object) -> None:
        self.close()

    def boot(self) -> Self:
        """Power on."""
        assert self._process is None, "it is on already"
        card, self._boots = self._card, self._boots + 1
        told = card.take("config.txt").read_text().splitlines()
        kernel = next(line.partition("=")[2] for line in told if line.startswith("kernel="))
        initrd = next(line.split()[1] for line in told if line.startswith("initramfs "))
        self.serial = card.folder / f"serial-{self._boots}.log"
        self.serial.touch()
        inside = card.inside
        files = {"CARD": inside(card.file), "SERIAL": inside(self.serial)}
        hardware = [
            one.replace("CARD", files["CARD"]).replace("SERIAL", files["SERIAL"]) for one in self._machine.hardware
        ]
        if self._machine.device_tree is not None:
            hardware += ["-dtb", inside(card.take(self._machine.device_tree))]
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            _within(
                *("qemu-system-aarch64", "-netdev", f"user,id=net,restrict=on,{self._forwards()}", *hardware),
                *("-display", "none", "-monitor", "stdio", "-no-reboot"),
                *("-kernel", inside(card.take(kernel)), "-initrd", inside(card.take(initrd))),
                *("-append", self._command_line()),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "NATIVE": "yes"},
        )
        return self

    def _forwards(self) -> str:
        pairs = {self.opcua: 4840, self.page: 8080}
        return ",".join(f"hostfwd=tcp:127.0.0.1:{outside}-:{inside}" for outside, inside in pairs.items())

    def _command_line(self) -> str:
        """The card's own, with a console that this board has, and a unit that tells us how it went.

        What the unit runs lies on the boot partition: it is too long for this line.
        """
        self._card.put("tell-tests", _REPORT.replace("@TTY@", self._machine.tty).encode())
        told = base64.b64encode(_UNIT.encode()).decode()
        return " ".join(
            (
                self._card.take("cmdline.txt").read_text().strip(),
                f"console={self._machine.tty},115200 systemd.wants=tell-tests.service {self._machine.command_line}",
                _PATIENCE,
                f"systemd.set_credential_binary=systemd.extra-unit.tell-tests.service:{told}",
            )
        )

    def wait_until(self, true: Callable[[], bool], words: str, *, within_s: float) -> float:
        """Wait, and return the seconds since the power came."""
        until = time.monotonic() + within_s
        while not true():
            assert self._process is not None
            assert self._process.poll() is None, f"QEMU has ended while waiting until {words}\n{self._last_words()}"
            assert time.monotonic() < until, f"not within {within_s:.0f} s: {words}\n{self._last_words()}"
            time.sleep(0.5)
        return time.monotonic() - self.began

    def _last_words(self) -> str:
        return "\n".join(self.console.splitlines()[-40:])

    @property
    def console(self) -> str:
        """What it has said on its serial line."""
        return self.serial.read_text(errors="replace")

    def answers(self, port: int) -> bool:
        """Whether somebody greets an OPC UA client there: QEMU itself takes every connection."""
        hello = b"HELF" + (32 + 27).to_bytes(4, "little") + bytes(4) + b"\xff\xff\0\0" * 2 + bytes(8)
        hello += (27).to_bytes(4, "little") + b"opc.tcp://127.0.0.1:4840/ab"
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(hello)
                return connection.recv(4) == b"ACKF"
        except OSError:
            return False

    def report(self) -> dict[str, str]:
        """How the boot went, in parts; wait for it with `reported`."""
        text = self.console.partition("=== state")[2].partition(_END_OF_REPORT)[0]
        found = {}
        for part in f"state{text}".replace("\r", "").split("=== "):
            name, _, content = part.partition("\n")
            found[name.strip()] = content.strip()
        return found

    def reported(self) -> bool:
        """Whether the boot is complete and told."""
        return _END_OF_REPORT in self.console

    def power_off(self, *, within_s: float = 120.0) -> None:
        """Press the button, and wait until it is off."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"system_powerdown\n")
        self._process.stdin.flush()
        self._process.wait(within_s)
        self._process.stdin.close()
        self._process = None

    def cut_power(self) -> None:
        """Everything stops at once. What it had written by then is on the card."""
        self.close()

    def close(self) -> None:
        """Stop it, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            with process:
                os.killpg(process.pid, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
