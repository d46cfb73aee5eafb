"""Who may change something: the admin's password, and how often it may be guessed.

Wrong passwords are counted for each address, as the OPC UA endpoint counts them (`attempts`), and in all: whoever has
many addresses does not get many more tries. Addresses that got in before are not asked to share those. One slow hash
is computed at a time, in a thread of its own, and few wait for it.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ...admin import Admin, AdminRefused, AlreadySet, TooLate, Unfit
from ...attempts import Attempts, Count, place
from ...secret import Secret
from .sessions import Session, Sessions

log = logging.getLogger(__name__)

_WHO = "admin"
_MOST_WAITING = 8
_TRIES, _TRY_EVERY_S = 20, 3.0
_MOST_KNOWN = 64

T = TypeVar("T")


class Why(enum.Enum):
    """Why somebody is not let in, or a password is not taken."""

    WRONG = "wrong"
    LOCKED = "locked"
    BUSY = "busy"
    NOT_SET = "not set"
    UNFIT = "unfit"
    ALREADY_SET = "already set"
    TOO_LATE = "too late"


class Refused(Exception):
    """What was asked for is not done."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Budget:
    """So many tries at once, and one more after each while."""

    def __init__(self, monotonic: Callable[[], float], *, tries: int = _TRIES, every_s: float = _TRY_EVERY_S) -> None:
        self._monotonic = monotonic
        self._most = tries
        self._every_s = every_s
        self._left = float(tries)
        self._at = monotonic()

    def take(self) -> bool:
        """Take one, if there is one."""
        now = self._monotonic()
        self._left = min(self._most, self._left + (now - self._at) / self._every_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Access:
    """The door. ``admin`` holds the password, and the clock.

    Raises:
        UnavailableError: by every method that asks for the password, if its file cannot be used.
    """

    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self.sessions = Sessions(admin.monotonic)
        self._attempts = Attempts(admin.monotonic)
        self._budget = Budget(admin.monotonic)
        self._known: dict[str, None] = {}
        self._waiting = 0
        self._proof = ""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="admin password")

    def session(self, tokens: Iterable[str], *, used: bool = True) -> Session | None:
        """The session of a request that sent these tokens; not ``used`` by what a page asks for by itself."""
        return self.sessions.find(tokens, proof=self.admin.proof, used=used)

    async def log_in(self, password: Secret, *, address: str, secure: bool) -> str:
        """Begin a session; the result is the token for its cookie.

        Args:
            password: as typed.
            address: it came from, without port.
            secure: by https.

        Raises:
            Refused: the password is wrong, or was not even looked at.
        """
        proof = self.admin.proof
        await self._prove(password, address)
        self._remember(address)
        log.info("somebody at %s logged in to change something", address)
        return self.sessions.open(proof=proof, secure=secure)

    async def set_first(self, password: Secret, *, address: str, secure: bool) -> str:
        """Set the first password, and begin a session with it.

        Raises:
            Refused: it is not done.
        """
        self._check_time()
        proof = await self._set(lambda: self.admin.set_first(password))
        log.warning("the admin password of the status page was set from %s", address)
        self._remember(address)
        return self.sessions.open(proof=proof, secure=secure)

    async def change(self, session: Session, old: Secret, new: Secret, *, address: str) -> str:
        """Replace the password: every session ends, and whoever did it has a new one.

        Raises:
            Refused: it is not done.
        """
        await self._prove(old, address)
        proof = await self._set(lambda: self.admin.change(new, proof=session.proof))
        log.warning("the admin password of the status page was changed from %s", address)
        return self.sessions.open(proof=proof, secure=session.secure)  # which ends those of the old one

    def close(self) -> None:
        """No more log-ins."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _check_time(self) -> None:
        """Cheaply, before anything costly is done for somebody unknown."""
        if self.admin.proof:
            raise Refused(Why.ALREADY_SET)
        if not self.admin.first_use_s:
            raise Refused(Why.TOO_LATE)

    async def _set(self, act: Callable[[], str]) -> str:
        try:
            return await self._in_thread(act)
        except AlreadySet:
            raise Refused(Why.ALREADY_SET) from None
        except TooLate:
            raise Refused(Why.TOO_LATE) from None
        except Unfit:
            raise Refused(Why.UNFIT) from None
        except AdminRefused:
            raise Refused(Why.BUSY) from None

    async def _prove(self, password: Secret, address: str) -> None:
        """Let a right password through, and count a wrong one."""
        self._forgive()
        count = self._attempts.count(address, _WHO)
        if self._attempts.locked(count):
            raise Refused(Why.LOCKED)
        if not self._attempts.may_wait(count) or not (place(address) in self._known or self._budget.take()):
            raise Refused(Why.BUSY)
        count.waiting += 1
        try:
            async with count.turn:
                await self._try(count, password, address)
        finally:
            count.waiting -= 1

    async def _try(self, count: Count, password: Secret, address: str) -> None:
        """Counted as a failure first: who hangs up while it is checked, has tried."""
        if self._attempts.locked(count):
            raise Refused(Why.LOCKED)  # by those who were before it in the queue
        lock_s = self._attempts.failed(count)
        right = False
        try:
            right = await self._in_thread(lambda: self.admin.knows(password))
        finally:
            if lock_s is not None and not right:
                log.warning("admin log-ins from %s are refused for %g s: too many wrong passwords", address, lock_s)
        if not right:
            await asyncio.sleep(count.delay_s())
            raise Refused(Why.WRONG)
        self._attempts.forget(count)

    def _forgive(self) -> None:
        """After a new password nobody bears the failures of the old one."""
        proof = self.admin.proof
        if proof != self._proof:
            self._attempts.forget_user(_WHO)
        self._proof = proof

    def _remember(self, address: str) -> None:
        where = place(address)
        self._known.pop(where, None)
        self._known[where] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    async def _in_thread(self, act: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Refused(Why.BUSY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, act)
        finally:
            self._waiting -= 1
