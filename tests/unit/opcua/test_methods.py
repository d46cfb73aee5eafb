"""The Call service: whose method is meant, are the arguments right, and what happens when a method fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError

from edge_agent.sinks.opcua.space import structures
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.methods import Methods, argument, refusal
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.sight import Readable, Sight, sees_of
from edge_agent.sinks.opcua.space.structures import ISA95StateDataType
from edge_agent.sinks.opcua.space.wire import key, node_id
from tests.opcua_space import ROOT, of_machine

RESULTS = of_machine("MachineryBuildingBlocks/JobManagement/JobOrderResults")
BY_ID, BY_STATE = "5:RequestJobResponseByJobOrderID", "5:RequestJobResponseByJobOrderState"
OWN = Key(13, f"{RESULTS.identifier}/RequestJobResponseByJobOrderID")
OWN_BY_STATE = Key(13, f"{RESULTS.identifier}/RequestJobResponseByJobOrderState")
OF_TYPE = Key(5, 7002)
TEXT = ua.Variant("run-1", ua.VariantType.String)
STATE = ISA95StateDataType(BrowsePath=ua.RelativePath(), StateText=ua.LocalizedText("Running"), StateNumber=3)


class Served:
    """The two job methods, which note what they were called with."""

    def __init__(self, space: AddressSpace) -> None:
        self.space: Readable = space
        self.methods = Methods()
        self.calls: list[tuple[Key, list[Any]]] = []
        self.failure: Exception | None = None
        for name in (BY_ID, BY_STATE):
            self.methods.serve(name, self._called)

    async def _called(self, owner: Key, arguments: Sequence[ua.Variant]) -> list[ua.Variant]:
        self.calls.append((owner, [given.Value for given in arguments]))
        if self.failure:
            raise self.failure
        return [argument(1, ua.VariantType.UInt64)]

    async def call(self, owner: Key, method: Key, *arguments: ua.Variant) -> ua.CallMethodResult:
        [result] = await self.methods.call([request(owner, method, *arguments)], self.space)
        return result

    async def status(self, owner: Key, method: Key, *arguments: ua.Variant) -> str:
        return str((await self.call(owner, method, *arguments)).StatusCode.name)


def request(owner: Key, method: Key, *arguments: ua.Variant) -> ua.CallMethodRequest:
    return ua.CallMethodRequest(node_id(owner), node_id(method), list(arguments))


@pytest.fixture
def served(space: AddressSpace) -> Served:
    structures.register()
    return Served(space)


def test_the_methods_are_those_of_the_model(space: AddressSpace) -> None:
    for node in (OWN, OF_TYPE):
        row = space.row(node)
        assert row is not None
        assert (row.name, row.node_class) == (BY_ID, ua.NodeClass.Method)


@pytest.mark.parametrize("method", [OWN, OF_TYPE])
async def test_a_method_is_called_by_its_own_node_and_by_its_types(served: Served, method: Key) -> None:
    result = await served.call(RESULTS, method, TEXT)
    assert result.StatusCode.is_good()
    assert [output.Value for output in result.OutputArguments] == [1]
    assert result.InputArgumentResults == []
    assert served.calls == [(RESULTS, ["run-1"])]


@pytest.mark.parametrize(
    ("owner", "method", "status"),
    [
        (Key(13, "nobody"), OWN, "BadNodeIdUnknown"),
        (Key(0, 999_999), OWN, "BadNodeIdUnknown"),
        (RESULTS, Key(13, "m/Nothing"), "BadMethodInvalid"),
        (RESULTS, Key(0, 999_999), "BadMethodInvalid"),
        (ROOT, OWN, "BadMethodInvalid"),  # an object, and a method, but not of one another
        (RESULTS, Key(0, 12873), "BadMethodInvalid"),  # ResendData, of the server
        (RESULTS, RESULTS, "BadMethodInvalid"),
        (RESULTS, Key(13, f"{RESULTS.identifier}/JobOrderResponseList"), "BadMethodInvalid"),
        (OWN, OWN, "BadNodeIdInvalid"),
        (of_machine("Job/FileName"), OWN, "BadNodeIdInvalid"),
    ],
)
async def test_a_call_of_what_is_not_there_says_what_is_wrong(
    served: Served, owner: Key, method: Key, status: str
) -> None:
    assert await served.status(owner, method, TEXT) == status
    assert served.calls == []


async def test_a_method_that_nobody_serves_says_so(space: AddressSpace) -> None:
    [result] = await Methods().call([request(RESULTS, OWN, TEXT)], space)
    assert result.StatusCode.name == "BadNotImplemented"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], "BadArgumentsMissing"), ([TEXT, TEXT], "BadTooManyArguments"), ([TEXT] * 1000, "BadTooManyArguments")],
)
async def test_the_number_of_arguments_must_be_right(served: Served, arguments: list[ua.Variant], status: str) -> None:
    assert await served.status(RESULTS, OWN, *arguments) == status
    assert served.calls == []


def states(*items: Any, kind: ua.VariantType = ua.VariantType.ExtensionObject) -> ua.Variant:
    return ua.Variant(list(items), kind, is_array=True)


WRONG = [
    (OWN, ua.Variant(7, ua.VariantType.Int32)),
    (OWN, ua.Variant(b"run-1", ua.VariantType.ByteString)),
    (OWN, ua.Variant(ua.LocalizedText("run-1"), ua.VariantType.LocalizedText)),
    (OWN, ua.Variant(["run-1"], ua.VariantType.String, is_array=True)),
    (OWN, ua.Variant(None, ua.VariantType.Null)),
    (OWN_BY_STATE, ua.Variant(STATE, ua.VariantType.ExtensionObject)),
    (OWN_BY_STATE, states("Running", kind=ua.VariantType.String)),
    (OWN_BY_STATE, ua.Variant(None, ua.VariantType.Int32, is_array=True)),
    (OWN_BY_STATE, states(STATE, ua.Range(0.0, 1.0))),
    (OWN_BY_STATE, states(ua.ExtensionObject(TypeId=node_id(Key(5, 4711)), Body=b"?"))),  # type: ignore[arg-type]
    (OWN_BY_STATE, states(None)),
    (OWN_BY_STATE, ua.Variant([[STATE], [STATE]], ua.VariantType.ExtensionObject, Dimensions=[2, 1], is_array=True)),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("method", "given"), WRONG)
async def test_an_argument_of_another_type_is_named(served: Served, method: Key, given: ua.Variant) -> None:
    result = await served.call(RESULTS, method, given)
    assert result.StatusCode.name == "BadInvalidArgument"
    assert [status.name for status in result.InputArgumentResults] == ["BadTypeMismatch"]
    assert served.calls == []


RIGHT = [
    (OWN, ua.Variant(None, ua.VariantType.String), None),  # a null string is a string: the method says what it thinks
    (OWN_BY_STATE, states(STATE), [STATE]),
    (OWN_BY_STATE, states(), []),
    (OWN_BY_STATE, ua.Variant(None, ua.VariantType.ExtensionObject, is_array=True), None),
    (OWN_BY_STATE, ua.Variant(None, ua.VariantType.Null), None),
]


@pytest.mark.parametrize(("method", "given", "value"), RIGHT)
async def test_an_argument_of_the_right_type_is_passed_on(
    served: Served, method: Key, given: ua.Variant, value: object
) -> None:
    assert await served.status(RESULTS, method, given) == "Good"
    assert served.calls == [(RESULTS, [value])]


async def test_a_method_may_refuse(served: Served) -> None:
    served.failure = refusal(ua.StatusCodes.BadUserAccessDenied)
    assert await served.status(RESULTS, OWN, TEXT) == "BadUserAccessDenied"


async def test_a_bug_in_a_method_is_logged_and_the_other_calls_are_answered(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.failure = ZeroDivisionError("1/0")
    with caplog.at_level(logging.ERROR):
        results = await served.methods.call(
            [request(RESULTS, OWN, TEXT), request(RESULTS, OWN, TEXT, TEXT)], served.space
        )
    assert [result.StatusCode.name for result in results] == ["BadInternalError", "BadTooManyArguments"]
    assert "ZeroDivisionError" in caplog.text


async def test_a_machine_that_must_not_be_seen_cannot_be_called(served: Served, space: AddressSpace) -> None:
    served.space = Sight(space, sees_of({1}, {"m": (2,)}.get))
    for method in (OWN, OF_TYPE):
        assert await served.status(RESULTS, method, TEXT) == "BadNodeIdUnknown"
    assert served.calls == []


async def test_a_request_for_nothing_is_refused(served: Served) -> None:
    with pytest.raises(ServiceError) as refused:
        await served.methods.call([], served.space)
    assert refused.value.code == ua.StatusCodes.BadNothingToDo


async def test_kinds_of_node_ids_that_nobody_has_are_unknown(served: Served) -> None:
    opaque = ua.NodeId(b"m", 0)  # type: ignore[arg-type]
    results = await served.methods.call(
        [ua.CallMethodRequest(opaque, node_id(OWN), [TEXT]), ua.CallMethodRequest(node_id(RESULTS), opaque, [TEXT])],
        served.space,
    )
    assert [result.StatusCode.name for result in results] == ["BadNodeIdUnknown", "BadMethodInvalid"]
    assert key(opaque).identifier == ""
