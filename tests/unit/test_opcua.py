"""The OPC UA endpoint, seen by a client: nodes, values, qualities."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.ua.uaerrors import BadUserAccessDenied, UaError
from msgspec.structs import replace

from edge_agent.errors import UnavailableError
from edge_agent.model import Job, MachineState, Quality, Temperature
from edge_agent.observation import AgentStatus
from edge_agent.sinks.opcua.space.instance import Instance
from tests.endpoint import DEVICE, Bench
from tests.observations import AT, MACHINE, PRINTING, SENSED_AT, observation

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # asyncua's client drops its own sockets when a server refuses it
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

MACHINES = 13


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("opcua"), anonymous=True)
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


def node(client: Client, path: str) -> Any:
    return client.get_node(f"ns={MACHINES};s={path}")


async def read(client: Client, path: str) -> ua.DataValue:
    value: ua.DataValue = await node(client, path).read_data_value(raise_on_bad_status=False)
    return value


async def shown(client: Client, path: str) -> tuple[Any, str]:
    value = await read(client, path)
    assert value.StatusCode is not None
    return value.Value.Value if value.Value else None, value.StatusCode.name


async def test_an_endpoint_that_answers_keeps_no_start_waiting_though_there_are_no_machines(tmp_path: Path) -> None:
    made = Bench(tmp_path, anonymous=True)
    async with made.running():
        assert made.health.awaited() == []


async def test_the_namespaces_are_in_the_order_of_the_contract(client: Client) -> None:
    opc = "http://opcfoundation.org/UA/"
    assert await client.get_namespace_array() == [
        opc,
        f"urn:edge-agent:{DEVICE}",
        f"{opc}DI/",
        f"{opc}IA/",
        f"{opc}Machinery/",
        f"{opc}ISA95-JOBCONTROL_V2/",
        f"{opc}Machinery/Jobs/",
        f"{opc}Dictionary/IRDI",
        f"{opc}PADIM/",
        f"{opc}Machinery/ProcessValues/",
        f"{opc}MachineTool/",
        f"{opc}AdditiveManufacturing/",
        "urn:edge-agent:types",
        f"urn:edge-agent:{DEVICE}:machines",
    ]


async def test_a_machine_is_below_machines_with_its_name_and_values(client: Client) -> None:
    folder = client.get_node("ns=4;i=1001")
    [machine] = await folder.get_children(refs=ua.ObjectIds.Organizes)
    assert machine.nodeid.to_string() == f"ns={MACHINES};s=mark-one"
    assert (await machine.read_display_name()).Text == "Mark One"
    assert await shown(client, "mark-one/MesStatus") == ("Running", "Good")
    assert await shown(client, "mark-one/MesIds") == ([1, 2], "Good")
    assert await shown(client, "mark-one/Job/Progress") == (25.0, "Good")
    assert await shown(client, "mark-one/Monitoring/Process/Tool0Temperature/AnalogSignal") == (204.8, "Good")
    assert await shown(client, "mark-one/Job/RemainingTime") == (None, "BadNoData")


async def test_values_have_the_sources_time(client: Client) -> None:
    assert (await read(client, "mark-one/Source/State")).SourceTimestamp == AT
    assert (await read(client, "mark-one/Monitoring/Process/BedTemperature/AnalogSignal")).SourceTimestamp == SENSED_AT


async def test_the_last_usable_value_keeps_the_time_since_when_it_was_so(bench: Bench, client: Client) -> None:
    last_seen = replace(PRINTING, observed_at=AT + timedelta(minutes=5))
    for quality in (Quality.GOOD, Quality.UNCERTAIN):
        bench.store.publish(observation(last_seen, quality))
        await bench.settle()
        assert await shown(client, "mark-one/Source/State") == (
            "Printing",
            "Good" if quality is Quality.GOOD else "UncertainLastUsableValue",
        )
        assert (await read(client, "mark-one/Source/State")).SourceTimestamp == AT


async def test_every_value_also_has_the_servers_time_for_who_asks(client: Client) -> None:
    before = datetime.now(UTC) - timedelta(seconds=60)
    for path in (
        "mark-one/Source/State",
        "mark-one/Job/RemainingTime",
        "mark-one/MesIds",
        "mark-one/Job/Progress/EURange",
    ):
        assert (await read(client, path)).ServerTimestamp is None
        wanted = ua.ReadValueId(NodeId=node(client, path).nodeid, AttributeId=ua.AttributeIds.Value)
        [value] = await client.uaclient.read(
            ua.ReadParameters(TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=[wanted])
        )
        assert value.ServerTimestamp is not None
        assert value.ServerTimestamp > before


async def test_variables_are_typed_and_have_units_and_ranges(client: Client) -> None:
    progress = node(client, "mark-one/Job/Progress")
    assert (await progress.read_data_type()) == ua.NodeId(ua.ObjectIds.Double)  # type: ignore[arg-type]
    assert (await progress.read_type_definition()) == ua.NodeId(ua.ObjectIds.AnalogUnitRangeType)  # type: ignore[arg-type]
    [units] = [child for child in await progress.get_children() if "EngineeringUnits" in child.nodeid.to_string()]
    assert (await units.read_value()).UnitId == 20529
    [span] = [child for child in await progress.get_children() if "EURange" in child.nodeid.to_string()]
    assert await span.read_value() == ua.Range(0.0, 100.0)
    size = await read(client, "mark-one/Job/FileSize")
    assert size.Value is not None
    assert size.Value.VariantType is ua.VariantType.Int64
    ids = node(client, "mark-one/MesIds")
    assert (await ids.read_attribute(ua.AttributeIds.ValueRank)).Value.Value == ua.ValueRank.OneDimension


@pytest.mark.parametrize(
    ("quality", "value", "status"),
    [
        (Quality.GOOD, "Printing", "Good"),
        (Quality.UNCERTAIN, "Printing", "UncertainLastUsableValue"),
        (Quality.NO_COMMUNICATION, None, "BadNoCommunication"),
        (Quality.ACCESS_DENIED, None, "BadUserAccessDenied"),
    ],
)
async def test_a_live_value_has_the_status_of_the_quality_table(
    bench: Bench, client: Client, quality: Quality, value: str | None, status: str
) -> None:
    bench.store.publish(observation(quality=quality))
    await bench.settle()
    assert await shown(client, "mark-one/Source/State") == (value, status)
    assert (await shown(client, "mark-one/Source/Reachable"))[1] == "Good"


async def test_before_the_first_answer_live_values_wait(bench: Bench, client: Client) -> None:
    bench.store.publish(observation(None, Quality.WAITING))
    await bench.settle()
    assert await shown(client, "mark-one/Source/State") == (None, "BadWaitingForInitialData")
    assert await shown(client, "mark-one/MesStatus") == ("Offline", "Good")


async def test_a_printer_that_is_off_has_good_states_and_unconnected_temperatures(bench: Bench, client: Client) -> None:
    off = replace(PRINTING, state=MachineState.OFF, state_text="Offline", temperatures={}, job=Job())
    bench.store.publish(observation(off))
    await bench.settle()
    assert await shown(client, "mark-one/Source/State") == ("Offline", "Good")
    assert await shown(client, "mark-one/Monitoring/Process/Tool0Temperature/AnalogSignal") == (None, "BadNotConnected")
    assert await shown(client, "mark-one/Job/Progress") == (None, "BadNoData")


async def test_a_heater_appears_when_first_reported_and_stays(bench: Bench, client: Client) -> None:
    warm = replace(PRINTING, temperatures={**PRINTING.temperatures, "chamber": Temperature(38.0, None)})
    bench.store.publish(observation(warm))
    await bench.settle()
    assert await shown(client, "mark-one/Monitoring/Process/ChamberTemperature/AnalogSignal") == (38.0, "Good")
    assert await shown(client, "mark-one/Monitoring/Process/ChamberTemperature/ProcessValueSetpoint") == (
        None,
        "BadNoData",
    )
    bench.store.publish(observation())
    await bench.settle()
    assert await shown(client, "mark-one/Monitoring/Process/ChamberTemperature/AnalogSignal") == (None, "BadNoData")


async def test_names_of_heaters_that_clash_or_never_end_do_no_harm(bench: Bench, client: Client) -> None:
    odd = {name: Temperature(20.0) for name in ("tool0", "Tool0", "a/b", "", "x" * 99, *(f"t{n}" for n in range(99)))}
    bench.store.publish(observation(replace(PRINTING, temperatures=odd)))
    await bench.settle()
    process = node(client, "mark-one/Monitoring/Process")
    names = [(await child.read_browse_name()).Name for child in await process.get_children()]
    assert len(names) == 32 + 1  # and NodeVersion
    assert {"Tool0Temperature", "T29Temperature"} <= set(names)
    assert await shown(client, "mark-one/Job/Progress") == (25.0, "Good")


@pytest.mark.usefixtures("client")
async def test_only_what_changed_is_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    instance_write = Instance.write

    async def write(instance: Instance, path: str, value: ua.DataValue) -> None:
        written.append(f"{instance.root}/{path}")
        await instance_write(instance, path, value)

    monkeypatch.setattr(Instance, "write", write)
    bench.store.publish(observation())
    await bench.settle()
    assert [path for path in written if path.startswith("mark-one/")] == []
    later = replace(PRINTING, job=replace(PRINTING.job, progress_ratio=0.5))
    bench.store.publish(observation(later))
    await bench.settle()
    assert [path for path in written if path.startswith("mark-one/")] == ["mark-one/Job/Progress"]


async def test_a_new_name_is_shown_and_the_node_stays(bench: Bench, client: Client) -> None:
    bench.store.publish(observation(machine=replace(MACHINE, name="Mark Two")))
    await bench.settle()
    assert (await node(client, "mark-one").read_display_name()).Text == "Mark Two"


async def test_a_subscriber_of_a_removed_machine_is_told_by_a_bad_status(bench: Bench, client: Client) -> None:
    statuses: asyncio.Queue[str] = asyncio.Queue()

    class Listener:
        def datachange_notification(self, _node: Any, _value: Any, data: Any) -> None:
            code = data.monitored_item.Value.StatusCode
            statuses.put_nowait("Good" if code is None else code.name)

    subscription = await client.create_subscription(20, Listener())
    await subscription.subscribe_data_change(node(client, "mark-one/MesStatus"))
    assert await asyncio.wait_for(statuses.get(), 5) == "Good"
    bench.store.remove("mark-one")
    assert await asyncio.wait_for(statuses.get(), 5) == "BadNodeIdUnknown"
    await bench.settle()
    assert (await shown(client, "mark-one/MesStatus"))[1] == "BadNodeIdUnknown"
    assert await client.get_node("ns=4;i=1001").get_children(refs=ua.ObjectIds.Organizes) == []


async def test_the_agent_says_how_it_is(bench: Bench, client: Client) -> None:
    bench.store.publish_agent(
        AgentStatus(version="9.9", started_at=AT, config_status="one machine", last_restart="update")
    )
    await bench.settle()
    assert await shown(client, "Agent/Version") == ("9.9", "Good")
    assert await shown(client, "Agent/LastRestartReason") == ("update", "Good")
    assert await shown(client, "Agent/ConfigStatus") == ("one machine", "Good")
    assert await shown(client, "Agent/Machines") == (1, "Good")
    assert await shown(client, "Agent/MachinesReachable") == (1, "Good")


async def test_what_the_agent_says_has_the_time_since_when_it_is_so(bench: Bench, client: Client) -> None:
    bench.store.publish_agent(AgentStatus(version="9.9", started_at=AT, config_status="one machine"))
    await bench.settle()
    before = {name: (await read(client, f"Agent/{name}")).SourceTimestamp for name in ("Machines", "ConfigStatus")}
    assert None not in before.values()
    bench.store.publish_agent(AgentStatus(version="9.9", started_at=AT, config_status="refused"))
    await bench.settle()
    after = {name: (await read(client, f"Agent/{name}")).SourceTimestamp for name in before}
    assert after["Machines"] == before["Machines"]
    assert after["ConfigStatus"] != before["ConfigStatus"]


async def test_a_client_can_change_nothing(client: Client) -> None:
    status = node(client, "mark-one/MesStatus")
    with pytest.raises(BadUserAccessDenied):
        await status.write_value("Idle")
    with pytest.raises(UaError):
        await client.nodes.objects.add_object(ua.NodeId("planted", MACHINES), "planted")  # type: ignore[arg-type]
    with pytest.raises(UaError):
        await client.delete_nodes([status])
    assert await shown(client, "mark-one/MesStatus") == ("Running", "Good")


async def test_every_port_serves_the_same_machines_and_the_certificate_is_kept(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        extra = probe.getsockname()[1]
    made = Bench(tmp_path, anonymous=True, extra_ports=(extra,))
    made.store.publish(observation())
    async with made.running():
        for port in (made.sink.port, extra):
            async with made.client(port) as client:
                assert await shown(client, "mark-one/MesStatus") == ("Running", "Good")
        certificate = (tmp_path / "pki" / "certificate.der").read_bytes()
    again = Bench(tmp_path, anonymous=True)
    async with again.running():
        assert (tmp_path / "pki" / "certificate.der").read_bytes() == certificate


async def test_a_port_in_use_is_an_error_with_its_number_unless_the_next_one_will_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=f"port {port} is in use"):
            async with Bench(tmp_path, port=port, anonymous=True).running():
                pass
        made = Bench(tmp_path, port=port, port_or_next=True, anonymous=True)
        assert port < made.sink._free_port() < port + 50
