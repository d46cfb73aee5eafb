"""Parts of values, by OPC 10000-4, 7.27."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.space.index_range import IndexRange

NONE = object()
NUMBERS = ua.Variant([10, 11, 12, 13, 14], ua.VariantType.Int32, is_array=True)
TEXTS = ua.Variant(["alpha", "beta", "gamma"], ua.VariantType.String, is_array=True)
TEXT = ua.Variant("alphabet", ua.VariantType.String)
BYTES = ua.Variant(b"alphabet", ua.VariantType.ByteString)
NUMBER = ua.Variant(7, ua.VariantType.Int32)
MATRIX = ua.Variant([1, 2, 3, 4, 5, 6], ua.VariantType.Int32, Dimensions=[2, 3], is_array=True)  # type: ignore[list-item]


@pytest.mark.parametrize(
    "text", ["", "a", "-1", "3:3", "3:2", "1:", ":1", "1:2:3", "1,", "1;2", " 1", "1" * 11, "0," * 9]
)
def test_what_is_no_range(text: str) -> None:
    assert IndexRange.parse(text) is None


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        (NUMBERS, "0", [10]),
        (NUMBERS, "1:3", [11, 12, 13]),
        (NUMBERS, "3:9", [13, 14]),
        (NUMBERS, "5", NONE),
        (NUMBERS, "0,1", NONE),
        (TEXTS, "1", ["beta"]),
        (TEXTS, "0:1,0:2", ["alp", "bet"]),
        (TEXTS, "0:1,4", NONE),
        (TEXT, "0:4", "alpha"),
        (TEXT, "8", NONE),
        (BYTES, "5:7", b"bet"),
        (NUMBER, "0", NONE),
        (MATRIX, "1,0:1", [4, 5]),
        (MATRIX, "0:1,2", [3, 6]),
        (MATRIX, "0", NONE),
        (MATRIX, "2,0", NONE),
    ],
)
def test_parts(value: ua.Variant, text: str, expected: Any) -> None:
    index_range = IndexRange.parse(text)
    assert index_range is not None
    part = index_range.part_of(ua.DataValue(value))
    assert part.StatusCode is not None
    assert part.Value is not None
    if expected is NONE:
        assert (part.StatusCode.name, part.Value.Value) == ("BadIndexRangeNoData", None)
    else:
        assert (part.StatusCode.name, part.Value.Value) == ("Good", expected)
        assert part.Value.VariantType is value.VariantType
        assert part.Value.is_array is value.is_array


def test_a_part_of_a_matrix_has_its_dimensions() -> None:
    index_range = IndexRange.parse("0:1,1:2")
    assert index_range is not None
    part = index_range.part_of(ua.DataValue(MATRIX)).Value
    assert part is not None
    assert (part.Value, part.Dimensions) == ([2, 3, 5, 6], [2, 2])


def test_a_bad_value_stays_as_it_is() -> None:
    bad = ua.DataValue(ua.Variant(None, ua.VariantType.Null), ua.StatusCode(ua.StatusCodes.BadNoData))  # type: ignore[arg-type]
    index_range = IndexRange.parse("0")
    assert index_range is not None
    assert index_range.part_of(bad) is bad
