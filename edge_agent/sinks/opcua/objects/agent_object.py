"""The ``Agent`` object: what the agent says of itself, and its machines by MES instance."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import cast

from asyncua import ua

from ....observation import AgentStatus
from ..space import values
from ..space.address_space import AddressSpace
from ..space.instance import Instance
from ..space.nodeset import HAS_COMPONENT, ORGANIZES, Key, Nodeset, Reference
from ..space.template import Builder, Template
from .machine_type import TYPES

AGENT = "Agent"
MES_INSTANCES = "MesInstances"

_OBJECTS = Key(0, 85)
_BASE_OBJECT, _FOLDER, _BASE_VARIABLE = Key(0, 58), Key(0, 61), Key(0, 63)
_VARIABLES = {
    "Version": (ua.VariantType.String, "The agent's version."),
    "StartTime": (ua.VariantType.DateTime, "When the agent started."),
    "LastRestartReason": (
        ua.VariantType.String,
        "Why the agent was started: watchdog, crash, out of memory, power loss, update, operator, ...",
    ),
    "Machines": (ua.VariantType.UInt32, "How many machines are configured."),
    "MachinesReachable": (ua.VariantType.UInt32, "How many machines answered when last asked."),
    "ConfigStatus": (ua.VariantType.String, "The configuration in force, and why a newer file was refused."),
}


class AgentObject:
    """Shows `AgentStatus`, and a folder per MES instance that organises its machines."""

    def __init__(self, space: AddressSpace) -> None:
        self._nodeset = space.nodeset
        self._instance = Instance(space, AGENT, _template(space.nodeset, ()), name=f"{TYPES}:{AGENT}")
        self._instance.refer("", Reference(ORGANIZES, False, _OBJECTS))
        space.models.refer(_OBJECTS, Reference(ORGANIZES, True, self._instance.key()))
        space.graft(AGENT, self._instance)
        self._shown: dict[str, ua.Variant] = {}
        self._organised: dict[int, tuple[Instance, ...]] = {}

    async def update(self, status: AgentStatus, *, machines: int, reachable: int) -> None:
        """Write what has changed."""
        now = {
            "Version": status.version,
            "StartTime": status.started_at,
            "LastRestartReason": status.last_restart,
            "Machines": machines,
            "MachinesReachable": reachable,
            "ConfigStatus": status.config_status,
        }
        for name, value in now.items():
            variant = values.variant(_VARIABLES[name][0], value)
            if self._shown.get(name) != variant:
                self._shown[name] = variant
                at = cast("ua.DateTime", datetime.now(UTC))
                await self._instance.write(name, ua.DataValue(variant, SourceTimestamp=at))

    def organise(self, machines: dict[int, tuple[Instance, ...]]) -> None:
        """Show these machines below these MES instances; a folder whose machines are gone goes."""
        if machines == self._organised:
            return
        for instance in {self._instance, *chain(*self._organised.values())}:
            instance.unrefer(f"{AGENT}/{MES_INSTANCES}/")
        self._organised = machines
        self._instance.template = _template(self._nodeset, tuple(sorted(machines)))
        for mes_id, instances in machines.items():
            folder = f"{MES_INSTANCES}/{mes_id}"
            for instance in instances:
                self._instance.refer(folder, Reference(ORGANIZES, True, instance.key()))
                instance.refer("", Reference(ORGANIZES, False, self._instance.key(folder)))


def _template(nodeset: Nodeset, mes_ids: tuple[int, ...]) -> Template:
    builder = Builder(nodeset)
    builder.instance(_BASE_OBJECT)
    builder.describe("", "The agent itself.")
    for name, (kind, sentence) in _VARIABLES.items():
        builder.add(
            name,
            type_definition=_BASE_VARIABLE,
            reference=HAS_COMPONENT,
            namespace=TYPES,
            data_type=f"0:{kind.value}",
            description=sentence,
        )
    builder.add(
        MES_INSTANCES,
        type_definition=_FOLDER,
        reference=HAS_COMPONENT,
        namespace=TYPES,
        description="The machines of each MES instance.",
    )
    for mes_id in mes_ids:
        builder.add(f"{MES_INSTANCES}/{mes_id}", type_definition=_FOLDER, reference=ORGANIZES, namespace=TYPES)
    return builder.template()
