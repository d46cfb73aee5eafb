"""The temperatures of the last hour, in memory: a ring per heater, all of them filled at the same instants.

Two numbers of four bytes for every half minute: a heater costs 1.2 kB, a hundred machines with three heaters each
375 kB. Nothing is kept over a restart: who wants more than an hour has Prometheus.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime
from math import isnan, nan

from msgspec import Struct

from ...observation import Observation
from .report import CurveReport, CurvesReport, heater_reports

STEP_S = 30.0
SLOTS = 120
# Names come from firmware; ones that keep changing must not fill the memory.
MOST_HEATERS = 16

_HIGHEST_CELSIUS = 10_000.0
_NOTHING = array("f", [nan] * SLOTS)


class _Ring(Struct):
    """One heater. A slot without a value that can be trusted holds no number; ``heard`` is the last one with one."""

    actual: array[float]
    target: array[float]
    heard: int


class Curves:
    """Of all machines.

    Attributes:
        at: when the newest sample was taken.
    """

    def __init__(self) -> None:
        self._rings: dict[str, dict[str, _Ring]] = {}
        self._slot = -1
        self.at: datetime | None = None

    def note(self, observations: Iterable[Observation], *, monotonic_s: float, at: datetime) -> None:
        """Take a sample of every heater, unless that was done in this half minute. Call it more often than that."""
        slot = int(monotonic_s // STEP_S)
        if slot == self._slot:
            return
        missed = range(max(self._slot + 1, slot - SLOTS + 1), slot + 1) if self._slot >= 0 else range(0)
        for rings in self._rings.values():
            for ring in rings.values():
                for each in missed:
                    ring.actual[each % SLOTS] = ring.target[each % SLOTS] = nan
        self._slot, self.at = slot, at
        before, self._rings = self._rings, {}
        for observation in observations:
            rings = before.get(observation.machine.id, {})
            self._sample(rings, observation)
            if rings:
                self._rings[observation.machine.id] = rings

    def _sample(self, rings: dict[str, _Ring], observation: Observation) -> None:
        place = self._slot % SLOTS
        for name, heater in heater_reports(observation).items():
            if name not in rings and len(rings) >= MOST_HEATERS:
                continue
            ring = rings.setdefault(name, _Ring(_NOTHING[:], _NOTHING[:], self._slot))
            ring.heard = self._slot
            ring.actual[place] = _plausible(heater.actual_celsius)
            ring.target[place] = _plausible(heater.target_celsius)
        for name in [name for name, ring in rings.items() if self._slot - ring.heard >= SLOTS]:
            del rings[name]

    def of(self, machine_id: str) -> CurvesReport:
        """A machine's curves, the oldest value first; no heater of one that is not known."""
        rings = self._rings.get(machine_id, {})
        first = (self._slot + 1) % SLOTS
        return CurvesReport(
            step_s=STEP_S,
            ends_at=self.at,
            heaters={
                name: CurveReport(
                    actual_celsius=_unrolled(ring.actual, first), target_celsius=_unrolled(ring.target, first)
                )
                for name, ring in rings.items()
            },
        )


def _plausible(celsius: float | None) -> float:
    """Not a number for what no sensor measures, and what has no room in four bytes."""
    return celsius if celsius is not None and -_HIGHEST_CELSIUS < celsius < _HIGHEST_CELSIUS else nan


def _unrolled(ring: array[float], first: int) -> tuple[float | None, ...]:
    return tuple(None if isnan(value) else round(value, 1) for value in (*ring[first:], *ring[:first]))
