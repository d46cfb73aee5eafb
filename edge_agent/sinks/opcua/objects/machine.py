"""One machine's nodes: which item goes where, and only what changed is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, cast

from asyncua import ua
from msgspec.structs import replace

from ....items import ITEMS, DataItem, Kind, Reading, heater_items, heaters, read
from ....jobs import JobRun
from ....model import Choice, Quality, StackLight
from ....observation import Observation
from ..space import values, wire
from ..space.address_space import AddressSpace
from ..space.instance import Instance
from ..space.nodeset import Key, key
from .job_orders import job_lists
from .machine_type import JOB_CONTROL, JOB_RESULTS, PROCESS, STACKLIGHT, MachineType

# Heaters stay once seen; names that keep changing must not fill the address space.
MAX_HEATERS = 32

_LIGHTS = f"{STACKLIGHT}/"
_CONTINUOUS, _BLINKING = 0, 1  # SignalModeLight of OPC 10000-200

_NOT_ACTIVE = ua.DataValue(ua.Variant(None, ua.VariantType.Null), wire.status(ua.StatusCodes.BadStateNotActive))

# The state nodes of each state machine, by state number: the values of CurrentState/Id.
_STATES = {
    "MachineryBuildingBlocks/MachineryItemState": (4, {0: 5005, 1: 5004, 2: 5007, 3: 5006}),
    "MachineryBuildingBlocks/MachineryOperationMode": (4, {0: 5024, 1: 5025, 2: 5027, 3: 5026}),
    "Production/ActiveProgram/State": (10, {0: 135, 1: 138, 2: 140, 3: 139, 4: 141}),
}


class Place(NamedTuple):
    """One node that shows an item, and how."""

    path: str
    kind: ua.VariantType
    is_list: bool
    convert: Callable[[Any], object] | None

    def variant(self, value: object) -> ua.Variant:
        """A value as the node shows it."""
        if value is not None and self.convert is not None:
            value = self.convert(value)
        return values.variant(self.kind, value, is_list=self.is_list)


class Shown(NamedTuple):
    """An item, and the nodes that show it."""

    item: DataItem
    places: tuple[Place, ...]


class MachineNodes:
    """The nodes of one machine, below ``Objects/Machines``.

    NodeIds are ``<machine id>/<BrowseNames joined by />``: the same after every restart and reordering of the file.
    """

    def __init__(self, space: AddressSpace, machine_type: MachineType, observation: Observation) -> None:
        machine_id = observation.machine.id
        self._type = machine_type
        self.display = observation.display_name
        self._heaters: dict[str, None] = {}
        self._shown: tuple[Shown, ...] = ()
        self._written: dict[str, Reading] = {}
        self._light: StackLight | None = None
        self._recent: tuple[JobRun, ...] | None = None
        self.instance = Instance(space, machine_id, machine_type.template(), display=self.display)
        # This state machine only describes the states of the jobs in the list (OPC 10031-4, 6.2.1): it is in none.
        for path in ("CurrentState", "CurrentState/Id"):
            self.instance.hold(f"{JOB_CONTROL}/{path}", _NOT_ACTIVE)

    @property
    def root(self) -> Key:
        """The machine's object."""
        return self.instance.key()

    async def update(self, observation: Observation) -> bool:
        """Write every value that differs from what the node holds; true if nodes were added (a heater not seen yet)."""
        grown = self._grow(observation)
        if grown or not self._written:
            await self._write_text(f"{PROCESS}/NodeVersion", node_version())
        for shown in self._shown:
            reading = read(shown.item, observation)
            written = self._written.get(shown.item.id)
            if written is None or written.value != reading.value or written.quality is not reading.quality:
                if written is not None and reading.quality is Quality.UNCERTAIN and written.value == reading.value:
                    reading = replace(reading, at=written.at)  # the old value, the old time
                self._written[shown.item.id] = reading
                for place in shown.places:
                    await self.instance.write(place.path, values.data_value(place.variant(reading.value), reading))
        await self._show_blinking(observation.stack_light)
        await self._show_jobs(observation.recent)
        if observation.display_name != self.display:
            self.display = observation.display_name
            await self.instance.rename(self.display)
        return grown

    def _grow(self, observation: Observation) -> bool:
        """Make room for heaters not seen before."""
        new = [heater for heater in heaters(observation.snapshot) if heater not in self._heaters]
        new = new[: MAX_HEATERS - len(self._heaters)]
        self._heaters |= dict.fromkeys(new)
        if new or not self._shown:
            self.instance.template = self._type.template(tuple(self._heaters))
            items = (*ITEMS, *(item for heater in self._heaters for item in heater_items(heater)))
            self._shown = tuple(Shown(item, tuple(self._places(item))) for item in items)
        return bool(new)

    def _places(self, item: DataItem) -> Iterator[Place]:
        """The nodes that show an item."""
        if item.id in _STATES:
            state = f"{item.id}/CurrentState"
            yield self._place(state, item, _label)
            yield self._place(f"{state}/Id", item, partial(_state_node, *_STATES[item.id]))
            yield self._place(f"{state}/Number", item)
        else:
            yield self._place(_path(item), item)

    def _place(self, path: str, item: DataItem, convert: Callable[[Any], object] | None = None) -> Place:
        """One node, and how it shows the item: in the type that the model gives it."""
        data_type = self.instance.template[path].row.data_type
        kind = wire.built_in(self.instance.space.nodeset, key(data_type))
        if data_type == values.DURATION and item.unit is not None:
            convert = partial(values.milliseconds, unit=item.unit)
        return Place(path, kind, item.kind is Kind.NUMBERS, convert)

    async def _show_blinking(self, light: StackLight) -> None:
        if light is not self._light:
            self._light = light
            mode = _BLINKING if light is StackLight.GREEN_BLINKING else _CONTINUOUS
            await self._write_now(f"{_LIGHTS}Green/SignalMode", ua.Variant(mode, ua.VariantType.Int32))

    async def _show_jobs(self, recent: tuple[JobRun, ...]) -> None:
        if recent is self._recent or recent == self._recent:
            return
        self._recent = recent
        orders, responses = job_lists(recent)
        for path, entries in (
            (f"{JOB_CONTROL}/JobOrderList", orders),
            (f"{JOB_RESULTS}/JobOrderResponseList", responses),
        ):
            await self._write_now(path, ua.Variant(list(entries), ua.VariantType.ExtensionObject, is_array=True))

    async def _write_text(self, path: str, text: str) -> None:
        await self._write_now(path, ua.Variant(text, ua.VariantType.String))

    async def _write_now(self, path: str, value: ua.Variant) -> None:
        now = cast("ua.DateTime", datetime.now(UTC))
        await self.instance.write(path, ua.DataValue(value, SourceTimestamp=now))


def _label(choice: Choice) -> ua.LocalizedText:
    return wire.localized((choice.label, "en"))


def _state_node(namespace: int, states: Mapping[int, int], choice: Choice) -> ua.NodeId:
    return wire.node_id(Key(namespace, states[choice]))


def node_path(item: DataItem) -> str:
    """The node below the machine that has an item's value; of a state machine, its name."""
    return f"{item.id}/CurrentState" if item.id in _STATES else _path(item)


def _path(item: DataItem) -> str:
    """Where an item is shown; most where their id says."""
    if item.id.startswith(_LIGHTS):
        return f"{item.id}/SignalOn"
    if item.id.startswith(f"{PROCESS}/"):
        actual = item.id.removesuffix("Setpoint")
        return f"{item.id}/AnalogSignal" if actual == item.id else f"{actual}Temperature/ProcessValueSetpoint"
    return item.id


def node_version() -> str:
    """The text of a NodeVersion: the time of the change, as OPC 40540, 6.3 has it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
