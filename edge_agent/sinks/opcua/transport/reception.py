"""Who may come in, and how much those who are in may hold: one for all listeners.

asyncua (2.1.0) turns newcomers away once all places are taken, so 32 silent connections keep every client out; here
one that has not logged in gives way. Whoever opens most connections loses them first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol

from asyncua import ua
from asyncua.server.internal_server import InternalServer

from ..options import Limits
from ..security.users import Reader
from ..sessions.door import Door

log = logging.getLogger(__name__)

HELD_BYTES = 8 * 1024 * 1024
"""Of requests that are not complete, and of answers that are not taken, over all connections."""
MESSAGE_S = 10.0
"""For a request to come in, and for a client to take what it was sent."""
_SWEEP_S = 0.25
_POLL_S = 0.01
_TURNED_AWAY_AT_ONCE = 32
_BREATH_S = 0.002
_LONGEST_BREATH_S = 1.0
_REMINDED_AFTER_S = 60.0
_REMEMBERED = 256


class LogIn(Protocol):
    """Checks passwords."""

    async def log_in(
        self, name: str | None, password: str | None, *, address: str, encrypted: bool, again: Reader | None = None
    ) -> Reader:
        """Who it is; raises LogInRefused if nobody."""


class CheckCertificate(Protocol):
    """Checks a client's certificate."""

    def __call__(self, certificate_der: bytes, application_uri: str | None, *, address: str) -> None:
        """Raise ua.UaStatusCodeError to refuse it."""


class Guest(Protocol):
    """A connection, as far as its place and its memory go."""

    address: str
    waits_since: float | None
    """When it began to have nobody logged in; ``None`` if somebody is."""

    @property
    def held_bytes(self) -> int:
        """Of requests and answers."""

    @property
    def stuck_since(self) -> float | None:
        """When the request began that is not complete, or the answer that is not taken."""

    @property
    def expired(self) -> bool:
        """Its channel was not renewed in time."""

    def cut(self, code: int, reason: str) -> None:
        """End it, and say why."""


class Reception:
    """Knows every connection."""

    def __init__(
        self,
        server: InternalServer,
        *,
        limits: Limits,
        policies: Sequence[Any],
        users: LogIn,
        check_certificate: CheckCertificate,
        door: Door,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.server = server
        self.limits = limits
        self.policies = policies
        self.users = users
        self.check_certificate = check_certificate
        self.door = door
        self.monotonic = monotonic
        self._guests: dict[Guest, None] = {}
        self._open: set[Guest] = set()
        self._own: set[tuple[str, int]] = set()
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._long_turn = asyncio.Lock()
        self._told: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    @property
    def guests(self) -> Sequence[Guest]:
        """The oldest first."""
        return tuple(self._guests)

    @contextmanager
    def expecting(self, address: tuple[str, int]) -> Iterator[None]:
        """For so long, a connection from this socket's address is our own `loopback`: it takes nobody's place.

        Nobody else can come from there: the socket is bound, and the kernel gives no two connections the same ends.
        """
        self._own.add(address)
        try:
            yield
        finally:
            self._own.discard(address)

    def is_own(self, peer: tuple[str, int] | None) -> bool:
        """Is a connection our own."""
        return peer is not None and tuple(peer[:2]) in self._own

    def arrive(self, guest: Guest) -> bool:
        """Count a connection; false if there are so many that it is not worth an answer."""
        self._open.add(guest)
        return len(self._open) <= self.limits.max_connections + _TURNED_AWAY_AT_ONCE

    def depart(self, guest: Guest, goodbye: Coroutine[Any, Any, None] | None) -> None:
        """It is closed; what remains to be done is done without it."""
        self.leave(guest)
        self._open.discard(guest)
        if goodbye is not None:
            task = asyncio.get_running_loop().create_task(goodbye)
            self._goodbyes.add(task)
            task.add_done_callback(self._goodbyes.discard)

    async def all_gone(self, timeout_s: float) -> None:
        """Wait until every connection is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._open or self._goodbyes:  # noqa: ASYNC110 - once, when everything ends
                    await asyncio.sleep(_POLL_S)

    def admit(self, guest: Guest) -> bool:
        """Give a connection a place; false if every place is taken by somebody who has logged in."""
        if len(self._guests) >= self.limits.max_connections:
            victim = self._dispensable()
            if victim is None:
                self.complain(guest.address, "refused: all connections are in use")
                return False
            victim.cut(ua.StatusCodes.BadTcpServerTooBusy, "its place was needed, and nobody had logged in")
            self.leave(victim)
        self._guests[guest] = None
        return True

    def leave(self, guest: Guest) -> None:
        """Its place is free."""
        self._guests.pop(guest, None)

    def check_memory(self) -> None:
        """End what holds most while all together hold too much; those that have not logged in first."""
        while sum(guest.held_bytes for guest in self._guests) > HELD_BYTES:
            worst = max(self._guests, key=lambda guest: (guest.waits_since is not None, guest.held_bytes))
            worst.cut(ua.StatusCodes.BadTcpNotEnoughResources, "too much is waiting to be sent or completed")
            self.leave(worst)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """RSA takes milliseconds: one at a time, with a breath in between for those who are served already."""
        async with self._turn:
            yield
            await asyncio.sleep(_BREATH_S)

    @asynccontextmanager
    async def long_turn(self) -> AsyncIterator[None]:
        """Long requests come one at a time, and half of the time is for others."""
        async with self._long_turn:
            began = self.monotonic()
            yield
            await asyncio.sleep(min(self.monotonic() - began, _LONGEST_BREATH_S))

    async def watch(self) -> None:
        """End what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            self.sweep()

    def sweep(self) -> None:
        """End what has taken too long."""
        now = self.monotonic()
        for guest in self.guests:
            waits, stuck = guest.waits_since, guest.stuck_since
            if waits is not None and now - waits > self.limits.activation_timeout_s:
                guest.cut(ua.StatusCodes.BadTimeout, "nobody logged in in time")
            elif stuck is not None and now - stuck > MESSAGE_S:
                guest.cut(ua.StatusCodes.BadTimeout, "a message took too long")
            elif guest.expired:
                guest.cut(ua.StatusCodes.BadSecureChannelTokenUnknown, "the secure channel was not renewed")

    def complain(self, address: str, reason: str) -> None:
        """Log trouble with a client: once a minute for each address and reason, with how often it was."""
        now = self.monotonic()
        since, count = self._told.pop((address, reason), (float("-inf"), 0))
        if now - since >= _REMINDED_AFTER_S:
            more = f" (and {count} times more)" if count else ""
            log.warning("OPC UA connection from %s: %s%s", address, reason, more)
            since, count = now, -1
        self._told[address, reason] = (since, count + 1)
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    def _dispensable(self) -> Guest | None:
        """The oldest of those nobody has logged in over, of the address that has most of them."""
        waiting = [guest for guest in self._guests if guest.waits_since is not None]
        if not waiting:
            return None
        address, _ = Counter(guest.address for guest in waiting).most_common(1)[0]
        return next(guest for guest in waiting if guest.address == address)
