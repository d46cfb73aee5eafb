"""Who is logged in. Kept in memory only: a restart ends every session.

A browser has a random token in a cookie; here is only its hash, so that a look into this process's memory or a dump of
it lets nobody in. Each session has a second token, for its forms: a page of somebody else's can make a browser send the
cookie, but cannot read what to send with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from hmac import compare_digest

from msgspec import Struct

IDLE_S = 30 * 60.0
LONGEST_S = 12 * 3600.0
MOST = 8
_TOKEN_BYTES = 32


class Session(Struct, kw_only=True):
    """One browser. ``proof`` is what it was let in for: once that differs, it is no longer.

    ``secure``: it came by https, so its cookie is for nothing else.
    """

    key: bytes
    form_token: str
    proof: str
    since: float
    used: float
    secure: bool = False

    def sent(self, token: str) -> bool:
        """Is this the token of its forms."""
        return compare_digest(self.form_token.encode(), token.encode(errors="replace"))


class Sessions:
    """All of them. One too many ends the one that has been quiet for longest."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._all: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._all)

    def open(self, *, proof: str, secure: bool = False) -> str:
        """Begin one; the result is the token for its cookie, always a new one."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._monotonic()
        self._sweep(proof)
        while len(self._all) >= MOST:
            del self._all[min(self._all.values(), key=lambda one: one.used).key]
        key = _key(token)
        self._all[key] = Session(
            key=key,
            form_token=secrets.token_urlsafe(_TOKEN_BYTES),
            proof=proof,
            since=now,
            used=now,
            secure=secure,
        )
        return token

    def find(self, tokens: Iterable[str], *, proof: str, used: bool = True) -> Session | None:
        """The session of one of the tokens a browser sent, if it still holds; with ``used`` somebody is there."""
        self._sweep(proof)
        for token in tokens:
            found = self._all.get(_key(token))
            if found is not None:
                if used:
                    found.used = self._monotonic()
                return found
        return None

    def end(self, session: Session) -> None:
        """End one."""
        self._all.pop(session.key, None)

    def _sweep(self, proof: str) -> None:
        """End those whose time is over, or whose password is no longer the one."""
        now = self._monotonic()
        for session in list(self._all.values()):
            over = now - session.used >= IDLE_S or now - session.since >= LONGEST_S
            if over or not proof or session.proof != proof:
                self.end(session)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
