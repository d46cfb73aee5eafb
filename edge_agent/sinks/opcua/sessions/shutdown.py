"""Sessions are told that the server stops, and why their connection ends (OPC 10000-5, 6.3.1 and 12.10).

asyncua closes sockets; a client cannot tell a restart from a fault, and tries again at once, with all others.

First comes what clients decide by: ServiceLevel 0, and when to come back. Then ServerStatus, whose seconds are counted
down. Subscriptions tell all of it at once, whatever their interval, and end a second before the connections do.
"""

from __future__ import annotations

import asyncio
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from asyncua import Node, ua
from asyncua.server.internal_server import InternalServer

from .session_life import sessions_of
from .subscribing import SubscribingSession

GRACE_S = 2
"""For clients to be told; none is waited for if none has a session."""
RESTART_S = 10.0
"""What a restart takes beside the agent's own start: to stop, systemd's pause, Python."""
LONGEST_START_S = 30.0
"""One that took longer waited for the clock to be set, which it is now."""
MAINTENANCE = 0
_REASON = ua.LocalizedText("edge-agent stops or restarts", "en")
_T = ua.VariantType
_STATE, _SERVICE_LEVEL, _SECONDS, _SHUTDOWN_REASON, _RETURN_TIME = 2259, 2267, 2992, 2993, 12885


async def announce(server: InternalServer, *, started_in_s: float) -> None:
    """Say that the server stops, count down, and end every subscription; it takes `GRACE_S`.

    Args:
        server: whose clients are told.
        started_in_s: how long its last start took; the next one will take as long. Whether there will be one nobody
            tells the agent: EstimatedReturnTime is when it is back if this is a restart.
    """
    sessions = [session for session in sessions_of(server) if session.carrier is not None and session.is_activated()]
    if not sessions:
        return
    subscribing = [session for session in sessions if isinstance(session, SubscribingSession)]
    back_at = expected_back(datetime.now(UTC), started_in_s=started_in_s)
    await _write(server, _SERVICE_LEVEL, ua.Variant(MAINTENANCE, _T.Byte))
    await _write(server, _RETURN_TIME, ua.Variant(back_at, _T.DateTime))
    await _write(server, _STATE, ua.Variant(ua.ServerState.Shutdown.value, _T.Int32))
    await _write(server, _SHUTDOWN_REASON, ua.Variant(_REASON, _T.LocalizedText))
    for seconds in range(GRACE_S, 0, -1):
        await _count(server, seconds)
        for session in subscribing:
            session.subscriptions.speak(session)
            if seconds == 1:
                session.subscriptions.halt(session)
        await asyncio.sleep(1)


def expected_back(now: datetime, *, started_in_s: float) -> datetime:
    """When the server is open again if it is started again, as `announce` tells it."""
    return now + timedelta(seconds=GRACE_S + RESTART_S + min(started_in_s, LONGEST_START_S))


async def _count(server: InternalServer, seconds: int) -> None:
    """Say how many are left, in the structure too; asyncua's clock writes the rest of that."""
    status: Any = copy(await server.server_status_node.read_value())
    status.State = ua.ServerState.Shutdown
    status.SecondsTillShutdown = cast("ua.UInt32", seconds)
    status.ShutdownReason = _REASON
    await server.server_status_node.write_value(status)
    await _write(server, _SECONDS, ua.Variant(seconds, _T.UInt32))


async def _write(server: InternalServer, number: int, value: ua.Variant) -> None:
    await Node(server.isession, ua.NodeId(cast("Any", number))).write_value(value)
