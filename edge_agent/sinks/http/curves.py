"""The temperatures of the last hour, in memory: a ring per heater, all of them filled at the same instants.

Two numbers of two bytes for every half minute, in tenths of a degree: a heater costs 0.7 kB, a hundred machines with
three heaters each 230 kB. Nothing is kept over a restart: who wants more than an hour has Prometheus.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from ...observation import Observation
from .report import CurveReport, CurvesReport, heater_reports

STEP_S = 30.0
SLOTS = 120
# Names come from firmware; ones that keep changing must not fill the memory.
MOST_HEATERS = 16

_HIGHEST_CELSIUS = 3_000.0
_GAP = -(1 << 15)
_NOTHING = array("h", [_GAP] * SLOTS)


class _Ring(Struct):
    """One heater, in tenths of a degree; `_GAP` where nothing can be trusted. ``heard`` is its last slot with one."""

    actual: array[int]
    target: array[int]
    heard: int


class Curves:
    """Of all machines.

    Attributes:
        at: when the newest sample was taken.
        slot: counts the half minutes; -1 before the first sample.
    """

    def __init__(self) -> None:
        self._rings: dict[str, dict[str, _Ring]] = {}
        self.slot = -1
        self.at: datetime | None = None

    def note(self, observations: Iterable[Observation], *, monotonic_s: float, at: datetime) -> None:
        """Take a sample of every heater, unless that was done in this half minute. Call it more often than that."""
        slot = int(monotonic_s // STEP_S)
        if slot == self.slot:
            return
        missed = range(max(self.slot + 1, slot - SLOTS + 1), slot + 1) if self.slot >= 0 else range(0)
        for rings in self._rings.values():
            for ring in rings.values():
                for each in missed:
                    ring.actual[each % SLOTS] = ring.target[each % SLOTS] = _GAP
        self.slot, self.at = slot, at
        before, self._rings = self._rings, {}
        for observation in observations:
            rings = before.get(observation.machine.id, {})
            self._sample(rings, observation)
            if rings:
                self._rings[observation.machine.id] = rings

    def _sample(self, rings: dict[str, _Ring], observation: Observation) -> None:
        place = self.slot % SLOTS
        for name, heater in heater_reports(observation).items():
            if name not in rings and len(rings) >= MOST_HEATERS:
                continue
            ring = rings.setdefault(name, _Ring(_NOTHING[:], _NOTHING[:], self.slot))
            ring.heard = self.slot
            ring.actual[place] = _tenths(heater.actual_celsius)
            ring.target[place] = _tenths(heater.target_celsius)
        for name in [name for name, ring in rings.items() if self.slot - ring.heard >= SLOTS]:
            del rings[name]

    def of(self, machine_id: str) -> CurvesReport:
        """A machine's curves, the oldest value first; no heater of one that is not known."""
        rings = self._rings.get(machine_id, {})
        first = (self.slot + 1) % SLOTS
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


def _tenths(celsius: float | None) -> int:
    """A gap for what no sensor measures."""
    return round(celsius * 10) if celsius is not None and -_HIGHEST_CELSIUS < celsius < _HIGHEST_CELSIUS else _GAP


def _unrolled(ring: array[int], first: int) -> tuple[float | None, ...]:
    return tuple([None if tenths == _GAP else tenths / 10 for tenths in (*ring[first:], *ring[:first])])
