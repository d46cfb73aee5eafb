"""OctoPrint (being written)."""

from __future__ import annotations

from msgspec import Struct, field

from ..secret import Secret
from ..session import Tls


class OctoPrintOptions(Struct, frozen=True, kw_only=True):
    """How to reach one OctoPrint. ``url`` has no trailing slash and no credentials in it."""

    url: str
    api_key: Secret
    tls: Tls = field(default_factory=Tls)
