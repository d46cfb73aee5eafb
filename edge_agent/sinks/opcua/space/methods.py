"""The Call service: which method of which object is meant, and are its arguments right (OPC 10000-4, 5.12)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from asyncua import ua
from asyncua.common.utils import ServiceError

from . import wire
from .nodeset import HAS_COMPONENT, HAS_PROPERTY, Key
from .sight import Readable

log = logging.getLogger(__name__)

Method = Callable[[Key, Sequence[ua.Variant]], Awaitable[list[ua.Variant]]]
"""Takes the object and the arguments, and gives the results; raises `ua.UaStatusCodeError` for what goes wrong."""

_INPUT_ARGUMENTS = "0:InputArguments"
_CALLABLE = {ua.NodeClass.Object, ua.NodeClass.ObjectType}
_NULLABLE = {ua.VariantType.String, ua.VariantType.ByteString, ua.VariantType.XmlElement}


class Methods:
    """In place of asyncua's, which knows no method by its type's NodeId and checks no argument."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def serve(self, name: str, method: Method) -> None:
        """Say what a method does; ``name`` is its BrowseName as ``ns:Name``, wherever it occurs."""
        self._methods[name] = method

    async def call(
        self, methods: list[ua.CallMethodRequest], sight: Readable, own: Mapping[str, Method] = MappingProxyType({})
    ) -> list[ua.CallMethodResult]:
        """Call methods one after the other; every result has a status of its own.

        Args:
            methods: which, and what they are given.
            sight: what the caller sees.
            own: what methods do that concern the caller itself, by BrowseName.

        Raises:
            ServiceError: there is none.
        """
        if not methods:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        return [await self._answer(request, _Callable(sight), own) for request in methods]

    async def _answer(
        self, request: ua.CallMethodRequest, space: _Callable, own: Mapping[str, Method]
    ) -> ua.CallMethodResult:
        arguments = list(request.InputArguments or ())
        try:
            method = space.find(wire.key(request.ObjectId), wire.key(request.MethodId))
            mismatches = space.check(method, arguments)
            if mismatches:
                return ua.CallMethodResult(
                    StatusCode=wire.status(ua.StatusCodes.BadInvalidArgument), InputArgumentResults=mismatches
                )
            row = space.row(method)
            name = row.name if row else ""
            serve = own.get(name) or self._methods.get(name, _not_implemented)
            results = await serve(wire.key(request.ObjectId), arguments)
        except ua.UaStatusCodeError as error:
            return ua.CallMethodResult(StatusCode=wire.status(error.code))
        except Exception:
            log.exception("a bug of the agent in method %s; the others go on", request.MethodId)
            return ua.CallMethodResult(StatusCode=wire.status(ua.StatusCodes.BadInternalError))
        return ua.CallMethodResult(OutputArguments=results)  # InputArgumentResults are for arguments that are wrong


class _Callable:
    """The methods that a caller sees, and their arguments."""

    def __init__(self, space: Readable) -> None:
        self._space = space
        self.row = space.row

    def find(self, owner: Key, wanted: Key) -> Key:
        """The object's own method node; a client may also name the one of its type."""
        asked, called = self._space.row(wanted), self._space.row(owner)
        if called is None:
            raise refusal(ua.StatusCodes.BadNodeIdUnknown)
        if called.node_class not in _CALLABLE:
            raise refusal(ua.StatusCodes.BadNodeIdInvalid)
        if asked is None or asked.node_class != ua.NodeClass.Method:
            raise refusal(ua.StatusCodes.BadMethodInvalid)
        for reference in self._space.references(owner):
            if reference.forward and reference.type == HAS_COMPONENT:
                row = self._space.row(reference.target)
                if row is None or row.node_class != ua.NodeClass.Method:
                    continue
                if reference.target == wanted or row.name == asked.name:
                    return reference.target
        raise refusal(ua.StatusCodes.BadMethodInvalid)

    def check(self, method: Key, arguments: Sequence[ua.Variant]) -> list[ua.StatusCode]:
        """The status of each argument, or nothing if all are right.

        Raises:
            ua.UaStatusCodeError: too few or too many.
        """
        declared = self._input_arguments(method)
        if len(arguments) < len(declared):
            raise refusal(ua.StatusCodes.BadArgumentsMissing)
        if len(arguments) > len(declared):
            raise refusal(ua.StatusCodes.BadTooManyArguments)
        fits = [self._fits(argument, given) for argument, given in zip(declared, arguments, strict=True)]
        if all(fits):
            return []
        return [wire.status(ua.StatusCodes.Good if good else ua.StatusCodes.BadTypeMismatch) for good in fits]

    def _input_arguments(self, method: Key) -> list[ua.Argument]:
        for reference in self._space.references(method):
            row = self._space.row(reference.target)
            if reference.type == HAS_PROPERTY and row is not None and row.name == _INPUT_ARGUMENTS:
                value = self._space.read(reference.target).Value
                return list(value.Value) if value and value.Value else []
        return []

    def _fits(self, declared: ua.Argument, given: ua.Variant) -> bool:
        wanted, is_list = wire.key(declared.DataType), bool(declared.ValueRank >= 1)
        kind = wire.built_in(self._space.nodeset, wanted)
        if is_list and given.VariantType == ua.VariantType.Null:
            return True  # a null array is an empty one
        if given.VariantType != kind or bool(given.is_array) is not is_list or len(given.Dimensions or ()) > 1:
            return False
        if given.Value is None:
            return is_list or kind in _NULLABLE
        structures = (given.Value if is_list else [given.Value]) if kind == ua.VariantType.ExtensionObject else []
        return all(self._is_a(structure, wanted) for structure in structures)

    def _is_a(self, structure: object, wanted: Key) -> bool:
        """One that asyncua could not decode knows no DataType."""
        data_type = getattr(structure, "data_type", None)
        return data_type is not None and self._space.nodeset.is_subtype(wire.key(data_type), wanted)


async def _not_implemented(_: Key, __: Sequence[ua.Variant]) -> list[ua.Variant]:
    raise refusal(ua.StatusCodes.BadNotImplemented)


def argument(value: object, kind: ua.VariantType) -> ua.Variant:
    """One result."""
    return ua.Variant(value, kind, is_array=isinstance(value, list))


def refusal(code: int) -> ua.UaStatusCodeError:
    """An error that the caller gets as its status; asyncua's has no annotations."""
    error: ua.UaStatusCodeError = ua.UaStatusCodeError(code)  # type: ignore[no-untyped-call]
    return error
