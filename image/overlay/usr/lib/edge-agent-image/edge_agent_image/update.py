"""A newer agent from a file: on the boot partition or on a USB stick, signed, installed by its own install.sh.

The archive is copied to the data partition first, and only the copy is verified, unpacked and run: a stick can change
what it shows. install.sh waits until the new version is ready and goes back by itself if it is not. A file that makes
the board fall over is tried three times, not at every boot for ever.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .card import Writable, write_text
from .files import make_folder, remove_tree, replace
from .paths import Paths
from .shell import Run

_ARCHIVE = re.compile(
    r"edge-agent-(?P<version>[0-9][0-9A-Za-z.+]*)-linux-(?P<machine>[a-z0-9]+)\.tar\.gz", re.IGNORECASE
)
_MOST_TRIES = 3
_INSTALL_S = 1800.0
_LARGEST_BYTES = 512 << 20


class Fate(Enum):
    """What became of an update: the file goes, or gets this ending so that nobody tries it again."""

    DONE = ""
    REFUSED = ".refused"
    FAILED = ".failed"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one file, in words."""

    name: str
    fate: Fate
    text: str


class Updates:
    """Installs what lies in a folder.

    Args:
        paths: where everything is.
        run: runs programs.
        machine: this board's architecture, as Debian names it.
    """

    def __init__(self, paths: Paths, run: Run, *, machine: str) -> None:
        self._paths = paths
        self._run = run
        self._machine = machine
        self._room = paths.kept / "update"

    def from_card(self, writable: Writable) -> list[Result]:
        """Install from the boot partition; the file is gone afterwards, or has an ending that says why."""
        found = list(self._archives(self._paths.card))
        results = [self._install(archive) for archive in found]
        if results:
            with writable():
                write_text(self._paths.card / "update-result.txt", result_text(results))
                for archive, result in zip(found, results, strict=True):
                    _put_away(archive, result.fate)
        for result in results:
            self._tries(result.name).unlink(missing_ok=True)
        return results

    def from_stick(self, stick: Path, writable: Writable, *, board: str) -> list[Result]:
        """Install from the root of a USB stick. The file stays: a stick goes from board to board."""
        results = [self._install(archive) for archive in self._archives(stick)]
        if results:
            with writable():
                write_text(stick / f"update-result-{board}.txt", result_text(results))
        for result in results:
            self._tries(result.name).unlink(missing_ok=True)
        return results

    def _archives(self, folder: Path) -> Iterator[Path]:
        if folder.is_dir():
            yield from (file for file in sorted(folder.iterdir()) if _ARCHIVE.fullmatch(file.name) and file.is_file())

    def _install(self, archive: Path) -> Result:
        name = archive.name
        found = _ARCHIVE.fullmatch(name)
        signature = archive.with_name(f"{name}.sig")
        if found is None or found["machine"] != self._machine:
            return _refused(
                name, f"it is made for another kind of computer; this one needs ...-linux-{self._machine}.tar.gz"
            )
        if not self._key.is_file():
            return _refused(name, "this image was made without a key for updates, so none is accepted")
        if not signature.is_file():
            return _refused(name, f"its signature is missing: copy {signature.name} here, too")
        if archive.stat().st_size > _LARGEST_BYTES:
            return _refused(name, "it is too large to be an update")
        make_folder(self._room, mode=0o700, owner=None)
        if not self._may_be_tried(name):
            return Result(
                name=name, fate=Fate.FAILED, text=f"it was begun {_MOST_TRIES} times and never came to an end"
            )
        try:
            return self._install_copy(archive, signature)
        except (OSError, tarfile.TarError) as error:
            return Result(name=name, fate=Fate.FAILED, text=f"it could not be unpacked: {error}")
        finally:
            remove_tree(self._room / "unpacked")
            for file in self._room.glob("copy*"):
                file.unlink()

    @property
    def _key(self) -> Path:
        return self._paths.share / "update.pub"

    def _tries(self, name: str) -> Path:
        return self._room / f"tries-{name}"

    def _may_be_tried(self, name: str) -> bool:
        file = self._tries(name)
        tries = int(file.read_text()) if file.is_file() else 0
        replace(file, str(tries + 1).encode())
        return tries < _MOST_TRIES

    def _install_copy(self, archive: Path, signature: Path) -> Result:
        copy = self._room / "copy.tar.gz"
        shutil.copyfile(archive, copy)
        shutil.copyfile(signature, self._room / "copy.sig")
        said = self._run(
            *("signify-openbsd", "-V", "-q", "-p", str(self._key)),
            *("-x", str(self._room / "copy.sig"), "-m", str(copy)),
            timeout_s=300.0,
        )
        if not said.good:
            return _refused(archive.name, "its signature is not of the key in this image: damaged, or not made by us")
        made = self._unpack(copy)
        self._let_time_pass(made)
        script = next((self._room / "unpacked").glob("*/install.sh"), None)
        if script is None:
            return Result(name=archive.name, fate=Fate.FAILED, text="there is no install.sh in it")
        said = self._run(str(script), timeout_s=_INSTALL_S)
        os.sync()
        return _result(archive.name, said.code, [*said.output.splitlines(), *said.errors.splitlines()])

    def _unpack(self, copy: Path) -> int:
        """Unpack, and tell when the newest file in it was made."""
        remove_tree(self._room / "unpacked")
        with tarfile.open(copy) as packed:
            newest = max((int(member.mtime) for member in packed.getmembers()), default=0)
            packed.extractall(self._room / "unpacked", filter="data")
        return newest

    def _let_time_pass(self, at_least: int) -> None:
        """No signed file was made later than now: systemd-timesyncd brings a clock that nobody sets there."""
        if time.time() < at_least:
            clock = self._paths.root / "var/lib/systemd/timesync/clock"
            if clock.parent.is_dir():
                clock.touch()
                os.utime(clock, (at_least, at_least))
                self._run("systemctl", "restart", "systemd-timesyncd.service")


def heal(paths: Paths, run: Run) -> bool:
    """Put the unit of the release in use in place: what an update wrote beside /opt is forgotten by a sealed root.

    Returns:
        Whether anything had to be done.
    """
    release = paths.opt / "current/share/edge-agent"
    ours, installed = release / "systemd/edge-agent.service", paths.root / "etc/systemd/system/edge-agent.service"
    if not ours.is_file() or (installed.is_file() and installed.read_bytes() == ours.read_bytes()):
        return False
    version = (paths.opt / "current").resolve().name.partition("-py")[0]
    run(str(release / "install.sh"), "--version", version, "--no-start", timeout_s=120.0)
    return True


def result_text(results: list[Result]) -> str:
    """``update-result.txt``."""
    lines = []
    for result in results:
        lines += [result.name, *(f"    {line}" for line in result.text.splitlines()), ""]
    return "\n".join(lines)


def _refused(name: str, why: str) -> Result:
    return Result(name=name, fate=Fate.REFUSED, text=f"REFUSED: {why}.\nNothing was changed.")


def _result(name: str, code: int, said: list[str]) -> Result:
    if code == 0:
        return Result(name=name, fate=Fate.DONE, text="\n".join(["Installed.", *said[-3:]]))
    outcome = "The version before runs again." if code == 40 else f"See docs/install.md, error {code}."
    return Result(name=name, fate=Fate.FAILED, text="\n".join(["NOT INSTALLED.", outcome, *said[-20:]]))


def _put_away(archive: Path, fate: Fate) -> None:
    signature = archive.with_name(f"{archive.name}.sig")
    if fate is Fate.DONE:
        archive.unlink()
        signature.unlink(missing_ok=True)
    else:
        archive.replace(archive.with_name(f"{archive.name}{fate.value}"))
