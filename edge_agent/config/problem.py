"""What is wrong with a configuration: one record per problem, all of them told at once."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from ..errors import ConfigError

JsonPath = tuple[str | int, ...]
"""Where a value stands in the file: ``("machines", 0, "url")``."""


class Position(Struct, frozen=True, order=True):
    """A place in a text file, both numbers from 1, the column in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class Severity(enum.StrEnum):
    """An error refuses the file, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Struct, frozen=True, kw_only=True):
    """One thing to put right. ``path`` is like ``machines[0].url``; both it and ``position`` may be unknown."""

    file: str
    text: str
    position: Position | None = None
    path: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.file}:{self.position}" if self.position else self.file
        mark = "warning" if self.severity is Severity.WARNING else ""
        return ": ".join(part for part in (where, mark, self.path, self.text) if part)


class ConfigFileError(ConfigError):
    """The file cannot be used. ``problems`` holds every error and warning, ``watched_files`` what to wait for."""

    def __init__(self, problems: Iterable[Problem], watched_files: Iterable[Path] = ()) -> None:
        self.problems = in_file_order(problems)
        self.watched_files = tuple(watched_files)
        super().__init__("\n".join(map(str, self.problems)))


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by place in the file, what has no place first."""
    return tuple(sorted(problems, key=lambda problem: problem.position or Position(0, 0)))


def dotted(path: JsonPath) -> str:
    """Write a path the way people do: ``machines[0].url``."""
    return "".join(map(_step, path)).removeprefix(".")


def _step(step: str | int) -> str:
    """A key that is no plain word is quoted: it may hold line ends, and whatever else a terminal obeys."""
    if isinstance(step, int):
        return f"[{step}]"
    if re.fullmatch(r"[A-Za-z0-9_$-]{1,60}", step):
        return f".{step}"
    return f"[{json.dumps(step[:60])}]"
