"""Columns of text in a terminal that is as wide as it is.

Texts come from printers and thus from anybody who can reach one: `plain` takes out what a terminal would obey. Colour
only repeats what a word says already.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

GREEN, YELLOW, RED, BOLD, FAINT = "32", "33", "31", "1", "2"
GAP = "  "
BAR = 10

_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, ...
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # window title, clipboard, ...
    r"|\x1b[ -/]*[0-~]"
)


class Column(Struct, frozen=True):
    """One column of the table.

    ``usual`` is its width even when all cells are shorter, so that the table stands still. It can be cut down to
    ``least``; ``None``: never.
    """

    title: str
    usual: int
    least: int | None = None


class Cell(Struct, frozen=True):
    """A text, and how it is shown where there are colours."""

    text: str
    style: str = ""


def plain(text: str) -> str:
    """The text on one line, without anything a terminal would obey or not show."""
    visible = (
        " " if character.isspace() else character
        for character in _ESCAPE_SEQUENCES.sub("", text)
        # Not printable are also half characters and invisible ones, of which some turn the direction of a line.
        if character.isspace() or character.isprintable()
    )
    return " ".join("".join(visible).split())


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width_of(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(map(_columns_of, text))


def cut(text: str, width: int) -> str:
    """The text in at most so many columns; the last is … if something is missing."""
    if width_of(text) <= width:
        return text
    kept, left = "", width - 1
    for character in text:
        left -= _columns_of(character)
        if left < 0:
            break
        kept += character
    return kept + "…" * (width > 0)


def fit(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> list[int]:
    """The columns' widths: what their cells need, then less where most is to be had, down to the least."""
    widths = [
        max(column.usual, *(width_of(row[place].text) for row in rows)) if rows else column.usual
        for place, column in enumerate(columns)
    ]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for _ in range(excess):
        spare = [
            0 if column.least is None else have - column.least for have, column in zip(widths, columns, strict=True)
        ]
        place = max(range(len(spare)), key=lambda place: (spare[place] > 0, widths[place]))
        if spare[place] <= 0:
            break
        widths[place] -= 1
    return widths


def line_of(cells: Sequence[Cell], widths: Sequence[int], *, width: int, colour: bool) -> str:
    """One row of the table. Cells beyond the terminal's right edge are left out, the one on the edge is cut."""
    line, left = "", width
    for cell, wanted in zip(cells, widths, strict=True):
        room = min(wanted, left)
        if room <= 0:
            break
        text = cut(cell.text, room)
        padding = " " * (room - width_of(text)) + GAP
        line += (f"\x1b[{cell.style}m{text}\x1b[0m" if colour and cell.style and text else text) + padding
        left -= room + len(GAP)
    return line.rstrip()


def age(since: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def progress(ratio: float | None, *, bar: bool) -> str:
    """Percent, with a bar in front of them if there is room for it."""
    if ratio is None:
        return ""
    # Rounded down: 100 % is for a print that has ended.
    percent = f"{int(ratio * 100 + 1e-9):3d}%"
    filled = int(ratio * BAR + 1e-9)
    return f"{'█' * filled}{'░' * (BAR - filled)} {percent}" if bar else percent


def time_left(seconds: float | None) -> str:
    """Hours, minutes and seconds; of more than a day, days and hours."""
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
