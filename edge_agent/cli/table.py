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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Never, TextIO

from ..errors import UnavailableError
from ..model import Quality, StackLight, Temperature
from ..observation import Observation
from ..store import Store
from .grid import (
    BAR,
    BOLD,
    FAINT,
    GAP,
    GREEN,
    RED,
    YELLOW,
    Cell,
    Column,
    age,
    cut,
    fit,
    line_of,
    plain,
    progress,
    time_left,
)

_REST_S = 0.25  # between two drawings
_TICK_S = 1.0  # how long nothing may happen before ages and the window's size are looked at again

_LIGHTS: Mapping[StackLight, str] = {
    StackLight.OFF: FAINT,
    StackLight.GREEN: GREEN,
    StackLight.GREEN_BLINKING: f"{BOLD};{GREEN}",
    StackLight.YELLOW: YELLOW,
    StackLight.RED: RED,
}
_QUALITY_WORDS: Mapping[Quality, str] = {
    Quality.WAITING: "waiting for the first answer",
    Quality.UNCERTAIN: "no fresh answer",
}

_ASCII = str.maketrans({"█": "#", "░": ".", "…": "~"})


_MACHINE = Column("MACHINE", 8, 8)
_STATE = Column("STATE", 10)
_MES = Column("MES", 7)
_FILE = Column("FILE", 12, 8)
_PROGRESS = Column("PROGRESS", BAR + 5)
_PERCENT = Column("%", 4)
_LEFT = Column("LEFT", 5)
_TEMPERATURES = Column("TEMPERATURES", 12, 12)
_QUALITY = Column("QUALITY", 8, 12)
_WIDE = (_MACHINE, _STATE, _MES, _FILE, _PROGRESS, _LEFT, _TEMPERATURES, _QUALITY)
_NARROW = (_MACHINE, _STATE, _MES, _FILE, _PERCENT, _LEFT, _TEMPERATURES, _QUALITY)


def _degrees(name: str, temperature: Temperature) -> str:
    actual, target = temperature.actual_celsius, temperature.target_celsius
    text = "-" if actual is None else f"{round(actual)}"
    # A target of 0 is a heater switched off: saying "/0" would look like a goal.
    return f"{plain(name)} {text}" + (f"/{round(target)}" if target else "")


def _temperatures(observation: Observation) -> Cell:
    if observation.snapshot is None or not observation.quality.usable:
        return Cell("")
    if not observation.temperature_quality.usable:
        return Cell(observation.temperature_quality.value, FAINT)
    style = "" if observation.temperature_quality is Quality.GOOD else FAINT
    return Cell(" ".join(_degrees(*item) for item in observation.snapshot.temperatures.items()), style)


def _state(observation: Observation) -> Cell:
    """The state, in parentheses if it is only the last one known."""
    if observation.snapshot is None:
        return Cell("-", FAINT)
    state = observation.snapshot.state.value
    if observation.quality is Quality.GOOD:
        return Cell(state, _LIGHTS[observation.stack_light])
    return Cell(f"({state})", FAINT)


def _quality(observation: Observation, now: datetime) -> Cell:
    """May the row be trusted, and if not or if something is wrong, why."""
    error = plain(observation.error)
    if observation.quality is Quality.GOOD:
        if observation.snapshot is not None and observation.snapshot.error:
            return Cell(plain(observation.snapshot.error), RED)
        return Cell(f"good; trying again: {error}", YELLOW) if error else Cell("good")
    words = _QUALITY_WORDS.get(observation.quality, observation.quality.value)
    if observation.last_seen is not None:
        words += f" for {age(observation.last_seen, now)}"
    return Cell(f"{words}: {error}" if error else words, YELLOW)


def _cells(observation: Observation, now: datetime, *, bar: bool) -> list[Cell]:
    live = observation.snapshot if observation.quality.usable else None
    style = "" if observation.quality is Quality.GOOD else FAINT
    return [
        Cell(plain(observation.display_name)),
        _state(observation),
        Cell(observation.mes_status.value),
        Cell(plain(live.job.file_name or "") if live else "", style),
        Cell(progress(live.job.progress_ratio, bar=bar) if live else "", style),
        Cell(time_left(live.job.remaining_s) if live else "", style),
        _temperatures(observation),
        _quality(observation, now),
    ]


def render(observations: Sequence[Observation], *, width: int, colour: bool, now: datetime) -> list[str]:
    """The table: a line of titles and one line per machine, none of them longer than ``width`` columns.

    Where room is short, long cells are cut with …, then the progress bar goes and its percent stay, then the columns
    at the right edge go.
    """
    bar = sum(column.least or column.usual for column in _WIDE) + len(GAP) * (len(_WIDE) - 1) <= width
    columns = _WIDE if bar else _NARROW
    rows = [_cells(observation, now, bar=bar) for observation in observations]
    widths = fit(columns, rows, width)
    titles = [Cell(column.title, BOLD) for column in columns]
    lines = [line_of(cells, widths, width=width, colour=colour) for cells in (titles, *rows)]
    return lines if rows else [*lines, cut("no machines yet", width)]


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
            shown = [*shown[: rows - 1], cut(f"… and {len(shown) - rows + 1} more", size.columns)]
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
