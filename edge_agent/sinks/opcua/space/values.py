"""A reading as an OPC UA DataValue: the quality table of the contract, in one place."""

from __future__ import annotations

from typing import cast

from asyncua import ua

from ....items import Reading
from ....model import Quality
from ....units import MILLISECOND, SECOND, Unit
from . import wire

STATUS_CODES = {
    Quality.GOOD: ua.StatusCodes.Good,
    Quality.UNCERTAIN: ua.StatusCodes.UncertainLastUsableValue,
    Quality.WAITING: ua.StatusCodes.BadWaitingForInitialData,
    Quality.NO_COMMUNICATION: ua.StatusCodes.BadNoCommunication,
    Quality.ACCESS_DENIED: ua.StatusCodes.BadUserAccessDenied,
    Quality.NOT_CONNECTED: ua.StatusCodes.BadNotConnected,
    Quality.NO_DATA: ua.StatusCodes.BadNoData,
}

DURATION = "0:290"
_WHOLE = {
    ua.VariantType.Byte, ua.VariantType.Int16, ua.VariantType.UInt16, ua.VariantType.Int32, ua.VariantType.UInt32,
    ua.VariantType.Int64, ua.VariantType.UInt64,
}  # fmt: skip
_PER_MILLISECOND = {SECOND: 1000.0, MILLISECOND: 1.0}


def engineering_units(unit: Unit) -> ua.EUInformation:
    """The unit as OPC UA tells it."""
    return ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        UnitId=unit.opcua_id,
        DisplayName=wire.localized(unit.symbol),
        Description=wire.localized((unit.name, "en")),
    )


def data_value(value: ua.Variant, reading: Reading) -> ua.DataValue:
    """The value with its status and the source's time; null where the status is bad."""
    return ua.DataValue(
        Value=value,
        StatusCode=wire.status(STATUS_CODES[reading.quality]),
        SourceTimestamp=cast("ua.DateTime | None", reading.at),
    )


def variant(kind: ua.VariantType, value: object, *, is_list: bool = False) -> ua.Variant:
    """A Python value as a Variant of exactly this kind (asyncua alone would guess Int64 for every int)."""
    if value is None:
        return ua.Variant(None, ua.VariantType.Null)
    if is_list:
        return ua.Variant(list(cast("tuple[int, ...]", value)), kind, is_array=True)
    if kind is ua.VariantType.Double:
        return ua.Variant(float(cast("float", value)), kind)
    if kind in _WHOLE:
        return ua.Variant(int(cast("int", value)), kind)
    if kind is ua.VariantType.LocalizedText and isinstance(value, str):
        return ua.Variant(wire.localized(value), kind)
    return ua.Variant(value, kind)


def milliseconds(value: float, unit: Unit) -> float:
    """A length of time as a Duration has it (OPC 10000-3, 8.13), whatever the item's unit."""
    return round(value * _PER_MILLISECOND[unit], 3)
