"""A client's session: what its user may see is all there is for it, and no request may ask for too much at once.

asyncua shows every session everything, and keeps none of the limits it tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User
from asyncua.server.internal_server import InternalServer

from ..objects.history import EventHistory
from ..security.users import Reader
from ..space import attributes, limits, wire
from ..space.address_space import MACHINES, AddressSpace
from ..space.continuation import ContinuationPoints
from ..space.methods import Methods
from ..space.nodeset import Key
from ..space.sight import MesIdsOf, Sight, sees_all, sees_of
from ..space.view import Rest, View
from .door import Door
from .subscribing import SubscribingSession


class Served:
    """What all sessions of a server have in common."""

    def __init__(self, space: AddressSpace, methods: Methods) -> None:
        self.space = space
        self.methods = methods
        self.door = Door()
        self.history: EventHistory | None = None
        self.unread: ContinuationPoints[Rest] = ContinuationPoints()
        self.mes_ids_of: MesIdsOf = _no_machine


class Session(SubscribingSession):
    """asyncua's session, with the services that look at nodes; the server's own session sees all and is not limited."""

    def __init__(self, server: InternalServer, served: Served, *, name: str, user: User, external: bool) -> None:
        super().__init__(
            server, server.aspace, server.subscription_service, name, user=user, external=external, door=served.door
        )
        self._served = served

    @property
    def sees(self) -> Callable[[Key], bool]:
        """Which nodes there are for this session's user."""
        if not self.external:
            return sees_all
        mes_ids = self.user.mes_ids if isinstance(self.user, Reader) else frozenset()  # nobody is logged in yet
        return sees_all if mes_ids is None else sees_of(mes_ids, self._served.mes_ids_of)

    def sees_machine(self, machine_id: str) -> bool:
        """Is this machine one of the user's."""
        return self.sees(Key(MACHINES, machine_id))

    @property
    def may_audit(self) -> bool:
        """Is its user told who comes and goes: one with a name that may read everything, over an encrypted channel."""
        user = self.user
        reads_all = isinstance(user, Reader) and user.proof is not None and user.mes_ids is None
        return reads_all and self.encrypted

    @property
    def sight(self) -> Sight:
        """The address space without what is not to be seen."""
        return Sight(self._served.space, self.sees, self)

    async def close_session(self, delete_subs: bool = True) -> None:
        """Go, and forget what was still to be read."""
        await super().close_session(delete_subs)
        self._served.unread.forget(self.session_id)
        if self._served.history is not None:
            self._served.history.points.forget(self.session_id)

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Read attributes."""
        if not self.external:
            return await super().read(params)
        _check(params.NodesToRead, limits.NODES_PER_READ)
        return await attributes.read(params, self.sight.for_one_request())

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        """Be refused to write them."""
        if not self.external:
            return await super().write(params)
        _check(params.NodesToWrite, limits.NODES_PER_WRITE)
        return attributes.write(params, self.sight.unmade())

    async def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        """Follow references."""
        _check(params.NodesToBrowse, limits.NODES_PER_BROWSE)
        return [self._keep(*found) for found in await View(self.sight).browse(params)]

    async def browse_next(self, parameters: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        """Follow them where an answer had to stop, or say that they are not wanted any more."""
        points = parameters.ContinuationPoints or []
        if not points:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        _check(points, limits.NODES_PER_BROWSE)
        return [self._go_on(point, release=bool(parameters.ReleaseContinuationPoints)) for point in points]

    def _go_on(self, point: bytes | None, *, release: bool) -> ua.BrowseResult:
        rest = self._served.unread.take(self.session_id, point or b"")
        if rest is None:
            return ua.BrowseResult(StatusCode=wire.status(ua.StatusCodes.BadContinuationPointInvalid))
        return ua.BrowseResult() if release else self._keep(*View(self.sight).go_on(rest))

    def _keep(self, result: ua.BrowseResult, rest: Rest | None) -> ua.BrowseResult:
        if rest is not None:
            point: Any = self._served.unread.keep(self.session_id, rest)
            result.ContinuationPoint = point
        return result

    async def translate_browsepaths_to_nodeids(self, params: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        """Follow paths."""
        _check(params, limits.PATHS_PER_TRANSLATE)
        return View(self.sight).translate(params)

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Call methods."""
        _check(params, limits.METHODS_PER_CALL)
        return await self._served.methods.call(params, self.sight, self.own_methods)

    async def history_read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """Read what happened; asyncua leaves out whose question it is."""
        if self._served.history is None:
            raise ServiceError(ua.StatusCodes.BadHistoryOperationUnsupported)
        if params.ReleaseContinuationPoints:  # they are the session's own, whatever node is named with them
            return await self._served.history.read_history(params, self.session_id)
        sees = self.sees
        nodes = params.NodesToRead or []
        seen = [value for value in nodes if sees(wire.key(value.NodeId))]
        params.NodesToRead = seen
        found = iter(await self._served.history.read_history(params, self.session_id) if seen or not nodes else ())
        unknown = wire.status(ua.StatusCodes.BadNodeIdUnknown)
        return [
            next(found) if sees(wire.key(value.NodeId)) else ua.HistoryReadResult(StatusCode=unknown) for value in nodes
        ]

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        """Watch."""
        _check(params.ItemsToCreate, limits.ITEMS_PER_CALL)
        return await super().create_monitored_items(params)

    async def modify_monitored_items(
        self, params: ua.ModifyMonitoredItemsParameters
    ) -> list[ua.MonitoredItemModifyResult]:
        """Watch otherwise."""
        _check(params.ItemsToModify, limits.ITEMS_PER_CALL)
        return await super().modify_monitored_items(params)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Watch more, or less."""
        _check(params.MonitoredItemIds, limits.ITEMS_PER_CALL)
        return await super().set_monitoring_mode(params)

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Watch no longer."""
        _check(params.MonitoredItemIds, limits.ITEMS_PER_CALL)
        return await super().delete_monitored_items(params)


def _check(asked: Sized | None, most: int) -> None:
    """Refuse a request for too much as a whole, as OPC 10000-4 asks for; a null list is an empty one."""
    if len(asked or ()) > most:
        raise ServiceError(ua.StatusCodes.BadTooManyOperations)


def _no_machine(_: str) -> None:
    """Before any machine is shown."""
