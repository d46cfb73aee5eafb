"""Curves as SVG: numbers only, no style, no script. What they look like says ``assets/page.css``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from math import inf

from msgspec import Struct

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
    parts = []
    for run in _runs(values, frame.first):
        (x, y), *rest = _straightened([frame.place(slot, celsius) for slot, celsius in run])
        parts.append(f"M{x} {y:g}" + ("".join(f"L{x} {y:g}" for x, y in rest) or "h1"))
    return "".join(parts)


def _runs(values: Sequence[float | None], first: int) -> Iterator[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for slot, value in enumerate(values):
        if value is not None and slot >= first:
            run.append((slot, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _straightened(points: Sequence[Point]) -> Iterable[Point]:
    """Without the points that are on a straight line between others, nearly ("swinging door")."""
    kept = [points[0]]
    steepest, flattest = inf, -inf
    for before, point in itertools.pairwise(points):
        (x, y), (from_x, from_y) = point, kept[-1]
        slope = (y - from_y) / (x - from_x) if x > from_x else 0.0
        if not flattest <= slope <= steepest:
            kept.append(before)
            (from_x, from_y), steepest, flattest = before, inf, -inf
        along = max(x - from_x, 1)
        steepest = min(steepest, (y + _TOLERANCE - from_y) / along)
        flattest = max(flattest, (y - _TOLERANCE - from_y) / along)
    return [*kept, points[-1]] if len(points) > 1 else kept
