"""What the server says of itself is true: every variable of the Server object, and every limit it tells."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.ua.uaerrors import BadEventFilterInvalid, UaError, UaStatusCodeError

from edge_agent.events import MachineEvent, MachineEventKind
from edge_agent.journal import Journal
from tests.endpoint import DEVICE, Bench
from tests.observations import MACHINE, observation
from tests.opcua_tree import Id, Tree, crawl, node_id
from tests.value_checker import value_findings

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # asyncua's client drops its own sockets when a server refuses it
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

A, T, Codes = ua.AttributeIds, ua.VariantType, ua.StatusCodes
SERVER = Id(0, 2253)
BELOW = (Id(0, 46), Id(0, 47), Id(0, 35))
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AFTER = datetime(2026, 11, 22, 13, tzinfo=UTC)
EVENTS = 1_100


def standard(number: int) -> ua.NodeId:
    """A node of namespace 0."""
    return node_id(Id(0, number))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def journal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path_factory.mktemp("journal") / "journal.sqlite")
    events = [MachineEvent(kind=MachineEventKind.FAULT, at=NOON, machine_id=MACHINE.id) for _ in range(EVENTS)]
    await opened.record(events=events)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory, journal: Journal) -> AsyncIterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("opcua"), journal=journal, anonymous=True, extra_ports=(free_port(),))
    made.store.publish(observation())
    async with made.running():
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def client(bench: Bench) -> AsyncIterator[Client]:
    async with bench.client() as connected:
        yield connected


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def tree(bench: Bench) -> Tree:
    async with bench.client() as connected:
        return await crawl(connected, SERVER)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def below(tree: Tree, root: Id) -> set[Id]:
    """A node and everything below it, the machines that it is notifier of left aside."""
    found, edge = {root}, [root]
    while edge:
        node = edge.pop()
        onward = {child for kind in BELOW for child in tree.targets(node, kind)} - found
        found |= onward
        edge += onward
    return found


def variables(tree: Tree) -> dict[Id, str]:
    return {node: tree[node].name[2:] for node in below(tree, SERVER) if tree[node].node_class is ua.NodeClass.Variable}


async def told(client: Client, number: int) -> Any:
    return await client.get_node(standard(number)).read_value()


async def refused(request: Awaitable[Any]) -> int:
    """The status code of a request that is refused as a whole; 0 if it is not."""
    try:
        await request
    except UaStatusCodeError as error:
        return int(error.code)
    return 0


async def test_every_variable_is_what_its_type_says(tree: Tree) -> None:
    found = {node: list(value_findings(tree, tree[node])) for node in variables(tree)}
    assert len(found) > 150
    assert {node: wrong for node, wrong in found.items() if wrong} == {}


async def test_only_what_is_for_encrypted_channels_cannot_be_read(tree: Tree) -> None:
    bad = {
        name: value.StatusCode.name
        for node, name in variables(tree).items()
        if (value := tree[node].attributes[A.Value]).StatusCode and not value.StatusCode.is_good()
    }
    over_no_security = {"SessionSecurityDiagnosticsArray": "BadSecurityModeInsufficient"}
    assert bad == over_no_security


async def test_it_has_no_method_that_does_nothing(tree: Tree) -> None:
    methods = {tree[node].name for node in below(tree, SERVER) if tree[node].node_class is ua.NodeClass.Method}
    assert methods == {"0:GetMonitoredItems", "0:ResendData"}  # tried in test_get_monitored_items.py


async def test_what_it_is(client: Client) -> None:
    assert await told(client, 2254) == [f"urn:edge-agent:{DEVICE}"]
    assert await told(client, 2255) == await client.get_namespace_array()
    assert await told(client, 2259) == ua.ServerState.Running
    assert await told(client, 2267) == 255
    assert await told(client, 2269) == []
    assert await told(client, 2294) is True
    assert await told(client, 3709) == ua.RedundancySupport.None_


async def test_namespaces_tell_their_identifiers(tree: Tree) -> None:
    entries = {}
    for entry in below(tree, Id(0, 11715)) - {Id(0, 11715)}:
        facts = {tree[child].name[2:]: tree[child].get(A.Value) for child in tree.targets(entry, Id(0, 46))}
        if facts:
            entries[facts["NamespaceUri"]] = (facts["IsNamespaceSubset"], facts["StaticNodeIdTypes"])
    assert len(entries) == 13
    assert entries["http://opcfoundation.org/UA/"] == (True, [0])
    assert entries["http://opcfoundation.org/UA/Dictionary/IRDI"] == (True, [0, 1])
    assert entries["http://opcfoundation.org/UA/PADIM/"] == (False, [0])
    assert entries["urn:edge-agent:types"] == (False, [1])
    assert entries[f"urn:edge-agent:{DEVICE}:machines"] == (False, [])


Request = Callable[[Client, int], Awaitable[Any]]
ANY = standard(2253)


def read(client: Client, count: int) -> Awaitable[Any]:
    return client.uaclient.read(ua.ReadParameters(NodesToRead=[ua.ReadValueId(ANY, A.NodeClass)] * count))


def write(client: Client, count: int) -> Awaitable[Any]:
    value = ua.WriteValue(ANY, A.Value, Value=ua.DataValue(ua.Variant(1, T.Int32)))
    return client.uaclient.write(ua.WriteParameters(NodesToWrite=[value] * count))


def browse(client: Client, count: int) -> Awaitable[Any]:
    wanted = ua.BrowseDescription(standard(2295), ResultMask=0)
    return client.uaclient.browse(ua.BrowseParameters(NodesToBrowse=[wanted] * count))


def translate(client: Client, count: int) -> Awaitable[Any]:
    path = ua.RelativePath([ua.RelativePathElement(TargetName=ua.QualifiedName("ServerStatus"))])
    return client.uaclient.translate_browsepaths_to_nodeids([ua.BrowsePath(ANY, path)] * count)


def call(client: Client, count: int) -> Awaitable[Any]:
    return client.uaclient.call([ua.CallMethodRequest(ANY, ANY)] * count)


async def create_items(client: Client, count: int) -> None:
    subscription = await client.create_subscription(60_000, None)
    wanted = ua.MonitoredItemCreateRequest(ua.ReadValueId(standard(1), A.Value))
    parameters = ua.CreateMonitoredItemsParameters(subscription.subscription_id, ItemsToCreate=[wanted] * count)
    try:
        await client.uaclient.create_monitored_items(parameters)
    finally:
        await subscription.delete()


def read_events(client: Client, count: int) -> Awaitable[Any]:
    details = ua.ReadEventDetails(
        NumValuesPerNode=1, StartTime=NOON, EndTime=AFTER, Filter=event_filter(fields=1, elements=0)
    )
    nodes = [ua.HistoryReadValueId(ANY)] * count
    return client.uaclient.history_read(
        ua.HistoryReadParameters(details, ReleaseContinuationPoints=False, NodesToRead=nodes)
    )


def event_filter(*, fields: int, elements: int) -> ua.EventFilter:
    field = ua.SimpleAttributeOperand(standard(2041), [ua.QualifiedName("Message")], A.Value)
    element = ua.ContentFilterElement(ua.FilterOperator.OfType, [ua.LiteralOperand(ua.Variant(standard(2041)))])
    return ua.EventFilter([field] * fields, ua.ContentFilter([element] * elements))


@pytest.mark.parametrize(
    ("limit", "request_for"),
    [
        (11705, read), (11707, write), (11709, call), (11710, browse), (11712, translate), (11714, create_items),
        (12166, read_events),
    ],
    ids=["read", "write", "call", "browse", "translate", "items", "history"],
)  # fmt: skip
async def test_a_request_may_be_as_big_as_told_and_no_bigger(client: Client, limit: int, request_for: Request) -> None:
    most = await told(client, limit)
    assert await refused(request_for(client, most)) == 0
    assert await refused(request_for(client, most + 1)) == Codes.BadTooManyOperations


async def test_references_that_an_answer_cannot_hold_are_refused_one_by_one(client: Client) -> None:
    dictionary = ua.BrowseDescription(standard(17594), IncludeSubtypes=True, ResultMask=ua.BrowseResultMask.All)
    results = await client.uaclient.browse(ua.BrowseParameters(NodesToBrowse=[dictionary] * 500))
    names = [result.StatusCode.name for result in results]
    whole = names.index("BadNoContinuationPoints")
    assert names == ["Good"] * whole + ["BadNoContinuationPoints"] * (500 - whole)
    assert 20_000 <= sum(len(result.References) for result in results) < 20_300
    [again] = await client.uaclient.browse(ua.BrowseParameters(NodesToBrowse=[dictionary]))
    assert again.References == results[0].References


async def test_every_operation_limit_was_tried(client: Client) -> None:
    shown = {child.nodeid.Identifier for child in await client.get_node(standard(11704)).get_children()}
    assert shown == {11705, 11707, 11709, 11710, 11712, 11714, 12166}


async def test_event_filters_are_as_long_as_told(client: Client) -> None:
    fields, elements = await told(client, 24099), await told(client, 24100)
    subscription = await client.create_subscription(60_000, Silent())
    await subscription.subscribe_events(ANY, evfilter=event_filter(fields=fields, elements=elements))
    for fits_not in ({"fields": fields + 1, "elements": 0}, {"fields": 1, "elements": elements + 1}):
        with pytest.raises(BadEventFilterInvalid):
            await subscription.subscribe_events(ANY, evfilter=event_filter(**fits_not))
    await subscription.delete()


class Silent:
    """Takes what a subscription brings."""

    def event_notification(self, event: object) -> None:
        """Forget it."""


async def test_queues_are_as_long_as_told(client: Client) -> None:
    most = await told(client, 31916)
    subscription = await client.create_subscription(60_000, Silent())
    wanted = ua.MonitoredItemCreateRequest(
        ua.ReadValueId(standard(2258), A.Value),
        ua.MonitoringMode.Disabled,
        ua.MonitoringParameters(QueueSize=most + 1),
    )
    [created] = await client.uaclient.create_monitored_items(
        ua.CreateMonitoredItemsParameters(subscription.subscription_id, ItemsToCreate=[wanted])
    )
    assert created.RevisedQueueSize == most
    await subscription.delete()


async def test_there_are_as_many_subscriptions_as_told(client: Client) -> None:
    most = await told(client, 24096)
    most = min(await told(client, 24098), most)
    made = [await client.create_subscription(600_000, Silent()) for _ in range(most)]
    assert await refused(client.create_subscription(600_000, Silent())) == Codes.BadTooManySubscriptions
    await client.uaclient.delete_subscriptions([each.subscription_id for each in made if each.subscription_id])


async def test_there_are_as_many_sessions_as_told_however_many_ports(bench: Bench) -> None:
    other = bench.sink._options.extra_ports[0]
    clients = [bench.client()]
    await clients[0].connect()
    try:
        for _ in range(await told(clients[0], 24095) - 1):
            clients.append(bench.client())
            await clients[-1].connect()
        with pytest.raises((ConnectionError, UaError)):
            await bench.client(other).connect()
        await clients.pop().disconnect()
        async with bench.client(other) as welcome:
            assert await told(welcome, 2267) == 255
    finally:
        for connected in clients:
            await connected.disconnect()


async def test_history_is_as_told(client: Client) -> None:
    assert await told(client, 11242) is True
    most, points = await told(client, 11274), await told(client, 2737)
    wanted = event_filter(fields=1, elements=0)
    details = ua.ReadEventDetails(NumValuesPerNode=EVENTS, StartTime=NOON, EndTime=AFTER, Filter=wanted)
    [all_events] = await history(client, details)
    assert len(all_events.HistoryData.Events) == most < EVENTS
    one = ua.ReadEventDetails(NumValuesPerNode=1, StartTime=NOON, EndTime=AFTER, Filter=wanted)
    given = [(await history(client, one))[0].ContinuationPoint for _ in range(points + 1)]
    codes = [(await history(client, one, point))[0].StatusCode.name for point in given]
    assert codes == ["BadContinuationPointInvalid", *["Good"] * points]


def history(client: Client, details: ua.ReadEventDetails, point: bytes | None = None) -> Awaitable[Any]:
    value = ua.HistoryReadValueId(ANY, ContinuationPoint=point)
    return client.uaclient.history_read(
        ua.HistoryReadParameters(details, ReleaseContinuationPoints=False, NodesToRead=[value])
    )


async def test_without_a_journal_there_is_no_history(tmp_path: Path) -> None:
    forgetful = Bench(tmp_path, anonymous=True)
    async with forgetful.running(), forgetful.client() as client:
        assert await told(client, 11242) is False
        assert await told(client, 11274) == 0
        assert await told(client, 2737) == 0
        assert await client.get_node(ANY).read_event_notifier() == {ua.EventNotifier.SubscribeToEvents}
