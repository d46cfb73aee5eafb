"""A board without a board: its folders below a temporary one, its programs as a list of answers."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_agent_image.agent import Agent, Verdict
from edge_agent_image.drop_box import DropBox
from edge_agent_image.paths import Paths
from edge_agent_image.shell import NOT_FOUND, Said

from edge_agent.cli.check import check
from edge_agent.cli.migrate import migrate

KEY = "0123456789ABCDEF0123456789ABCDEF"


Answer = str | Said | Callable[[], Said]
"""What a program prints, or how it ends, or what finds that out."""


class Programs:
    """Stands in for every other program, and remembers what was asked of it.

    Args:
        answers: by the command's beginning, as one text; the longest that fits counts.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[str] = []

    def __call__(self, *command: str, timeout_s: float = 0.0, stdin: str = "") -> Said:
        del timeout_s
        text = " ".join(command)
        self.asked.append(f"{text} <{stdin.strip()}" if stdin else text)
        fitting = [begin for begin in self.answers if text.startswith(begin)]
        answer = self.answers[max(fitting, key=len)] if fitting else ""
        if callable(answer):
            return answer()
        return Said(code=0, output=answer) if isinstance(answer, str) else answer


def agent_here(*command: str, timeout_s: float = 0.0, stdin: str = "") -> Said:
    """The agent's command line in this process: its rules, without a start of a third of a second each."""
    del timeout_s, stdin
    words = [*command[command.index("check" if "check" in command else "migrate") :]]
    paths = {name: Path(words[words.index(name) + 1]) for name in ("--config", "--state-dir")}
    out = io.StringIO()
    if words[0] == "check":
        code = check(config_path=paths["--config"], state_dir=paths["--state-dir"], probe=None, as_json=True, out=out)
    else:
        code = migrate(config_path=paths["--config"], state_dir=paths["--state-dir"], write="--write" in words, out=out)
    return Said(code=int(code), output=out.getvalue())


class Board:
    """Folders as on a board that has been running for a while, without a configuration."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root=root)
        for folder in (self.paths.card, self.paths.etc, self.paths.state, self.paths.kept, self.paths.run):
            folder.mkdir(parents=True)
        self.paths.state.chmod(0o700)
        self.opened = 0
        self.agent = Agent(self.paths, agent_here, user=None)

    @contextmanager
    def writable(self) -> Iterator[None]:
        """The card, opened; counted, since it is to be written on purpose only."""
        self.opened += 1
        yield

    def drop_box(self) -> DropBox:
        """Its drop box, with the agent's own rules."""
        return DropBox(self.paths, self.agent, self.writable)

    def drop(self, name: str, content: str | bytes) -> Path:
        """Put a file on the card, as a technician does."""
        file = self.paths.card / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def install(self, name: str, content: str) -> Path:
        """Have a file in force already."""
        file = self.paths.etc / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o600)
        return file

    @property
    def on_card(self) -> list[str]:
        """The files on the card."""
        files = (file for file in self.paths.card.rglob("*") if file.is_file())
        return sorted(file.relative_to(self.paths.card).as_posix() for file in files)

    @property
    def in_force(self) -> dict[str, str]:
        """What the agent would read: every file's text, less what is kept as the way back."""
        return {
            file.relative_to(self.paths.etc).as_posix(): file.read_text(errors="replace")
            for file in sorted(self.paths.etc.rglob("*"))
            if file.is_file() and not file.name.endswith(".previous")
        }

    @property
    def problems(self) -> str:
        """``config-problems.txt``, or nothing."""
        file = self.paths.card / "config-problems.txt"
        return file.read_bytes().decode("utf-8-sig") if file.is_file() else ""


def config(*, url: str = "http://192.168.1.41", key: str | None = "mark.key", **more: object) -> str:
    """A config.json with one machine."""
    machine = {"type": "OCTOPRINT", "url": url, "custom_name": "Mark", "mes_id": [1], **more}
    if key is not None:
        machine["authentication_file_path"] = key
    return json.dumps({"machines": [machine]}, indent=2)


_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.truncate", "os.utime"}
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CUT = 86


def powered(action: Callable[[], object], *, cut_after: int) -> bool:
    """Do something in a process of its own, which dies before its ``cut_after``-th change of the disk.

    Returns:
        Whether it came to its end.
    """
    child = os.fork()
    if child == 0:
        left = cut_after

        def count(event: str, about: tuple[Any, ...]) -> None:
            nonlocal left
            if event in _CHANGES or (event == "open" and about[2] & _TO_WRITE):
                left -= 1
                if left < 0:
                    os._exit(_CUT)

        sys.addaudithook(count)
        try:
            action()
        except BaseException:  # noqa: BLE001 - told by the code, in the process that tests
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, _CUT}, f"it failed with {code} where nothing was cut"
    return code == 0


__all__ = ["KEY", "NOT_FOUND", "Board", "Programs", "Verdict", "agent_here", "config", "powered"]
