"""A text that must not be shown.

Keys and passwords travel as ``Secret`` from the file they are read from to the one call that needs them.
"""

from __future__ import annotations

import hashlib
import hmac


class Secret:
    """A secret text whose ``str``, ``repr`` and format show only its fingerprint."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself; call it only where it is handed to the protocol that asks for it."""
        return self._text

    @property
    def fingerprint(self) -> str:
        """First 8 hex digits of the SHA-256: enough to compare two, too little to find either."""
        return hashlib.sha256(self._text.encode()).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"Secret({self.fingerprint})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written anywhere by accident: use reveal()")
