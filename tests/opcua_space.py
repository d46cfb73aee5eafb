"""The address space without a server: all models, and one machine, ``m``, that has a bed."""

from __future__ import annotations

from edge_agent.sinks.opcua.objects.folder import MACHINES_FOLDER
from edge_agent.sinks.opcua.objects.machine_type import MachineType
from edge_agent.sinks.opcua.space.address_space import MACHINES, AddressSpace
from edge_agent.sinks.opcua.space.instance import Instance
from edge_agent.sinks.opcua.space.nodeset import ORGANIZES, Key, Nodeset, Reference

ROOT = Key(MACHINES, "m")


def of_machine(path: str) -> Key:
    """A node of the machine."""
    return Key(MACHINES, f"m/{path}")


def space_with_machine(nodeset: Nodeset) -> AddressSpace:
    """A new one."""
    space = AddressSpace(nodeset)
    machine = Instance(space, "m", MachineType(nodeset).template(("bed",)), display="Mark One")
    machine.refer("", Reference(ORGANIZES, False, MACHINES_FOLDER))
    space.models.refer(MACHINES_FOLDER, Reference(ORGANIZES, True, ROOT))
    space.graft("m", machine)
    return space
