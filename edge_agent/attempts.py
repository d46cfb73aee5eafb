"""Failed log-ins: each costs the next one time, and too many of them a pause.

They are counted per user *and* address. Whoever guesses at a user from one place locks nobody out who comes from
another, and guessing at one user does not harm another user behind the same router. Names that no user has share one
count per address, so that inventing names fills nothing. An IPv6 network of 64 bits is one address: its owner has
all of them.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 4.0
"""Shorter than a client may take to activate a session: the answer is a refusal, not a broken connection."""
FAILURES_BEFORE_LOCK = 6
FIRST_LOCK_S = 30.0
LONGEST_LOCK_S = 300.0
"""Short enough for a person who has just corrected a password to wait for."""
FORGOTTEN_AFTER_S = 3600.0
_MOST_COUNTS = 1024
_MOST_WAITING = 4
_IPV6_PREFIX = 64


@dataclass(slots=True)
class Count:
    """Failures of one user from one address."""

    failures: int = 0
    locks: int = 0
    locked_until: float = 0.0
    last_at: float = 0.0
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def delay_s(self) -> float:
        """How long the answer to the last failure is held back."""
        return float(min(FIRST_DELAY_S * 2 ** max(self.failures - 1, 0), LONGEST_DELAY_S))


class Attempts:
    """The counts; ``monotonic`` tells seconds. Their number is bounded: the one that is longest quiet goes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._counts: OrderedDict[tuple[str, str | None], Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, address: str, user: str | None) -> Count:
        """The count of a user (``None``: of all names that no user has) from an address."""
        key = (place(address), user)
        now = self._monotonic()
        found = self._counts.get(key)
        if found is None or (not found.waiting and now - found.last_at > FORGOTTEN_AFTER_S):
            found = self._counts[key] = Count(last_at=now)
            self._make_room()
        self._counts.move_to_end(key)
        return found

    def locked(self, count: Count) -> bool:
        """True during a pause."""
        return count.locked_until > self._monotonic()

    def may_wait(self, count: Count) -> bool:
        """False while as many tries wait for their turn as may."""
        return count.waiting < _MOST_WAITING

    def failed(self, count: Count) -> float | None:
        """Count a failure; seconds of the lock if it was one too many."""
        count.failures += 1
        count.last_at = self._monotonic()
        if count.failures < FAILURES_BEFORE_LOCK:
            return None
        lock_s = float(min(FIRST_LOCK_S * 2**count.locks, LONGEST_LOCK_S))
        count.locked_until = count.last_at + lock_s
        count.locks += 1
        count.failures = FAILURES_BEFORE_LOCK - 1  # after the pause there is one try, then the next pause
        return lock_s

    def forget(self, count: Count) -> None:
        """Begin anew, after a success."""
        count.failures = count.locks = 0
        count.locked_until = 0.0

    def forget_user(self, user: str) -> None:
        """Begin anew everywhere: the user has a new password."""
        for (_, name), count in self._counts.items():
            if name == user:
                self.forget(count)

    def _make_room(self) -> None:
        if len(self._counts) <= _MOST_COUNTS:
            return
        quiet = next((key for key, count in self._counts.items() if not count.waiting), None)
        if quiet is not None:
            del self._counts[quiet]


def place(address: str) -> str:
    """What of an address its owner cannot change at will."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))
