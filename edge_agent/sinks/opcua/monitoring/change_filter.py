"""Which changes of a value a client wants to be told (OPC 10000-4, 7.22.2).

asyncua takes a percent deadband and ignores it, lets a deadband be asked for texts, and compares arrays by subtracting
lists, which fails the write of the value. It decodes a filter as `uaprotocol_auto.DataChangeFilter`; what it calls
`ua.DataChangeFilter` is a class below that one, of which no filter from the wire is.
"""

from __future__ import annotations

from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.ua.uaprotocol_auto import DataChangeFilter
from msgspec import Struct

from ..space import nodeset
from ..space.nodeset import HAS_PROPERTY, Key
from ..space.sight import Readable

_NUMBER = Key(0, ua.ObjectIds.Number)
_RANGE_NAME = "0:EURange"
_PERCENT = 100.0


class ChangeFilter(Struct, frozen=True):
    """What counts as a change; ``deadband`` is in the value's own unit, ``None`` if every other value counts."""

    trigger: ua.DataChangeTrigger = ua.DataChangeTrigger.StatusValue
    deadband: float | None = None

    def passes(self, old: ua.DataValue, new: ua.DataValue) -> bool:
        """Is the new value to be told to someone who knows the old one."""
        if _code(old) != _code(new):
            return True
        if self.trigger == ua.DataChangeTrigger.Status:
            return False
        if self.deadband is not None:  # timestamps do not count beside a deadband
            return _differs(_plain(old), _plain(new), self.deadband)
        if old.Value != new.Value:
            return True
        with_time = self.trigger == ua.DataChangeTrigger.StatusValueTimestamp
        return with_time and old.SourceTimestamp != new.SourceTimestamp


EVERY_CHANGE = ChangeFilter()


def change_filter(wanted: object, *, sight: Readable, node: Key, attribute: int) -> ChangeFilter:
    """The filter that a client asked for, null for none.

    Raises:
        ServiceError: this attribute of this node cannot have it.
    """
    if not wanted:  # a null structure is false
        return EVERY_CHANGE
    if isinstance(wanted, ua.AggregateFilter):
        raise ServiceError(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
    if not isinstance(wanted, DataChangeFilter):
        raise ServiceError(ua.StatusCodes.BadFilterNotAllowed)
    trigger = ua.DataChangeTrigger(wanted.Trigger)
    kind, value = int(wanted.DeadbandType), float(wanted.DeadbandValue)
    if kind == ua.DeadbandType.None_:
        return ChangeFilter(trigger)
    if attribute != ua.AttributeIds.Value or not _is_number(sight, node):
        raise ServiceError(ua.StatusCodes.BadFilterNotAllowed)
    if kind == ua.DeadbandType.Absolute and value >= 0:  # which is false of NaN
        return ChangeFilter(trigger, value)
    if kind == ua.DeadbandType.Percent and 0 <= value <= _PERCENT:
        return ChangeFilter(trigger, value / _PERCENT * _span(sight, node))
    raise ServiceError(ua.StatusCodes.BadDeadbandFilterInvalid)


def _is_number(sight: Readable, node: Key) -> bool:
    row = sight.row(node)
    return row is not None and sight.nodeset.is_subtype(nodeset.key(row.data_type), _NUMBER)


def _span(sight: Readable, node: Key) -> float:
    """The width of the node's EURange."""
    for reference in sight.references(node):
        if reference.type == HAS_PROPERTY and reference.forward:
            row = sight.row(reference.target)
            found = _plain(sight.read(reference.target)) if row and row.name == _RANGE_NAME else None
            if isinstance(found, ua.Range):
                return abs(float(found.High) - float(found.Low))
    raise ServiceError(ua.StatusCodes.BadFilterNotAllowed)


def _differs(old: Any, new: Any, deadband: float) -> bool:  # noqa: ANN401 - whatever a Variant may hold
    if isinstance(old, list) and isinstance(new, list):
        return len(old) != len(new) or any(_differs(*pair, deadband) for pair in zip(old, new, strict=True))
    if not (isinstance(old, int | float) and isinstance(new, int | float)):
        return bool(old != new)
    both_undefined = old != old and new != new  # noqa: PLR0124 - only NaN is not itself
    return not (both_undefined or abs(new - old) <= deadband)


def _plain(value: ua.DataValue) -> object:
    return value.Value.Value if value.Value else None


def _code(value: ua.DataValue) -> int:
    return int(value.StatusCode.value) if value.StatusCode else 0
