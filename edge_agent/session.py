"""The one HTTP session of the agent (being written)."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Tls(Struct, frozen=True, kw_only=True):
    """How to trust one https host.

    ``fingerprint`` is the SHA-256 of the host's certificate (32 bytes): the way to trust OctoPi's self-signed one.
    ``verify`` False trusts anybody and is warned about.
    """

    ca_file: Path | None = None
    fingerprint: bytes | None = None
    verify: bool = True
