"""What happens at the door: who opens channels and sessions, who is refused and why, how sessions end.

`transport` and `session_life` tell it here, and do not know who listens: `status` counts it, and reports
audit events. Nothing here holds a password. What a stranger wrote is cut to a length before it gets here.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from datetime import datetime

from asyncua import ua
from msgspec import Struct

log = logging.getLogger(__name__)


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks, as far as it is known then.

    Attributes:
        address: the host, without its port.
        channel_id: of the secure channel; empty before it is open.
        certificate: the client's, DER, without its issuers; empty without security.
        application_uri: as the client says it is called.
        audit_entry_id: what the client calls its request in its own audit trail.
        asked_at: the request was read.
    """

    address: str
    asked_at: datetime
    channel_id: str = ""
    certificate: bytes = b""
    application_uri: str = ""
    audit_entry_id: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """How a request ended.

    Attributes:
        code: the exact status code, which may say more than the client was told; 0 is Good.
        why: it was refused, for people; empty if it was not.
        of_certificate: the client's certificate is why.
    """

    code: int = 0
    why: str = ""
    of_certificate: bool = False

    @property
    def good(self) -> bool:
        """It was not refused."""
        return self.code == 0


GOOD = Outcome()


class ChannelAsked(Struct, frozen=True, kw_only=True):
    """OpenSecureChannel; that an open one was renewed is not told."""

    caller: Caller
    outcome: Outcome
    renewal: bool
    policy_uri: str
    mode: ua.MessageSecurityMode
    lifetime_ms: float


class ChannelClosed(Struct, frozen=True, kw_only=True):
    """CloseSecureChannel."""

    caller: Caller


class SessionAsked(Struct, frozen=True, kw_only=True):
    """CreateSession; there is no ``session_id`` of one that was refused."""

    caller: Caller
    outcome: Outcome
    session_id: ua.NodeId | None = None
    timeout_ms: float = 0.0


class LogInAsked(Struct, frozen=True, kw_only=True):
    """ActivateSession.

    Attributes:
        user: the name; ``None`` for an anonymous client, and for a name that no user has: it may be a password.
        anonymous: nobody was named.
        policy_id: the user token policy that was chosen.
        session_id: ``None`` if there is no such session.
    """

    caller: Caller
    outcome: Outcome
    user: str | None
    anonymous: bool
    policy_id: str
    session_id: ua.NodeId | None


class Ending(enum.Enum):
    """How a session ended; the value is what audit events call it (OPC 10000-4, 6.5.6)."""

    CLOSED = "CloseSession"
    TIMED_OUT = "Timeout"
    TERMINATED = "Terminated"


class SessionEnded(Struct, frozen=True, kw_only=True):
    """A session is over; ``user`` is ``None`` if nobody with a name had logged in."""

    session_id: ua.NodeId
    user: str | None
    application_uri: str
    ending: Ending
    audit_entry_id: str = ""


class RequestRefused(Struct, frozen=True, kw_only=True):
    """Any request was answered by a ServiceFault with this status code."""

    code: int


Happened = ChannelAsked | ChannelClosed | SessionAsked | LogInAsked | SessionEnded | RequestRefused
Listener = Callable[[Happened], None]


class Door:
    """Where it is told; of listeners, one that fails keeps no other from hearing."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have everything told to one more, from now on."""
        self._listeners.append(listener)

    def tell(self, happened: Happened) -> None:
        """Tell everybody, at once."""
        for listener in self._listeners:
            try:
                listener(happened)
            except Exception:
                log.exception("what happened at the door could not be taken note of")
