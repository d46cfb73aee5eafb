"""How many sessions, subscriptions and refusals there were: ServerDiagnosticsSummary (OPC 10000-5, 6.3.3 and 12.9).

What is counted is told at the door; what there is now is looked up. The variables are written once a second at most,
and only those that changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, cast

from asyncua import ua

from ..monitoring.subscriptions import Subscriptions
from ..sessions.door import ChannelAsked, Ending, Happened, LogInAsked, RequestRefused, SessionAsked, SessionEnded
from ..sessions.inner import InnerServer
from ..sessions.session_life import sessions_of
from ..space.address_space import AddressSpace
from ..space.nodeset import Key

EVERY_S = 1.0
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
    """Listens at the door, and keeps the variables."""

    def __init__(
        self, space: AddressSpace, server: InnerServer, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._space = space
        self._server = server
        self._monotonic = monotonic
        self._counted = dict.fromkeys(_NUMBERS, 0)
        self._shown: Mapping[str, int] = {}
        self._looked_at = monotonic()

    @property
    def _subscriptions(self) -> Subscriptions:
        return self._server.events

    def describe(self) -> None:
        """Hold the values before anybody can ask."""
        self._space.state(_ENABLED, ua.Variant(True, _T.Boolean))
        readable = ua.Variant(int(ua.AccessLevel.CurrentRead.mask), _T.Byte)  # the model lets clients switch them off
        self._space.hold(_ENABLED, ua.DataValue(readable), ua.AttributeIds.AccessLevel)
        self._shown = self._now()
        for name, value in self._shown.items():
            self._space.state(Key(0, _NUMBERS[name]), ua.Variant(value, _T.UInt32))
        self._space.state(_SUMMARY, _structure(self._shown))

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

    async def refresh(self) -> None:
        """Show what has changed. Call it often: it is cheap, and looks once a second."""
        if self._monotonic() - self._looked_at < EVERY_S:
            return
        self._looked_at = self._monotonic()
        found = self._now()
        if found == self._shown:
            return
        for name, value in found.items():
            if value != self._shown[name]:
                await self._write(Key(0, _NUMBERS[name]), ua.Variant(value, _T.UInt32))
        self._shown = found
        await self._write(_SUMMARY, _structure(found))

    def _refused(self, all_of_them: str, of_security: str, code: int) -> None:
        self._counted[all_of_them] += 1
        if code in _OF_SECURITY:
            self._counted[of_security] += 1

    def _now(self) -> Mapping[str, int]:
        subscriptions = self._subscriptions.subscriptions.values()
        return self._counted | {
            "CurrentSessionCount": len(sessions_of(self._server)),
            "CurrentSubscriptionCount": len(subscriptions),
            "CumulatedSubscriptionCount": self._subscriptions.ever_made,
            "PublishingIntervalCount": len({each.terms.interval_s for each in subscriptions}),
        }

    async def _write(self, node: Key, value: ua.Variant) -> None:
        at = cast("ua.DateTime", datetime.now(UTC))
        await self._space.write(node, ua.DataValue(value, SourceTimestamp=at))


def _structure(found: Mapping[str, int]) -> ua.Variant:
    made: Any = ua.ServerDiagnosticsSummaryDataType(**cast("Any", found))
    assert len(found) == len(fields(made))  # noqa: S101 - none is forgotten
    return ua.Variant(made, _T.ExtensionObject)
