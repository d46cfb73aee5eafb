"""A computer in a box: a Debian with its own systemd as PID 1, in namespaces of its own, on this kernel.

with Box("trixie") as box:
    box.copy_in(Path("dist"), "/root/dist")
    box.run("/root/dist/install.sh")
    box.wait_until(lambda: box.show("edge-agent", "ActiveState") == "active", "the agent runs")
    with box.network():
        ...  # sockets made here, by this thread, are the box's: its 127.0.0.1 is meant
    box.cut_power()
    box.boot()  # the disk is as it was, /run and everything that ran is gone

It boots in half a second. It has only loopback: nothing in it reaches another computer. What it cannot do: it has this
host's clock and kernel, and a power cut loses nothing that was written, since this kernel keeps it. Where the host has
its memory controller in cgroup v1, `MemoryMax=` is accepted but not enforced.

Whatever happens to the test, nothing stays behind: see ``box-keeper``.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

SUITES = ("bookworm", "trixie")
BOOT_S = 30.0

_ROOM = Path(__file__).resolve().parent
_PREFIX = "edge-agent-box-"
_CLONE_NEWNET = 0x40000000
_NOT_THE_BOXS = "-sys_time,-sys_module,-sys_rawio"  # clock, modules, hardware: they are the host's
_numbers = count(1)
_Found = TypeVar("_Found")


class Box:
    """One computer. It runs from `boot`, or from the beginning of ``with``, to `close`.

    Args:
        suite: "bookworm" (Debian 12) or "trixie" (13).
        on: begin with the disk of this box, which has to be switched off, and stay so: many tests can stand on
            what was installed once.
    """

    def __init__(self, suite: str, *, on: Box | None = None) -> None:
        self.suite = suite
        self.name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        self._disk = Path(tempfile.gettempdir()) / self.name
        self._cgroup = cgroup2_mount() / self.name
        self._layers: tuple[Path, ...] = () if on is None else (on._disk / "upper", *on._layers)
        self._keeper: subprocess.Popen[str] | None = None
        self._started: list[subprocess.Popen[str]] = []
        self._pid = 0

    def __enter__(self) -> Self:
        return self.boot()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Power

    def boot(self) -> Self:
        """Switch it on, and wait until systemd has started everything."""
        assert self._keeper is None, f"{self.name} is on already"
        root = root_of(self.suite)
        self._disk.mkdir(exist_ok=True)
        self._keeper = subprocess.Popen(
            [_ROOM / "box-keeper", root, self._disk, self._cgroup, self.suite, _NOT_THE_BOXS, *self._layers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the test, which then ends its boxes
        )
        assert self._keeper.stdout is not None
        try:
            self._pid = int(self._keeper.stdout.readline() or 0)
            assert self._pid, f"no PID 1; console: {self.console}"
            self.wait_until(self._booted, "systemd has started everything", within_s=BOOT_S)
        except BaseException:
            print(self.console)
            self.close()
            raise
        return self

    def _booted(self) -> bool:
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}

    def cut_power(self) -> None:
        """Everything dies at once. What is on the disk stays, for `boot`."""
        self._off("keep\n")

    def power_off(self) -> None:
        """Shut down in order, as ``systemctl poweroff``. What is on the disk stays."""
        self.run("systemctl", "poweroff", check=False)
        self.wait_until(lambda: not Path(f"/proc/{self._pid}").exists(), "it is off", within_s=BOOT_S)
        self._off("keep\n")

    def close(self) -> None:
        """Kill what runs, and forget the disk."""
        self._off("")
        shutil.rmtree(self._disk, ignore_errors=True)

    def _off(self, last_word: str) -> None:
        keeper, self._keeper, self._pid = self._keeper, None, 0
        if keeper is None:
            return
        keeper.communicate(last_word, timeout=30)
        for command in self._started:
            command.kill()
            with command:  # reaps it, and closes our end of its output
                pass
        self._started.clear()
        assert keeper.returncode == 0, f"{self.name} left something behind: box-keeper ended with {keeper.returncode}"

    # Commands

    def run(
        self,
        *command: str | Path,
        check: bool = True,
        stdin: str = "",
        within_s: float = 120.0,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root and wait for it; ``stdout``, ``stderr`` and ``returncode`` are in the result.

        Raises:
            AssertionError: it failed, and ``check`` is set; with all that it said.
        """
        done = subprocess.run(
            self._enter(*command, environment=environment),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within_s,
            check=False,
        )
        if check and done.returncode != 0:
            said = f"{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
            raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
        return done

    def sh(self, script: str, *, check: bool = True, within_s: float = 120.0) -> str:
        """What a shell script prints."""
        return self.run("/bin/sh", "-ec", script, check=check, within_s=within_s).stdout

    def start(
        self, *command: str | Path, environment: Mapping[str, str] | None = None, output: int | None = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Run a command and go on. ``kill()`` of the result is a ``kill -9`` of it, but not of its children."""
        started = subprocess.Popen(
            self._enter(*command, environment=environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output == subprocess.PIPE else output,
            text=True,
            errors="replace",
        )
        self._started.append(started)
        return started

    def _enter(self, *command: str | Path, environment: Mapping[str, str] | None) -> list[str]:
        given = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
        } | dict(environment or {})
        assert self._pid, f"{self.name} is off"
        return [
            *("nsenter", "--target", str(self._pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"),
            *("setpriv", "--bounding-set", _NOT_THE_BOXS, "--pdeathsig", "KILL", "env", "-i"),
            *(f"{name}={value}" for name, value in given.items()),
            *(str(word) for word in command),
        ]

    # Files

    def read(self, path: str) -> str:
        """The text of a file."""
        return self.run("cat", path).stdout

    def exists(self, path: str) -> bool:
        """There is something of this name, be it a dangling link."""
        return self.run("find", path, "-maxdepth", "0", check=False).returncode == 0

    def write(self, path: str, text: str, *, mode: str = "644", owner: str = "root:root") -> None:
        """Write a file, whose folder is made, all at once: a reader sees the old text or the new."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && chmod "$2" "$1.new" && chown "$3" "$1.new"'
        self.run("/bin/sh", "-c", f'{script} && mv "$1.new" "$1"', "write", path, mode, owner, stdin=text)

    def copy_in(self, source: Path, target: str) -> None:
        """Copy a file to the path ``target``, or a folder's content into the folder ``target``; owned by root."""
        inside, what = (source, ".") if source.is_dir() else (source.parent, source.name)
        folder = target if source.is_dir() else str(Path(target).parent)
        self.run("mkdir", "-p", folder)
        with subprocess.Popen(["tar", "-C", inside, "-c", what], stdout=subprocess.PIPE) as packed:
            unpack = self._enter("tar", "-C", folder, "--no-same-owner", "-x", environment=None)
            subprocess.run(unpack, stdin=packed.stdout, check=True)
        assert packed.returncode == 0
        if not source.is_dir() and source.name != Path(target).name:
            self.run("mv", f"{folder}/{source.name}", target)

    def copy_out(self, source: str, target: Path) -> None:
        """Copy a file of the box to the path ``target``, byte for byte."""
        with target.open("wb") as file:
            subprocess.run(self._enter("cat", source, environment=None), stdout=file, check=True)

    # What goes on in it

    @property
    def console(self) -> str:
        """What was said before there was a journal."""
        log = self._disk / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def journal(self, unit: str | None = None) -> str:
        """The journal since the last boot, of one unit or of all."""
        of_unit = () if unit is None else ("--unit", unit)
        self.run("journalctl", "--sync", check=False)
        return self.run("journalctl", "--no-pager", "--output", "short-precise", *of_unit).stdout

    def show(self, unit: str, what: str) -> str:
        """One property of a unit, as ``systemctl show`` has it."""
        return self.run("systemctl", "show", "--value", "--property", what, unit).stdout.strip()

    def main_pid(self, unit: str) -> int:
        """The unit's main process, as the box numbers it; 0 if it has none."""
        return int(self.show(unit, "MainPID"))

    def wait_until(self, condition: Callable[[], _Found], what: str, *, within_s: float = 30.0) -> _Found:
        """Ask again and again until the answer is true, and give it back.

        Raises:
            AssertionError: it did not come true; with the end of the journal.
        """
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            if time.monotonic() > deadline:
                journal = self.run("journalctl", "--no-pager", "--lines", "80", check=False).stdout
                raise AssertionError(f"not within {within_s:g} s: {what}; the journal:\n{journal}")
            time.sleep(0.05)
        return found

    @contextmanager
    def network(self) -> Iterator[None]:
        """Inside, this thread and what it starts are in the box's network: clients, servers, processes."""
        with Path("/proc/thread-self/ns/net").open("rb") as ours, Path(f"/proc/{self._pid}/ns/net").open("rb") as its:
            _enter_network(its.fileno())
            try:
                yield
            finally:
                _enter_network(ours.fileno())


def _enter_network(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns is there from Python 3.12 on
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@cache
def root_of(suite: str) -> Path:
    """The suite's root file system, built if need be."""
    build = subprocess.run(
        [_ROOM.parent.parent / "scripts" / "build-roots", suite], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(build.stdout.strip())


@cache
def cgroup2_mount() -> Path:
    """Where this host has cgroup v2: alone, or beside v1."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return next(Path(point) for _, point, kind, *_ in mounts if kind == "cgroup2")


def sweep() -> None:
    """Remove what test runs left that were killed together with their keepers, or between two boots."""
    for litter in (*cgroup2_mount().glob(f"{_PREFIX}*"), *Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")):
        owner = litter.name.removeprefix(_PREFIX).split("-")[0]
        if not owner.isdigit() or Path(f"/proc/{owner}").exists():
            continue
        if litter.is_relative_to(cgroup2_mount()):
            (litter / "cgroup.kill").write_text("1")
            deadline = time.monotonic() + 10
            while litter.exists() and time.monotonic() < deadline:  # its processes are still dying
                remove = ["find", str(litter), "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]
                subprocess.run(remove, stderr=subprocess.DEVNULL, check=False)
        else:
            shutil.rmtree(litter, ignore_errors=True)
