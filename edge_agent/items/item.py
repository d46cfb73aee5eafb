"""What a data item is, and how one is read: the quality table in one place."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from ..model import Choice, Quality, Snapshot
from ..observation import Observation
from ..units import Unit

Value = str | bool | int | float | datetime | Choice | tuple[int, ...]


class Kind(enum.Enum):
    """The type of an item's values, as Python gives them."""

    TEXT = str
    FLAG = bool
    COUNT = int
    NUMBER = float
    TIME = datetime
    CHOICE = Choice
    NUMBERS = tuple


class Scope(enum.Enum):
    """Where a value comes from, and so what can make it untrustworthy."""

    AGENT = enum.auto()
    """Known by the agent itself: good, also while the machine cannot be reached."""
    MACHINE = enum.auto()
    """Told by the machine: as good as the last answer is fresh."""
    SENSOR = enum.auto()
    """Measured by the printer: as `MACHINE`, and only while the printer itself is connected."""


class DataItem(Struct, frozen=True, kw_only=True):
    """One value of a machine.

    ``id`` is its path below the machine. ``read`` gets it from an observation whose snapshot may be missing only when
    ``scope`` is `Scope.AGENT`; ``None`` means the machine does not say. Numbers are in ``unit`` already.
    ``span`` is the range values are expected in, in the same unit. ``choices`` has all values
    there are, of an item whose kind is `Kind.CHOICE`.
    """

    id: str
    kind: Kind
    sentence: str
    read: Callable[[Observation], Value | None]
    scope: Scope = Scope.MACHINE
    unit: Unit | None = None
    span: tuple[float, float] | None = None
    choices: type[Choice] | None = None


class Reading(Struct, frozen=True):
    """An item's value now; ``None`` exactly when ``quality`` is not usable. ``at`` is the source's time."""

    value: Value | None
    quality: Quality
    at: datetime | None


def read(item: DataItem, observation: Observation) -> Reading:
    """Read one item, applying the quality table."""
    snapshot = observation.snapshot
    if item.scope is Scope.AGENT:
        at, quality = observation.last_seen, Quality.GOOD
    else:
        at, quality = _observed(item, snapshot), _quality(item, observation)
    if not quality.usable:
        return Reading(None, quality, at)
    value = item.read(observation)
    if value is None:
        return Reading(None, Quality.NO_DATA, at)
    return Reading(value, quality, at)


def _quality(item: DataItem, observation: Observation) -> Quality:
    if observation.snapshot is None or not observation.quality.usable:
        return observation.quality
    if item.scope is not Scope.SENSOR:
        return observation.quality
    if not observation.snapshot.state.connected:
        return Quality.NOT_CONNECTED
    return observation.temperature_quality


def _observed(item: DataItem, snapshot: Snapshot | None) -> datetime | None:
    if snapshot is None:
        return None
    if item.scope is Scope.SENSOR:
        return snapshot.temperatures_at or snapshot.observed_at
    return snapshot.observed_at
