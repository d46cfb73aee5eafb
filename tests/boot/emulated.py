"""A board that QEMU makes up: slow, but with the image's own kernel and programs.

card = Card("name")
with Board(card) as board:
    board.wait_until(lambda: board.answers(board.opcua), "port 4840 answers", within_s=300)
    print(board.report()["state"])
    board.cut_power()
"""

from __future__ import annotations

import base64
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from .card import Card, within
from .hall import Hall
from .lost_writes import Loss, fail
from .machines import END_OF_REPORT, VIRT, Machine, command_line, parts_of_report, report_script


class Board:
    """A board that runs from `__enter__`, or `boot`, to `close`; without a network but for this test and the hall.

    Args:
        card: what is in its slot.
        machine: which one.
        hall: the printers around it.
        more: further options for QEMU, as a stick in its USB socket.
    """

    def __init__(
        self, card: Card, *, machine: Machine = VIRT, hall: Hall | None = None, more: tuple[str, ...] = ()
    ) -> None:
        self._card = card
        self._machine = machine
        self._hall = hall
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        self._boots = 0
        self._line: socket.socket | None = None
        self.folder = card.folder
        self.serial = card.folder / "serial.log"
        self.opcua, self.page, self.ssh = _free_ports(3)
        self.began = 0.0

    def __enter__(self) -> Self:
        return self if self._process is not None else self.boot()

    def __exit__(self, *_: object) -> None:
        self.close()

    def boot(self, *, may_fail: bool = False) -> Self:
        """Power on. With ``may_fail`` writes are logged, for `fail_power`."""
        assert self._process is None, "it is on already"
        card, self._boots = self._card, self._boots + 1
        card.put("tell-tests", report_script(self._machine).encode())
        told = card.take("config.txt").read_text().splitlines()
        kernel = next(line.partition("=")[2] for line in told if line.startswith("kernel="))
        initrd = next(line.split()[1] for line in told if line.startswith("initramfs "))
        self.serial = card.folder / f"serial-{self._boots}.log"
        self.serial.touch()
        hardware = [*self._machine.hardware, "-serial", f"file:{card.inside(self.serial)}", *self._slot(log=may_fail)]
        if self._machine.device_tree is not None:
            hardware += ["-dtb", card.inside(card.take(self._machine.device_tree))]
        self.began = time.monotonic()
        with (card.folder / f"qemu-{self._boots}.log").open("wb") as complaints:
            self._process = subprocess.Popen(
                within(
                    *("qemu-system-aarch64", "-netdev", f"user,id=net,restrict=on,{self._ways()}"),
                    *(*hardware, *self._more, "-display", "none", "-monitor", "stdio", "-no-reboot"),
                    *("-kernel", card.inside(card.take(kernel)), "-initrd", card.inside(card.take(initrd))),
                    *("-append", command_line(card.take("cmdline.txt").read_text(), self._machine)),
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                start_new_session=True,
                env={**os.environ, "NATIVE": "yes"},
            )
        return self

    def _slot(self, *, log: bool) -> list[str]:
        """The card, and the line on which it may be asked."""
        card = self._card
        if not self._machine.may_be_asked:
            return ["-drive", f"if=sd,format=raw,file={card.inside(card.file)}"]
        node = f"node-name=card,driver=raw,file.driver=file,file.filename={card.inside(card.file)}"
        if log:
            subprocess.run(["cp", "--sparse=always", card.file, self._before], check=True)
            self._log.write_bytes(b"")
            node = (
                "node-name=card,driver=blklogwrites,file.driver=raw,file.file.driver=file,"
                f"file.file.filename={card.inside(card.file)},log.driver=file,log.filename={card.inside(self._log)}"
            )
        line = card.folder / "line"
        line.unlink(missing_ok=True)
        return [
            *("-blockdev", node, *self._machine.slot, "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=line,path={card.inside(line)},server=on,wait=off"),
            *("-device", "virtserialport,chardev=line,name=tests"),
        ]

    @property
    def _before(self) -> Path:
        return self._card.folder / "before.img"

    @property
    def _log(self) -> Path:
        return self._card.folder / "writes"

    def _ways(self) -> str:
        pairs = {self.opcua: 4840, self.page: 8080, self.ssh: 22}
        ways = [f"hostfwd=tcp:127.0.0.1:{outside}-:{inside}" for outside, inside in pairs.items()]
        return ",".join([*ways, *(self._hall.relays if self._hall else ())])

    def wait_until(self, true: Callable[[], bool], words: str, *, within_s: float) -> float:
        """Wait, and return the seconds since the power came."""
        until = time.monotonic() + within_s
        while not true():
            assert self.is_on, f"QEMU has ended while waiting until {words}\n{self._last_words()}"
            assert time.monotonic() < until, f"not within {within_s:.0f} s: {words}\n{self._last_words()}"
            time.sleep(0.2)
        return time.monotonic() - self.began

    @property
    def is_on(self) -> bool:
        """It has power, and has not switched itself off."""
        return self._process is not None and self._process.poll() is None

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

    def ask(self, script: str, *, within_s: float = 120.0) -> str:
        """What a script says that root runs on it; once the boot is complete."""
        line = self.say(script)
        line.settimeout(within_s)
        said = b""
        while not said.endswith(b"\n"):
            said += line.recv(65536)
        text, _, code = said.strip().partition(b".")
        answer = base64.b64decode(text).decode(errors="replace")
        assert code == b"0", f"{script}: {code.decode()}: {answer}"
        return answer

    def say(self, script: str) -> socket.socket:
        """Have root run a script, and do not wait for it."""
        if self._line is None:
            self._line = socket.socket(socket.AF_UNIX)
            self._line.connect(str(self._card.folder / "line"))
        self._line.sendall(base64.b64encode(script.encode()) + b"\n")
        return self._line

    def plug(self, stick: str) -> None:
        """A stick into its USB socket, which it has by the option ``qemu-xhci,id=usb``."""
        self._monitor(f"drive_add 0 if=none,id=stick,format=raw,file={stick}")
        self._monitor("device_add usb-storage,bus=usb.0,drive=stick,id=stick")

    def unplug(self) -> None:
        """And out again."""
        self._monitor("device_del stick")
        time.sleep(2)

    def _monitor(self, command: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()

    def report(self) -> dict[str, str]:
        """How the boot went, in parts; wait for it with `reported`."""
        return parts_of_report(self.console)

    def reported(self) -> bool:
        """Whether the boot is complete and told."""
        return END_OF_REPORT in self.console

    def power_off(self, *, within_s: float = 240.0) -> None:
        """Press the button, and wait until it is off."""
        self._monitor("system_powerdown")
        self.wait_for_end(within_s=within_s)

    def wait_for_end(self, *, within_s: float) -> None:
        """Wait until it is off by itself: switched off, or about to start again, which these boards do not."""
        assert self._process is not None
        self._process.wait(within_s)
        self.close()

    def fail_power(self, dice: random.Random, *, at: float = 1.0) -> Loss:
        """Everything stops, and of what nobody had flushed some is lost. It was booted with ``may_fail``.

        Args:
            dice: what is lost.
            at: when it failed: 1.0 is now, 0.5 was when half of what it has written since it was booted was written.
        """
        self.close()
        self._card.file.unlink()
        self._before.rename(self._card.file)
        return fail(self._card.file, self._log, chance=dice.choice((0.0, 0.5, 1.0)), dice=dice, at=at)

    def close(self) -> None:
        """Stop it, whatever it does."""
        process, self._process = self._process, None
        if self._line is not None:
            self._line.close()
            self._line = None
        if process is not None:
            with process:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def forget(self) -> None:
        """Throw its card away."""
        self.close()
        self._card.remove()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
