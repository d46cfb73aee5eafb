"""The folder ``edge-agent`` on the boot partition: configuration and keys that somebody put there from a PC.

Before the agent starts, what lies there is put together with what is in force, in a folder beside that, and the agent's
own check looks at the whole. If it is good, keys go first and config.json last, each by one rename; only when all of it
is on the data partition, the card's copies are wiped. If it is not, what is in force stays, the card's files too, and
``config-problems.txt`` says why. The power may fail at any instant: what was not wiped is simply taken again.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from . import files
from .agent import AgentSilentError, Verdict
from .card import OURS, Writable, read_text, write_text
from .paths import Paths
from .words import problems_text

CONFIG = "config.json"
_LARGEST_BYTES = 1 << 20
_DEEPEST = 3
_STAGE = ".drop-box"
_NEVER_STAGED = re.compile(r"\.drop-box|.*\.bak|.*\.previous|\..*\.new")
_LIKE_A_CONFIG = re.compile(r"config(uration)?(\s*\(\d+\)|\s*-\s*.*)?\.(json|jsonc|txt|json\.txt)", re.IGNORECASE)


class Judge(Protocol):
    """What the drop box asks of the installed agent: `edge_agent_image.agent.Agent`."""

    def check(self, config: Path) -> Verdict: ...  # noqa: D102
    def holds_secrets(self, config: Path) -> bool: ...  # noqa: D102
    def move_secrets(self, config: Path) -> None: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of what lay there. ``taken`` and ``problems`` are lines; ``verdict`` is on what is in force now."""

    taken: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class _Dropped:
    """One file on the card, and the name under which config.json means it, relative to its folder."""

    file: Path
    name: str


class DropBox:
    """Takes over what lies on the card.

    Args:
        paths: where everything is.
        judge: the installed agent.
        writable: opens the card for writing.
    """

    def __init__(self, paths: Paths, judge: Judge, writable: Writable) -> None:
        self._paths = paths
        self._judge = judge
        self._writable = writable
        self._stage = paths.etc / _STAGE

    def empty(self) -> Outcome:
        """Do all of it.

        Raises:
            OSError: the card or the data partition cannot be written; what is in force is as it was.
        """
        files.remove_tree(self._stage)
        if self._paths.card.is_dir() and files.remnants(self._paths.card):
            with self._open_card():
                files.finish_wiping(self._paths.card)
        found, unnamed, complaints = self._look()
        if not found:
            return self._told(Outcome(problems=tuple(complaints)))
        try:
            return self._told(self._take(found, unnamed))
        except AgentSilentError as error:
            return Outcome(problems=(f"nothing was taken from the card, it cannot be checked: {error}",))
        finally:
            files.remove_tree(self._stage)

    def _open_card(self) -> AbstractContextManager[None]:
        return self._writable()

    # What lies there

    def _look(self) -> tuple[list[_Dropped], list[str], list[str]]:
        """The files that are meant, the names of others, and what is wrong before anybody has read them."""
        card = self._paths.card
        if not card.is_dir():
            return [], [], []
        there = [
            file
            for file in sorted(card.rglob("*"))
            if file.is_file()
            and not any(OURS.fullmatch(part) for part in file.relative_to(card).parts)
            and len(file.relative_to(card).parts) <= _DEEPEST
        ]
        configs = [file for file in there if file.parent == card and file.name.lower() in _CONFIG_NAMES]
        others = [file for file in there if file not in configs]
        complaints = [
            f'"{file.name}" was not read: is it your configuration? Then name it {CONFIG}'
            for file in others
            if not configs and file.parent == card and _LIKE_A_CONFIG.fullmatch(file.name)
        ]
        if len(configs) > 1:
            complaints.append(f"there are {' and '.join(_shown(configs))}; delete all but one")
        complaints += [
            f'"{file.name}" is larger than 1 MB; it cannot be a configuration'
            for file in configs
            if file.stat().st_size > _LARGEST_BYTES
        ]
        if complaints:
            return [], [], complaints
        named = self._named(configs, others)
        meant = {dropped.file for dropped in named}
        return named, [file.relative_to(card).as_posix() for file in others if file not in meant], []

    def _named(self, configs: list[Path], others: list[Path]) -> list[_Dropped]:
        """Of the other files those that the configuration names, however a PC has spelled them."""
        try:
            text = read_text(configs[0] if configs else self._paths.etc / CONFIG)
        except (OSError, UnicodeDecodeError):
            text = ""
        meant = [_Dropped(file=file, name=CONFIG) for file in configs]
        for file in others:
            name = _spelled(file.relative_to(self._paths.card).as_posix(), text)
            if name is not None and file.stat().st_size <= _LARGEST_BYTES:
                meant.append(_Dropped(file=file, name=name))
        return meant

    # What becomes of it

    def _take(self, found: list[_Dropped], unnamed: list[str]) -> Outcome:
        self._lay_out(found)
        verdict = self._judge.check(self._stage / CONFIG)
        if not verdict.good:
            lines = [self._as_on_card(line) for line in verdict.errors]
            if unnamed:
                lines.append(f"on the card, and named nowhere in config.json: {', '.join(unnamed)}")
            return Outcome(problems=tuple(lines), verdict=verdict)
        if self._judge.holds_secrets(self._stage / CONFIG):
            self._judge.move_secrets(self._stage / CONFIG)
            verdict = self._judge.check(self._stage / CONFIG)
            if not verdict.good or self._judge.holds_secrets(self._stage / CONFIG):
                raise AgentSilentError("the keys could not be moved out of config.json; please report this")
        self._put_in_place(verdict)
        self._clear_card(found)
        taken = tuple(dropped.file.name for dropped in found)
        return Outcome(taken=taken, verdict=self._with_names_of_card(verdict))

    def _lay_out(self, found: list[_Dropped]) -> None:
        """What would be in force: what is, with what was dropped over it."""
        etc = self._paths.etc
        owner = self._owner()
        files.make_folder(self._stage, mode=0o700, owner=owner)
        for file in sorted(etc.rglob("*")):
            name = file.relative_to(etc)
            if (
                file.is_file()
                and _is_inside(file, etc)
                and not any(_NEVER_STAGED.fullmatch(part) for part in name.parts)
            ):
                self._lay(file.read_bytes(), name)
        for dropped in found:
            content = dropped.file.read_bytes()
            if dropped.name == CONFIG and content.startswith((b"\xff\xfe", b"\xfe\xff")):
                content = content.decode("utf-16", "replace").encode()
            self._lay(content, Path(dropped.name))

    def _lay(self, content: bytes, name: Path) -> None:
        _make_folders(self._stage, name.parent, self._owner())
        files.replace(self._stage / name, content, mode=files.SECRET, owner=self._owner())

    def _owner(self) -> tuple[int, int]:
        """The agent's user: it owns its state."""
        return files.owner_of(self._paths.state)

    def _put_in_place(self, verdict: Verdict) -> None:
        """Keys first: what config.json names is there when it comes. What is the same is left alone."""
        etc = self._paths.etc
        user, group = self._owner()
        names = [file.relative_to(self._stage) for file in verdict.files if file.is_relative_to(self._stage)]
        for name in names:
            if not _is_inside((etc / name).parent, etc):
                raise AgentSilentError(f"{name.parent} leads out of the configuration's folder")
            if name != Path(CONFIG):
                _make_folders(etc, name.parent, (user, group))
                _place(self._stage / name, etc / name, mode=files.SECRET, owner=(user, group))
        now = etc / CONFIG
        if now.is_file() and now.read_bytes() != (self._stage / CONFIG).read_bytes():
            files.replace(etc / f"{CONFIG}.previous", now.read_bytes(), mode=files.SECRET, owner=(0, 0))
        _place(self._stage / CONFIG, now, mode=0o640, owner=(0, group))

    def _clear_card(self, found: list[_Dropped]) -> None:
        with self._open_card():
            for dropped in found:
                files.wipe(dropped.file)
                _remove_if_empty(dropped.file.parent, self._paths.card)

    def _told(self, outcome: Outcome) -> Outcome:
        """Say on the card what is wrong, or say no longer what was."""
        note = self._paths.card / "config-problems.txt"
        if outcome.problems:
            text = problems_text(outcome.problems, in_force=(self._paths.etc / CONFIG).is_file())
            if not note.is_file() or note.read_bytes().decode("utf-8-sig", "replace") != text.replace("\n", "\r\n"):
                with self._open_card():
                    write_text(note, text)
        elif note.is_file():
            with self._open_card():
                note.unlink()
        return outcome

    # Words

    def _as_on_card(self, line: str) -> str:
        """The agent speaks of the folder in which it was asked; the technician knows the card."""
        return line.replace(f"{self._stage}/", "").replace(str(self._stage), "the folder edge-agent of the card")

    def _with_names_of_card(self, verdict: Verdict) -> Verdict:
        remarks = tuple(self._as_on_card(line) for line in verdict.remarks)
        return Verdict(good=verdict.good, ports=verdict.ports, machines=verdict.machines, remarks=remarks)


_CONFIG_NAMES = {CONFIG, f"{CONFIG}.txt"}  # Windows hides endings, and its Notepad adds one


def _spelled(name: str, text: str) -> str | None:
    """How the configuration spells a file's name: PCs change letter case, and add a ``.txt`` that they do not show."""
    candidates = [name, *([name[: -len(".txt")]] if name.lower().endswith(".txt") else [])]
    for candidate in candidates:
        found = re.search(rf'"(?:\./)?({re.escape(candidate)})"', text, re.IGNORECASE)
        if found:
            return found[1]
    return None


def _shown(found: list[Path]) -> list[str]:
    return [f'"{file.name}"' for file in found]


def _place(source: Path, target: Path, *, mode: int, owner: tuple[int, int]) -> None:
    content = source.read_bytes()
    if not target.is_file() or target.read_bytes() != content:
        files.replace(target, content, mode=mode, owner=owner)


def _is_inside(path: Path, folder: Path) -> bool:
    """Not a link that leads elsewhere: the agent can write to that folder, and we are root."""
    return path.resolve().is_relative_to(folder.resolve())


def _make_folders(base: Path, folder: Path, owner: tuple[int, int]) -> None:
    for part in [*reversed(folder.parents), folder]:
        files.make_folder(base / part, mode=0o750, owner=owner)


def _remove_if_empty(folder: Path, base: Path) -> None:
    while folder != base and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
