"""How much one request may ask for: told to clients in ``OperationLimits`` (OPC 10000-5, 6.3.11), and enforced here.

asyncua tells limits and enforces none, so one request could keep the only thread busy for as long as it liked.
MaxSessions, which it does not know either, is enforced here as well.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession

from .wire import status

NODES_PER_READ = 10_000
NODES_PER_WRITE = 1_000
NODES_PER_BROWSE = 1_000
REFERENCES_PER_BROWSE = 20_000
"""As many as an answer holds: without BrowseNext all come at once, and a node may have hundreds."""
PATHS_PER_TRANSLATE = 1_000
METHODS_PER_CALL = 100
ITEMS_PER_CALL = 10_000


class LimitedSession(InternalSession):
    """A session that refuses a request for too much as a whole, as OPC 10000-4 asks for."""

    async def create_session(
        self, params: ua.CreateSessionParameters, sockname: tuple[str, int] | None = None
    ) -> ua.CreateSessionResult:
        """Come in, unless the house is full: connections are limited for each listener, sessions for all of them."""
        if len(self.iserver._external_sessions) > self.iserver.max_connections:  # noqa: SLF001 - this one is in it
            raise ServiceError(ua.StatusCodes.BadTooManySessions)
        return await super().create_session(params, sockname)

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Read attributes."""
        _check(params.NodesToRead, NODES_PER_READ)
        return await super().read(params)

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        """Be refused to write them."""
        _check(params.NodesToWrite, NODES_PER_WRITE)
        return await super().write(params)

    async def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        """Follow references."""
        _check(params.NodesToBrowse, NODES_PER_BROWSE)
        results: list[ua.BrowseResult] = []
        found = 0
        for description in params.NodesToBrowse or ():
            if found >= REFERENCES_PER_BROWSE:  # a whole answer would be too long to send, which ends the connection
                results.append(ua.BrowseResult(StatusCode=status(ua.StatusCodes.BadNoContinuationPoints)))
                continue
            results += await super().browse(replace(params, NodesToBrowse=[description]))
            found += len(results[-1].References)
        return results

    async def translate_browsepaths_to_nodeids(self, params: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        """Follow paths."""
        _check(params, PATHS_PER_TRANSLATE)
        return await super().translate_browsepaths_to_nodeids(params)

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Call methods."""
        _check(params, METHODS_PER_CALL)
        return await super().call(params)

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        """Watch."""
        _check(params.ItemsToCreate, ITEMS_PER_CALL)
        return await super().create_monitored_items(params)

    async def modify_monitored_items(
        self, params: ua.ModifyMonitoredItemsParameters
    ) -> list[ua.MonitoredItemModifyResult]:
        """Watch otherwise."""
        _check(params.ItemsToModify, ITEMS_PER_CALL)
        return await super().modify_monitored_items(params)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Watch more, or less."""
        _check(params.MonitoredItemIds, ITEMS_PER_CALL)
        return await super().set_monitoring_mode(params)

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Watch no longer."""
        _check(params.MonitoredItemIds, ITEMS_PER_CALL)
        return await super().delete_monitored_items(params)


def _check(asked: Sized | None, most: int) -> None:
    """A null list is an empty one."""
    if len(asked or ()) > most:
        raise ServiceError(ua.StatusCodes.BadTooManyOperations)
