"""Reading and watching, as asyncua's services ask for it, without a server."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.objects.machine_type import MachineType
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.instance import Instance
from edge_agent.sinks.opcua.space.nodeset import Key, Nodeset
from edge_agent.sinks.opcua.space.wire import node_id
from tests.opcua_space import ROOT, of_machine, space_with_machine

A, C = ua.AttributeIds, ua.NodeClass
VALUE = ua.DataValue(ua.Variant("Idle", ua.VariantType.String))
STATUS = of_machine("MesStatus")

ALWAYS = {A.NodeId, A.NodeClass, A.BrowseName, A.DisplayName, A.WriteMask, A.UserWriteMask}
VALUED = {A.Value, A.DataType, A.ValueRank, A.ArrayDimensions}
READABLE = VALUED | {A.AccessLevel, A.UserAccessLevel, A.MinimumSamplingInterval, A.Historizing}
# Nodes of every class, and which attributes they have beside those that every node has (OPC 10000-3, 5).
NODES = {
    "object": (Key(0, 2253), {A.EventNotifier}),
    "machine": (ROOT, {A.EventNotifier}),
    "variable": (Key(0, 2258), READABLE),
    "machine's variable": (STATUS, READABLE | {A.Description}),
    "method": (Key(5, 7002), {A.Executable, A.UserExecutable}),
    "object type": (Key(11, 1005), {A.IsAbstract}),
    "variable type": (Key(0, 17497), {A.IsAbstract} | VALUED),
    "reference type": (Key(0, 35), {A.IsAbstract, A.Symmetric, A.InverseName}),
    "symmetric reference type": (Key(0, 24137), {A.IsAbstract, A.Symmetric}),
    "structure": (Key(5, 3013), {A.IsAbstract, A.DataTypeDefinition}),
    "enumeration": (Key(11, 3003), {A.IsAbstract, A.DataTypeDefinition}),
    "simple data type": (Key(0, 290), {A.IsAbstract}),
}


def status(value: ua.DataValue) -> str:
    return value.StatusCode.name if value.StatusCode else "Good"


@pytest.mark.parametrize("what", NODES)
def test_a_node_has_the_attributes_of_its_class_and_no_others(space: AddressSpace, what: str) -> None:
    node, more = NODES[what]
    for which in ua.AttributeIds:
        read = space.read(node, which)
        expected = "Good" if which in ALWAYS | more else "BadAttributeIdInvalid"
        assert status(read) == expected, which
        assert (read.Value is None or read.Value.Value is None) == (expected != "Good") or which == A.Value, which


@pytest.mark.parametrize("which", [0, 28, 4_000_000_000])
def test_an_attribute_that_nothing_has_is_invalid(space: AddressSpace, which: int) -> None:
    assert status(space.read(ROOT, which)) == "BadAttributeIdInvalid"


def test_attributes_are_of_the_types_that_they_have_in_opc_ua(space: AddressSpace) -> None:
    kinds = ua.VariantType
    expected = {
        A.NodeId: kinds.NodeId,
        A.NodeClass: kinds.Int32,
        A.BrowseName: kinds.QualifiedName,
        A.DisplayName: kinds.LocalizedText,
        A.Description: kinds.LocalizedText,
        A.WriteMask: kinds.UInt32,
        A.DataType: kinds.NodeId,
        A.ValueRank: kinds.Int32,
        A.ArrayDimensions: kinds.UInt32,
        A.AccessLevel: kinds.Byte,
        A.UserAccessLevel: kinds.Byte,
        A.MinimumSamplingInterval: kinds.Double,
        A.Historizing: kinds.Boolean,
    }
    for which, kind in expected.items():
        variant = space.read(of_machine("MesIds"), which).Value
        assert variant is not None
        assert variant.VariantType is kind, which


def test_no_client_may_write_any_variable(space: AddressSpace) -> None:
    for node in space.keys():  # noqa: SIM118 - it is no dict
        level = space.read(node, A.UserAccessLevel).Value
        assert level is None or level.Value is None or not level.Value & ua.AccessLevel.CurrentWrite.mask, node


@pytest.mark.parametrize(
    "node", [Key(0, 999_999), Key(13, "n"), Key(13, "m/"), Key(13, "m/Nothing"), Key(13, "mm"), Key(13, ""), Key(77, 1)]
)
def test_what_is_not_there_is_unknown(space: AddressSpace, node: Key) -> None:
    assert status(space.read(node)) == "BadNodeIdUnknown"
    assert space.row(node) is None
    assert list(space.references(node)) == []
    assert node_id(node) not in space


@pytest.mark.parametrize("identifier", [uuid.UUID(int=85), b"m"])
@pytest.mark.parametrize("namespace", [0, 4, 13])
def test_kinds_of_node_ids_that_nobody_has_are_unknown(space: AddressSpace, identifier: Any, namespace: int) -> None:
    node = ua.NodeId(identifier, namespace)  # type: ignore[arg-type]
    assert status(space.read_attribute_value(node, A.Value)) == "BadNodeIdUnknown"
    assert space.add_datachange_callback(node, A.Value, _never)[0].name == "BadNodeIdUnknown"


def test_a_machine_with_a_number_for_an_id_is_not_had_by_a_numeric_node_id(nodeset: Nodeset) -> None:
    space = AddressSpace(nodeset)
    space.graft("5", Instance(space, "5", MachineType(nodeset).template()))
    assert space.row(Key(13, "5")) is not None
    assert space.row(Key(13, 5)) is None


async def _never(_: int, __: ua.DataValue) -> None:
    raise AssertionError


class Watcher:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str]] = []

    async def __call__(self, handle: int, value: ua.DataValue) -> None:
        self.told.append((handle, value.Value.Value if value.Value and value.Value.Value else status(value)))


def machine_of(space: AddressSpace) -> Instance:
    branch = space.branch(ROOT)
    assert isinstance(branch, Instance)
    return branch


async def test_who_watches_is_told_until_it_watches_no_longer(space: AddressSpace) -> None:
    one, other = Watcher(), Watcher()
    code, handle = space.add_datachange_callback(node_id(STATUS), A.Value, one)
    _, second = space.add_datachange_callback(node_id(STATUS), A.Value, other)
    assert code.is_good()
    assert handle != second
    await machine_of(space).write("MesStatus", VALUE)
    space.delete_datachange_callback(handle)
    space.delete_datachange_callback(handle)  # once more does no harm
    await machine_of(space).write("MesStatus", VALUE)
    assert one.told == [(handle, "Idle")]
    assert other.told == [(second, "Idle")] * 2
    space.delete_datachange_callback(second)
    assert not space._watches
    assert not space._handles


async def test_only_the_attribute_that_changed_is_told(space: AddressSpace) -> None:
    value, name = Watcher(), Watcher()
    space.add_datachange_callback(node_id(ROOT), A.DisplayName, name)
    space.add_datachange_callback(node_id(STATUS), A.Value, value)
    await machine_of(space).rename("Mark Two")
    assert len(name.told) == 1
    assert value.told == []
    shown = space.read(ROOT, A.DisplayName).Value
    assert shown is not None
    assert shown.Value.Text == "Mark Two"


@pytest.mark.parametrize(
    ("node", "which", "name"),
    [
        (Key(13, "n"), A.Value, "BadNodeIdUnknown"),
        (Key(0, 999_999), A.Value, "BadNodeIdUnknown"),
        (ROOT, A.Value, "BadAttributeIdInvalid"),
        (STATUS, A.EventNotifier, "BadAttributeIdInvalid"),
    ],
)
def test_what_is_not_there_cannot_be_watched(space: AddressSpace, node: Key, which: ua.AttributeIds, name: str) -> None:
    code, handle = space.add_datachange_callback(node_id(node), which, _never)
    assert (code.name, handle) == (name, 0)
    assert not space._watches
    assert not space._handles


async def test_a_watcher_that_fails_is_logged_and_the_others_are_told(
    space: AddressSpace, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = Watcher()
    space.add_datachange_callback(node_id(STATUS), A.Value, _never)
    space.add_datachange_callback(node_id(STATUS), A.Value, watcher)
    with caplog.at_level(logging.ERROR):
        await machine_of(space).write("MesStatus", VALUE)
    assert len(watcher.told) == 1
    assert "m/MesStatus" in caplog.text


async def test_a_machine_that_goes_tells_who_watches_and_leaves_nothing(space: AddressSpace) -> None:
    value, name, server = Watcher(), Watcher(), Watcher()
    space.add_datachange_callback(node_id(STATUS), A.Value, value)
    space.add_datachange_callback(node_id(ROOT), A.DisplayName, name)
    space.add_datachange_callback(node_id(Key(0, 2258)), A.Value, server)
    other = Instance(space, "mm", MachineType(space.nodeset).template())
    space.graft("mm", other)
    stays = Watcher()
    space.add_datachange_callback(node_id(Key(13, "mm/MesStatus")), A.Value, stays)
    await machine_of(space).tell_end()
    space.cut("m")
    assert [told for _, told in value.told] == [told for _, told in name.told] == ["BadNodeIdUnknown"]
    assert server.told == []
    assert stays.told == []
    assert set(space._watches) == {(Key(0, 2258), A.Value), (Key(13, "mm/MesStatus"), A.Value)}
    assert len(space._handles) == 2
    assert space.row(ROOT) is None
    assert all(ref.target != ROOT for ref in space.references(Key(4, 1001)))


def test_reading_keeps_nothing(space: AddressSpace) -> None:
    """What the server holds is what was written or is watched; a crawl adds nothing (see test_nodeset for its rows)."""
    for node in space.keys():  # noqa: SIM118 - it is no dict
        for which in (A.Value, A.DisplayName, A.DataTypeDefinition):
            space.read(node, which)
    assert not space._written
    assert not space._watches
    assert not machine_of(space)._values


async def test_what_the_server_writes_is_read_and_has_its_time(space: AddressSpace) -> None:
    before = datetime.now(UTC)
    clock = Key(0, 2258)
    assert (await space.write_attribute_value(node_id(clock), A.Value, VALUE)).is_good()
    read = space.read(clock)
    assert read.Value is not None
    assert read.Value.Value == "Idle"
    assert read.ServerTimestamp is not None
    assert read.ServerTimestamp >= before
    gone = await space.write_attribute_value(node_id(Key(13, "n")), A.Value, VALUE)
    assert gone.name == "BadNodeIdUnknown"


async def test_two_machines_share_a_template_and_no_value(nodeset: Nodeset) -> None:
    space, machine_type = AddressSpace(nodeset), MachineType(nodeset)
    one, other = (Instance(space, name, machine_type.template()) for name in ("one", "other"))
    for instance in (one, other):
        space.graft(instance.root, instance)
    assert one.template is other.template
    await one.write("MesStatus", VALUE)
    read = [space.read(Key(13, f"{name}/MesStatus")).Value for name in ("one", "other")]
    assert [variant.Value if variant else None for variant in read] == ["Idle", None]


async def test_values_stay_when_a_machine_grows(nodeset: Nodeset) -> None:
    space = space_with_machine(nodeset)
    machine, chamber = machine_of(space), of_machine("Monitoring/Process/ChamberTemperature")
    await machine.write("MesStatus", VALUE)
    assert space.row(chamber) is None
    machine.template = MachineType(nodeset).template(("bed", "chamber"))
    assert space.row(chamber) is not None
    read = space.read(STATUS).Value
    assert read is not None
    assert read.Value == "Idle"
