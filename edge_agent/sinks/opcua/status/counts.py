"""How many sessions, subscriptions and refusals there were: ServerDiagnosticsSummary (OPC 10000-5, 6.3.3 and 12.9).

What is counted is told at the door; what there is now is looked up, when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from asyncua import ua

from ..monitoring.diagnostics import COUNTER_WRAPS
from ..monitoring.value_item import LEAST_MADE_SAMPLING_S
from ..sessions.door import ChannelAsked, Ending, Happened, LogInAsked, RequestRefused, SessionAsked, SessionEnded
from ..sessions.inner import InnerServer
from ..sessions.session_life import sessions_of
from ..space.address_space import AddressSpace, Viewer
from ..space.nodeset import Key

_SAMPLING_MS = LEAST_MADE_SAMPLING_S * 1000.0
_SUMMARY, _ENABLED = Key(0, 2275), Key(0, 2294)
_NUMBERS: Mapping[str, int] = {
    "ServerViewCount": 2276,
    "CurrentSessionCount": 2277,
    "CumulatedSessionCount": 2278,
    "SecurityRejectedSessionCount": 2279,
    "SessionTimeoutCount": 2281,
    "SessionAbortCount": 2282,
    "PublishingIntervalCount": 2284,
    "CurrentSubscriptionCount": 2285,
    "CumulatedSubscriptionCount": 2286,
    "SecurityRejectedRequestsCount": 2287,
    "RejectedRequestsCount": 2288,
    "RejectedSessionCount": 3705,
}
_T, _C = ua.VariantType, ua.StatusCodes
_OF_SECURITY = {
    _C.BadUserAccessDenied, _C.BadUserSignatureInvalid, _C.BadApplicationSignatureInvalid, _C.BadNonceInvalid,
    _C.BadIdentityTokenInvalid, _C.BadIdentityTokenRejected, _C.BadIdentityChangeNotSupported,
    _C.BadSecurityChecksFailed, _C.BadSecurityPolicyRejected, _C.BadSecurityModeRejected,
    _C.BadSecureChannelIdInvalid, _C.BadSecureChannelTokenUnknown, _C.BadNoValidCertificates,
    *(code for name, code in vars(_C).items() if name.startswith("BadCertificate")),
}  # fmt: skip


class Counts:
    """Listens at the door, and answers what it counted."""

    def __init__(self, server: InnerServer) -> None:
        self._server = server
        self._counted = dict.fromkeys(_NUMBERS, 0)

    def show(self, space: AddressSpace) -> None:
        """Have the variables answer from now on."""
        space.state(_ENABLED, ua.Variant(True, _T.Boolean))
        readable = ua.Variant(int(ua.AccessLevel.CurrentRead.mask), _T.Byte)  # the model lets clients switch them off
        space.hold(_ENABLED, ua.DataValue(readable), ua.AttributeIds.AccessLevel)
        space.make(_SUMMARY, lambda _: _value(_structure(self._now())), sampling_ms=_SAMPLING_MS)
        for name, number in _NUMBERS.items():
            space.make(Key(0, number), partial(self._single, name), sampling_ms=_SAMPLING_MS)

    def note(self, happened: Happened) -> None:
        """Count it."""
        match happened:
            case ChannelAsked() if not happened.outcome.good:
                self._refused("RejectedRequestsCount", "SecurityRejectedRequestsCount", happened.outcome.code)
            case RequestRefused():
                self._refused("RejectedRequestsCount", "SecurityRejectedRequestsCount", happened.code)
            case SessionAsked() if happened.outcome.good:
                self._counted["CumulatedSessionCount"] += 1
            case SessionAsked() | LogInAsked() if not happened.outcome.good:
                self._refused("RejectedSessionCount", "SecurityRejectedSessionCount", happened.outcome.code)
            case SessionEnded(ending=Ending.TIMED_OUT):
                self._counted["SessionTimeoutCount"] += 1
            case SessionEnded(ending=Ending.TERMINATED):
                self._counted["SessionAbortCount"] += 1
            case _:
                pass

    def _refused(self, all_of_them: str, of_security: str, code: int) -> None:
        self._counted[all_of_them] += 1
        if code in _OF_SECURITY:
            self._counted[of_security] += 1

    def _single(self, name: str, _: Viewer) -> ua.DataValue:
        return _value(ua.Variant(self._now()[name], _T.UInt32))

    def _now(self) -> Mapping[str, int]:
        events = self._server.events
        subscriptions = events.subscriptions.values()
        found = self._counted | {
            "CurrentSessionCount": len(sessions_of(self._server)),
            "CurrentSubscriptionCount": len(subscriptions),
            "CumulatedSubscriptionCount": events.ever_made,
            "PublishingIntervalCount": len({each.terms.interval_s for each in subscriptions}),
        }
        return {name: value % COUNTER_WRAPS for name, value in found.items()}


def _structure(found: Mapping[str, int]) -> ua.Variant:
    return ua.Variant(ua.ServerDiagnosticsSummaryDataType(**cast("Any", found)), _T.ExtensionObject)


def _value(value: ua.Variant) -> ua.DataValue:
    now = cast("ua.DateTime", datetime.now(UTC))
    return ua.DataValue(value, SourceTimestamp=now, ServerTimestamp=now)
