"""Sessions are told that the server stops, and why their connection ends (OPC 10000-5, 12.10).

asyncua closes sockets; a client cannot tell a restart from a fault, and tries again at once, with all others.
"""

from __future__ import annotations

import asyncio
from copy import copy
from typing import Any, cast

from asyncua import Node, ua
from asyncua.server.internal_server import InternalServer

from .session_life import sessions_of
from .subscribing import SubscribingSession

GRACE_S = 1.0
"""For clients to be told; none is waited for if none has a session."""
_REASON = ua.LocalizedText("edge-agent stops or restarts", "en")
_STATE, _SECONDS, _SHUTDOWN_REASON = 2259, 2992, 2993


async def announce(server: InternalServer) -> None:
    """Say in ServerStatus that the server stops, and to every subscription that it has ended; then wait a moment."""
    sessions = [session for session in sessions_of(server) if session.carrier is not None and session.is_activated()]
    if not sessions:
        return
    await _say_so(server)
    for session in sessions:
        if isinstance(session, SubscribingSession):
            _end_subscriptions(session)
    await asyncio.sleep(GRACE_S)


def _end_subscriptions(session: SubscribingSession) -> None:
    subscriptions = session.subscriptions.subscriptions.values()
    for subscription in tuple(subscriptions):
        if subscription.session_id == session.session_id:
            session.publisher.notify(subscription.farewell(ua.StatusCodes.BadShutdown))
    session.publisher.dismiss(ua.StatusCodes.BadServerHalted)


async def _say_so(server: InternalServer) -> None:
    status: Any = copy(await server.server_status_node.read_value())
    status.State = ua.ServerState.Shutdown
    status.SecondsTillShutdown = cast("ua.UInt32", round(GRACE_S))
    status.ShutdownReason = _REASON
    await server.server_status_node.write_value(status)
    told = {
        _STATE: ua.Variant(ua.ServerState.Shutdown.value, ua.VariantType.Int32),
        _SECONDS: ua.Variant(status.SecondsTillShutdown, ua.VariantType.UInt32),
        _SHUTDOWN_REASON: ua.Variant(_REASON, ua.VariantType.LocalizedText),
    }
    for number, value in told.items():
        await Node(server.isession, ua.NodeId(cast("Any", number))).write_value(value)
