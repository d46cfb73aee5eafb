"""Event filters: which fields, and of which events (OPC 10000-4, 7.7 and 7.22.3)."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from asyncua import ua
from asyncua.server.monitored_item_service import WhereClauseEvaluator

from edge_agent.sinks.opcua.events.event_filter import Occurrence, check, passes, select
from edge_agent.sinks.opcua.events.like import is_like
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.wire import node_id

Op = ua.FilterOperator
BASE = node_id(Key(0, 2041))
NOTIFICATION = node_id(Key(10, 35))
JOB_STATUS = node_id(Key(5, 1006))
FINE = node_id(Key(12, 1))
"""A subtype of the machine tool's notification."""
SUPERTYPES = {FINE: (NOTIFICATION, BASE), NOTIFICATION: (BASE,), JOB_STATUS: (BASE,)}
WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SOURCE = node_id(Key(13, "mk3"))
GUID = UUID("12345678-1234-5678-1234-567812345678")


def variant(value: Any, kind: ua.VariantType | None = None) -> ua.Variant:
    return ua.Variant(value) if kind is None else ua.Variant(value, kind)


OCCURRENCE = Occurrence(
    event_type=FINE,
    fields={
        ((0, "EventType"),): variant(FINE),
        ((0, "Severity"),): variant(500, ua.VariantType.UInt16),
        ((0, "Message"),): variant(ua.LocalizedText("Thermal runaway", "en")),
        ((0, "SourceName"),): variant("MK3 links"),
        ((0, "SourceNode"),): variant(SOURCE),
        ((0, "Time"),): variant(WHEN),
        ((0, "LocalTime"),): variant(None, ua.VariantType.Null),
        ((10, "Identifier"),): variant("Fault"),
        ((12, "Identifier"),): variant("of another namespace"),
        ((12, "Codes"),): variant([1, 2, 3], ua.VariantType.UInt16),
        ((12, "Guid"),): variant(GUID),
        ((12, "Part"), (12, "Deep")): variant(7, ua.VariantType.Int32),
    },
)


def supertypes(node: ua.NodeId) -> Iterable[ua.NodeId]:
    return SUPERTYPES.get(node, ())


def field(*path: str, of: ua.NodeId = BASE, attribute: int = 13, index_range: str | None = None) -> Any:
    names = [ua.QualifiedName.from_string(name) for name in path]
    return ua.SimpleAttributeOperand(of, names, ua.IntegerId(attribute), index_range)


def literal(value: Any, kind: ua.VariantType | None = None) -> ua.LiteralOperand:
    return ua.LiteralOperand(variant(value, kind))


def sub(index: int) -> ua.ElementOperand:
    return ua.ElementOperand(index)


def where(*elements: tuple[ua.FilterOperator, list[Any]]) -> ua.ContentFilter:
    return ua.ContentFilter([ua.ContentFilterElement(operator, operands) for operator, operands in elements])


def answer(*elements: tuple[ua.FilterOperator, list[Any]]) -> bool | None:
    """True, false, or None for null: which of the two a filter that is not passed is, its negation shows."""
    clause = where(*elements)
    assert check(ua.EventFilter([field("0:Severity")], clause), supertypes).status.is_good()
    if passes(OCCURRENCE, clause, supertypes):
        return True
    moved = [
        (
            operator,
            [sub(operand.Index + 1) if isinstance(operand, ua.ElementOperand) else operand for operand in operands],
        )
        for operator, operands in elements
    ]
    return False if passes(OCCURRENCE, where((Op.Not, [sub(1)]), *moved), supertypes) else None


SEVERITY, MESSAGE, NULL_FIELD = field("0:Severity"), field("0:Message"), field("0:LocalTime")
TRUE, FALSE = literal(True), literal(False)
NULL = literal(None)


# --- select ---


def selected(*clauses: Any) -> list[Any]:
    return [found.Value for found in select(OCCURRENCE, clauses, supertypes)]


def test_fields_come_in_the_order_asked_for() -> None:
    assert selected(MESSAGE, SEVERITY, MESSAGE) == [
        ua.LocalizedText("Thermal runaway", "en"),
        500,
        ua.LocalizedText("Thermal runaway", "en"),
    ]


def test_fields_keep_their_types() -> None:
    assert select(OCCURRENCE, [SEVERITY], supertypes) == [ua.Variant(500, ua.VariantType.UInt16)]


def test_a_name_in_another_namespace_is_another_field() -> None:
    assert selected(field("10:Identifier"), field("12:Identifier"), field("0:Identifier")) == [
        "Fault",
        "of another namespace",
        None,
    ]


def test_fields_below_fields() -> None:
    assert selected(field("12:Part", "12:Deep"), field("12:Part")) == [7, None]


@pytest.mark.parametrize(
    "clause",
    [
        field("0:Nonsense"),
        field(of=node_id(Key(0, 2782)), attribute=1),  # the ConditionId
        field("0:Severity", attribute=4),
        field("0:Severity", of=JOB_STATUS),
        field("0:LocalTime"),
    ],
)
def test_what_the_event_has_not_is_null(clause: Any) -> None:
    assert select(OCCURRENCE, [clause], supertypes) == [ua.Variant(None, ua.VariantType.Null)]


@pytest.mark.parametrize("owner", [BASE, NOTIFICATION, FINE, ua.NodeId()])
def test_a_field_may_be_asked_of_any_type_above(owner: ua.NodeId) -> None:
    assert selected(field("10:Identifier", of=owner)) == ["Fault"]


@pytest.mark.parametrize(
    ("index_range", "expected"),
    [
        ("0", [1]),
        ("1:2", [2, 3]),
        ("2:9", [3]),
        ("3", None),
        ("1:1", None),
        ("2:1", None),
        ("a", None),
        ("-1", None),
        ("9" * 5000, None),
    ],
)
def test_a_part_of_an_array(index_range: str, expected: list[int] | None) -> None:
    assert selected(field("12:Codes", index_range=index_range)) == [expected]


def test_a_part_of_a_text() -> None:
    assert selected(field("10:Identifier", index_range="0:2")) == ["Fau"]


# --- where ---


def test_an_empty_clause_is_passed() -> None:
    assert passes(OCCURRENCE, ua.ContentFilter(), supertypes)


@pytest.mark.parametrize(
    ("wanted", "expected"), [(FINE, True), (NOTIFICATION, True), (BASE, True), (JOB_STATUS, False)]
)
def test_of_type_honours_subtypes(wanted: ua.NodeId, expected: bool) -> None:
    assert answer((Op.OfType, [literal(wanted)])) is expected


def test_asyncua_knows_no_subtypes() -> None:
    """Why its evaluation is not used: https://github.com/FreeOpcUa/opcua-asyncio/issues/1568."""

    class Event:
        EventType = FINE

    clause = where((Op.OfType, [literal(NOTIFICATION)]))
    assert not WhereClauseEvaluator(logging.getLogger("asyncua"), None, clause).eval(Event())  # type: ignore[arg-type]


COMPARISONS: list[tuple[ua.FilterOperator, list[Any], bool | None]] = [
    (Op.Equals, [SEVERITY, literal(500)], True),
    (Op.Equals, [SEVERITY, literal(500.0)], True),
    (Op.Equals, [SEVERITY, literal("500")], True),
    (Op.Equals, [SEVERITY, literal("high")], False),
    (Op.Equals, [SEVERITY, literal(501)], False),
    (Op.Equals, [SEVERITY, literal(WHEN)], False),
    (Op.Equals, [MESSAGE, literal("Thermal runaway")], True),
    (Op.Equals, [MESSAGE, literal("thermal runaway")], False),
    (Op.Equals, [field("0:SourceNode"), literal(SOURCE)], True),
    (Op.Equals, [field("0:SourceNode"), literal("ns=13;s=mk3")], True),
    (Op.Equals, [field("12:Guid"), literal(str(GUID))], True),
    (Op.Equals, [field("12:Guid"), literal("no guid")], False),
    (Op.Equals, [field("12:Codes"), literal([1, 2, 3], ua.VariantType.UInt16)], True),
    (Op.Equals, [field("12:Codes"), literal(1)], False),
    (Op.Equals, [NULL_FIELD, literal(1)], None),
    (Op.Equals, [SEVERITY, NULL], None),
    (Op.GreaterThan, [SEVERITY, literal(499)], True),
    (Op.GreaterThan, [SEVERITY, literal(500)], False),
    (Op.GreaterThanOrEqual, [SEVERITY, literal(500)], True),
    (Op.GreaterThanOrEqual, [SEVERITY, literal(501)], False),
    (Op.LessThan, [SEVERITY, literal(501)], True),
    (Op.LessThan, [SEVERITY, literal(500)], False),
    (Op.LessThanOrEqual, [SEVERITY, literal(500)], True),
    (Op.LessThanOrEqual, [SEVERITY, literal(499)], False),
    (Op.GreaterThan, [field("0:Time"), literal(WHEN - timedelta(seconds=1))], True),
    (Op.GreaterThan, [field("0:Time"), literal((WHEN - timedelta(seconds=1)).replace(tzinfo=None))], True),
    (Op.GreaterThan, [field("0:Nonsense"), literal(1)], None),
    (Op.LessThanOrEqual, [field("0:SourceNode"), literal(SOURCE)], False),
    (Op.GreaterThanOrEqual, [field("12:Guid"), literal(GUID)], False),
    (Op.GreaterThan, [field("12:Codes"), literal(0)], False),
    (Op.Between, [SEVERITY, literal(500), literal(600)], True),
    (Op.Between, [SEVERITY, literal(400), literal(500)], True),
    (Op.Between, [SEVERITY, literal(501), literal(600)], False),
    (Op.Between, [SEVERITY, NULL, literal(600)], None),
    (Op.Between, [SEVERITY, NULL, literal(400)], False),
    (Op.InList, [SEVERITY, literal(1), literal(500)], True),
    (Op.InList, [SEVERITY, literal(1), literal(2)], False),
    (Op.InList, [SEVERITY, NULL, literal(500)], True),
    (Op.InList, [SEVERITY, NULL, literal(1)], None),
    (Op.InList, [field("0:EventType"), literal(BASE), literal(FINE)], True),
    (Op.IsNull, [NULL_FIELD], True),
    (Op.IsNull, [field("0:Nonsense")], True),
    (Op.IsNull, [SEVERITY], False),
    (Op.Like, [MESSAGE, literal("Thermal%")], True),
    (Op.Like, [field("0:SourceName"), literal("MK_ [kl]inks")], True),
    (Op.Like, [MESSAGE, literal("thermal%")], False),
    (Op.Like, [SEVERITY, literal("5%")], False),
    (Op.Like, [MESSAGE, NULL], None),
    (Op.Not, [TRUE], False),
    (Op.Not, [FALSE], True),
    (Op.Not, [NULL], None),
    (Op.Not, [SEVERITY], None),
    (Op.And, [TRUE, TRUE], True),
    (Op.And, [TRUE, FALSE], False),
    (Op.And, [FALSE, NULL], False),
    (Op.And, [NULL, TRUE], None),
    (Op.And, [NULL, NULL], None),
    (Op.Or, [FALSE, FALSE], False),
    (Op.Or, [FALSE, TRUE], True),
    (Op.Or, [NULL, TRUE], True),
    (Op.Or, [NULL, FALSE], None),
    (Op.Or, [NULL, NULL], None),
]


@pytest.mark.parametrize(("operator", "operands", "expected"), COMPARISONS)
def test_operators(operator: ua.FilterOperator, operands: list[Any], expected: bool | None) -> None:
    assert answer((operator, operands)) is expected


def test_bits() -> None:
    assert answer((Op.Equals, [sub(1), literal(4)]), (Op.BitwiseAnd, [SEVERITY, literal(12)])) is True
    assert answer((Op.Equals, [sub(1), literal(508)]), (Op.BitwiseOr, [SEVERITY, literal(12)])) is True
    assert answer((Op.Equals, [sub(1), literal(4)]), (Op.BitwiseAnd, [MESSAGE, literal(12)])) is None


def test_elements_of_elements() -> None:
    tree: list[tuple[ua.FilterOperator, list[Any]]] = [
        (Op.And, [sub(1), sub(2)]),
        (Op.OfType, [literal(NOTIFICATION)]),
        (Op.Or, [sub(3), sub(4)]),
        (Op.GreaterThan, [SEVERITY, literal(900)]),
        (Op.Like, [MESSAGE, literal("%run%")]),
    ]
    assert answer(*tree) is True
    assert answer(*tree[:4], (Op.Like, [MESSAGE, literal("%walk%")])) is False


def test_elements_nobody_asks_for_do_not_count() -> None:
    assert answer((Op.Equals, [SEVERITY, literal(500)]), (Op.Equals, [SEVERITY, literal(1)])) is True


def test_an_element_is_reckoned_once() -> None:
    """Each asks twice for the next: 2 to the 99th if it were not."""
    begun = time.perf_counter()
    chain = [(Op.And, [sub(index + 1), sub(index + 1)]) for index in range(99)]
    assert passes(OCCURRENCE, where(*chain, (Op.Equals, [SEVERITY, literal(500)])), supertypes)
    assert time.perf_counter() - begun < 1


# --- like ---


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("%", "", True),
        ("%", "anything", True),
        ("ab", "ab", True),
        ("ab", "abc", False),
        ("a%c", "abbc", True),
        ("a%c", "abcb", False),
        ("a%b%c", "a-bb-c-c", True),
        ("a_c", "abc", True),
        ("a_c", "ac", False),
        ("abc[13-68]", "abc1", True),
        ("abc[13-68]", "abc4", True),
        ("abc[13-68]", "abc2", False),
        ("abc[13-68]", "abc7", False),
        ("[^a-c]", "d", True),
        ("[^a-c]", "b", False),
        ("[a-]", "-", True),
        ("[abc", "[abc", True),
        ("100\\%", "100%", True),
        ("100\\%", "1000", False),
        ("a.c", "abc", False),
        ("ends\\", "ends\\", True),
        ("%\n%", "a\nb", True),
    ],
)
def test_like(pattern: str, text: str, expected: bool) -> None:
    assert is_like(text, pattern) is expected


def test_like_is_quick_whatever_the_pattern() -> None:
    begun = time.perf_counter()
    assert not is_like("a" * 2000, "%a" * 200 + "b")
    assert time.perf_counter() - begun < 2


# --- filters that are not right ---


def codes(results: list[ua.StatusCode]) -> list[str]:
    return [result.name for result in results]


def element_codes(*elements: tuple[ua.FilterOperator, list[Any]]) -> list[tuple[str, list[str]]]:
    checked = check(ua.EventFilter([SEVERITY], where(*elements)), supertypes)
    assert checked.status.name == "BadEventFilterInvalid"
    assert checked.result is not None
    results = checked.result.WhereClauseResult.ElementResults
    return [(result.StatusCode.name, codes(result.OperandStatusCodes)) for result in results]


def test_a_good_filter_has_nothing_to_be_told_of() -> None:
    checked = check(ua.EventFilter([SEVERITY, MESSAGE]), supertypes)
    assert checked.status.is_good()
    assert checked.result is None


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        (field("0:Severity", attribute=0), "BadAttributeIdInvalid"),
        (field("0:Severity", attribute=1), "BadAttributeIdInvalid"),
        (field(attribute=13), "BadAttributeIdInvalid"),
        (field("0:"), "BadBrowseNameInvalid"),
        (field("0:Severity", of=SOURCE), "BadTypeDefinitionInvalid"),
        (field("12:Codes", index_range="2:1"), "BadIndexRangeInvalid"),
    ],
)
def test_a_field_that_cannot_be_had_spoils_nothing_else(clause: Any, code: str) -> None:
    checked = check(ua.EventFilter([SEVERITY, clause]), supertypes)
    assert checked.status.is_good()
    assert checked.result is not None
    assert codes(checked.result.SelectClauseResults) == ["Good", code]
    assert element_codes((Op.IsNull, [clause])) == [("BadFilterOperandInvalid", [code])]


@pytest.mark.parametrize("wanted", [None, ua.DataChangeFilter(), ua.EventFilter([]), ua.EventFilter([SEVERITY] * 1001)])
def test_no_filter_at_all(wanted: object) -> None:
    assert check(wanted, supertypes).status.name == "BadEventFilterInvalid"


def test_clauses_that_are_not_right() -> None:
    assert element_codes((Op.InView, [literal(1)])) == [("BadFilterOperatorUnsupported", ["Good"])]
    assert element_codes((Op.RelatedTo, [])) == [("BadFilterOperatorUnsupported", [])]
    assert element_codes((Op.Cast, [SEVERITY, literal(1)])) == [("BadFilterOperatorUnsupported", ["Good", "Good"])]
    assert element_codes((Op.Equals, [SEVERITY])) == [("BadFilterOperandCountMismatch", ["Good"])]
    assert element_codes((Op.Not, [TRUE, TRUE])) == [("BadFilterOperandCountMismatch", ["Good", "Good"])]
    assert element_codes((Op.InList, [SEVERITY])) == [("BadFilterOperandCountMismatch", ["Good"])]
    assert element_codes((Op.OfType, [literal("10:35")])) == [("BadFilterOperandInvalid", ["BadFilterOperandInvalid"])]
    assert element_codes((Op.OfType, [SEVERITY])) == [("BadFilterOperandInvalid", ["BadFilterOperandInvalid"])]
    assert element_codes((Op.IsNull, [ua.AttributeOperand()])) == [
        ("BadFilterOperandInvalid", ["BadFilterOperandInvalid"])
    ]
    assert element_codes((Op.IsNull, [ua.ExtensionObject()])) == [
        ("BadFilterOperandInvalid", ["BadFilterOperandInvalid"])
    ]


@pytest.mark.parametrize("index", [0, 2])
def test_an_element_asks_only_for_later_ones(index: int) -> None:
    found = element_codes((Op.Not, [sub(index)]), (Op.IsNull, [SEVERITY]))
    assert found == [("BadFilterOperandInvalid", ["BadFilterElementInvalid"]), ("Good", ["Good"])]


def test_filters_have_a_limit() -> None:
    assert element_codes(*[(Op.IsNull, [SEVERITY])] * 101)[0][0] == "BadTooManyOperations"
    assert element_codes(*[(Op.InList, [SEVERITY, *[literal(1)] * 600])] * 2)[0][0] == "BadTooManyOperations"
