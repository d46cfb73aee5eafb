"""Two MES on one endpoint: each guesses the other's NodeIds on every service, and learns what it learns of nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, NamedTuple, cast

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss
from msgspec.structs import replace

from edge_agent.events import MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.sinks.opcua.security.credentials import Credentials
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.structures import register
from edge_agent.sinks.opcua.space.wire import node_id, qualified_name
from tests.endpoint import Bench
from tests.integration.endpoint import CLIENT_URI, client_certificate
from tests.observations import AT, MACHINE, observation

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]

OWN, FOREIGN, NOTHING = "mark-two", "mark-one", "no-such"
RESULTS = "MachineryBuildingBlocks/JobManagement/JobOrderResults"
PATHS = ["", "MesStatus", "Job/Progress/EURange", "Monitoring/Process/Tool0Temperature/AnalogSignal", RESULTS]
RUN = JobRun(
    id="mark-one-1",
    machine_id=FOREIGN,
    started_at=AT,
    updated_at=AT,
    ended_at=AT,
    outcome=Outcome.COMPLETED,
)


class Shop(NamedTuple):
    bench: Bench
    attacker: Client
    journal: Journal


def node(machine_id: str, path: str = "") -> ua.NodeId:
    return node_id(Key(13, f"{machine_id}/{path}" if path else machine_id))


async def as_mes(bench: Bench, name: str) -> Client:
    client = bench.client()
    client.application_uri = CLIENT_URI
    certificate, key = client_certificate(bench.folder)
    await client.set_security(SecurityPolicyAes256Sha256RsaPss, str(certificate), str(key))
    client.set_user(name)
    client.set_password(Credentials(bench.folder).passwords()[name].reveal())
    return client


def machines(bench: Bench, *, foreign_mes_ids: tuple[int, ...] = (1,)) -> None:
    bench.store.publish(observation(machine=replace(MACHINE, id=FOREIGN, mes_ids=foreign_mes_ids), recent=(RUN,)))
    bench.store.publish(observation(machine=replace(MACHINE, id=OWN, mes_ids=(2,))))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    register()
    folder = tmp_path_factory.mktemp("opcua")
    async with AsyncExitStack() as stack:
        journal = await Journal.open(folder / "journal.db")
        stack.push_async_callback(journal.close)
        bench = Bench(folder, mes_ids=frozenset({1, 2}), journal=journal)
        machines(bench)
        await stack.enter_async_context(bench.running())
        await journal.record(
            [RUN],
            [
                JobEvent(kind=JobEventKind.FINISHED, at=AT, run=RUN),
                MachineEvent(kind=MachineEventKind.FAULT, at=AT, machine_id=OWN, text="its own"),
            ],
        )
        yield Shop(bench, await stack.enter_async_context(await as_mes(bench, "mes-2")), journal)


async def read(client: Client, machine_id: str, path: str) -> object:
    wanted = [ua.ReadValueId(NodeId=node(machine_id, path), AttributeId=which) for which in ua.AttributeIds]
    values = await client.uaclient.read(ua.ReadParameters(NodesToRead=wanted))
    return [value.StatusCode and value.StatusCode.name for value in values]


async def write(client: Client, machine_id: str, path: str) -> object:
    value = ua.WriteValue(node(machine_id, path), ua.AttributeIds.Value, Value=ua.DataValue(ua.Variant("planted")))
    return await client.uaclient.write(ua.WriteParameters([value]))


async def browse(client: Client, machine_id: str, path: str) -> object:
    wanted = [
        ua.BrowseDescription(
            NodeId=node(machine_id, path), BrowseDirection=way, IncludeSubtypes=True, ResultMask=ua.BrowseResultMask.All
        )
        for way in (ua.BrowseDirection.Forward, ua.BrowseDirection.Inverse, ua.BrowseDirection.Both)
    ]
    return await client.uaclient.browse(ua.BrowseParameters(NodesToBrowse=wanted))


async def translate(client: Client, machine_id: str, path: str) -> object:
    def to(name: str) -> ua.RelativePath:
        return ua.RelativePath(
            [ua.RelativePathElement(IncludeSubtypes=cast("ua.Boolean", True), TargetName=qualified_name(name))]
        )

    paths = [
        ua.BrowsePath(node(machine_id, path), to("12:MesStatus")),
        ua.BrowsePath(node_id(Key(4, 1001)), to(f"13:{machine_id}")),
    ]
    return await client.uaclient.translate_browsepaths_to_nodeids(paths)


async def call(client: Client, machine_id: str, path: str) -> object:
    name = "RequestJobResponseByJobOrderID"
    asked = [ua.Variant("mark-one-1", ua.VariantType.String)]
    return await client.uaclient.call(
        [
            ua.CallMethodRequest(node(machine_id, path or RESULTS), node(machine_id, f"{RESULTS}/{name}"), asked),
            ua.CallMethodRequest(node(machine_id, path or RESULTS), node(OWN, f"{RESULTS}/{name}"), asked),
            ua.CallMethodRequest(node(OWN, RESULTS), node(machine_id, f"{RESULTS}/{name}"), asked),
        ]
    )


class Silent:
    """Is told nothing it would have to keep."""

    def datachange_notification(self, *_: object) -> None:
        """Forget it."""

    def event_notification(self, _: object) -> None:
        """Forget it."""


async def watch(client: Client, machine_id: str, path: str) -> object:
    subscription = await client.create_subscription(1000, Silent())
    requests = [
        ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node(machine_id, path), AttributeId=which),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(Filter=wanted, QueueSize=1),
        )
        for which, wanted in (
            (ua.AttributeIds.Value, None),
            (ua.AttributeIds.DisplayName, None),
            (ua.AttributeIds.EventNotifier, events_filter()),
        )
    ]
    parameters = ua.CreateMonitoredItemsParameters(subscription.subscription_id, ItemsToCreate=requests)
    results = await client.uaclient.create_monitored_items(parameters)
    await subscription.delete()
    return [(result.StatusCode.name, result.FilterResult) for result in results]


def events_filter() -> ua.EventFilter:
    clause = ua.SimpleAttributeOperand(
        node_id(Key(0, 2041)), [ua.QualifiedName("EventId")], AttributeId=ua.AttributeIds.Value
    )
    return ua.EventFilter(SelectClauses=[clause])


async def history(client: Client, machine_id: str, path: str) -> object:
    details = ua.ReadEventDetails(
        NumValuesPerNode=0, StartTime=AT - timedelta(days=1), EndTime=AT + timedelta(days=1), Filter=events_filter()
    )
    wanted = ua.HistoryReadValueId(NodeId=node(machine_id, path))
    return [
        await client.uaclient.history_read(
            ua.HistoryReadParameters(details, ReleaseContinuationPoints=release, NodesToRead=[wanted])
        )
        for release in (False, True)
    ]


Service = Callable[[Client, str, str], Awaitable[object]]


@pytest.mark.parametrize("service", [read, write, browse, translate, call, watch, history])
@pytest.mark.parametrize("path", PATHS)
async def test_a_foreign_node_answers_as_one_that_does_not_exist(shop: Shop, service: Service, path: str) -> None:
    foreign = await service(shop.attacker, FOREIGN, path)
    assert foreign == await service(shop.attacker, NOTHING, path)
    assert foreign != await service(shop.attacker, OWN, path)  # so the question makes sense


async def test_a_crawl_finds_nothing_foreign(shop: Shop) -> None:
    found: set[str] = set()
    todo = [shop.attacker.nodes.objects]
    while todo:
        here = todo.pop()
        for reference in await here.get_references(direction=ua.BrowseDirection.Both):
            target = str(reference.NodeId.Identifier)
            if reference.NodeId.NamespaceIndex == 13 and target not in found:
                found.add(target)
                todo.append(shop.attacker.get_node(ua.NodeId(target, 13)))  # type: ignore[arg-type]
            elif reference.NodeId == node_id(Key(4, 1001)) and "folder" not in found:
                found.add("folder")
                todo.append(shop.attacker.get_node(reference.NodeId))
    assert OWN in found
    assert f"{OWN}/MesStatus" in found
    assert [path for path in found if FOREIGN in path or path.startswith("Agent/MesInstances/1")] == []


async def test_the_server_tells_of_its_own_machine_only_now_and_later(shop: Shop) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    class Listener:
        def event_notification(self, event: Any) -> None:
            heard.put_nowait(event)

    subscription = await shop.attacker.create_subscription(20, Listener())
    await subscription.subscribe_events(ua.ObjectIds.Server, [ua.ObjectIds.BaseEventType])
    shop.bench.store.announce(JobEvent(kind=JobEventKind.FINISHED, at=AT, run=RUN))
    own = MachineEvent(kind=MachineEventKind.RECOVERED, at=AT, machine_id=OWN)
    shop.bench.store.announce(own)
    assert (await asyncio.wait_for(heard.get(), 5)).EventId.hex() == own.id
    assert heard.empty()
    await subscription.delete()
    server = shop.attacker.get_node(ua.ObjectIds.Server)
    types = [shop.attacker.get_node(ua.ObjectIds.BaseEventType)]
    told: Any = await server.read_event_history(AT - timedelta(days=1), AT + timedelta(days=1), evtypes=types)
    assert {event.SourceNode.Identifier for event in told} == {OWN}


async def test_who_watches_a_machine_that_moves_to_another_mes_is_told_no_more_of_it(shop: Shop) -> None:
    machines(shop.bench, foreign_mes_ids=(1, 2))
    await shop.bench.settle()
    statuses: asyncio.Queue[str] = asyncio.Queue()

    class Listener:
        def datachange_notification(self, _node: Any, _value: Any, data: Any) -> None:
            code = data.monitored_item.Value.StatusCode
            statuses.put_nowait("Good" if code is None else code.name)

    async with await as_mes(shop.bench, "mes-1") as owner:
        for client in (shop.attacker, owner):
            subscription = await client.create_subscription(20, Listener())
            await subscription.subscribe_data_change(client.get_node(node(FOREIGN, "MesStatus")))
            assert await asyncio.wait_for(statuses.get(), 5) == "Good"
        machines(shop.bench, foreign_mes_ids=(1,))
        assert await asyncio.wait_for(statuses.get(), 5) == "BadNodeIdUnknown"
        await shop.bench.settle()
        assert statuses.empty()  # its owner goes on watching
