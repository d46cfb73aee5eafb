"""Collects the problems of one file while it is read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from .jsonc import Document
from .problem import JsonPath, Position, Problem, Severity, dotted


class Report:
    """The problems found so far, and the files that were looked at on the way."""

    def __init__(self, file: str, document: Document) -> None:
        self.problems: list[Problem] = []
        self.watched_files: list[Path] = []
        self._file = file
        self._document = document

    def error(self, path: JsonPath, text: str) -> None:
        """Something at ``path`` refuses the file."""
        self._add(path, text, Severity.ERROR)

    def warning(self, path: JsonPath, text: str) -> None:
        """Something at ``path`` should be looked at."""
        self._add(path, text, Severity.WARNING)

    @property
    def value(self) -> object:
        """The whole file as plain values."""
        return self._document.value

    def given(self, path: JsonPath) -> bool:
        """Something other than null stands at ``path``, right or wrong."""
        return self._document.at(path) is not None

    def position(self, path: JsonPath) -> Position:
        """Where the value at ``path`` stands, or its nearest parent."""
        return self._document.position(path)

    def unknown_key(self, path: JsonPath, known: Iterable[str]) -> None:
        """Warn about a key nobody reads, naming the one that was probably meant."""
        names = sorted(known)
        near = nearest(str(path[-1]), names)
        hint = f'did you mean "{near}"?' if near else f"known keys here: {', '.join(names)}"
        self._add(path, f"unknown key, ignored; {hint}", Severity.WARNING, self._document.key_position(path))

    def duplicate_keys(self) -> None:
        """Refuse every key that stands a second time in its object."""
        for path in self._document.duplicates:
            text = "this key stands a second time in its object; delete one"
            self._add(path, text, Severity.ERROR, self._document.key_position(path))

    def line(self, path: JsonPath) -> str:
        """The place of a value for another value's text: ``3:5``."""
        return str(self._document.position(path))

    @property
    def failed(self) -> bool:
        """At least one error so far."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def _add(self, path: JsonPath, text: str, severity: Severity, where: Position | None = None) -> None:
        position = where or self._document.position(path)
        self.problems.append(
            Problem(file=self._file, text=text, position=position, path=dotted(path), severity=severity)
        )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` is most likely a slip of."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None
