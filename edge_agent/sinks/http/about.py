"""What others tell of themselves here. A sink knows no other sink: who composes both makes one of these."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ...health import Health
from ...journal import Journal


class Endpoint(Struct, frozen=True, kw_only=True):
    """The OPC UA endpoint. ``fingerprint`` is its certificate's SHA-256 in hex; ``warning`` is loud, or empty.

    ``waits_for`` says why it is not open, empty when it is.
    """

    urls: tuple[str, ...]
    hostname: str
    waits_for: str = ""
    fingerprint: str | None = None
    anonymous: bool = False
    warning: str = ""


class About(Struct, frozen=True, kw_only=True):
    """Where to ask what the store does not hold."""

    endpoint: Callable[[], Endpoint]
    health: Health
    journal: Journal | None = None

    def complaints(self) -> list[str]:
        """Why the agent does not do its work now; empty when it does."""
        late = [str(late) for late in self.health.late()]
        waits_for = self.endpoint().waits_for
        return [f"OPC UA endpoint not open: {waits_for}", *late] if waits_for else late
