"""A reading as an OPC UA DataValue: the quality table of the contract, in one place."""

from __future__ import annotations

from typing import cast

from asyncua import ua

from ...items import DataItem, Kind, Reading
from ...model import Quality
from ...units import Unit

STATUS_CODES = {
    Quality.GOOD: ua.StatusCodes.Good,
    Quality.UNCERTAIN: ua.StatusCodes.UncertainLastUsableValue,
    Quality.WAITING: ua.StatusCodes.BadWaitingForInitialData,
    Quality.NO_COMMUNICATION: ua.StatusCodes.BadNoCommunication,
    Quality.ACCESS_DENIED: ua.StatusCodes.BadUserAccessDenied,
    Quality.NOT_CONNECTED: ua.StatusCodes.BadNotConnected,
    Quality.NO_DATA: ua.StatusCodes.BadNoData,
}

VARIANT_TYPES = {
    Kind.TEXT: ua.VariantType.String,
    Kind.FLAG: ua.VariantType.Boolean,
    Kind.COUNT: ua.VariantType.Int64,
    Kind.NUMBER: ua.VariantType.Double,
    Kind.TIME: ua.VariantType.DateTime,
    Kind.NUMBERS: ua.VariantType.Int32,
}

_UNIT_NAMESPACE = "http://www.opcfoundation.org/UA/units/un/cefact"


def node_id(identifier: str | int, namespace: int = 0) -> ua.NodeId:
    """A NodeId. asyncua's annotations ask for wrapper types that its code does not need; so do the next ones."""
    return ua.NodeId(cast("ua.Int32", identifier), cast("ua.Int16", namespace))


def status_code(code: int) -> ua.StatusCode:
    """A status code by its number."""
    return ua.StatusCode(cast("ua.UInt32", code))


def data_value(item: DataItem, reading: Reading) -> ua.DataValue:
    """The value with its type, status and the source's time; null where the status is bad."""
    return ua.DataValue(
        Value=variant(item.kind, reading.value),
        StatusCode=status_code(STATUS_CODES[reading.quality]),
        SourceTimestamp=cast("ua.DateTime | None", reading.at),
    )


def variant(kind: Kind, value: object) -> ua.Variant:
    """A Python value as a Variant of exactly the kind's type (asyncua alone would guess Int64 for every int)."""
    if value is None:
        return ua.Variant(None, ua.VariantType.Null)
    if kind is Kind.NUMBERS:
        assert isinstance(value, tuple)  # noqa: S101 - for the type checker
        return ua.Variant(list(value), ua.VariantType.Int32, is_array=True)
    if kind is Kind.NUMBER:
        assert isinstance(value, int | float)  # noqa: S101 - for the type checker
        return ua.Variant(float(value), ua.VariantType.Double)
    return ua.Variant(value, VARIANT_TYPES[kind])


def engineering_units(unit: Unit) -> ua.EUInformation:
    """The unit as OPC UA tells it."""
    return ua.EUInformation(
        NamespaceUri=_UNIT_NAMESPACE,
        UnitId=unit.opcua_id,
        DisplayName=ua.LocalizedText(unit.symbol),
        Description=ua.LocalizedText(unit.name, "en"),
    )
