"""Every machine keeps what its types promise; and the checker that says so sees it when one does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import ua
from msgspec.structs import replace

from edge_agent.counters import Counters
from edge_agent.jobs import JobRun, Outcome
from edge_agent.model import Identification, Job, MachineState, Quality, Temperature
from edge_agent.observation import Observation
from edge_agent.sinks.opcua.objects.machine_type import MachineType
from edge_agent.sinks.opcua.space import structures
from edge_agent.sinks.opcua.space.nodeset import Nodeset
from edge_agent.sinks.opcua.space.template import Builder, Declared, Template
from tests.endpoint import Bench
from tests.observations import AT, MACHINE, PRINTING, observation
from tests.opcua_tree import Id, Link, Tree, crawl, node_id
from tests.type_checker import findings

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # asyncua's client drops its own sockets when a server refuses it
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

A = ua.AttributeIds
MACHINES = 13
HEATERS = {name: Temperature(20.0, 0.0) for name in ("tool0", "tool1", "tool2", "bed", "chamber")}
RUN = JobRun(
    id="run-2",
    machine_id="all",
    file_name="Gehäuse.gcode",
    file_path="kunde/Gehäuse.gcode",
    file_size_bytes=5_000_000_000,
    user="anna",
    started_at=AT,
    updated_at=AT + timedelta(minutes=30),
    elapsed_s=1710.0,
    estimated_s=3600.0,
    progress_ratio=0.475,
    filament_length_mm=1234.5,
    filament_volume_cm3=3.25,
)
ENDED = replace(RUN, id="run-1", outcome=Outcome.FAILED, reason="Thermal runaway", ended_at=AT, paused_s=90.0, pauses=2)
PLATE = Identification(
    manufacturer="Prusa Research",
    model="MK4",
    serial_number="10589-3742",
    product_code="MK4-KIT",
    year_of_construction=2023,
    location="Hall 2",
)


def shown(machine_id: str, snapshot: Any = PRINTING, quality: Quality = Quality.GOOD, **more: Any) -> Observation:
    machine = replace(MACHINE, id=machine_id, instance_uri=f"urn:test:{machine_id}")
    return observation(snapshot, quality, **{"machine": machine, **more})


OFF = replace(PRINTING, state=MachineState.OFF, state_text="Offline", temperatures={}, job=Job())
FAULT = replace(PRINTING, state=MachineState.FAULT, state_text="Error", error="Thermal runaway")
SHAPES = {
    "no-heaters": shown("no-heaters", replace(PRINTING, temperatures={})),
    "one-tool": shown("one-tool", replace(PRINTING, temperatures={"tool0": Temperature(204.8, 210.0)})),
    "all": shown(
        "all",
        replace(PRINTING, temperatures={**HEATERS, "W_1-odd": Temperature(38.5, None)}),
        run=RUN,
        recent=(RUN, ENDED),
        counters=Counters(power_on_s=90.5, operation_s=12.0, completed=3),
        machine=replace(MACHINE, id="all", identification=PLATE, instance_uri="urn:test:all"),
    ),
    "fault": shown("fault", FAULT, run=ENDED, recent=(ENDED,)),
    "off": shown("off", OFF),
    "waiting": shown("waiting", None, Quality.WAITING),
    "unreachable": shown("unreachable", PRINTING, Quality.NO_COMMUNICATION),
    "locked": shown("locked", None, Quality.ACCESS_DENIED),
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def tree(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tree]:
    """All machines and the types they need, as a client sees them."""
    yield await seen(tmp_path_factory.mktemp("types"), *SHAPES.values())


async def seen(folder: Path, *machines: Observation) -> Tree:
    structures.register()
    bench = Bench(folder, anonymous=True)
    for machine in machines:
        bench.store.publish(machine)
    async with bench.running(), bench.client() as client:
        await client.load_data_type_definitions(overwrite_existing=False)
        return await crawl(client, *(Id(MACHINES, machine.machine.id) for machine in machines))


def faults(tree: Tree, machine_id: str) -> list[str]:
    """What is wrong with a machine, by the path below it."""
    return [finding.removeprefix(machine_id).removeprefix("/") for finding in findings(tree, Id(MACHINES, machine_id))]


@pytest.mark.parametrize("machine_id", SHAPES)
async def test_every_machine_keeps_what_its_types_promise(tree: Tree, machine_id: str) -> None:
    assert faults(tree, machine_id) == []


async def test_a_machine_is_an_additive_manufacturing_machine_with_all_it_should_have(tree: Tree) -> None:
    """So that no finding does not mean nothing looked at."""
    paths = [str(node.identifier).removeprefix("all/") for node in tree if str(node.identifier).startswith("all/")]
    assert tree.targets(Id(MACHINES, "all"), Id(0, 40)) == [Id(11, 1005)]
    assert len(paths) > 150
    for path in ("Identification/SerialNumber", "Equipment", "Production/ActiveProgram/State/CurrentState/Number"):
        assert path in paths


@pytest.mark.parametrize("machine_id", SHAPES)
async def test_every_value_has_the_servers_time(tree: Tree, machine_id: str) -> None:
    below = [node for node in tree.values() if str(node.id.identifier).startswith(f"{machine_id}/")]
    held = {str(node.id.identifier): node.attributes[A.Value] for node in below if A.Value in node.attributes}
    assert [path for path, value in held.items() if value.ServerTimestamp is None] == []


async def test_a_duration_is_in_milliseconds_and_another_time_in_what_its_units_say(tree: Tree) -> None:
    """Where an item is a Duration (OPC 10000-3, 8.13), and where it is seconds with units."""
    counters = "MachineryBuildingBlocks/OperationCounters"
    assert tree[at(f"{counters}/PowerOnDuration")].get(A.Value) == 90_500.0
    assert tree[at(f"{counters}/OperationDuration")].get(A.Value) == 12_000.0
    assert tree[at(f"{counters}/OperationCycleCounter")].get(A.Value) == 3
    assert tree[at("Source/PollInterval")].get(A.Value) == 1.0
    assert tree[at("Source/PollInterval/EngineeringUnits")].get(A.Value).DisplayName.Text == "s"


SHARED = {
    "MachineryBuildingBlocks/MachineryItemState": "Monitoring/MachineTool",
    "MachineryBuildingBlocks/MachineryOperationMode": "Monitoring/MachineTool",
    "MachineryBuildingBlocks/OperationCounters": "Monitoring/MachineTool",
}


@pytest.mark.parametrize(("path", "parent"), SHARED.items())
async def test_a_node_that_two_places_of_the_type_share_is_one_node(tree: Tree, path: str, parent: str) -> None:
    node = Id(MACHINES, f"all/{path}")
    name = path.rpartition("/")[2]
    below = [link.target for link in tree[Id(MACHINES, f"all/{parent}")].links if link.forward]
    assert [target for target in below if target in tree and tree[target].name.endswith(f":{name}")] == [node]
    assert Id(MACHINES, f"all/{parent}/{name}") not in tree


# --- the checker sees it ---


def at(path: str) -> Id:
    return Id(MACHINES, f"all/{path}")


def data_value(value: object, kind: ua.VariantType) -> ua.DataValue:
    return ua.DataValue(ua.Variant(value, kind))


def retyped(tree: Tree, path: str, type_: Id) -> Tree:
    """The same with another TypeDefinition."""
    links = tree[at(path)].links
    return tree.linked(at(path), (Link(Id(0, 40), True, type_) if link.type == Id(0, 40) else link for link in links))


def referred(tree: Tree, parent: str, path: str, kind: Id) -> Tree:
    """The same with another reference from a parent to its child."""
    down, up = tree[at(parent)].links, tree[at(path)].links
    tree = tree.linked(at(parent), (Link(kind, True, at(path)) if link.target == at(path) else link for link in down))
    return tree.linked(at(path), (Link(kind, False, at(parent)) if link.target == at(parent) else link for link in up))


def unshared(tree: Tree, parent: str, path: str) -> Tree:
    """The same without the reference from one of two parents."""
    tree = tree.linked(at(parent), (link for link in tree[at(parent)].links if link.target != at(path)))
    return tree.linked(at(path), (link for link in tree[at(path)].links if link.target != at(parent)))


def copied(tree: Tree, parent: str, path: str) -> Tree:
    """The same with a copy below the second parent instead of the shared node."""
    copy = at(f"{parent}/{path.rpartition('/')[2]}")
    tree = unshared(tree, parent, path)
    tree = Tree({**tree, copy: replace(tree[at(path)], id=copy)})
    return tree.linked(at(parent), (*tree[at(parent)].links, Link(Id(0, 47), True, copy)))


def renamed(tree: Tree, path: str, namespace: int, name: str) -> Tree:
    return tree.changed(
        at(path), A.BrowseName, data_value(ua.QualifiedName(name, namespace), ua.VariantType.QualifiedName)
    )


def attributed(tree: Tree, path: str, attribute: A, value: object, kind: ua.VariantType) -> Tree:
    return tree.changed(at(path), attribute, data_value(value, kind))


STRING, NUMBER = node_id(Id(0, 12)), node_id(Id(0, 26))
TEMPERATURE = "Monitoring/Process/Tool0Temperature"
ITEM_STATE = "MachineryBuildingBlocks/MachineryItemState"
RESPONSES = "MachineryBuildingBlocks/JobManagement/JobOrderResults"
BY_ID = f"{RESPONSES}/RequestJobResponseByJobOrderID"
SERIAL = "Identification/SerialNumber"
BROKEN: dict[str, tuple[Callable[[Tree], Tree], str]] = {
    "a mandatory property": (lambda tree: tree.without(at(SERIAL)), "Identification: 2:SerialNumber is missing"),
    "a mandatory child of an optional one": (
        lambda tree: tree.without(at(f"{ITEM_STATE}/CurrentState")),
        f"{ITEM_STATE}: 0:CurrentState is missing",
    ),
    "a mandatory child of a placeholder's instance": (
        lambda tree: tree.without(at(f"{TEMPERATURE}/SignalTag")),
        f"{TEMPERATURE}: 8:SignalTag is missing",
    ),
    "what only a nested declaration demands": (
        lambda tree: tree.without(at("Production/ActiveProgram/State/CurrentState/Number")),
        "Production/ActiveProgram/State/CurrentState: 0:Number is missing",
    ),
    "a child's namespace": (
        lambda tree: renamed(tree, SERIAL, 4, "SerialNumber"),
        "Identification: 2:SerialNumber is missing",
    ),
    "a child that nobody declares": (
        lambda tree: renamed(tree, "Identification/Location", 4, "Lokation"),
        "Identification: nobody declares 4:Lokation",
    ),
    "a placeholder's own name": (
        lambda tree: renamed(tree, TEMPERATURE, 12, "<ProcessValue>"),
        f"{TEMPERATURE}: 12:<ProcessValue> is a placeholder's name",
    ),
    "a NodeClass": (
        lambda tree: attributed(tree, SERIAL, A.NodeClass, ua.NodeClass.Object, ua.VariantType.Int32),
        f"{SERIAL}: is Object, declared Variable",
    ),
    "a DataType": (
        lambda tree: attributed(tree, "Identification/Model", A.DataType, STRING, ua.VariantType.NodeId),
        "Identification/Model: has DataType 0:String, declared 0:LocalizedText",
    ),
    "an abstract DataType": (
        lambda tree: attributed(tree, f"{TEMPERATURE}/AnalogSignal", A.DataType, NUMBER, ua.VariantType.NodeId),
        f"{TEMPERATURE}/AnalogSignal: its DataType 0:Number is abstract",
    ),
    "a ValueRank": (
        lambda tree: attributed(tree, SERIAL, A.ValueRank, 1, ua.VariantType.Int32),
        f"{SERIAL}: has ValueRank 1, declared -1",
    ),
    "ArrayDimensions": (
        lambda tree: attributed(tree, f"{BY_ID}/InputArguments", A.ArrayDimensions, [7], ua.VariantType.UInt32),
        f"{BY_ID}/InputArguments: has ArrayDimensions [7], declared [1]",
    ),
    "a TypeDefinition": (
        lambda tree: retyped(tree, "Monitoring", Id(0, 58)),
        "Monitoring: is a 0:BaseObjectType, declared 10:MonitoringType",
    ),
    "an abstract TypeDefinition": (
        lambda tree: retyped(tree, SERIAL, Id(0, 62)),
        f"{SERIAL}: its type 0:BaseVariableType is abstract",
    ),
    "no TypeDefinition": (
        lambda tree: tree.linked(at(SERIAL), (link for link in tree[at(SERIAL)].links if link.type != Id(0, 40))),
        f"{SERIAL}: 0 type definitions",
    ),
    "a reference of another type": (
        lambda tree: referred(tree, "Identification", SERIAL, Id(0, 47)),
        f"{SERIAL}: 0:HasProperty would lead here, not 0:HasComponent",
    ),
    "a reference that one side does not know of": (
        lambda tree: tree.linked(
            at(SERIAL), (link for link in tree[at(SERIAL)].links if link.target != at("Identification"))
        ),
        "Identification: 0:HasProperty of all/Identification/SerialNumber is one-sided",
    ),
    "a shared node that one parent does not know": (
        lambda tree: unshared(tree, "Monitoring/MachineTool", ITEM_STATE),
        f"Monitoring/MachineTool: all/{ITEM_STATE} is declared here too, without a reference to it",
    ),
    "a shared node that is two": (
        lambda tree: copied(tree, "Monitoring/MachineTool", ITEM_STATE),
        f": 4:MachineryItemState is declared once, and is all/{ITEM_STATE} and all/Monitoring/MachineTool/Mach",
    ),
    "a null value": (
        lambda tree: attributed(tree, SERIAL, A.Value, None, ua.VariantType.Null),
        f"{SERIAL}: is null with a good status",
    ),
    "a value of another type": (
        lambda tree: attributed(tree, SERIAL, A.Value, 7, ua.VariantType.Int64),
        f"{SERIAL}: holds a Int64, its DataType is 0:String",
    ),
    "a list where one value belongs": (
        lambda tree: attributed(tree, SERIAL, A.Value, ["7"], ua.VariantType.String),
        f"{SERIAL}: holds 1 dimensions, its ValueRank is -1",
    ),
    "a structure of another type": (
        lambda tree: attributed(
            tree, f"{RESPONSES}/JobOrderResponseList", A.Value, [ua.Range(0.0, 1.0)], ua.VariantType.ExtensionObject
        ),
        f"{RESPONSES}/JobOrderResponseList: holds a Range, its DataType is 5:ISA95JobResponseDataType",
    ),
    "a number that the enumeration has not": (
        lambda tree: attributed(tree, f"{TEMPERATURE}/Category", A.Value, 9, ua.VariantType.Int32),
        f"{TEMPERATURE}/Category: holds 9, 11:SensorCategory has [0, 1, 2]",
    ),
    "a state of another state machine": (
        lambda tree: attributed(
            tree,
            f"{ITEM_STATE}/CurrentState/Id",
            A.Value,
            node_id(Id(4, 5024)),
            ua.VariantType.NodeId,
        ),
        f"{ITEM_STATE}/CurrentState: its Id ns=4;i=5024 is no state of its machine",
    ),
    "a state's number that is another's": (
        lambda tree: attributed(tree, f"{ITEM_STATE}/CurrentState/Number", A.Value, 0, ua.VariantType.UInt32),
        f"{ITEM_STATE}/CurrentState: its Number is 0, its Id has 3",
    ),
    "an argument": (
        lambda tree: attributed(tree, f"{BY_ID}/InputArguments", A.Value, [], ua.VariantType.ExtensionObject),
        f"{BY_ID}/InputArguments: has arguments []",
    ),
    "a method": (lambda tree: tree.without(at(BY_ID)), f"{RESPONSES}: 5:RequestJobResponseByJobOrderID is missing"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_the_checker_sees_a_machine_that_is_broken_in(tree: Tree, what: str) -> None:
    broken, expected = BROKEN[what]
    assert any(finding.startswith(expected) for finding in faults(broken(tree), "all")), faults(broken(tree), "all")


async def test_the_checker_sees_that_nothing_stands_for_a_mandatory_placeholder(tree: Tree) -> None:
    """A feedstock list must have a feedstock; nobody serves such a list, so an empty one is planted."""
    listed = at("Equipment/Feedstock")
    name = data_value(ua.QualifiedName("Feedstock", 11), ua.VariantType.QualifiedName)
    links = (Link(Id(0, 40), True, Id(11, 1001)), Link(Id(0, 47), False, at("Equipment")))
    planted = Tree({**tree, listed: replace(tree[at("Equipment")], id=listed, links=links)})
    planted = planted.changed(listed, A.BrowseName, name)
    planted = planted.linked(at("Equipment"), (*planted[at("Equipment")].links, Link(Id(0, 47), True, listed)))
    assert {finding for finding in faults(planted, "all") if "nothing stands for" in finding} == {
        "Equipment/Feedstock: nothing stands for 11:<Feedstock>",
        "Equipment/Feedstock: nothing stands for 11:Feedstock",
    }


async def test_the_checker_sees_a_template_without_a_mandatory_node_through_the_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = "Production/ActiveProgram/NumberInList"
    collected = Builder.template

    def without(builder: Builder) -> Template:
        whole = collected(builder)
        return {
            path: Declared(
                declared.row,
                tuple(link for link in declared.links if link.target != gone),
                declared.type_definition,
                declared.declaration,
            )
            for path, declared in whole.items()
            if path != gone
        }

    assert gone in MachineType(Nodeset()).template()
    monkeypatch.setattr(Builder, "template", without)
    monkeypatch.setattr("edge_agent.sinks.opcua.objects.machine.ITEMS", ())
    tree = await seen(tmp_path, SHAPES["no-heaters"])
    assert "Production/ActiveProgram: 0:NumberInList is missing" in faults(tree, "no-heaters")
