"""One machine's nodes: from data items to variables, and only what changed is written."""

from __future__ import annotations

from asyncua import ua
from msgspec.structs import replace

from ...items import ITEMS, DataItem, Kind, Reading, heater_items, heaters, read
from ...model import Quality
from ...observation import Observation
from . import values
from .address_space import AddressSpace, object_item, variable_item

# Heaters stay once seen; names that keep changing must not fill the address space.
MAX_HEATERS = 32


class MachineNodes:
    """The nodes of one machine, below ``Objects/Machines``.

    NodeIds are ``<machine id>/<BrowseNames joined by />``: the same after every restart and reordering of the file.
    """

    def __init__(self, space: AddressSpace, machine_id: str) -> None:
        self._space = space
        self._machine_id = machine_id
        self._root = values.node_id(machine_id, space.machines)
        self._display_name = ""
        self._nodes: list[ua.NodeId] = []  # parents first
        self._variables: dict[str, tuple[DataItem, ua.NodeId]] = {}
        self._written: dict[str, Reading] = {}
        self._heaters: set[str] = set()

    async def create(self, observation: Observation) -> None:
        """Add the machine's object and every item of `ITEMS`."""
        self._display_name = observation.display_name
        self._nodes.append(self._root)
        await self._space.add(
            object_item(
                self._root,
                parent=self._space.machines_folder,
                reference=ua.ObjectIds.Organizes,
                name=ua.QualifiedName(self._machine_id, self._space.machines),
                display_name=self._display_name,
            )
        )
        await self._add_items(ITEMS)

    async def update(self, observation: Observation) -> None:
        """Write every value that differs from what the node holds; add nodes for heaters not seen before."""
        for heater in heaters(observation.snapshot):
            if heater not in self._heaters and len(self._heaters) < MAX_HEATERS:
                self._heaters.add(heater)
                await self._add_items(heater_items(heater))
        for item_id, (item, node_id) in self._variables.items():
            reading = read(item, observation)
            written = self._written.get(item_id)
            if written is None or written.value != reading.value or written.quality is not reading.quality:
                if written is not None and reading.quality is Quality.UNCERTAIN and written.value == reading.value:
                    reading = replace(reading, at=written.at)  # the old value, the old time
                self._written[item_id] = reading
                await self._space.write(node_id, values.data_value(item, reading))
        if observation.display_name != self._display_name:
            self._display_name = observation.display_name
            await self._space.server.write_attribute_value(
                self._root,
                ua.DataValue(ua.Variant(ua.LocalizedText(self._display_name), ua.VariantType.LocalizedText)),
                ua.AttributeIds.DisplayName,
            )

    async def delete(self) -> None:
        """Tell subscribers by a bad status, then remove every node (asyncua alone would tell them nothing)."""
        gone = values.status_code(ua.StatusCodes.BadNodeIdUnknown)
        for _, node_id in self._variables.values():
            await self._space.write(node_id, ua.DataValue(ua.Variant(None, ua.VariantType.Null), gone))
        await self._space.delete(self._nodes[::-1])

    async def _add_items(self, items: tuple[DataItem, ...]) -> None:
        new: list[ua.AddNodesItem] = []
        for item in items:
            new += self._folders_of(item)
            new += self._variable(item)
        self._nodes += [entry.RequestedNewNodeId for entry in new if entry.RequestedNewNodeId not in self._nodes]
        await self._space.add(*new)

    def _folders_of(self, item: DataItem) -> list[ua.AddNodesItem]:
        """The objects on the way to an item that are not there yet."""
        steps = item.id.split("/")[:-1]
        new = []
        for depth, name in enumerate(steps, start=1):
            node_id = self._node_id("/".join(steps[:depth]))
            if node_id not in self._nodes:
                self._nodes.append(node_id)
                new.append(
                    object_item(
                        node_id,
                        parent=self._parent("/".join(steps[:depth])),
                        reference=ua.ObjectIds.HasComponent,
                        name=ua.QualifiedName(name, self._space.types),
                        display_name=name,
                    )
                )
        return new

    def _variable(self, item: DataItem) -> list[ua.AddNodesItem]:
        node_id = self._node_id(item.id)
        self._variables[item.id] = (item, node_id)
        self._written.pop(item.id, None)
        variable = variable_item(
            node_id,
            parent=self._parent(item.id),
            name=ua.QualifiedName(item.id.rpartition("/")[2], self._space.types),
            value=ua.Variant(None, ua.VariantType.Null),
            data_type=values.VARIANT_TYPES[item.kind].value,
            description=item.sentence,
            type_definition=_type_definition(item),
            is_array=item.kind is Kind.NUMBERS,
        )
        return [variable, *self._properties(item, node_id)]

    def _properties(self, item: DataItem, node_id: ua.NodeId) -> list[ua.AddNodesItem]:
        facts: list[tuple[str, ua.EUInformation | ua.Range, int]] = []
        if item.unit is not None:
            facts.append(("EngineeringUnits", values.engineering_units(item.unit), ua.ObjectIds.EUInformation))
        if item.span is not None:
            facts.append(("EURange", ua.Range(Low=item.span[0], High=item.span[1]), ua.ObjectIds.Range))
        return [
            variable_item(
                self._node_id(f"{item.id}/{name}"),
                parent=node_id,
                reference=ua.ObjectIds.HasProperty,
                name=ua.QualifiedName(name, 0),
                value=ua.Variant(value, ua.VariantType.ExtensionObject),
                data_type=data_type,
                type_definition=ua.ObjectIds.PropertyType,
            )
            for name, value, data_type in facts
        ]

    def _node_id(self, path: str) -> ua.NodeId:
        return values.node_id(f"{self._machine_id}/{path}", self._space.machines)

    def _parent(self, path: str) -> ua.NodeId:
        above = path.rpartition("/")[0]
        return self._node_id(above) if above else self._root


def _type_definition(item: DataItem) -> int:
    """OPC 10000-8: units and a range make an AnalogUnitRangeType, units alone an AnalogUnitType."""
    if item.unit is None:
        return int(ua.ObjectIds.BaseDataVariableType)
    return int(ua.ObjectIds.AnalogUnitRangeType if item.span else ua.ObjectIds.AnalogUnitType)
