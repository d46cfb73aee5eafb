"""The items of a machine's heaters: one pair for each that it reports."""

from __future__ import annotations

import re

from ..model import Snapshot
from ..observation import Observation
from ..units import CELSIUS
from .item import DataItem, Kind, Scope

# What a heater of this kind can reach; the upper end of EURange and of a gauge's dial, not a limit that is enforced.
_HEATER_SPANS = {"tool": (0.0, 300.0), "bed": (0.0, 120.0), "chamber": (0.0, 80.0)}
_OTHER_SPAN = (0.0, 300.0)
_HEATER = re.compile(r"[A-Za-z0-9_-]{1,32}")


def heater_items(heater: str) -> tuple[DataItem, DataItem]:
    """The temperature and set point of one heater, as `ITEMS` rows; ``heater`` is the printer's name (``tool0``)."""
    name = _heater_name(heater)
    span = _HEATER_SPANS.get(heater.rstrip("0123456789"), _OTHER_SPAN)

    def actual(observation: Observation) -> float | None:
        found = observation.snapshot.temperatures.get(heater) if observation.snapshot else None
        return found.actual_celsius if found else None

    def target(observation: Observation) -> float | None:
        found = observation.snapshot.temperatures.get(heater) if observation.snapshot else None
        return found.target_celsius if found else None

    return (
        DataItem(
            id=f"Monitoring/Process/{name}Temperature",
            kind=Kind.NUMBER,
            scope=Scope.SENSOR,
            unit=CELSIUS,
            span=span,
            sentence=f"Temperature of {heater}.",
            read=actual,
        ),
        DataItem(
            id=f"Monitoring/Process/{name}Setpoint",
            kind=Kind.NUMBER,
            scope=Scope.SENSOR,
            unit=CELSIUS,
            span=span,
            sentence=f"Set point of {heater}; 0 is off.",
            read=target,
        ),
    )


def heaters(snapshot: Snapshot | None) -> tuple[str, ...]:
    """The heaters a machine reports now, in the printer's order.

    What cannot be part of an item's id, or would give two heaters one id, is left out: names come from firmware.
    """
    found: dict[str, str] = {}
    for heater in snapshot.temperatures if snapshot else ():
        if _HEATER.fullmatch(heater):
            found.setdefault(_heater_name(heater), heater)
    return tuple(found.values())


def _heater_name(heater: str) -> str:
    return heater[:1].upper() + heater[1:]
