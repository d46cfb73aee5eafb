"""Where clauses of event filters (OPC 10000-4, 7.7): which are right, and does an event pass.

asyncua's own evaluation knows no subtypes, no Like and no null, and drops an event for which it fails:
https://github.com/FreeOpcUa/opcua-asyncio/issues/1568.

An operand without a value makes an operator's answer null, and a filter whose answer is null is not passed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial

from asyncua import ua

from ..space.wire import status
from .comparison import any_true, between, both_true, equal, integer, is_null, ordered, text, truth
from .like import is_like

MAX_ELEMENTS = 100
"""More elements, each of which may ask for the next, are refused: evaluating goes as deep."""
MAX_OPERANDS = 1000

Resolve = Callable[[ua.SimpleAttributeOperand], ua.Variant]
"""The value of an event's field, null if it has none."""
IsOfType = Callable[[ua.NodeId], bool]
"""Is the event of this type or of a subtype."""
CheckOperand = Callable[[ua.SimpleAttributeOperand], int]
"""The status code of an operand that names a field."""

NULL = ua.Variant(None, ua.VariantType.Null)
_O = ua.FilterOperator
_OPERANDS: dict[ua.FilterOperator, tuple[int, int]] = {
    _O.Equals: (2, 2),
    _O.IsNull: (1, 1),
    _O.GreaterThan: (2, 2),
    _O.LessThan: (2, 2),
    _O.GreaterThanOrEqual: (2, 2),
    _O.LessThanOrEqual: (2, 2),
    _O.Like: (2, 2),
    _O.Not: (1, 1),
    _O.Between: (3, 3),
    _O.InList: (2, MAX_OPERANDS),
    _O.And: (2, 2),
    _O.Or: (2, 2),
    _O.OfType: (1, 1),
    _O.BitwiseAnd: (2, 2),
    _O.BitwiseOr: (2, 2),
}


def check(where: ua.ContentFilter, check_operand: CheckOperand) -> list[ua.ContentFilterElementResult]:
    """A result for each element; the clause is right if all are good (see `is_good`)."""
    elements = where.Elements or []
    results = [_check(element, index, elements, check_operand) for index, element in enumerate(elements)]
    if len(elements) > MAX_ELEMENTS or sum(len(element.FilterOperands or ()) for element in elements) > MAX_OPERANDS:
        results[0].StatusCode = status(ua.StatusCodes.BadTooManyOperations)
    return results


def is_good(results: Sequence[ua.ContentFilterElementResult]) -> bool:
    """Nothing is wrong with any element."""
    return all(result.StatusCode.is_good() for result in results)


def passes(where: ua.ContentFilter, resolve: Resolve, is_of_type: IsOfType) -> bool:
    """Does an event pass a clause that is right; everything passes an empty one."""
    elements = where.Elements or []
    return not elements or truth(_Evaluation(elements, resolve, is_of_type).element(0)) is True


def _check(
    element: ua.ContentFilterElement,
    index: int,
    elements: Sequence[ua.ContentFilterElement],
    check_operand: CheckOperand,
) -> ua.ContentFilterElementResult:
    operands = element.FilterOperands or []
    codes = [_check_operand(operand, index, len(elements), check_operand) for operand in operands]
    code = ua.StatusCodes.Good
    least_and_most = _OPERANDS.get(element.FilterOperator)
    if least_and_most is None:
        code = ua.StatusCodes.BadFilterOperatorUnsupported
    elif not least_and_most[0] <= len(operands) <= least_and_most[1]:
        code = ua.StatusCodes.BadFilterOperandCountMismatch
    elif element.FilterOperator == _O.OfType and not _names_a_node(operands[0]):
        code, codes = ua.StatusCodes.BadFilterOperandInvalid, [ua.StatusCodes.BadFilterOperandInvalid]
    elif any(codes):
        code = ua.StatusCodes.BadFilterOperandInvalid
    return ua.ContentFilterElementResult(StatusCode=status(code), OperandStatusCodes=[status(code) for code in codes])


def _check_operand(operand: object, index: int, elements: int, check_operand: CheckOperand) -> int:
    match operand:
        case ua.ElementOperand():
            # Only forwards, so that no element can be asked for by itself.
            return 0 if index < operand.Index < elements else ua.StatusCodes.BadFilterElementInvalid
        case ua.LiteralOperand():
            return 0 if operand.Value is not None else ua.StatusCodes.BadFilterLiteralInvalid
        case ua.SimpleAttributeOperand():
            return check_operand(operand)
        case _:  # OPC 10000-4, 7.22.3: an AttributeOperand may not be used for events
            return ua.StatusCodes.BadFilterOperandInvalid


def _names_a_node(operand: object) -> bool:
    return isinstance(operand, ua.LiteralOperand) and _node(operand.Value) is not None


def _node(value: ua.Variant) -> ua.NodeId | None:
    return value.Value if isinstance(value.Value, ua.NodeId) else None


class _Evaluation:
    """One event before one filter. Each element is reckoned once, however many others ask for it."""

    def __init__(self, elements: Sequence[ua.ContentFilterElement], resolve: Resolve, is_of_type: IsOfType) -> None:
        self._elements = elements
        self._resolve = resolve
        self._is_of_type = is_of_type
        self._answers: dict[int, ua.Variant] = {}

    def element(self, index: int) -> ua.Variant:
        if index not in self._answers:
            answer = self._evaluate(self._elements[index])
            if isinstance(answer, bool):
                answer = ua.Variant(answer, ua.VariantType.Boolean)
            self._answers[index] = NULL if answer is None else answer
        return self._answers[index]

    def _evaluate(self, element: ua.ContentFilterElement) -> ua.Variant | bool | None:
        values = [self._value(operand) for operand in element.FilterOperands]
        if element.FilterOperator == _O.OfType:
            wanted = _node(values[0])
            return None if wanted is None else self._is_of_type(wanted)
        return _OPERATORS[element.FilterOperator](*values)

    def _value(self, operand: object) -> ua.Variant:
        match operand:
            case ua.ElementOperand():
                return self.element(operand.Index)
            case ua.LiteralOperand(Value=ua.Variant() as value):
                return value
            case ua.SimpleAttributeOperand():
                return self._resolve(operand)
            case _:
                return NULL


def _like(value: ua.Variant, pattern: ua.Variant) -> bool | None:
    if is_null(value) or is_null(pattern):
        return None
    told, wanted = text(value), text(pattern)
    return told is not None and wanted is not None and is_like(told, wanted)


def _not(value: ua.Variant) -> bool | None:
    answer = truth(value)
    return None if answer is None else not answer


def _in_list(value: ua.Variant, *listed: ua.Variant) -> bool | None:
    return any_true([equal(value, item) for item in listed])


def _and(left: ua.Variant, right: ua.Variant) -> bool | None:
    return both_true(truth(left), truth(right))


def _or(left: ua.Variant, right: ua.Variant) -> bool | None:
    return any_true([truth(left), truth(right)])


def _bitwise(combine: Callable[[int, int], int], left: ua.Variant, right: ua.Variant) -> ua.Variant | None:
    one, other = integer(left), integer(right)
    return None if one is None or other is None else ua.Variant(combine(one, other), ua.VariantType.Int64)


_OPERATORS: dict[ua.FilterOperator, Callable[..., ua.Variant | bool | None]] = {
    _O.Equals: equal,
    _O.IsNull: is_null,
    _O.GreaterThan: partial(ordered, operator.gt),
    _O.LessThan: partial(ordered, operator.lt),
    _O.GreaterThanOrEqual: partial(ordered, operator.ge),
    _O.LessThanOrEqual: partial(ordered, operator.le),
    _O.Like: _like,
    _O.Not: _not,
    _O.Between: between,
    _O.InList: _in_list,
    _O.And: _and,
    _O.Or: _or,
    _O.BitwiseAnd: partial(_bitwise, operator.and_),
    _O.BitwiseOr: partial(_bitwise, operator.or_),
}
