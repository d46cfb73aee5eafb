"""Every service of OPC 10000-4: what it answers without a session, before the log-in, and after it.

The list of services is asyncua's, which is the standard's: none can be forgotten. docs/services.md says the same.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import pytest_asyncio
from asyncua import ua

from edge_agent.journal import Journal
from tests.endpoint import Bench
from tests.observations import AT, MACHINE, observation
from tests.opcua_wire import EndedError, RefusedError, WireClient, connected

with_the_bench = pytest.mark.asyncio(loop_scope="module")

TEXT = (Path(__file__).parents[3] / "docs" / "services.md").read_text(encoding="utf-8")
ENCODING = "_Encoding_DefaultBinary"
SERVICES = sorted(
    name.removesuffix(f"Request{ENCODING}")
    for name in dir(ua.ObjectIds)
    if name.endswith(f"Request{ENCODING}")
    and "RequestHeader" in {each.name for each in dataclasses.fields(getattr(ua, name.removesuffix(ENCODING)))}
)
"""What is called "request" and has no header is a part of one."""
NO_SESSION, CREATED, ACTIVATED = "no session", "created", "activated"
GONE = "connection closed"


class Row(NamedTuple):
    """What a service answers in each situation."""

    no_session: str
    created: str
    activated: str = "Good"


ALWAYS = Row("Good", "Good")
OF_A_SESSION = Row("BadSessionIdInvalid", "BadSessionNotActivated")
NOT_SERVED = Row("BadServiceUnsupported", "BadServiceUnsupported", "BadServiceUnsupported")
TABLE = {
    # Discovery
    "FindServers": ALWAYS,
    "FindServersOnNetwork": NOT_SERVED,
    "GetEndpoints": ALWAYS,
    "RegisterServer": NOT_SERVED,
    "RegisterServer2": NOT_SERVED,
    # SecureChannel
    "OpenSecureChannel": ALWAYS,
    "CloseSecureChannel": Row(GONE, GONE, GONE),
    # Session
    "CreateSession": ALWAYS,
    "ActivateSession": Row("BadSessionIdInvalid", "Good"),
    "CloseSession": Row("BadSessionIdInvalid", "Good"),
    "Cancel": OF_A_SESSION,
    # NodeManagement
    "AddNodes": NOT_SERVED,
    "AddReferences": NOT_SERVED,
    "DeleteNodes": NOT_SERVED,
    "DeleteReferences": NOT_SERVED,
    # View
    "Browse": OF_A_SESSION,
    "BrowseNext": OF_A_SESSION,
    "TranslateBrowsePathsToNodeIds": OF_A_SESSION,
    "RegisterNodes": OF_A_SESSION,
    "UnregisterNodes": OF_A_SESSION,
    # Query
    "QueryFirst": NOT_SERVED,
    "QueryNext": NOT_SERVED,
    # Attribute
    "Read": OF_A_SESSION,
    "HistoryRead": OF_A_SESSION,
    "Write": OF_A_SESSION,
    "HistoryUpdate": NOT_SERVED,
    # Method
    "Call": OF_A_SESSION,
    # MonitoredItem
    "CreateMonitoredItems": OF_A_SESSION,
    "ModifyMonitoredItems": OF_A_SESSION,
    "SetMonitoringMode": OF_A_SESSION,
    "SetTriggering": OF_A_SESSION,
    "DeleteMonitoredItems": OF_A_SESSION,
    # Subscription
    "CreateSubscription": OF_A_SESSION,
    "ModifySubscription": OF_A_SESSION,
    "SetPublishingMode": OF_A_SESSION,
    "Publish": OF_A_SESSION,
    "Republish": OF_A_SESSION,
    "TransferSubscriptions": OF_A_SESSION,
    "DeleteSubscriptions": OF_A_SESSION,
}


class Scene:
    """A client that has got as far as a situation says, with a subscription and two items once it has logged in."""

    def __init__(self, client: WireClient) -> None:
        self.client = client
        self.subscription = self.item = self.other = 0
        self.point = b""

    async def get_to(self, situation: str) -> None:
        await self.client.greet()
        await self.client.open()
        if situation != NO_SESSION:
            await self.client.create_session()
        if situation == ACTIVATED:
            await self.client.activate()
            await self._subscribe()

    async def _subscribe(self) -> None:
        subscribe = ua.CreateSubscriptionRequest()
        subscribe.Parameters.PublishingEnabled = cast("ua.Boolean", True)
        subscribe.Parameters.RequestedPublishingInterval = cast("ua.Duration", 50)
        self.subscription = (await self.client.ask(subscribe)).Parameters.SubscriptionId
        created = (await self.client.ask(create_items(self))).Results
        self.item, self.other = (each.MonitoredItemId for each in created)
        await self.client.ask(ua.PublishRequest())
        browse = browse_some(self)
        browse.Parameters.RequestedMaxReferencesPerNode = cast("ua.Counter", 1)
        self.point = (await self.client.ask(browse)).Results[0].ContinuationPoint

    async def answer_to(self, service: str, request: Any) -> Any:
        """The response, or the name of the status code of what came instead."""
        try:
            if service == "OpenSecureChannel":
                renew = ua.SecurityTokenRequestType.Renew
                await self.client.send(self.client.opening(request_type=renew))
                return await self.client.answer()
            if service == "CloseSecureChannel":
                await self.client.send(self.client.message(request, b"CLO"))
                return await self.client.answer()
            return await self.client.ask(request)
        except RefusedError as error:
            return str(error)
        except EndedError as error:
            return GONE if not error.code else str(error)


def browse_some(_: Scene) -> Any:
    request = ua.BrowseRequest()
    request.Parameters.NodesToBrowse = [ua.BrowseDescription(node(2253))]
    return request


def browse_next(scene: Scene) -> Any:
    request = ua.BrowseNextRequest()
    request.Parameters.ContinuationPoints = cast("Any", [scene.point])
    return request


def translate(_: Scene) -> Any:
    request = ua.TranslateBrowsePathsToNodeIdsRequest()
    step = ua.RelativePathElement(node(47), TargetName=ua.QualifiedName(cast("ua.String", "ServerStatus")))
    step.IsInverse = cast("ua.Boolean", False)
    request.Parameters.BrowsePaths = [ua.BrowsePath(node(2253), ua.RelativePath([step]))]
    return request


def register(_: Scene) -> Any:
    request = ua.RegisterNodesRequest()
    request.Parameters.NodesToRegister = [node(2253)]
    return request


def unregister(_: Scene) -> Any:
    request = ua.UnregisterNodesRequest()
    request.Parameters.NodesToUnregister = [node(2253)]
    return request


def read(_: Scene) -> Any:
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(node(2258), ua.AttributeIds.Value)]
    return request


def write(_: Scene) -> Any:
    request = ua.WriteRequest()
    value = ua.DataValue(ua.Variant(1, ua.VariantType.Int32))
    request.Parameters.NodesToWrite = [ua.WriteValue(node(2267), ua.AttributeIds.Value, Value=value)]
    return request


def history_read(_: Scene) -> Any:
    request = ua.HistoryReadRequest()
    field = ua.SimpleAttributeOperand(node(2041), [ua.QualifiedName(cast("ua.String", "Message"))])
    details: Any = ua.ReadEventDetails(Filter=ua.EventFilter([field]))
    details.StartTime, details.NumValuesPerNode = AT, 1
    request.Parameters.HistoryReadDetails = details
    request.Parameters.NodesToRead = [ua.HistoryReadValueId(node(2253))]
    return request


def call(_: Scene) -> Any:
    request = ua.CallRequest()
    results = f"{MACHINE.id}/MachineryBuildingBlocks/JobManagement/JobOrderResults"
    method = f"{results}/RequestJobResponseByJobOrderID"
    made = ua.CallMethodRequest(machine_node(results), machine_node(method))
    made.InputArguments = [ua.Variant("no such print", ua.VariantType.String)]
    request.Parameters.MethodsToCall = [made]
    return request


def node(number: int) -> ua.NodeId:
    return ua.NodeId(cast("Any", number))


def machine_node(path: str) -> ua.NodeId:
    return ua.NodeId(cast("Any", path), cast("ua.Int16", 13))


def create_subscription(_: Scene) -> Any:
    return ua.CreateSubscriptionRequest()


def create_items(scene: Scene) -> Any:
    request = ua.CreateMonitoredItemsRequest()
    request.Parameters.SubscriptionId = cast("Any", scene.subscription)
    request.Parameters.ItemsToCreate = [
        ua.MonitoredItemCreateRequest(ua.ReadValueId(node(number), ua.AttributeIds.Value), ua.MonitoringMode.Reporting)
        for number in (2258, 2267)
    ]
    return request


def modify_items(scene: Scene) -> Any:
    request = ua.ModifyMonitoredItemsRequest()
    request.Parameters.SubscriptionId = cast("Any", scene.subscription)
    request.Parameters.ItemsToModify = [ua.MonitoredItemModifyRequest(cast("Any", scene.item))]
    return request


def set_triggering(scene: Scene) -> Any:
    request = ua.SetTriggeringRequest()
    request.Parameters.SubscriptionId = cast("Any", scene.subscription)
    request.Parameters.TriggeringItemId = cast("Any", scene.item)
    request.Parameters.LinksToAdd = cast("Any", [scene.other])
    return request


def republish(scene: Scene) -> Any:
    request = ua.RepublishRequest()
    request.Parameters.SubscriptionId = cast("Any", scene.subscription)
    request.Parameters.RetransmitSequenceNumber = cast("Any", 1)
    return request


def with_(request: Callable[[], Any], **fields: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    """A request whose parameters are asked of the scene."""

    def make(scene: Scene) -> Any:
        made = request()
        for name, value in fields.items():
            setattr(made.Parameters, name, value(scene))
        return made

    return make


def subscription(scene: Scene) -> Any:
    return scene.subscription


def subscriptions(scene: Scene) -> Any:
    return [scene.subscription]


def item_ids(scene: Scene) -> Any:
    return [scene.item]


MADE: dict[str, Callable[[Scene], Any]] = {
    "CreateSession": with_(ua.CreateSessionRequest, ClientNonce=lambda _: b"\5" * 32),
    "ActivateSession": lambda scene: scene.client.activation(),
    "Browse": browse_some,
    "BrowseNext": browse_next,
    "TranslateBrowsePathsToNodeIds": translate,
    "RegisterNodes": register,
    "UnregisterNodes": unregister,
    "Read": read,
    "HistoryRead": history_read,
    "Write": write,
    "Call": call,
    "CreateSubscription": create_subscription,
    "ModifySubscription": with_(ua.ModifySubscriptionRequest, SubscriptionId=subscription),
    "SetPublishingMode": with_(ua.SetPublishingModeRequest, SubscriptionIds=subscriptions),
    "Republish": republish,
    "TransferSubscriptions": with_(ua.TransferSubscriptionsRequest, SubscriptionIds=subscriptions),
    "DeleteSubscriptions": with_(ua.DeleteSubscriptionsRequest, SubscriptionIds=subscriptions),
    "CreateMonitoredItems": create_items,
    "ModifyMonitoredItems": modify_items,
    "SetMonitoringMode": with_(ua.SetMonitoringModeRequest, SubscriptionId=subscription, MonitoredItemIds=item_ids),
    "SetTriggering": set_triggering,
    "DeleteMonitoredItems": with_(
        ua.DeleteMonitoredItemsRequest, SubscriptionId=subscription, MonitoredItemIds=item_ids
    ),
}
"""A request that has something to do; the others need nothing."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    folder = tmp_path_factory.mktemp("opcua")
    journal = await Journal.open(folder / "journal.db")
    made = Bench(folder, anonymous=True, journal=journal)
    made.store.publish(observation())
    async with made.running():
        yield made
    await journal.close()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(bench: Bench) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, 0)  # for the socket to be closed
        yield Scene(await stack.enter_async_context(connected(bench.sink.port)))


def results_of(response: Any) -> set[str]:
    """The status codes of what a request named, each once."""
    found: list[Any] = []
    for part in (response, getattr(response, "Parameters", None)):
        for name in ("Results", "AddResults"):
            found += getattr(part, name, None) or []
    codes = (each if isinstance(each, ua.StatusCode) else getattr(each, "StatusCode", None) for each in found)
    return {code.name if code else "Good" for code in codes}


@with_the_bench
@pytest.mark.parametrize("situation", [NO_SESSION, CREATED, ACTIVATED])
@pytest.mark.parametrize("service", SERVICES)
async def test_it_answers_as_the_table_says(scene: Scene, service: str, situation: str) -> None:
    await scene.get_to(situation)
    make = MADE.get(service, with_(getattr(ua, f"{service}Request")))
    answer = await scene.answer_to(service, make(scene))
    expected = TABLE[service][[NO_SESSION, CREATED, ACTIVATED].index(situation)]
    if isinstance(answer, str):
        assert answer == expected
        return
    assert answer.ResponseHeader.ServiceResult.name == expected
    assert type(answer).__name__ == f"{service}Response"
    if situation == ACTIVATED:
        assert results_of(answer) <= {"BadUserAccessDenied" if service == "Write" else "Good"}


@with_the_bench
async def test_cancel_has_the_request_answered_that_it_names_and_no_other(scene: Scene) -> None:
    client = scene.client
    await client.log_in()
    subscribe = create_subscription(scene)
    subscribe.Parameters.RequestedPublishingInterval = 60_000
    await client.ask(subscribe)
    handles = []
    for _ in range(2):
        await client.send(client.message(ua.PublishRequest()))
        handles.append(client.last_request)
    cancel = ua.CancelRequest()
    cancel.Parameters.RequestHandle = cast("Any", handles[1])
    await client.send(client.message(cancel))
    refused, response = await client.answer(), await client.answer()
    assert refused.ResponseHeader.ServiceResult.name == "BadRequestCancelledByClient"
    assert (refused.ResponseHeader.RequestHandle, response.Parameters.CancelCount) == (handles[1], 1)
    await client.send(client.message(cancel))
    assert (await client.answer()).Parameters.CancelCount == 0


def test_the_table_has_every_service_and_no_other() -> None:
    assert sorted(TABLE) == SERVICES
    assert len(SERVICES) == 39


@with_the_bench
@pytest.mark.parametrize("situation", [NO_SESSION, CREATED, ACTIVATED])
@pytest.mark.parametrize("number", [ua.ObjectIds.SessionlessInvokeRequestType_Encoding_DefaultBinary, 1, 65_000])
async def test_what_is_no_service_of_a_session_is_unsupported(scene: Scene, number: int, situation: str) -> None:
    await scene.get_to(situation)
    request = read(scene)
    request.TypeId = ua.FourByteNodeId(cast("Any", number))
    assert await scene.answer_to("", request) == "BadServiceUnsupported"


@with_the_bench
@pytest.mark.parametrize("service", ["OpenSecureChannel", "CloseSecureChannel"])
async def test_a_channel_is_not_opened_or_closed_by_a_common_message(scene: Scene, service: str) -> None:
    await scene.get_to(ACTIVATED)
    assert await scene.answer_to("", getattr(ua, f"{service}Request")()) == "BadServiceUnsupported"


# --- the document ---


def documented() -> dict[str, str]:
    """What docs/services.md says of each service."""
    tables = re.findall(r"^\| Service \|.*\n\|.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    rows = [row.strip("| ").split(" | ", 1) for table in tables for row in table.splitlines()]
    lists = re.findall(r"^((?:[A-Z]\w+, )+[A-Z]\w+): (BadServiceUnsupported)\.", TEXT, re.MULTILINE)
    return {name: text for names, text in (*rows, *lists) for name in names.split(", ")}


def test_every_service_is_in_the_document_and_no_other() -> None:
    assert sorted(documented()) == SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_says_of_each_whether_it_is_served(service: str) -> None:
    said = documented()[service].startswith("BadServiceUnsupported")
    assert said is (TABLE[service] is NOT_SERVED)


def test_the_document_says_what_the_others_answer_without_a_session() -> None:
    text = " ".join(TEXT.split())
    assert f"A request without its session's token: {OF_A_SESSION.no_session}" in text
    assert f"before the log-in {OF_A_SESSION.created}" in text
    assert "Any other service answers BadServiceUnsupported" in text
