"""``board COMMAND``: what each unit of the image runs. Lines on standard output go to the journal."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from .agent import Agent
from .card import writable
from .customisation import lay_seed
from .drop_box import DropBox
from .growing import GrowError, grow
from .identity import make_identity
from .paths import Paths
from .places import lay_out
from .ports import open_ports
from .sealing import NotYetError, break_seal_if_changed, seal
from .security_updates import NotUpdatedError, update_system
from .shell import Run, run
from .status import StatusFile, keep_outcome
from .update import Result, Updates, heal
from .watchdog import NoWatchdogError, assert_watchdog

_DEBIANS_NAME = {"aarch64": "arm64", "x86_64": "amd64"}


class Board:
    """This board, and what it can be told to do. Every command gives back lines for the journal.

    Args:
        paths: where everything is.
        run: runs programs.
    """

    def __init__(self, paths: Paths, run: Run) -> None:
        self._paths = paths
        self._run = run
        self._agent = Agent(paths, run)

    @property
    def commands(self) -> dict[str, Callable[[], list[str]]]:
        """Those that need no argument, by name."""
        paths, run = self._paths, self._run
        return {
            "customisation": lambda: _if(break_seal_if_changed(paths, run), "the customisation on the card is another"),
            "drop-box": self._drop_box,
            "grow": lambda: grow(paths, run),
            "heal": lambda: _if(heal(paths, run), "the unit of the release in use was put in place"),
            "identity": lambda: [*lay_seed(paths, run), *make_identity(paths, run)],
            "open-ports": lambda: [f"port {port} was opened" for port in open_ports(paths, self._agent, run)],
            "places": lambda: [f"{name} was made on the data partition" for name in lay_out(paths)],
            "seal": lambda: _if(seal(paths, run), "the first boot is complete: the root is read-only from the next on"),
            "security-updates": lambda: _if(update_system(paths, run), "packages have changed: rebooting"),
            "status": self._status,
            "update": lambda: _lines(self._updates.from_card(self._open_card)),
            "watchdog": lambda: [assert_watchdog(paths)],
        }

    def update_from(self, device: str) -> list[str]:
        """Install an update from a partition of a USB stick, which is mounted so that nothing on it can be run."""
        stick = self._paths.run / f"stick-{Path(device).name}"
        stick.mkdir(parents=True, exist_ok=True)
        said = self._run("mount", "-o", "ro,nosuid,nodev,noexec", f"/dev/{Path(device).name}", str(stick))
        if not said.good:
            return [f"{device} cannot be read: {said.reason}"]
        try:
            name = self._paths.text("proc/sys/kernel/hostname")
            return _lines(self._updates.from_stick(stick, lambda: writable(stick, self._run), board=name))
        finally:
            self._run("umount", str(stick))

    @property
    def _updates(self) -> Updates:
        machine = os.uname().machine
        return Updates(self._paths, self._run, machine=_DEBIANS_NAME.get(machine, machine))

    def _open_card(self) -> AbstractContextManager[None]:
        return writable(self._paths.firmware, self._run)

    def _drop_box(self) -> list[str]:
        outcome = DropBox(self._paths, self._agent, self._open_card).empty()
        remarks = outcome.verdict.remarks if outcome.verdict else ()
        keep_outcome(self._paths, taken=outcome.taken, remarks=(*outcome.problems, *remarks))
        return [*(f"taken from the card: {name}" for name in outcome.taken), *outcome.problems, *remarks]

    def _status(self) -> list[str]:
        file = StatusFile(self._paths, self._agent, self._run, self._open_card)
        return _if(file.update(), "status.txt was written")


def _if(found: bool, words: str) -> list[str]:
    return [words] if found else []


def _lines(results: Sequence[Result]) -> list[str]:
    return [f"{result.name}: {result.text}" for result in results]


def main() -> int:
    """Run one command.

    Returns:
        0, or 1 if it failed; the reason is then on standard error.
    """
    board = Board(Paths(), run)
    commands = board.commands
    parser = argparse.ArgumentParser(prog="board", description="What the SD image does beside the agent.")
    parser.add_argument("command", choices=[*commands, "update-from"])
    parser.add_argument("device", nargs="?", help="for update-from: the partition of a USB stick, as in sda1")
    given = parser.parse_args()
    if given.command == "update-from" and not given.device:
        parser.error("update-from needs a device")
    try:
        lines = board.update_from(given.device) if given.device else commands[given.command]()
    except (OSError, GrowError, NotYetError, NotUpdatedError, NoWatchdogError) as error:
        print(f"board {given.command}: {error}", file=sys.stderr)
        return 1
    for line in lines:
        print(line)
    return 0
