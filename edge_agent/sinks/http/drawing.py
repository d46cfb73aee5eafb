"""Curves as SVG: numbers only, no style, no script. What they look like says ``assets/page.css``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from msgspec import Struct

from .curves import Curves
from .html import escaped
from .report import CurveReport
from .words import Words

_LEAST_EXTENT_CELSIUS = 30.0
_TOLERANCE = 0.8  # of a pixel: what is nearer to a straight line than that is on it
_OFF_CELSIUS = 0.0
_LEAST_SLOTS = 20
"""What there is after ten minutes fills the drawing."""

Point = tuple[int, float]


class _Frame(Struct, frozen=True, kw_only=True):
    """Where a curve goes: the size of the drawing, the temperatures at its lower and upper edge, and its first slot."""

    width: int
    height: int
    low: float
    high: float
    first: int
    slots: int
    minutes: float

    def place(self, slot: int, celsius: float) -> Point:
        """A value's place in the drawing."""
        x = round((slot - self.first) * self.width / (self.slots - 1))
        return x, round((self.high - celsius) / (self.high - self.low) * self.height, 1)


def small(name: str, curve: CurveReport, step_s: float, words: Words) -> str:
    """A heater's curve for a tile; empty if there is nothing to draw. Without numbers: they stand beside it."""
    frame = _frame(curve, step_s, width=120, height=28)
    if frame is None:
        return ""
    return (
        f'<svg viewBox="0 -1 120 30" preserveAspectRatio="none" role="img" '
        f'aria-label="{_label(name, frame, curve, words)}">{_lines(frame, curve)}</svg>'
    )


def large(name: str, curve: CurveReport, step_s: float, words: Words) -> str:
    """A heater's curve for its machine's page, with numbers at both axes; empty if there is nothing to draw."""
    frame = _frame(curve, step_s, width=600, height=160)
    if frame is None:
        return ""
    levels = [frame.low + part / 4 * (frame.high - frame.low) for part in range(5)]
    grid = "".join(
        f'<path class="grid" d="M0 {y}h600"/><text x="610" y="{y + 4}">{celsius:.0f}</text>'
        for celsius in levels
        for y in (frame.place(0, celsius)[1],)
    )
    ago = "".join(
        f'<text class="ago" x="{600 - part * 150}" y="182">{minutes} min</text>'
        for part in range(4, -1, -1)
        for minutes in (f"-{part / 4 * frame.minutes:.3g}" if part else "0",)
    )
    return (
        f'<svg class="large" viewBox="-25 -8 680 196" role="img" aria-label="{_label(name, frame, curve, words)}">'
        f"{grid}{ago}{_lines(frame, curve)}</svg>"
    )


def _label(name: str, frame: _Frame, curve: CurveReport, words: Words) -> str:
    known = [value for value in curve.actual_celsius if value is not None]
    low, high = (f"{value:.0f}" for value in (min(known), max(known)))
    minutes = f"{frame.minutes:.0f}"
    return escaped(words.curve.format(heater=name, minutes=minutes, low=low, high=high))


def _frame(curve: CurveReport, step_s: float, *, width: int, height: int) -> _Frame | None:
    """Room for all values, and for some more where they hardly differ; what was before the first one is left out."""
    there = [slot for slot, value in enumerate(curve.actual_celsius) if value is not None]
    if len(there) < 2:
        return None
    end = len(curve.actual_celsius)
    first = max(min(there[0], end - _LEAST_SLOTS), 0)
    known = [value for value in (*curve.actual_celsius, *_goals(curve)) if value is not None]
    low, high = min(known), max(known)
    more = max(_LEAST_EXTENT_CELSIUS - (high - low), 0.0) / 2
    minutes = round((end - first) * step_s / 60, 1)
    return _Frame(
        width=width, height=height, low=low - more, high=high + more, first=first, slots=end - first, minutes=minutes
    )


def _goals(curve: CurveReport) -> list[float | None]:
    """The set points; of a heater that is off there is none."""
    return [None if value == _OFF_CELSIUS else value for value in curve.target_celsius]


def _lines(frame: _Frame, curve: CurveReport) -> str:
    goal, actual = _path(frame, _goals(curve)), _path(frame, curve.actual_celsius)
    return (f'<path class="goal" d="{goal}"/>' if goal else "") + f'<path class="actual" d="{actual}"/>'


def _path(frame: _Frame, values: Sequence[float | None]) -> str:
    """The commands of a path, with a gap where a value is missing; one alone is a dot."""
    tolerance = _TOLERANCE * (frame.high - frame.low) / frame.height
    parts = []
    for run in _straight_runs(values, frame.first, tolerance):
        (x, y), *rest = [frame.place(slot, celsius) for slot, celsius in run]
        parts.append(f"M{x} {y:g}" + ("".join(f"L{x} {y:g}" for x, y in rest) or "h1"))
    return "".join(parts)


def _straight_runs(values: Sequence[float | None], first: int, tolerance: float) -> Iterator[list[tuple[int, float]]]:
    """The values without a gap between them, and of those only the ones that are not on a line between others, nearly.

    That is the "swinging door": as long as one line from the last value that was kept goes through all that came since,
    there is nothing to keep. Written in one piece, since a page has ten thousand values.
    """
    kept: list[tuple[int, float]] = []
    start, level = 0, 0.0
    last, before = -1, 0.0
    flattest, steepest = -inf, inf
    for slot in range(first, len(values)):
        value = values[slot]
        if value is None:
            if kept:
                yield _ended(kept, last, before)
            kept, last = [], -1
            continue
        if last < 0:
            kept, start, level, flattest, steepest = [(slot, value)], slot, value, -inf, inf
        else:
            along, rise = slot - start, value - level
            if not flattest <= rise / along <= steepest:
                kept.append((last, before))
                start, level, along, rise = last, before, 1, value - before
                flattest, steepest = -inf, inf
            low, high = (rise - tolerance) / along, (rise + tolerance) / along
            flattest, steepest = max(low, flattest), min(high, steepest)
        last, before = slot, value
    if kept:
        yield _ended(kept, last, before)


def _ended(kept: list[tuple[int, float]], slot: int, value: float) -> list[tuple[int, float]]:
    return kept if kept[-1][0] == slot else [*kept, (slot, value)]


class Drawings:
    """The small curves of all machines, each drawn once in the half minute that it holds for."""

    def __init__(self, curves: Curves) -> None:
        self._curves = curves
        self._slot = -1
        self._drawn: dict[tuple[str, str], Mapping[str, str]] = {}

    def has(self, machine_id: str, words: Words) -> bool:
        """It is drawn already."""
        return self._slot == self._curves.slot and (machine_id, words.language) in self._drawn

    def of(self, machine_id: str, words: Words) -> Mapping[str, str]:
        """A machine's, by heater; empty for one that has no values."""
        if self._slot != self._curves.slot:
            self._slot, self._drawn = self._curves.slot, {}
        key = machine_id, words.language
        if key not in self._drawn:
            told = self._curves.of(machine_id)
            self._drawn[key] = {name: small(name, curve, told.step_s, words) for name, curve in told.heaters.items()}
        return self._drawn[key]
