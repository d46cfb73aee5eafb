"""Values of different types compared, as filters do (OPC 10000-4, 7.7.3).

``None`` is the null of three-valued logic: the answer cannot be told because an operand has no value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncua import ua

_NUMBERS = {
    ua.VariantType.Boolean,
    ua.VariantType.SByte,
    ua.VariantType.Byte,
    ua.VariantType.Int16,
    ua.VariantType.UInt16,
    ua.VariantType.Int32,
    ua.VariantType.UInt32,
    ua.VariantType.Int64,
    ua.VariantType.UInt64,
    ua.VariantType.Float,
    ua.VariantType.Double,
    ua.VariantType.StatusCode,
}
_TEXTS = {ua.VariantType.String, ua.VariantType.LocalizedText, ua.VariantType.QualifiedName}
_NODES = {ua.VariantType.NodeId, ua.VariantType.ExpandedNodeId}
_ORDERED = {"number", "text", "time"}


def is_null(value: ua.Variant) -> bool:
    """Is there no value; a NodeId or a text may be null too."""
    return _plain(value) is None


def equal(left: ua.Variant, right: ua.Variant) -> bool | None:
    """Equal once both are of one type; false if there is none for both."""
    if is_null(left) or is_null(right):
        return None
    if left.is_array or right.is_array:
        return bool(left.is_array and right.is_array and _kind(left) == _kind(right) and left.Value == right.Value)
    both = _common(left, right)
    return both is not None and bool(both[1] == both[2])


def ordered(compare: Callable[[Any, Any], bool], left: ua.Variant, right: ua.Variant) -> bool | None:
    """Compare by `operator.gt` and the like; false where there is no order."""
    if is_null(left) or is_null(right):
        return None
    both = None if left.is_array or right.is_array else _common(left, right)
    return both is not None and both[0] in _ORDERED and bool(compare(both[1], both[2]))


def between(value: ua.Variant, low: ua.Variant, high: ua.Variant) -> bool | None:
    """Neither below nor above."""
    return both_true(ordered(operator.ge, value, low), ordered(operator.le, value, high))


def both_true(left: bool | None, right: bool | None) -> bool | None:
    """And: false beats null."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def any_true(answers: list[bool | None]) -> bool | None:
    """Or: true beats null."""
    if True in answers:
        return True
    return None if None in answers else False


def text(value: ua.Variant) -> str | None:
    """The value as a text, if it is one."""
    plain = _plain(value)
    return plain if _kind(value) == "text" and isinstance(plain, str) else None


def integer(value: ua.Variant) -> int | None:
    """The value as a whole number, if it is one."""
    plain = _plain(value)
    return plain if _kind(value) == "number" and isinstance(plain, int) else None


def truth(value: ua.Variant) -> bool | None:
    """The value as an answer; what is not a Boolean is none."""
    return value.Value if value.VariantType == ua.VariantType.Boolean and not value.is_array else None


def _kind(value: ua.Variant) -> str:
    if value.VariantType in _NUMBERS:
        return "number"
    if value.VariantType in _TEXTS:
        return "text"
    if value.VariantType in _NODES:
        return "node"
    return "time" if value.VariantType == ua.VariantType.DateTime else str(value.VariantType.name)


def _plain(value: ua.Variant) -> Any:  # noqa: ANN401 - whatever a Variant holds
    """The value without its wrapping, ``None`` for null."""
    plain = value.Value
    match plain:
        case ua.LocalizedText():
            return plain.Text
        case ua.QualifiedName():
            return plain.Name
        case ua.StatusCode():
            return plain.value
        case ua.NodeId():
            return None if plain.is_null() else plain
        case datetime() if plain.tzinfo is None:
            return plain.replace(tzinfo=UTC)
        case _:
            return plain


def _common(left: ua.Variant, right: ua.Variant) -> tuple[str, Any, Any] | None:
    """The kind both can be of, and both as that."""
    kinds = {_kind(left), _kind(right)}
    if len(kinds) == 1:
        return kinds.pop(), _plain(left), _plain(right)
    for wanted, other, convert in _CONVERSIONS:
        if kinds == {wanted, other}:
            values = [_plain(value) if _kind(value) == wanted else convert(_plain(value)) for value in (left, right)]
            return None if None in values else (wanted, *values)
    return None


def _number(told: str) -> float | None:
    try:
        return float(told)
    except ValueError:
        return None


def _guid(told: str) -> UUID | None:
    try:
        return UUID(told)
    except ValueError:
        return None


def _node_text(node: ua.NodeId) -> str:
    return str(node.to_string())


_CONVERSIONS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("number", "text", _number),
    ("Guid", "text", _guid),
    ("text", "node", _node_text),
)
