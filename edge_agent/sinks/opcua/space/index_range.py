"""Numeric ranges (OPC 10000-4, 7.27): ``2``, ``1:3``, ``0:1,2:4``; of arrays, matrices, texts and bytes."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, cast

from asyncua import ua
from msgspec import Struct

from . import wire

_RANGE = re.compile(r"(\d{1,10})(?::(\d{1,10}))?", re.ASCII)
_MOST_DIMENSIONS = 8


class IndexRange(Struct, frozen=True):
    """One slice per dimension; for an array of texts or bytes one more may cut each of them."""

    slices: tuple[slice, ...]

    @classmethod
    def parse(cls, text: str) -> IndexRange | None:
        """A range from its text, ``None`` if that is not one."""
        parts = text.split(",")
        if len(parts) > _MOST_DIMENSIONS:
            return None
        slices = []
        for part in parts:
            match = _RANGE.fullmatch(part)
            if match is None:
                return None
            low, high = int(match[1]), match[2]
            if high is not None and int(high) <= low:
                return None
            slices.append(slice(low, (low if high is None else int(high)) + 1))
        return cls(tuple(slices))

    def part_of(self, value: ua.DataValue) -> ua.DataValue:
        """The value with only the elements in the range; bad if there are none."""
        variant = value.Value
        if variant is None or variant.Value is None or (value.StatusCode and value.StatusCode.is_bad()):
            return value
        dimensions = [int(length) for length in variant.Dimensions or ()]
        rows = _nested(_flat(variant.Value), dimensions) if dimensions else variant.Value
        part = _part(rows, self.slices) if len(self.slices) >= len(dimensions) else None
        if part is None:
            none = wire.status(ua.StatusCodes.BadIndexRangeNoData)
            return dataclasses.replace(value, Value=ua.Variant(None, ua.VariantType.Null), StatusCode=none)
        return dataclasses.replace(value, Value=_variant(part, variant))


def _variant(part: Any, whole: ua.Variant) -> ua.Variant:  # noqa: ANN401 - whatever a Variant may hold
    if not whole.Dimensions:
        return ua.Variant(part, whole.VariantType, is_array=whole.is_array)
    dimensions, level = [], part
    for _ in whole.Dimensions:
        dimensions.append(len(level))
        level = level[0]
    return ua.Variant(_flat(part), whole.VariantType, Dimensions=cast("list[ua.Int32]", dimensions), is_array=True)


def _flat(values: Any) -> list[Any]:  # noqa: ANN401
    return [leaf for value in values for leaf in (_flat(value) if isinstance(value, list) else [value])]


def _nested(flat: list[Any], dimensions: list[int]) -> list[Any]:
    """A matrix as lists of lists, the first dimension outermost."""
    if len(dimensions) == 1:
        return flat
    length = len(flat) // dimensions[0] if dimensions[0] else 0
    return [_nested(flat[start * length : (start + 1) * length], dimensions[1:]) for start in range(dimensions[0])]


def _part(value: Any, slices: tuple[slice, ...]) -> Any | None:  # noqa: ANN401 - whatever a Variant may hold
    """The elements in the range, ``None`` if there are none."""
    if not isinstance(value, list | str | bytes):
        return None
    chosen = value[slices[0]]
    if len(slices) == 1:
        return chosen or None
    if not isinstance(value, list):
        return None
    parts = [_part(element, slices[1:]) for element in chosen]
    return parts if parts and None not in parts else None
