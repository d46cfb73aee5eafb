"""The live table of `edge-agent demo`: all machines at a glance, in the terminal.

It is a sink like any other. `render` makes the lines and is pure; `LiveTable` puts them on the screen, in place, or
where the output is a file or a pipe prints one line per change instead. Colour only repeats what a word says already.

Names and file names come from printers and thus from anybody who can reach one: `plain` takes out what a terminal
would obey.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Never, TextIO

from msgspec import Struct

from ..errors import UnavailableError
from ..model import Quality, StackLight, Temperature
from ..observation import Observation
from ..store import Store

_REST_S = 0.25  # between two drawings
_TICK_S = 1.0  # how long nothing may happen before ages and the window's size are looked at again
_BAR = 10
_GAP = "  "

_GREEN, _YELLOW, _RED, _BOLD, _FAINT = "32", "33", "31", "1", "2"
_LIGHTS: Mapping[StackLight, str] = {
    StackLight.OFF: _FAINT,
    StackLight.GREEN: _GREEN,
    StackLight.GREEN_BLINKING: f"{_BOLD};{_GREEN}",
    StackLight.YELLOW: _YELLOW,
    StackLight.RED: _RED,
}
_QUALITY_WORDS: Mapping[Quality, str] = {
    Quality.WAITING: "waiting for the first answer",
    Quality.UNCERTAIN: "no fresh answer",
}

_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, ...
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # window title, clipboard, ...
    r"|\x1b[ -/]*[0-~]"
)
_ASCII = str.maketrans({"█": "#", "░": ".", "…": "~"})


class _Column(Struct, frozen=True):
    """One column of the table.

    ``usual`` is its width even when all cells are shorter, so that the table stands still. It can be cut down to
    ``least``; ``None``: never.
    """

    title: str
    usual: int
    least: int | None = None


class _Cell(Struct, frozen=True):
    text: str
    style: str = ""


_MACHINE = _Column("MACHINE", 8, 8)
_STATE = _Column("STATE", 10)
_MES = _Column("MES", 7)
_FILE = _Column("FILE", 12, 8)
_PROGRESS = _Column("PROGRESS", _BAR + 5)
_PERCENT = _Column("%", 4)
_LEFT = _Column("LEFT", 5)
_TEMPERATURES = _Column("TEMPERATURES", 12, 12)
_QUALITY = _Column("QUALITY", 8, 12)
_WIDE = (_MACHINE, _STATE, _MES, _FILE, _PROGRESS, _LEFT, _TEMPERATURES, _QUALITY)
_NARROW = (_MACHINE, _STATE, _MES, _FILE, _PERCENT, _LEFT, _TEMPERATURES, _QUALITY)


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


def _width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(map(_columns_of, text))


def _cut(text: str, width: int) -> str:
    """The text in at most so many columns; the last is … if something is missing."""
    if _width(text) <= width:
        return text
    kept, left = "", width - 1
    for character in text:
        left -= _columns_of(character)
        if left < 0:
            break
        kept += character
    return kept + "…" * (width > 0)


def _fit(columns: Sequence[_Column], rows: Sequence[Sequence[_Cell]], width: int) -> list[int]:
    """The columns' widths: what their cells need, then less where most is to be had, down to the least."""
    widths = [
        max(column.usual, *(_width(row[place].text) for row in rows)) if rows else column.usual
        for place, column in enumerate(columns)
    ]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    for _ in range(excess):
        spare = [
            0 if column.least is None else have - column.least for have, column in zip(widths, columns, strict=True)
        ]
        place = max(range(len(spare)), key=lambda place: (spare[place] > 0, widths[place]))
        if spare[place] <= 0:
            break
        widths[place] -= 1
    return widths


def _line(cells: Sequence[_Cell], widths: Sequence[int], *, width: int, colour: bool) -> str:
    """One row of the table. Cells beyond the terminal's right edge are left out, the one on the edge is cut."""
    line, left = "", width
    for cell, wanted in zip(cells, widths, strict=True):
        room = min(wanted, left)
        if room <= 0:
            break
        text = _cut(cell.text, room)
        padding = " " * (room - _width(text)) + _GAP
        line += (f"\x1b[{cell.style}m{text}\x1b[0m" if colour and cell.style and text else text) + padding
        left -= room + len(_GAP)
    return line.rstrip()


def _progress(ratio: float | None, *, bar: bool) -> str:
    if ratio is None:
        return ""
    # Rounded down: 100 % is for a print that has ended.
    percent = f"{int(ratio * 100 + 1e-9):3d}%"
    filled = int(ratio * _BAR + 1e-9)
    return f"{'█' * filled}{'░' * (_BAR - filled)} {percent}" if bar else percent


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def _age(since: datetime, now: datetime) -> str:
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _degrees(name: str, temperature: Temperature) -> str:
    actual, target = temperature.actual_celsius, temperature.target_celsius
    text = "-" if actual is None else f"{round(actual)}"
    # A target of 0 is a heater switched off: saying "/0" would look like a goal.
    return f"{plain(name)} {text}" + (f"/{round(target)}" if target else "")


def _temperatures(observation: Observation) -> _Cell:
    if observation.snapshot is None or not observation.quality.usable:
        return _Cell("")
    if not observation.temperature_quality.usable:
        return _Cell(observation.temperature_quality.value, _FAINT)
    style = "" if observation.temperature_quality is Quality.GOOD else _FAINT
    return _Cell(" ".join(_degrees(*item) for item in observation.snapshot.temperatures.items()), style)


def _state(observation: Observation) -> _Cell:
    """The state, in parentheses if it is only the last one known."""
    if observation.snapshot is None:
        return _Cell("-", _FAINT)
    state = observation.snapshot.state.value
    if observation.quality is Quality.GOOD:
        return _Cell(state, _LIGHTS[observation.stack_light])
    return _Cell(f"({state})", _FAINT)


def _quality(observation: Observation, now: datetime) -> _Cell:
    """May the row be trusted, and if not or if something is wrong, why."""
    error = plain(observation.error)
    if observation.quality is Quality.GOOD:
        if observation.snapshot is not None and observation.snapshot.error:
            return _Cell(plain(observation.snapshot.error), _RED)
        return _Cell(f"good; trying again: {error}", _YELLOW) if error else _Cell("good")
    words = _QUALITY_WORDS.get(observation.quality, observation.quality.value)
    if observation.last_seen is not None:
        words += f" for {_age(observation.last_seen, now)}"
    return _Cell(f"{words}: {error}" if error else words, _YELLOW)


def _cells(observation: Observation, now: datetime, *, bar: bool) -> list[_Cell]:
    live = observation.snapshot if observation.quality.usable else None
    style = "" if observation.quality is Quality.GOOD else _FAINT
    return [
        _Cell(plain(observation.display_name)),
        _state(observation),
        _Cell(observation.mes_status.value),
        _Cell(plain(live.job.file_name or "") if live else "", style),
        _Cell(_progress(live.job.progress_ratio, bar=bar) if live else "", style),
        _Cell(_time_left(live.job.remaining_s) if live else "", style),
        _temperatures(observation),
        _quality(observation, now),
    ]


def render(observations: Sequence[Observation], *, width: int, colour: bool, now: datetime) -> list[str]:
    """The table: a line of titles and one line per machine, none of them longer than ``width`` columns.

    Where room is short, long cells are cut with …, then the progress bar goes and its percent stay, then the columns
    at the right edge go.
    """
    bar = sum(column.least or column.usual for column in _WIDE) + len(_GAP) * (len(_WIDE) - 1) <= width
    columns = _WIDE if bar else _NARROW
    rows = [_cells(observation, now, bar=bar) for observation in observations]
    widths = _fit(columns, rows, width)
    titles = [_Cell(column.title, _BOLD) for column in columns]
    lines = [_line(cells, widths, width=width, colour=colour) for cells in (titles, *rows)]
    return lines if rows else [*lines, _cut("no machines yet", width)]


class _Changes:
    """The table for a file or a pipe: a line for each machine whose state, file or error is another one now."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, ...]] = {}
        self._names: dict[str, str] = {}

    def lines(self, observations: Sequence[Observation], now: datetime) -> list[str]:
        """What is new since the last call."""
        stamp = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        lines = []
        for observation in observations:
            machine_id, snapshot = observation.machine.id, observation.snapshot
            said = (snapshot.state, snapshot.job.file_name, snapshot.error) if snapshot else ()
            known = (*said, observation.quality, observation.error)
            if self._known.get(machine_id) != known:
                self._known[machine_id] = known
                self._names[machine_id] = plain(observation.display_name)
                lines.append(f"{stamp} {self._sentence(observation, now)}")
        present = {observation.machine.id for observation in observations}
        for machine_id in [machine_id for machine_id in self._known if machine_id not in present]:
            del self._known[machine_id]
            lines.append(f"{stamp} {self._names.pop(machine_id)}: removed")
        return lines

    def _sentence(self, observation: Observation, now: datetime) -> str:
        name, state, mes, file, *_, quality = (cell.text for cell in _cells(observation, now, bar=False))
        return ", ".join(part for part in (f"{name}: {state}", mes, file, quality) if part)


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        raise UnavailableError(f"the output cannot be written: {error.strerror or error}") from error


class _Screen:
    """A few lines of a terminal that are drawn over again and again, below whatever was there before."""

    def __init__(self, stream: TextIO, header: Sequence[str], size: Callable[[], os.terminal_size]) -> None:
        self._stream = stream
        self._header = "".join(f"{line}\n" for line in header)
        self._size = size
        self._drawn_for: os.terminal_size | None = None
        self._lines: list[str] = []

    def open(self) -> None:
        """Hide the cursor, which would flicker over the table."""
        _write(self._stream, f"\x1b[?25l{self._header}")

    def close(self) -> None:
        """Leave the table standing and the terminal as it was."""
        self._lines = []
        with contextlib.suppress(UnavailableError):
            _write(self._stream, "\x1b[?7h\x1b[?25h")

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of the former ones, if they differ."""
        size = self._size()
        # One row stays free for the cursor, which stands below the table: on the last row it would scroll.
        rows = max(size.lines - 1, 2)
        shown = list(lines)
        if len(shown) > rows:
            shown = [*shown[: rows - 1], _cut(f"… and {len(shown) - rows + 1} more", size.columns)]
        if self._drawn_for not in {None, size}:
            # The terminal has folded the old lines, or not, as it likes: there is no telling where they are now.
            self._lines = []
            _write(self._stream, f"\x1b[2J\x1b[H{self._header}")
        elif shown == self._lines:
            return
        _write(self._stream, self._erased_to_top(clear=False) + self._painted(shown))
        self._drawn_for, self._lines = size, shown

    def say(self, text: str) -> None:
        """Let a text stand above the table for good."""
        _write(self._stream, f"{self._erased_to_top(clear=True)}{text}\n{self._painted(self._lines)}")

    def _erased_to_top(self, *, clear: bool) -> str:
        if not self._lines:
            return ""
        return f"\x1b[{len(self._lines)}A\r" + ("\x1b[J" if clear else "")

    def _painted(self, lines: Sequence[str]) -> str:
        if not lines:
            return ""
        # Without automatic folding, a character that is wider than thought costs its line's end and not the layout.
        return "\x1b[?7l" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J\x1b[?7h"


class LiveTable:
    """The machines of a store, live, on a terminal or as lines of change on anything else.

    ``header`` is printed first, as it is. In the environment ``NO_COLOR`` takes the colours away, ``TERM=dumb`` the
    drawing in place. ``size`` and ``pause`` are the terminal's size and ``asyncio.sleep`` unless a test has better
    ones. A terminal that is stopped (Ctrl-S) stops the process: fit for a demo, not for a service.
    """

    def __init__(
        self,
        *,
        stream: TextIO,
        now: Callable[[], datetime],
        header: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
        size: Callable[[], os.terminal_size] | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._stream = stream
        self._now = now
        self._header = header
        self._colour = not environ.get("NO_COLOR")
        self._size = size or self._terminal_size
        self._pause = pause
        self._changes = _Changes()
        in_place = stream.isatty() and environ.get("TERM") != "dumb"
        self._screen = _Screen(stream, header, self._size) if in_place else None

    async def run(self, store: Store) -> Never:
        """Show until cancelled.

        Raises:
            UnavailableError: the stream takes no more text.
        """
        self._open()
        try:
            with store.watch() as watch:
                turns = aiter(watch)
                turn = asyncio.ensure_future(anext(turns))
                try:
                    while True:
                        await asyncio.wait({turn}, timeout=_TICK_S)
                        if turn.done():
                            turn.result()
                            turn = asyncio.ensure_future(anext(turns))
                        self._show(store.observations())
                        await self._pause(_REST_S)
                finally:
                    turn.cancel()
                    await asyncio.wait({turn})
        finally:
            if self._screen:
                self._screen.close()

    def say(self, text: str) -> None:
        """Print a text so that it does not tear the table: it scrolls by above it. Meant for log lines."""
        lines = "\n".join(plain(line) for line in text.splitlines())
        if self._screen:
            self._screen.say(lines)
        else:
            _write(self._stream, f"{lines}\n")

    def _open(self) -> None:
        if self._screen:
            self._screen.open()
        else:
            _write(self._stream, "".join(f"{line}\n" for line in self._header))

    def _show(self, observations: Sequence[Observation]) -> None:
        now = self._now()
        if self._screen:
            self._screen.draw(render(observations, width=self._size().columns, colour=self._colour, now=now))
        else:
            lines = self._changes.lines(observations, now)
            _write(self._stream, "".join(f"{line}\n" for line in lines))

    def _terminal_size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            size = os.terminal_size((0, 0))
        # A pseudo-terminal nobody has told its size says 0.
        return os.terminal_size((size.columns or 80, size.lines or 24))
