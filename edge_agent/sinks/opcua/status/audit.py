"""What happens at the door, as audit events of the Server object (OPC 10000-4, 6.5; OPC 10000-5, 6.4.3 to 6.4.18).

An event is made only while somebody is subscribed who may hear of it: else it costs nothing. Who has not logged in can
make things happen as fast as a socket allows, so such events have a rate; what is left out is counted, and told with
the next one.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from asyncua import ua

from ..events.base_event import SERVER, base_fields
from ..events.event_filter import Occurrence, Path
from ..monitoring.subscription import Owner
from ..monitoring.subscriptions import Subscriptions
from ..sessions.door import (
    GOOD,
    Caller,
    ChannelAsked,
    ChannelClosed,
    Ending,
    Happened,
    LogInAsked,
    Outcome,
    RequestRefused,
    SessionAsked,
    SessionEnded,
)
from ..sessions.session import Session
from ..space.nodeset import Key
from ..space.wire import node_id, status

BURST, PER_S = 100.0, 10.0
"""Events of strangers: so many at once, and in the long run so many a second."""
MOST_CERTIFICATE_BYTES = 4096
"""A certificate that is larger is told by its thumbprint only."""
SUCCESS, ENDED, REFUSED = 100, 300, 500
"""Severities."""

_CHANNEL, _OPEN_CHANNEL, _SESSION, _CREATE_SESSION, _ACTIVATE_SESSION = (
    Key(0, number) for number in (2059, 2060, 2069, 2071, 2075)
)
_MISMATCH, _EXPIRED, _INVALID, _UNTRUSTED, _REVOKED, _MISUSED = (
    Key(0, number) for number in (2082, 2085, 2086, 2087, 2088, 2089)
)
_C = ua.StatusCodes
_CERTIFICATE_TYPES: Mapping[int, Key] = {
    _C.BadCertificateTimeInvalid: _EXPIRED,
    _C.BadCertificateIssuerTimeInvalid: _EXPIRED,
    _C.BadCertificateUntrusted: _UNTRUSTED,
    _C.BadCertificateRevoked: _REVOKED,
    _C.BadCertificateIssuerRevoked: _REVOKED,
    _C.BadCertificateUseNotAllowed: _MISUSED,
    _C.BadCertificateIssuerUseNotAllowed: _MISUSED,
    _C.BadCertificateUriInvalid: _MISMATCH,
    _C.BadCertificateHostNameInvalid: _MISMATCH,
}
"""By OPC 10000-4, Table 104; every other fault makes a certificate invalid."""

_T = ua.VariantType
_Fields = Mapping[str, tuple[_T, Any]]


class Audit:
    """Listens at the door, and reports.

    Args:
        subscriptions: of all sessions.
        server_id: what this server is called, whatever its address: its ApplicationUri.
        monotonic: seconds.
    """

    def __init__(
        self, subscriptions: Subscriptions, *, server_id: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._subscriptions = subscriptions
        self._server_id = server_id
        self._monotonic = monotonic
        self._allowance = BURST
        self._refilled_at = monotonic()
        self._left_out = 0

    def note(self, happened: Happened) -> None:
        """Report it, if there is somebody to hear of it."""
        if isinstance(happened, RequestRefused) or not self._subscriptions.is_heard(node_id(SERVER), by=may_hear):
            return
        if _by_stranger(happened) and not self._allowed():
            self._left_out += 1
            return
        match happened:
            case ChannelAsked():
                self._channel_asked(happened)
            case ChannelClosed():
                fields: _Fields = {"SecureChannelId": (_T.String, happened.caller.channel_id)}
                user = "System/CloseSecureChannel"
                message = f"a secure channel from {happened.caller.address} was closed"
                self._report(_CHANNEL, "SecureChannel/CloseSecureChannel", message, happened.caller, fields, user=user)
            case SessionAsked():
                self._session_asked(happened)
            case LogInAsked():
                self._log_in_asked(happened)
            case SessionEnded():
                self._session_ended(happened)

    def _channel_asked(self, asked: ChannelAsked) -> None:
        source, user = "SecureChannel/OpenSecureChannel", "System/OpenSecureChannel"
        caller = asked.caller
        fields: dict[str, tuple[_T, Any]] = {
            "SecureChannelId": (_T.String, caller.channel_id or None),
            **_certificate(caller),
            "RequestType": (_T.Int32, int(asked.renewal)),
            "SecurityPolicyUri": (_T.String, asked.policy_uri),
            "SecurityMode": (_T.Int32, int(asked.mode)),
            "RequestedLifetime": (_T.Double, asked.lifetime_ms),
        }
        if asked.outcome.of_certificate:
            event_id = self._certificate_refused(caller, asked.outcome, user)
            fields["CertificateErrorEventId"] = (_T.ByteString, event_id)
        done = "opened" if asked.outcome.good else "refused"
        message = f"a secure channel from {caller.address} was {done}"
        self._report(_OPEN_CHANNEL, source, message, caller, fields, outcome=asked.outcome, user=user)

    def _session_asked(self, asked: SessionAsked) -> None:
        caller, user = asked.caller, "System/CreateSession"
        if asked.outcome.of_certificate:
            self._certificate_refused(caller, asked.outcome, user)
        fields: _Fields = {
            "SessionId": (_T.NodeId, asked.session_id or ua.NodeId()),
            "SecureChannelId": (_T.String, caller.channel_id),
            **_certificate(caller),
            "RevisedSessionTimeout": (_T.Double, asked.timeout_ms),
        }
        done = "created" if asked.outcome.good else "refused"
        message = f"a session from {caller.address} was {done}"
        self._report(
            _CREATE_SESSION, "Session/CreateSession", message, caller, fields, outcome=asked.outcome, user=user
        )

    def _log_in_asked(self, asked: LogInAsked) -> None:
        caller, user = asked.caller, asked.user
        token: Any = ua.AnonymousIdentityToken(PolicyId=asked.policy_id)
        if not asked.anonymous:
            token = ua.UserNameIdentityToken(PolicyId=asked.policy_id, UserName=user)
        fields: _Fields = {
            "SessionId": (_T.NodeId, asked.session_id or ua.NodeId()),
            "SecureChannelId": (_T.String, caller.channel_id),
            "ClientSoftwareCertificates": (_T.ExtensionObject, []),
            "UserIdentityToken": (_T.ExtensionObject, token),
        }
        who = "an anonymous client" if asked.anonymous else f'"{user}"' if user else "somebody"
        done = "logged in" if asked.outcome.good else "was not let in"
        message = f"{who} from {caller.address} {done}"
        self._report(
            _ACTIVATE_SESSION, "Session/ActivateSession", message, caller, fields, outcome=asked.outcome, user=user
        )

    def _session_ended(self, ended: SessionEnded) -> None:
        caller = Caller(
            address="",
            asked_at=datetime.now(UTC),
            application_uri=ended.application_uri,
            audit_entry_id=ended.audit_entry_id,
        )
        how = {Ending.CLOSED: "was closed", Ending.TIMED_OUT: "timed out", Ending.TERMINATED: "was ended"}[ended.ending]
        message = f'a session of "{ended.user}" {how}' if ended.user else f"a session {how}"
        fields: _Fields = {"SessionId": (_T.NodeId, ended.session_id)}
        severity = SUCCESS if ended.ending is Ending.CLOSED else ENDED
        source = f"Session/{ended.ending.value}"
        self._report(_SESSION, source, message, caller, fields, user=ended.user, severity=severity)

    def _certificate_refused(self, caller: Caller, outcome: Outcome, user: str) -> bytes:
        """The event's id, for the one of the service that the certificate was shown to."""
        event_type = _CERTIFICATE_TYPES.get(outcome.code, _INVALID)
        fields: dict[str, tuple[_T, Any]] = {"Certificate": (_T.ByteString, _shown(caller.certificate))}
        if event_type is _MISMATCH:
            fields |= {"InvalidHostname": (_T.String, None), "InvalidUri": (_T.String, caller.application_uri)}
        message = f"the client certificate {_thumbprint(caller.certificate)} from {caller.address} was refused"
        return self._report(event_type, "Security/Certificate", message, caller, fields, outcome=outcome, user=user)

    def _report(
        self,
        event_type: Key,
        source: str,
        message: str,
        caller: Caller,
        fields: _Fields,
        *,
        outcome: Outcome = GOOD,
        user: str | None,
        severity: int | None = None,
    ) -> bytes:
        event_id = uuid.uuid4().bytes
        because = f": {outcome.why}" if outcome.why else ""
        base = base_fields(
            event_id=event_id,
            event_type=event_type,
            source=SERVER,
            source_name=source,
            at=datetime.now(UTC),
            message=f"{message}{because}{self._confess()}",
            severity=severity or (SUCCESS if outcome.good else REFUSED),
        )
        told: _Fields = {
            "ActionTimeStamp": (_T.DateTime, caller.asked_at),
            "Status": (_T.Boolean, outcome.good),
            "ServerId": (_T.String, self._server_id),
            "ClientAuditEntryId": (_T.String, caller.audit_entry_id or _instead(caller)),
            "ClientUserId": (_T.String, user),
            "ClientApplicationUri": (_T.String, caller.application_uri or None),
            "StatusCodeId": (_T.StatusCode, status(outcome.code)),
            **fields,
        }
        all_fields = base | {_path(name): _variant(*value) for name, value in told.items()}
        occurrence = Occurrence(event_type=node_id(event_type), fields=all_fields)
        self._subscriptions.tell(occurrence, [node_id(SERVER)], to=may_hear)
        return event_id

    def _allowed(self) -> bool:
        now = self._monotonic()
        self._allowance = min(self._allowance + (now - self._refilled_at) * PER_S, BURST)
        self._refilled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _confess(self) -> str:
        left_out, self._left_out = self._left_out, 0
        return f" (and {left_out} more that strangers did before were left out)" if left_out else ""


def _instead(caller: Caller) -> str | None:
    """Of an AuditEntryId that could not be read, since the channel was not opened (OPC 10000-5, 6.4.3)."""
    return None if caller.channel_id else caller.address or None


def may_hear(owner: Owner) -> bool:
    """Is a subscription's session told what happens at the door."""
    return isinstance(owner, Session) and owner.may_audit


def _by_stranger(happened: Happened) -> bool:
    """Can anybody make this happen who reaches the port; no password is needed for it."""
    if isinstance(happened, LogInAsked):
        return not happened.outcome.good
    return not (isinstance(happened, SessionEnded) and happened.user)


def _certificate(caller: Caller) -> _Fields:
    return {
        "ClientCertificate": (_T.ByteString, _shown(caller.certificate)),
        "ClientCertificateThumbprint": (_T.String, _thumbprint(caller.certificate) or None),
    }


def _shown(certificate: bytes) -> bytes | None:
    return certificate if 0 < len(certificate) <= MOST_CERTIFICATE_BYTES else None


def _thumbprint(certificate: bytes) -> str:
    """SHA-1 in hexadecimal digits (OPC 10000-6, 6.2.2)."""
    return hashlib.sha1(certificate, usedforsecurity=False).hexdigest().upper() if certificate else ""


def _path(name: str) -> Path:
    return ((0, name),)


def _variant(kind: _T, value: Any) -> ua.Variant:  # noqa: ANN401 - whatever a Variant holds
    if value is None:
        return ua.Variant(None, _T.Null)
    return ua.Variant(value, kind, is_array=isinstance(value, list))
