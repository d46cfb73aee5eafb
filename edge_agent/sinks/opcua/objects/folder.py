"""``Objects/Machines``: machines come and go below it, and whoever is interested is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from asyncua import ua

from ....observation import Observation
from ..events.base_event import SERVER
from ..space.address_space import AddressSpace
from ..space.instance import Instance
from ..space.nodeset import HAS_NOTIFIER, HAS_PROPERTY, ORGANIZES, Key, Reference
from ..space.template import Builder
from .machine import MachineNodes, node_version
from .machine_type import MachineType

MACHINES_FOLDER = Key(4, 1001)  # the entry point of every client of OPC 40001-1
_PROPERTY = Key(0, 68)
_VERSION = "Machines/NodeVersion"


class Folder:
    """The machines that are shown, by id."""

    def __init__(self, space: AddressSpace, machine_type: MachineType) -> None:
        self._space = space
        self._type = machine_type
        self._machines: dict[str, MachineNodes] = {}
        self._version = _add_version(space)

    def __iter__(self) -> Iterator[MachineNodes]:
        return iter(self._machines.values())

    def get(self, machine_id: str) -> MachineNodes | None:
        """A machine's nodes, ``None`` if it is not shown."""
        return self._machines.get(machine_id)

    async def add(self, observation: Observation) -> MachineNodes:
        """Show a machine."""
        machine = MachineNodes(self._space, self._type, observation)
        await machine.update(observation)  # before anybody can look
        machine.instance.refer("", Reference(ORGANIZES, False, MACHINES_FOLDER))
        machine.instance.refer("", Reference(HAS_NOTIFIER, False, SERVER))
        self._space.models.refer(MACHINES_FOLDER, Reference(ORGANIZES, True, machine.root))
        self._space.models.refer(SERVER, Reference(HAS_NOTIFIER, True, machine.root))
        self._space.graft(observation.machine.id, machine.instance)
        self._machines[observation.machine.id] = machine
        await self._note_change()
        return machine

    async def remove(self, machine_id: str) -> None:
        """Show a machine no longer; who watches it is told by a bad status first."""
        machine = self._machines.pop(machine_id)
        await machine.instance.tell_end()
        self._space.cut(machine_id)
        await self._note_change()

    async def _note_change(self) -> None:
        at = cast("ua.DateTime", datetime.now(UTC))
        version = ua.Variant(node_version(), ua.VariantType.String)
        await self._version.write("", ua.DataValue(version, SourceTimestamp=at))


def _add_version(space: AddressSpace) -> Instance:
    """The folder's NodeVersion, which the model leaves out and OPC 40540, 6.3 asks for."""
    builder = Builder(space.nodeset)
    builder.variable(_PROPERTY, data_type="0:12")
    version = Instance(space, _VERSION, builder.template(), name="0:NodeVersion")
    version.refer("", Reference(HAS_PROPERTY, False, MACHINES_FOLDER))
    space.models.refer(MACHINES_FOLDER, Reference(HAS_PROPERTY, True, version.key()))
    space.graft(_VERSION.partition("/")[0], version)
    return version
