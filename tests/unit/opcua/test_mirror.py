"""From the store to a client: what happens, what comes and goes, what was missed; through the whole endpoint."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua
from msgspec.structs import replace

from edge_agent.events import Event, MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.model import Temperature
from edge_agent.sinks.opcua.space.structures import ISA95StateDataType
from tests.endpoint import Bench
from tests.observations import AT, MACHINE, PRINTING, observation

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]

RESULTS = "mark-one/MachineryBuildingBlocks/JobManagement/JobOrderResults"
ORDERS = "mark-one/MachineryBuildingBlocks/JobManagement/JobOrderControl/JobOrderList"
JOB_EVENT = "ns=5;i=1006"
NOTIFICATION = "ns=10;i=35"
MODEL_CHANGE = "i=2133"

RUN = JobRun(id="mark-one-1", machine_id="mark-one", file_name="gear.gcode", started_at=AT, updated_at=AT)
DONE = replace(RUN, outcome=Outcome.COMPLETED, ended_at=AT + timedelta(hours=1), elapsed_s=3600.0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def journal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Journal]:
    made = await Journal.open(tmp_path_factory.mktemp("journal") / "journal.db")
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory, journal: Journal) -> AsyncIterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("opcua"), anonymous=True, journal=journal)
    async with made.running():
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def client(bench: Bench) -> AsyncIterator[Client]:
    bench.store.publish(observation())
    await bench.settle()
    async with bench.client() as client:
        yield client
    bench.store.remove(MACHINE.id)
    await bench.settle()


class Heard:
    """What subscribers of several nodes were told, as (node, event)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self._more = asyncio.Event()

    def listener(self, name: str) -> Any:
        heard, more = self.events, self._more

        class Listener:
            def event_notification(self, event: Any) -> None:
                heard.append((name, event))
                more.set()

        return Listener()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.events) < count:
                self._more.clear()
                await self._more.wait()


async def listening(client: Client, *types: str) -> Heard:
    heard = Heard()
    for name in ("i=2253", "ns=13;s=mark-one", f"ns=13;s={RESULTS}", "ns=13;s=mark-one/Notification/Messages"):
        subscription = await client.create_subscription(20, heard.listener(name))
        await subscription.subscribe_events(client.get_node(name), [client.get_node(kind) for kind in types])
    return heard


async def test_a_job_event_reaches_every_notifier_once_with_its_structures(bench: Bench, client: Client) -> None:
    heard = await listening(client, JOB_EVENT)
    event = JobEvent(kind=JobEventKind.FINISHED, at=AT, run=DONE)
    bench.store.publish(observation(run=DONE, recent=(DONE,)))
    bench.store.announce(event)
    await heard.until(3)
    await asyncio.sleep(0.1)  # nothing follows
    assert Counter(name for name, _ in heard.events) == {"i=2253": 1, "ns=13;s=mark-one": 1, f"ns=13;s={RESULTS}": 1}
    listed = await client.get_node(f"ns=13;s={ORDERS}").read_value()
    responses = await client.get_node(f"ns=13;s={RESULTS}/JobOrderResponseList").read_value()
    for _, told in heard.events:
        assert told.EventId == bytes.fromhex(event.id)
        assert told.SourceName == "Mark One"
        assert told.Message.Text == "gear.gcode: finished"
        assert told.JobOrder == listed[0].JobOrder
        assert told.JobState == listed[0].State
        assert told.JobResponse == responses[0]


async def test_a_machine_event_reaches_its_messages_too(bench: Bench, client: Client) -> None:
    heard = await listening(client, NOTIFICATION)
    bench.store.announce(
        MachineEvent(kind=MachineEventKind.FAULT, at=AT, machine_id="mark-one", text="MINTEMP triggered")
    )
    await heard.until(4)
    await asyncio.sleep(0.1)
    assert len(heard.events) == 4
    assert {told.Message.Text for _, told in heard.events} == {"fault: MINTEMP triggered"}
    assert {told.Identifier for _, told in heard.events} == {"Fault"}


async def test_an_event_of_a_machine_that_is_gone_is_left_out(bench: Bench, client: Client) -> None:
    heard = await listening(client, NOTIFICATION)
    for machine_id in ("gone", "mark-one"):
        bench.store.announce(MachineEvent(kind=MachineEventKind.RECOVERED, at=AT, machine_id=machine_id))
    await heard.until(4)
    assert {told.SourceName for _, told in heard.events} == {"Mark One"}


async def test_machines_that_come_and_go_change_the_model(bench: Bench, client: Client) -> None:
    heard = await listening(client, MODEL_CHANGE)
    version = client.get_node("ns=13;s=Machines/NodeVersion")
    versions = [await version.read_value()]
    bench.store.publish(observation(machine=replace(MACHINE, id="mark-two", name="Mark Two")))
    await heard.until(1)
    versions.append(await version.read_value())
    bench.store.remove("mark-two")
    await heard.until(2)
    versions.append(await version.read_value())
    assert len(set(versions)) == 3
    told = [[(str(change.Affected.Identifier), change.Verb) for change in event.Changes] for _, event in heard.events]
    assert told == [[("mark-two", 1), ("1001", 4)], [("mark-two", 2), ("1001", 8)]]
    assert {name for name, _ in heard.events} == {"i=2253"}


async def test_a_new_temperature_changes_the_model(bench: Bench, client: Client) -> None:
    heard = await listening(client, MODEL_CHANGE)
    version = client.get_node("ns=13;s=mark-one/Monitoring/Process/NodeVersion")
    before = await version.read_value()
    warm = replace(PRINTING, temperatures={**PRINTING.temperatures, "chamber": Temperature(38.0)})
    bench.store.publish(observation(warm))
    await heard.until(1)
    [(_, told)] = heard.events
    assert [(change.Affected.Identifier, change.Verb) for change in told.Changes] == [
        ("mark-one/Monitoring/Process", 4)
    ]
    assert await version.read_value() != before


async def test_what_was_missed_can_be_read_later(journal: Journal, client: Client) -> None:
    events: list[Event] = [
        JobEvent(kind=JobEventKind.STARTED, at=AT, run=RUN),
        JobEvent(kind=JobEventKind.FINISHED, at=AT + timedelta(hours=1), run=DONE),
        MachineEvent(kind=MachineEventKind.FAULT, at=AT + timedelta(hours=2), machine_id="mark-one"),
        MachineEvent(kind=MachineEventKind.FAULT, at=AT + timedelta(hours=2), machine_id="another"),
    ]
    await journal.record([RUN, DONE], events)
    types = [client.get_node(kind) for kind in (JOB_EVENT, NOTIFICATION)]
    for node, expected in (
        ("ns=13;s=mark-one", events[:3]),
        (f"ns=13;s={RESULTS}", events[:3]),
        ("i=2253", events[:3]),
    ):
        found: Any = await client.get_node(node).read_event_history(AT, AT + timedelta(days=1), evtypes=types)
        assert [event.EventId.hex() for event in found] == [event.id for event in expected]
    started, finished, _ = found
    assert (started.JobOrder.JobOrderID, started.JobState[0].StateNumber) == ("mark-one-1", 3)
    assert finished.JobResponse.EndTime == DONE.ended_at


async def test_the_job_methods_answer_from_the_journal(journal: Journal, client: Client) -> None:
    other = replace(DONE, id="mark-two-1", machine_id="mark-two")
    await journal.record([DONE, other])
    results = client.get_node(f"ns=13;s={RESULTS}")
    response, status = await results.call_method("5:RequestJobResponseByJobOrderID", "mark-one-1")
    assert (response.JobOrderID, response.JobState[0].StateNumber, status) == ("mark-one-1", 5, 1)
    for unknown in ("mark-two-1", "nothing"):  # the first is another machine's
        response, status = await results.call_method("5:RequestJobResponseByJobOrderID", unknown)
        assert (response.JobState, status) == ([], 2)
    ended = ISA95StateDataType(BrowsePath=ua.RelativePath(), StateText=ua.LocalizedText(), StateNumber=5)
    wanted = ua.Variant([ended], ua.VariantType.ExtensionObject, is_array=True)
    responses, status = await results.call_method("5:RequestJobResponseByJobOrderState", wanted)
    assert ([entry.JobOrderID for entry in responses], status) == (["mark-one-1"], 1)


async def test_the_lists_hold_the_last_twenty_and_agree(bench: Bench, client: Client) -> None:
    runs = tuple(replace(DONE, id=f"mark-one-{number}") for number in range(25, 0, -1))
    bench.store.publish(observation(recent=(RUN, *runs)))
    await bench.settle()
    orders = await client.get_node(f"ns=13;s={ORDERS}").read_value()
    responses = await client.get_node(f"ns=13;s={RESULTS}/JobOrderResponseList").read_value()
    assert [entry.JobOrder.JobOrderID for entry in orders] == [run.id for run in (RUN, *runs)][:20]
    assert [entry.JobOrderID for entry in responses] == [entry.JobOrder.JobOrderID for entry in orders]
    assert [entry.JobState for entry in responses] == [entry.State for entry in orders]


async def test_each_mes_instance_has_a_folder_of_its_machines(bench: Bench, client: Client) -> None:
    async def folders() -> dict[str, list[str]]:
        parent = client.get_node("ns=13;s=Agent/MesInstances")
        return {
            (await folder.read_browse_name()).Name: [
                str(machine.nodeid.Identifier) for machine in await folder.get_children()
            ]
            for folder in await parent.get_children()
        }

    assert await folders() == {"1": ["mark-one"], "2": ["mark-one"]}
    above = await client.get_node("ns=13;s=mark-one").get_references(ua.ObjectIds.Organizes, ua.BrowseDirection.Inverse)
    assert {str(reference.NodeId.Identifier) for reference in above} == {
        "1001",
        "Agent/MesInstances/1",
        "Agent/MesInstances/2",
    }
    bench.store.publish(observation(machine=replace(MACHINE, id="mark-two", mes_ids=(2,))))
    await bench.settle()
    assert await folders() == {"1": ["mark-one"], "2": ["mark-one", "mark-two"]}
    bench.store.publish(observation(machine=replace(MACHINE, mes_ids=(7,))))
    bench.store.remove("mark-two")
    await bench.settle()
    assert await folders() == {"7": ["mark-one"]}
