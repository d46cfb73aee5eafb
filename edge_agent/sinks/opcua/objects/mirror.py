"""From the store to the address space: machines come, change, go, and what happens to them is reported."""

from __future__ import annotations

from collections.abc import Collection

from asyncua import ua

from ....events import Event
from ....observation import Observation
from ....store import AGENT, Store, Watch
from ..events import model_change
from ..events.base_event import SERVER
from ..events.event_filter import Occurrence
from ..events.model_change import Change
from ..monitoring.subscriptions import Subscriptions
from ..space.address_space import MACHINES, AddressSpace
from ..space.instance import Instance
from ..space.nodeset import Key
from ..space.wire import key, node_id
from . import machine_events
from .agent_object import AgentObject
from .folder import MACHINES_FOLDER, Folder
from .machine import MachineNodes
from .machine_type import NOTIFIERS, PROCESS, TYPE, MachineType

_FOLDER_TYPE = Key(0, 61)
_VERBS = ua.ModelChangeStructureVerbMask


class Mirror:
    """Keeps the nodes in step with the store."""

    def __init__(self, space: AddressSpace, machine_type: MachineType, subscriptions: Subscriptions) -> None:
        self._space = space
        self._folder = Folder(space, machine_type)
        self._agent = AgentObject(space)
        self._subscriptions = subscriptions
        self._mes_ids: dict[str, tuple[int, ...]] = {}
        self._reachable: dict[str, bool] = {}

    async def follow(self, store: Store, watch: Watch) -> None:
        """Take over what changed since the last turn, then report what happened: an event finds its values there."""
        happened = watch.take_events()
        for machine_id in watch.take():
            if machine_id != AGENT:
                await self._follow_machine(machine_id, store.latest(machine_id))
        for event in happened:
            await self._report(event)
        if store.agent is not None:
            reachable = sum(self._reachable.values())
            await self._agent.update(store.agent, machines=len(self._reachable), reachable=reachable)

    def machines_at(self, node: ua.NodeId) -> Collection[str] | None:
        """The machines of whose events a node tells, ``None`` if of none.

        Raises:
            KeyError: there is no such node.
        """
        wanted = key(node)
        if wanted == SERVER:
            return [str(machine.root.identifier) for machine in self._folder]
        machine_id, _, path = str(wanted.identifier).partition("/")
        if wanted.namespace == MACHINES and path in NOTIFIERS and self._folder.get(machine_id) is not None:
            return [machine_id]
        if self._space.row(wanted) is None:
            raise KeyError(wanted)
        return None

    def mes_ids_of(self, machine_id: str) -> Collection[int] | None:
        """The MES instances a machine belongs to, ``None`` if it is not shown."""
        return self._mes_ids.get(machine_id)

    def name_of(self, machine_id: str) -> str:
        """What people call a machine; its id once it is gone."""
        machine = self._folder.get(machine_id)
        return machine.display if machine else machine_id

    async def _follow_machine(self, machine_id: str, observation: Observation | None) -> None:
        machine = self._folder.get(machine_id)
        before, after = self._mes_ids.get(machine_id), observation.machine.mes_ids if observation else None
        if machine is not None and observation is None:
            await self._remove(machine)
        if observation is not None:
            self._mes_ids[machine_id] = observation.machine.mes_ids  # before anybody can look
            self._reachable[machine_id] = observation.reachable
            await (self._add(observation) if machine is None else self._update(machine, observation))
        if before != after:
            self._agent.organise(self._by_mes_id())
            # Who may not see it any more is told so, instead of its values.
            await self._space.retell(machine_id)

    async def _add(self, observation: Observation) -> None:
        machine = await self._folder.add(observation)
        message = f"{observation.machine.id} was added"
        await self._report_change(machine, _VERBS.NodeAdded, _VERBS.ReferenceAdded, message)

    async def _update(self, machine: MachineNodes, observation: Observation) -> None:
        if await machine.update(observation):
            machine_id = observation.machine.id
            process = Change(machine.instance.key(PROCESS), _FOLDER_TYPE, _VERBS.ReferenceAdded)
            occurrence = model_change.occurrence([process], f"{machine_id} reports more temperatures than before")
            await self._tell(occurrence, machine_id)

    async def _remove(self, machine: MachineNodes) -> None:
        machine_id = machine.instance.root
        await self._folder.remove(machine_id)
        await self._report_change(machine, _VERBS.NodeDeleted, _VERBS.ReferenceDeleted, f"{machine_id} was removed")
        # Only now: who must not know of it is not to hear of its end either.
        del self._mes_ids[machine_id], self._reachable[machine_id]

    async def _report(self, event: Event) -> None:
        machine = self._folder.get(event.machine_id)
        if machine is not None:
            occurrence = machine_events.occurrence(event, source_name=machine.display)
            await self._subscriptions.report(occurrence, machine_events.notifiers(event), machine_id=event.machine_id)

    async def _report_change(self, machine: MachineNodes, node_verb: _VERBS, folder_verb: _VERBS, message: str) -> None:
        changes = [Change(machine.root, TYPE, node_verb), Change(MACHINES_FOLDER, _FOLDER_TYPE, folder_verb)]
        await self._tell(model_change.occurrence(changes, message), str(machine.root.identifier))

    async def _tell(self, occurrence: Occurrence, machine_id: str) -> None:
        await self._subscriptions.report(occurrence, [node_id(SERVER)], machine_id=machine_id)

    def _by_mes_id(self) -> dict[int, tuple[Instance, ...]]:
        """The machines of each MES instance."""
        found: dict[int, tuple[Instance, ...]] = {}
        for machine in self._folder:
            for mes_id in self._mes_ids[str(machine.root.identifier)]:
                found[mes_id] = (*found.get(mes_id, ()), machine.instance)
        return found
