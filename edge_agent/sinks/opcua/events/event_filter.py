"""Event filters (OPC 10000-4, 7.22.3): what a client wants to know of which events, live and from history alike.

Fields are found by their full names, namespaces included: asyncua compares names alone, and takes the first of two
fields of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from asyncua import ua

from ..space.nodeset import Key
from ..space.wire import node_id, status
from . import content_filter
from .content_filter import NULL

MAX_SELECT_CLAUSES = 1000

Name = tuple[int, str]
"""A BrowseName: namespace index and name."""
Path = tuple[Name, ...]

Supertypes = Callable[[ua.NodeId], Iterable[ua.NodeId]]
"""All supertypes of a type, nearest first; nothing for a node that is no type."""

_LONGEST_INDEX = len(str(2**32 - 1))
_BASE = node_id(Key(0, ua.ObjectIds.BaseEventType))


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """An event as OPC UA tells it: its type, and its fields by their paths from the type."""

    event_type: ua.NodeId
    fields: Mapping[Path, ua.Variant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is to be said of a filter; ``result`` is null if there is nothing to complain of."""

    status: ua.StatusCode
    result: ua.EventFilterResult | None = None


def check(wanted: object, supertypes: Supertypes) -> Checked:
    """May the filter be used. A field that cannot be had does not spoil it: it will be null, and the result says so."""
    if not isinstance(wanted, ua.EventFilter):
        return Checked(status=status(ua.StatusCodes.BadEventFilterInvalid))
    check_operand = partial(_check_operand, supertypes=supertypes)
    clauses = wanted.SelectClauses or []
    codes = [check_operand(clause) for clause in clauses]
    elements = content_filter.check(wanted.WhereClause, check_operand)
    usable = clauses and len(clauses) <= MAX_SELECT_CLAUSES and content_filter.is_good(elements)
    code = ua.StatusCodes.Good if usable else ua.StatusCodes.BadEventFilterInvalid
    result = ua.EventFilterResult(
        SelectClauseResults=[status(code) for code in codes],
        WhereClauseResult=ua.ContentFilterResult(ElementResults=elements),
    )
    return Checked(status=status(code), result=result if any(codes) or not usable else None)


def select(
    occurrence: Occurrence, clauses: Sequence[ua.SimpleAttributeOperand], supertypes: Supertypes
) -> list[ua.Variant]:
    """The fields a client asked for, in its order; null for those the event has not."""
    return [_field(clause, occurrence, supertypes) for clause in clauses]


def passes(occurrence: Occurrence, where: ua.ContentFilter, supertypes: Supertypes) -> bool:
    """Does the client want to know of the event at all."""
    return content_filter.passes(
        where,
        lambda operand: _field(operand, occurrence, supertypes),
        lambda wanted: is_a(occurrence.event_type, wanted, supertypes),
    )


def is_a(kind: ua.NodeId, wanted: ua.NodeId, supertypes: Supertypes) -> bool:
    """Is it that type or a subtype of it."""
    return kind == wanted or any(wanted == above for above in supertypes(kind))


def _field(operand: ua.SimpleAttributeOperand, occurrence: Occurrence, supertypes: Supertypes) -> ua.Variant:
    path = tuple((name.NamespaceIndex, name.Name) for name in operand.BrowsePath or ())
    value = occurrence.fields.get(path)
    if value is None or operand.AttributeId != ua.AttributeIds.Value:
        return NULL  # the NodeId of a condition too, which none of our events is
    owner = operand.TypeDefinitionId
    if not (owner.is_null() or owner == _BASE or is_a(occurrence.event_type, owner, supertypes)):
        return NULL
    return _part(value, operand.IndexRange) if operand.IndexRange else value


def _check_operand(operand: ua.SimpleAttributeOperand, supertypes: Supertypes) -> int:
    path = operand.BrowsePath or []
    owner = operand.TypeDefinitionId
    if any(not name.Name for name in path):
        return ua.StatusCodes.BadBrowseNameInvalid
    if operand.AttributeId != (ua.AttributeIds.Value if path else ua.AttributeIds.NodeId):
        return ua.StatusCodes.BadAttributeIdInvalid
    if not owner.is_null() and not is_a(owner, _BASE, supertypes):
        return ua.StatusCodes.BadTypeDefinitionInvalid
    if operand.IndexRange and _slice(operand.IndexRange) is None:
        return ua.StatusCodes.BadIndexRangeInvalid
    return ua.StatusCodes.Good


def _part(value: ua.Variant, index_range: str) -> ua.Variant:
    """Some elements of an array, or a part of a text; null if there are none in the range."""
    wanted = _slice(index_range)
    if wanted is None or not isinstance(value.Value, list | str | bytes):
        return NULL
    part = value.Value[wanted]
    return ua.Variant(part, value.VariantType, is_array=value.is_array) if part else NULL


def _slice(index_range: str) -> slice | None:
    """A NumericRange of one dimension: ``2`` or ``2:5``, the end included."""
    first, colon, last = index_range.partition(":")
    digits = (first, last) if colon else (first,)
    if not all(part.isascii() and part.isdigit() and len(part) <= _LONGEST_INDEX for part in digits):
        return None
    start, end = int(first), int(digits[-1])
    return slice(start, end + 1) if end > start or not colon else None
