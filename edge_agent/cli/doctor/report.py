"""The findings as a page for people, or as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from ... import __version__
from ...errors import ExitCode
from ..grid import BOLD, FAINT, GREEN, RED, YELLOW, plain
from .examination import Examined
from .finding import Finding, Level
from .patient import Patient

_STYLES = {Level.OK: GREEN, Level.UNSEEN: FAINT, Level.LOOK: YELLOW, Level.BAD: f"{BOLD};{RED}"}
_WORDS = {Level.OK: "ok", Level.UNSEEN: "?", Level.LOOK: "look", Level.BAD: "BAD"}
_TITLE = 15
_WORD = 6


class Report(Struct, frozen=True, kw_only=True):
    """All of it, as ``--json`` prints it."""

    version: str
    time: datetime
    as_root: bool
    exit_code: int
    checks: tuple[Examined, ...]


def report(patient: Patient, examined: tuple[Examined, ...]) -> Report:
    """What was found, and the exit code it means."""
    return Report(
        version=__version__,
        time=patient.now,
        as_root=patient.root,
        exit_code=exit_code(patient, examined),
        checks=examined,
    )


def exit_code(patient: Patient, examined: Sequence[Examined]) -> ExitCode:
    """CONFIG if config.json cannot be used, ATTENTION if somebody should look, else OK."""
    reading = patient.reading
    if reading.config is None and not (reading.hidden or (reading.missing and patient.default_config)):
        return ExitCode.CONFIG
    attention = any(one.worst in {Level.LOOK, Level.BAD} for one in examined)
    return ExitCode.ATTENTION if attention else ExitCode.OK


def lines(found: Report, *, width: int, colour: bool) -> Iterator[str]:
    """The page, no line longer than ``width`` but for words that are."""

    def styled(text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if colour else text

    for one in found.checks:
        title = one.title
        for finding in one.findings:
            word = styled(f"{_WORDS[finding.level]:<{_WORD}}", _STYLES[finding.level])
            first, *rest = _wrapped(finding, width)
            yield f"{title:<{_TITLE}}{word}{first}"
            yield from (f"{'':{_TITLE + _WORD}}{line}" for line in rest)
            title = ""
    yield ""
    yield _summary(found)


def _wrapped(finding: Finding, width: int) -> list[str]:
    room = max(40, width - _TITLE - _WORD)
    texts = [("", finding.text), ("-> ", finding.remedy)]
    return [
        line
        for mark, text in texts
        for line in textwrap.wrap(
            plain(text),
            room,
            initial_indent=mark,
            subsequent_indent=" " * len(mark),
            break_long_words=False,
            break_on_hyphens=False,
        )
    ] or [""]


def _summary(found: Report) -> str:
    levels = [finding.level for one in found.checks for finding in one.findings]
    bad, look, unseen = (levels.count(level) for level in (Level.BAD, Level.LOOK, Level.UNSEEN))
    parts = [f"{levels.count(Level.OK)} ok"]
    parts += [f"{look} to look at"] * bool(look) + [f"{bad} bad"] * bool(bad)
    parts += [f"{unseen} could not be seen"] * bool(unseen)
    hint = "" if found.as_root or not unseen else "; with sudo it sees more"
    return f"edge-agent {found.version}, {found.time:%Y-%m-%d %H:%M:%S} UTC: {', '.join(parts)}{hint}"
