"""How many requests of each service a session was asked, and how many of them it refused (OPC 10000-5, 12.11)."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime

from asyncua import ua

_COUNT = "Count"
_TOTAL = "TotalRequestCount"
SERVICES = frozenset(
    each.name.removesuffix(_COUNT)
    for each in fields(ua.SessionDiagnosticsDataType)
    if each.name != _TOTAL and "ServiceCounterDataType" in str(each.type)
)
"""The services that SessionDiagnosticsDataType has a count of, by their names."""
_C = ua.StatusCodes
_UNAUTHORIZED = {
    _C.BadUserAccessDenied, _C.BadIdentityTokenInvalid, _C.BadIdentityTokenRejected, _C.BadIdentityChangeNotSupported,
    _C.BadSecurityChecksFailed, _C.BadApplicationSignatureInvalid, _C.BadUserSignatureInvalid,
    _C.BadSecureChannelIdInvalid, _C.BadSessionNotActivated, _C.BadSecurityModeInsufficient,
}  # fmt: skip
"""Why a whole request is refused to somebody who may not ask it."""


class RequestCounts:
    """Of one session.

    Attributes:
        total: requests of any service that named the session.
        refused: of these, those that were answered by a ServiceFault.
        unauthorized: of those, the ones whose client may not ask.
        last_at: when the last one came.
    """

    def __init__(self, *, now: datetime | None = None) -> None:
        self.total = self.refused = self.unauthorized = 0
        self.last_at = now or datetime.now(UTC)
        self._received: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def receive(self, service: str | None) -> None:
        """A request came; ``None`` if its service has no count of its own."""
        self.last_at = datetime.now(UTC)
        self.total += 1
        if service is not None:
            self._received[service] += 1

    def refuse(self, service: str | None, code: int) -> None:
        """It was answered by a ServiceFault."""
        self.refused += 1
        self.unauthorized += code in _UNAUTHORIZED
        if service is not None:
            self._refused[service] += 1

    def of(self, service: str) -> tuple[int, int]:
        """How many came, and how many of them were refused."""
        return self._received[service], self._refused[service]
