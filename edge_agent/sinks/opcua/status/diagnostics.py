"""What clients do here, as they may ask: the arrays of OPC 10000-5, 6.3.3 and 6.3.4, made when they are read.

Who sees what: a user that reads everything, all; a user of some MES instances, its own sessions and their
subscriptions; an anonymous client, its own session only, for all of those have the same name.

Values hold the structures as bytes. asyncua takes the field Encoding of SessionSecurityDiagnosticsDataType for a mask
of optional fields and sends a number for it; and who asks for the same array a thousand times in one Read would have it
encoded as often.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from ..monitoring.diagnostics import COUNTER_WRAPS, diagnostics
from ..monitoring.value_item import LEAST_MADE_SAMPLING_S
from ..security.users import Reader
from ..sessions.inner import InnerServer
from ..sessions.request_counts import SERVICES, RequestCounts
from ..sessions.session_life import LivingSession, sessions_of
from ..sessions.subscribing import SubscribingSession
from ..space import wire
from ..space.address_space import AddressSpace, Viewer
from ..space.attributes import bad
from ..space.nodeset import Key

SUBSCRIPTIONS, SESSIONS, SECURITY = Key(0, 2290), Key(0, 3707), Key(0, 3708)
_SESSION_ENCODING, _SECURITY_ENCODING, _SUBSCRIPTION_ENCODING = (
    wire.node_id(Key(0, number)) for number in (867, 870, 876)
)

if TYPE_CHECKING:
    String = str
    ByteString = bytes
else:  # asyncua finds an encoding by exactly these classes, and is content with values of the ones above
    String = ua.String
    ByteString = ua.ByteString


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSecurity:
    """SessionSecurityDiagnosticsDataType (OPC 10000-5, 12.12), with another name for its field Encoding."""

    SessionId: ua.NodeId
    ClientUserIdOfSession: String
    ClientUserIdHistory: list[String]
    AuthenticationMechanism: String
    WireEncoding: String
    TransportProtocol: String
    SecurityMode: ua.MessageSecurityMode
    SecurityPolicyUri: String
    ClientCertificate: ByteString


class Diagnostics:
    """Of one server."""

    def __init__(self, server: InnerServer) -> None:
        self._server = server

    def show(self, space: AddressSpace) -> None:
        """Have the three arrays answer from now on."""
        sampling_ms = LEAST_MADE_SAMPLING_S * 1000.0
        space.make(SUBSCRIPTIONS, self.subscriptions, sampling_ms=sampling_ms)
        space.make(SESSIONS, self.sessions, sampling_ms=sampling_ms)
        space.make(SECURITY, self.security, sampling_ms=sampling_ms)

    def sessions(self, viewer: Viewer) -> ua.DataValue:
        """An entry for each session."""
        of = self._watched_by()
        entries = (_session(each, *of.get(id(each), (0, 0))) for each in self._known_to(viewer))
        return _array(_SESSION_ENCODING, entries)

    def security(self, viewer: Viewer) -> ua.DataValue:
        """An entry for each session that somebody has logged in to, for those whose channel is encrypted."""
        if not any(each.session_id == viewer.session_id and each.encrypted for each in sessions_of(self._server)):
            return bad(ua.StatusCodes.BadSecurityModeInsufficient)
        entries = (_security(each) for each in self._known_to(viewer) if each.is_activated())
        return _array(_SECURITY_ENCODING, entries)

    def subscriptions(self, viewer: Viewer) -> ua.DataValue:
        """An entry for each subscription, also those that a session left behind."""
        session = self._find(viewer)
        found = self._server.events.subscriptions.values() if session is not None else ()
        entries = (
            diagnostics(each)
            for each in found
            if session is not None and (each.owner is session or _may_know(session.user, each.owner.user))
        )
        return _array(_SUBSCRIPTION_ENCODING, entries)

    def _find(self, viewer: Viewer) -> SubscribingSession | None:
        """The session that asks, as long as somebody is logged in to it."""
        for session in sessions_of(self._server):
            if session.session_id == viewer.session_id and session.is_activated():
                return session if isinstance(session, SubscribingSession) else None
        return None

    def _known_to(self, viewer: Viewer) -> list[SubscribingSession]:
        """The sessions that the one that asks may know of, the oldest first."""
        asks = self._find(viewer)
        if asks is None:
            return []
        return [
            each
            for each in sessions_of(self._server)
            if isinstance(each, SubscribingSession) and (each is asks or _may_know(asks.user, each.user))
        ]

    def _watched_by(self) -> dict[int, tuple[int, int]]:
        """How many subscriptions and items each session has."""
        found: dict[int, tuple[int, int]] = {}
        for each in self._server.events.subscriptions.values():
            subscriptions, items = found.get(id(each.owner), (0, 0))
            found[id(each.owner)] = subscriptions + 1, items + len(each.items)
        return found


def _may_know(user: object, other: object) -> bool:
    """May a user know of what another does: who reads everything may, and everybody of themselves."""
    if not isinstance(user, Reader) or user.proof is None:  # nobody, or anybody
        return False
    if user.mes_ids is None:
        return True
    return isinstance(other, Reader) and other.proof is not None and other.name == user.name


def _array(encoding: ua.NodeId, entries: Iterable[object]) -> ua.DataValue:
    now = cast("ua.DateTime", datetime.now(UTC))
    bodies = [ua.ExtensionObject(encoding, cast("ua.ByteString", struct_to_binary(each))) for each in entries]
    value = ua.Variant(bodies, ua.VariantType.ExtensionObject, is_array=True)
    return ua.DataValue(value, SourceTimestamp=now, ServerTimestamp=now)


def _session(session: SubscribingSession, subscriptions: int, items: int) -> ua.SessionDiagnosticsDataType:
    said, requests = session.introduction, session.requests
    shown: dict[str, Any] = {
        "SessionId": session.session_id,
        "ActualSessionTimeout": (session.session_timeout or 0.0) * 1000.0,
        "LocaleIds": list(session.locales),
        "MaxResponseMessageSize": session.most_response_bytes,
        "ClientLastContactTime": requests.last_at,
        "CurrentSubscriptionsCount": subscriptions,
        "CurrentMonitoredItemsCount": items,
        "CurrentPublishRequestsInQueue": session.publisher.waiting,
        "TotalRequestCount": _counter(requests.total, requests.refused),
        "UnauthorizedRequestCount": requests.unauthorized % COUNTER_WRAPS,
    }
    if said is not None:
        shown |= {
            "SessionName": said.session_name or f"session {session.session_id.Identifier!s}",
            "ClientDescription": said.client,
            "ServerUri": said.server_uri,
            "EndpointUrl": said.endpoint_url,
            "ClientConnectionTime": said.at,
        }
    return ua.SessionDiagnosticsDataType(**shown, **_counters(requests))


def _counters(requests: RequestCounts) -> dict[str, Any]:
    return {f"{service}Count": _counter(*requests.of(service)) for service in SERVICES}


def _counter(total: int, refused: int) -> ua.ServiceCounterDataType:
    return ua.ServiceCounterDataType(
        cast("ua.UInt32", total % COUNTER_WRAPS), cast("ua.UInt32", refused % COUNTER_WRAPS)
    )


def _security(session: LivingSession) -> SessionSecurity:
    named = isinstance(session.user, Reader) and session.user.proof is not None
    name, security = str(session.user.name or ""), session.security
    return SessionSecurity(
        SessionId=session.session_id,
        ClientUserIdOfSession=name,
        ClientUserIdHistory=[name],  # it stays the same: BadIdentityChangeNotSupported
        AuthenticationMechanism="UserName" if named else "Anonymous",
        WireEncoding="UA Binary",
        TransportProtocol="opc.tcp",
        SecurityMode=security.mode if security is not None else ua.MessageSecurityMode.Invalid,
        SecurityPolicyUri=session.policy_uri,
        ClientCertificate=security.certificate if security is not None else b"",
    )
