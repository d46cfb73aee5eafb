"""Keys and signatures as signify makes them: OpenBSD's format, Ed25519."""

from __future__ import annotations

import base64
import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_KIND = b"Ed"


class Signer:
    """A pair of keys, made when asked for."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._number = os.urandom(8)

    @property
    def public(self) -> bytes:
        """``update.pub``."""
        return _file("a test's public key", _KIND + self._number + self._key.public_key().public_bytes_raw())

    def sign(self, content: bytes) -> bytes:
        """The file beside the archive."""
        return _file("a test's signature", _KIND + self._number + self._key.sign(content))


def _file(comment: str, content: bytes) -> bytes:
    return f"untrusted comment: {comment}\n".encode() + base64.b64encode(content) + b"\n"
