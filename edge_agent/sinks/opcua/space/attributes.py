"""Read and Write for clients (OPC 10000-4, 5.11): index ranges, encodings and timestamps as asked, and no writing."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from asyncua import ua
from asyncua.common.utils import ServiceError

from . import wire
from .index_range import IndexRange
from .limits import MADE_BYTES, NODES_AT_ONCE
from .sight import Readable

_ENCODINGS = {None, "", "Default Binary"}
_Stamp = Callable[[ua.DataValue], ua.DataValue]
_STAMPS: dict[ua.TimestampsToReturn, _Stamp] = {
    ua.TimestampsToReturn.Source: lambda value: dataclasses.replace(value, ServerTimestamp=None),
    ua.TimestampsToReturn.Server: lambda value: dataclasses.replace(value, SourceTimestamp=None),
    ua.TimestampsToReturn.Both: lambda value: value,
    ua.TimestampsToReturn.Neither: lambda value: dataclasses.replace(value, SourceTimestamp=None, ServerTimestamp=None),
}


async def read(params: ua.ReadParameters, sight: Readable) -> list[ua.DataValue]:
    """Read attributes; each has a status of its own.

    Raises:
        ServiceError: the request as a whole makes no sense, or asks for so much that no answer holds it.
    """
    if not params.NodesToRead:
        raise ServiceError(ua.StatusCodes.BadNothingToDo)
    if params.MaxAge < 0:
        raise ServiceError(ua.StatusCodes.BadMaxAgeInvalid)
    stamp = stamps(params.TimestampsToReturn)
    values: list[ua.DataValue] = []
    made_bytes = 0
    for number, wanted in enumerate(params.NodesToRead):
        if number % NODES_AT_ONCE == NODES_AT_ONCE - 1:
            await asyncio.sleep(0)
        values.append(stamp(read_one(wanted, sight)))
        made_bytes += _made_bytes(values[-1])
        if made_bytes > MADE_BYTES:
            raise ServiceError(ua.StatusCodes.BadResponseTooLarge)
    return values


def _made_bytes(value: ua.DataValue) -> int:
    """Of structures that come encoded."""
    held = value.Value.Value if value.Value is not None else None
    if not isinstance(held, list) or not held or not isinstance(held[0], ua.ExtensionObject):
        return 0
    return sum(len(each.Body or b"") for each in held)


def stamps(wanted: ua.TimestampsToReturn) -> _Stamp:
    """How to leave out the timestamps that a client does not want.

    Raises:
        ServiceError: there is no such wish.
    """
    if wanted not in _STAMPS:
        raise ServiceError(ua.StatusCodes.BadTimestampsToReturnInvalid)
    return _STAMPS[wanted]


def read_one(wanted: ua.ReadValueId, sight: Readable) -> ua.DataValue:
    """One attribute, or the part of it that is asked for."""
    node = wire.key(wanted.NodeId)
    if sight.row(node) is None:
        return bad(ua.StatusCodes.BadNodeIdUnknown)
    encoding = wanted.DataEncoding.Name if wanted.DataEncoding else None
    if encoding and wanted.AttributeId != ua.AttributeIds.Value:
        return bad(ua.StatusCodes.BadDataEncodingInvalid)
    if encoding not in _ENCODINGS:
        return bad(ua.StatusCodes.BadDataEncodingUnsupported)
    value = sight.read(node, wanted.AttributeId)
    if not wanted.IndexRange:
        return value
    index_range = IndexRange.parse(wanted.IndexRange)
    if index_range is None:
        return bad(ua.StatusCodes.BadIndexRangeInvalid)
    return index_range.part_of(value)


def write(params: ua.WriteParameters, sight: Readable) -> list[ua.StatusCode]:
    """Refuse to write, and say of each node why."""
    if not params.NodesToWrite:
        raise ServiceError(ua.StatusCodes.BadNothingToDo)
    return [wire.status(_refusal(wanted, sight)) for wanted in params.NodesToWrite]


def _refusal(wanted: ua.WriteValue, sight: Readable) -> int:
    node = wire.key(wanted.NodeId)
    if sight.row(node) is None:
        return ua.StatusCodes.BadNodeIdUnknown
    found = sight.read(node, wanted.AttributeId).StatusCode
    if found is not None and found.value == ua.StatusCodes.BadAttributeIdInvalid:
        return ua.StatusCodes.BadAttributeIdInvalid
    return ua.StatusCodes.BadUserAccessDenied


def bad(code: int) -> ua.DataValue:
    """A value that could not be had."""
    now = cast("ua.DateTime", datetime.now(UTC))
    return ua.DataValue(ua.Variant(None, ua.VariantType.Null), wire.status(code), ServerTimestamp=now)
