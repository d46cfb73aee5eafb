"""Instances from types (OPC 10000-3, 6.4): on the models' own types, and what the machines' template is."""

from __future__ import annotations

import pytest
from asyncua import ua

from edge_agent.items import ITEMS, heater_items
from edge_agent.sinks.opcua.objects.machine_type import TYPE, MachineType
from edge_agent.sinks.opcua.space.nodeset import (
    HAS_ADD_IN,
    HAS_COMPONENT,
    HAS_MODELLING_RULE,
    HAS_NOTIFIER,
    HAS_PROPERTY,
    HAS_TYPE_DEFINITION,
    Key,
    Nodeset,
    Value,
)
from edge_agent.sinks.opcua.space.template import Builder, Link, Template

MACHINE_TOOL = Key(10, 13)
ITEM_STATE = "MachineryBuildingBlocks/MachineryItemState"
# OPC 40501-1: what a machine tool cannot do without.
MANDATORY_OF_MACHINE_TOOL = {
    "",
    "Equipment",
    "Identification",
    "Identification/Manufacturer",
    "Identification/ProductInstanceUri",
    "Identification/SerialNumber",
    "Monitoring",
    "Monitoring/MachineTool",
    "Monitoring/MachineTool/OperationMode",
    "Notification",
    "Production",
    "Production/ActiveProgram",
    "Production/ActiveProgram/Name",
    "Production/ActiveProgram/NumberInList",
    "Production/ActiveProgram/State",
    "Production/ActiveProgram/State/CurrentState",
    "Production/ActiveProgram/State/CurrentState/Id",
    "Production/ActiveProgram/State/CurrentState/Number",
}


def built(nodeset: Nodeset, type_: Key, *optional: str) -> Template:
    builder = Builder(nodeset, optional=optional)
    builder.instance(type_)
    return builder.template()


@pytest.fixture(scope="module")
def machine(nodeset: Nodeset) -> Template:
    return MachineType(nodeset).template(("tool0", "bed"))


def parents(template: Template, path: str) -> list[tuple[Key, str]]:
    """Who refers to a node of the template."""
    return [
        (link.type, parent)
        for parent in template
        for link in template[parent].links
        if link.forward and link.target == path
    ]


def test_mandatory_children_are_there_and_nothing_else(nodeset: Nodeset) -> None:
    assert set(built(nodeset, MACHINE_TOOL)) == MANDATORY_OF_MACHINE_TOOL


def test_optional_children_come_when_wanted_with_what_is_mandatory_below(nodeset: Nodeset) -> None:
    more = set(built(nodeset, MACHINE_TOOL, "MachineryBuildingBlocks", ITEM_STATE)) - MANDATORY_OF_MACHINE_TOOL
    assert more == {
        "MachineryBuildingBlocks",
        ITEM_STATE,
        f"{ITEM_STATE}/CurrentState",
        f"{ITEM_STATE}/CurrentState/Id",
    }


def test_an_optional_child_of_what_is_not_there_is_not_there(nodeset: Nodeset) -> None:
    assert set(built(nodeset, MACHINE_TOOL, ITEM_STATE)) == MANDATORY_OF_MACHINE_TOOL


def test_a_declaration_may_be_stricter_than_its_type(nodeset: Nodeset) -> None:
    """Number is optional below FiniteStateVariableType, and mandatory in the program's state machine."""
    alone = built(nodeset, Key(4, 1002))
    assert "CurrentState/Number" not in alone
    assert "Production/ActiveProgram/State/CurrentState/Number" in built(nodeset, MACHINE_TOOL)


def test_a_subtypes_declaration_wins_over_its_supertypes(nodeset: Nodeset) -> None:
    for type_, identification in ((MACHINE_TOOL, Key(10, 11)), (TYPE, Key(11, 1004))):
        template = built(nodeset, type_)
        assert template["Identification"].type_definition == identification
        assert ("Identification/AMTechnologyIdentifier" in template) is (type_ == TYPE)


def test_no_placeholder_becomes_a_node(nodeset: Nodeset) -> None:
    every = [nodeset[key].name.partition(":")[2] for key in nodeset if key.namespace in {3, 4, 10, 11}]
    assert any(name.startswith("<") for name in every)  # or there is nothing to see here
    wanted = ("Monitoring/Stacklight", "Monitoring/Stacklight/<StackElement>", "Equipment/Feedstock")
    template = built(nodeset, TYPE, *wanted, "Equipment/Feedstock/Feedstock", "Equipment/Feedstock/<Feedstock>")
    assert "Monitoring/Stacklight" in template
    assert "Equipment/Feedstock" in template
    assert not [path for path in template if "<" in path]
    assert "Equipment/Feedstock/Feedstock" not in template  # a placeholder, though its name does not show it


def test_a_shared_declaration_is_one_node_with_two_parents(nodeset: Nodeset) -> None:
    template = built(nodeset, MACHINE_TOOL, "MachineryBuildingBlocks", ITEM_STATE)
    assert sorted(parent for _, parent in parents(template, ITEM_STATE)) == [
        "MachineryBuildingBlocks",
        "Monitoring/MachineTool",
    ]
    assert "Monitoring/MachineTool/MachineryItemState" not in template


def test_a_shared_declaration_that_is_wanted_twice_is_still_one_node(nodeset: Nodeset) -> None:
    both = (ITEM_STATE, "Monitoring/MachineTool/MachineryItemState")
    template = built(nodeset, MACHINE_TOOL, "MachineryBuildingBlocks", *both)
    [state] = [path for path in both if path in template]
    assert len(parents(template, state)) == 2
    assert len([path for path in template if path.endswith("MachineryItemState/CurrentState")]) == 1


def test_interfaces_and_what_they_derive_from_declare_children_too(nodeset: Nodeset) -> None:
    """DeviceManual is IVendorNameplateType's (DI); IMachineVendorNameplateType derives from it."""
    identification = Key(4, 1012)
    assert "DeviceManual" not in built(nodeset, identification)
    assert built(nodeset, identification, "DeviceManual")["DeviceManual"].row.name == "2:DeviceManual"


def test_two_instances_of_a_type_in_one_template_share_nothing(nodeset: Nodeset) -> None:
    builder = Builder(nodeset)
    builder.instance(Key(0, 58))
    for name in ("One", "Other"):
        builder.add(name, type_definition=Key(11, 1002), reference=HAS_COMPONENT, namespace=12)
    template = builder.template()
    below = {path.partition("/")[2] for path in template if path.startswith("One/")}
    assert {"SignalTag", "AnalogSignal", "AnalogSignal/EURange", "Category"} <= below
    assert below == {path.partition("/")[2] for path in template if path.startswith("Other/")}


def test_references_are_those_of_the_declarations_and_stand_on_both_sides(machine: Template) -> None:
    assert parents(machine, "Identification") == [(HAS_ADD_IN, "")]
    assert parents(machine, "Identification/SerialNumber") == [(HAS_PROPERTY, "Identification")]
    for path, declared in machine.items():
        for link in declared.links:
            if isinstance(link.target, str):
                assert Link(link.type, not link.forward, path) in machine[link.target].links, (path, link)
        assert len(declared.links) == len(set(declared.links)), path


def test_every_node_but_methods_has_its_type_and_no_modelling_rule(nodeset: Nodeset, machine: Template) -> None:
    for path, declared in machine.items():
        kinds = [link.target for link in declared.links if link.type == HAS_TYPE_DEFINITION]
        is_method = declared.row.node_class == ua.NodeClass.Method
        assert kinds == ([] if is_method else [declared.type_definition]), path
        assert not [link for link in declared.links if link.type == HAS_MODELLING_RULE], path
        if kinds:
            assert isinstance(kinds[0], Key)
            assert nodeset[kinds[0]].node_class == {1: 8, 2: 16}[declared.row.node_class], path


def test_browse_names_keep_their_namespaces_and_are_unique_below_a_parent(machine: Template) -> None:
    assert machine["Identification/SerialNumber"].row.name == "2:SerialNumber"
    assert machine["Job/Progress"].row.name == "12:Progress"
    for path, declared in machine.items():
        if path:
            assert declared.row.name.partition(":")[2] == path.rpartition("/")[2]
        names = [machine[link.target].row.name for link in declared.links
                 if link.forward and isinstance(link.target, str) and link.type != HAS_NOTIFIER]  # fmt: skip
        assert len(names) == len(set(names)), path


def test_every_item_has_its_place(machine: Template) -> None:
    """An item is a variable where its id says, or an object whose variables show it."""
    for item in (*ITEMS, *heater_items("tool0"), *heater_items("bed")):
        place = item.id.replace("Setpoint", "Temperature/ProcessValueSetpoint")
        assert place in machine, item.id


def test_a_larger_template_has_what_the_smaller_has_in_the_same_places(nodeset: Nodeset) -> None:
    machine_type = MachineType(nodeset)
    small, large = machine_type.template(), machine_type.template(("tool0",))
    assert set(small) < set(large)
    assert all(large[path].row == small[path].row for path in small)
    assert all(path.startswith("Monitoring/Process/Tool0Temperature") for path in set(large) - set(small))
    assert machine_type.template(("tool0",)) is large


def test_what_is_changed_is_changed_for_this_template_only(nodeset: Nodeset) -> None:
    builder = Builder(nodeset, optional=("CurrentState/Number",))
    builder.instance(Key(4, 1002))
    before = builder.template()
    builder.change("CurrentState/Number", data_type="0:9", value=Value(7, 3))
    builder.describe("", "A state.")
    after = builder.template()
    assert (before["CurrentState/Number"].row.data_type, before["CurrentState/Number"].row.value) == ("0:7", None)
    assert (after["CurrentState/Number"].row.data_type, after["CurrentState/Number"].row.value) == ("0:9", Value(7, 3))
    assert (before[""].row.description, after[""].row.description) == (None, "A state.")
    assert nodeset[Key(0, 2765)].data_type == "0:7"


def test_a_subtype_may_stand_in_for_a_declared_type(nodeset: Nodeset) -> None:
    builder = Builder(nodeset, optional=("Equipment/Feedstock",), types={"Equipment": Key(11, 1003)})
    builder.instance(MACHINE_TOOL)
    template = builder.template()
    assert template["Equipment"].type_definition == Key(11, 1003)
    assert "Equipment/Feedstock" in template


def test_a_child_below_what_is_not_there_is_a_mistake(nodeset: Nodeset) -> None:
    builder = Builder(nodeset)
    builder.instance(Key(0, 58))
    with pytest.raises(KeyError):
        builder.add("Nothing/Here", type_definition=Key(0, 58), reference=HAS_COMPONENT, namespace=12)
