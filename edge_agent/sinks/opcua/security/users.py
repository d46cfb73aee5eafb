"""Who may log in, and what they may see.

``mes-<id>`` for each mes_id of a machine, with a password of the agent's making, sees that MES instance's machines;
users of ``opcua.users`` see all. Nobody is an administrator, whatever the name.

A password that has got in once since the start is known by a keyed digest, so the slow hash is paid once per user: a
MES that connects again gets in at once while somebody else guesses. One hash is computed at a time, in a thread of
its own, so that guessing takes neither memory nor the event loop.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from asyncua.crypto.permission_rules import User, UserRole
from msgspec import Struct

from ....attempts import Attempts, Count
from ....errors import UnavailableError
from ....passwords import matches
from ..options import OpcUaOptions
from .credentials import Credentials
from .names import ANONYMOUS, mes_user

log = logging.getLogger(__name__)

REFUSAL_DELAY_S = 1.0
_LOCKED = "log-ins are refused for a while: too many wrong passwords"
_LONGEST_PASSWORD = 1024


class LogInRefused(Exception):
    """Why somebody is not let in: for those who watch the door, not for who stands before it.

    Attributes:
        known: the name is a user's. Any other may be anything, a password too, and is told nobody.
    """

    def __init__(self, why: str, *, known: bool = False) -> None:
        super().__init__(why)
        self.known = known


@dataclass
class Reader(User):
    """Somebody who got in.

    Attributes:
        mes_ids: sees the machines of these MES instances; ``None`` sees all.
        proof: what the log-in was checked against; once it differs, the session is no longer entitled.
    """

    role: UserRole = UserRole.User
    mes_ids: frozenset[int] | None = None
    proof: object = field(default=None, repr=False)


class _Account(Struct, frozen=True, kw_only=True):
    """One user: a ``digest`` of the password if it is known, else its slow ``hash``."""

    mes_ids: frozenset[int] | None
    digest: bytes | None = None
    hash: str = ""

    @property
    def proof(self) -> object:
        """The same as long as the password is."""
        return self.hash or self.digest


class Users:
    """Checks log-ins.

    Args:
        options: asked at each log-in, so that a reloaded file counts from the next one on.
        credentials: the generated passwords; ``None`` if there are none to be.
        monotonic: seconds for delays and locks; by default the event loop's.
    """

    def __init__(
        self,
        options: Callable[[], OpcUaOptions],
        *,
        credentials: Credentials | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._options = options
        self._credentials = credentials
        self._attempts = Attempts(monotonic or (lambda: asyncio.get_running_loop().time()))
        self._key = secrets.token_bytes(32)
        self._digests: dict[str, tuple[str, bytes]] = {}
        self._proofs: dict[str, object] = {}
        self._last_hashes: dict[str, str] = {}
        self._complaint = ""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    def names(self) -> frozenset[str]:
        """Everybody who may log in now; those who need no name are one."""
        options = self._options()
        unnamed = [ANONYMOUS] if options.anonymous else []
        return frozenset((*unnamed, *(user.name for user in options.users), *map(mes_user, options.mes_ids)))

    def sight(self) -> dict[str, frozenset[int] | None]:
        """Everybody who has a name, and the MES instances whose machines they see; ``None`` sees all."""
        options = self._options()
        seen: dict[str, frozenset[int] | None] = {mes_user(each): frozenset({each}) for each in sorted(options.mes_ids)}
        return seen | {user.name: None for user in options.users}

    async def prepare(self) -> None:
        """Make the passwords of new MES instances.

        Raises:
            UnavailableError: the files cannot be read or written.
        """
        names = [mes_user(mes_id) for mes_id in sorted(self._options().mes_ids)]
        if self._credentials is None or not names:
            return
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._thread, self._credentials.make_missing, names)
        if made:
            log.info('made passwords for %s; "edge-agent credentials" prints them', ", ".join(made))

    async def log_in(
        self, name: str | None, password: str | None, *, address: str, encrypted: bool, again: Reader | None = None
    ) -> Reader:
        """The reader behind a name and password; a refusal takes its time.

        Args:
            name: ``None`` for an anonymous client.
            password: as it was sent.
            address: the client's host, without its port.
            encrypted: the channel is; a password is refused on any other.
            again: the reader of the activated session that asks to be activated again. Its own user is never locked
                out of it.

        Raises:
            LogInRefused: they are not a user's.
        """
        if name is None:
            return self._anonymous()
        account = self._accounts().get(name)
        if not encrypted:
            raise LogInRefused("the password came over a channel without encryption", known=account is not None)
        known = name if account else None
        if account and again is not None and again.name == name:
            reader = await self._check(name, account, password or "")
            await asyncio.sleep(0 if reader else REFUSAL_DELAY_S)
            return _let_in(reader, known)
        count = self._attempts.count(address, known)
        if self._attempts.locked(count) or not self._attempts.may_wait(count):
            why = _LOCKED if self._attempts.locked(count) else "too many tries at once"
            await asyncio.sleep(REFUSAL_DELAY_S)
            raise LogInRefused(why, known=account is not None)
        count.waiting += 1
        try:
            async with count.turn:
                return await self._try(count, known, account, password or "", address)
        finally:
            count.waiting -= 1

    def entitled(self, reader: Reader) -> bool:
        """False once the session of a reader should end: its user or password is gone, or anonymous is off."""
        if reader.proof is None:
            return self._options().anonymous
        account = self._accounts().get(reader.name or "")
        return account is not None and account.proof == reader.proof

    def close(self) -> None:
        """No more log-ins."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _try(
        self, count: Count, name: str | None, account: _Account | None, password: str, address: str
    ) -> Reader:
        """Counted as a failure first: who hangs up while it is checked, has tried."""
        if self._attempts.locked(count):
            raise LogInRefused(_LOCKED, known=name is not None)  # by those who were before it in the queue
        lock_s = self._attempts.failed(count)
        try:
            reader = await self._check(name, account, password) if name and account else None
        except asyncio.CancelledError:
            _tell(name, address, lock_s)
            raise
        if reader is not None:
            self._attempts.forget(count)
            return reader
        _tell(name, address, lock_s)
        await asyncio.sleep(count.delay_s())
        return _let_in(None, name)

    async def _check(self, name: str, account: _Account, password: str) -> Reader | None:
        if len(password) > _LONGEST_PASSWORD:
            return None
        digest = self._digest(password)
        if account.digest is not None:
            good = hmac.compare_digest(account.digest, digest)
        else:
            loop = asyncio.get_running_loop()
            good = await loop.run_in_executor(self._thread, matches, password, account.hash)
            if good:
                self._digests[name] = (account.hash, digest)
        return Reader(name=name, mes_ids=account.mes_ids, proof=account.proof) if good else None

    def _anonymous(self) -> Reader:
        if not self._options().anonymous:
            raise LogInRefused("nobody is let in without a name")
        return Reader(name=ANONYMOUS)

    def _accounts(self) -> dict[str, _Account]:
        """Everybody who may log in now."""
        options = self._options()
        hashes = self._hashes() if options.mes_ids else {}
        found: dict[str, _Account] = {}
        for mes_id in options.mes_ids:
            name = mes_user(mes_id)
            if kept := hashes.get(name):
                hashed, digest = self._digests.get(name, ("", b""))
                digest_now = digest if hashed == kept else None
                found[name] = _Account(mes_ids=frozenset({mes_id}), digest=digest_now, hash=kept)
        for user in options.users:
            found[user.name] = _Account(mes_ids=None, digest=self._digest(user.password.reveal()))
        self._forgive(found)
        return found

    def _forgive(self, accounts: dict[str, _Account]) -> None:
        """Whoever has a new password begins without the failures of the old one."""
        proofs = {name: account.proof for name, account in accounts.items()}
        if proofs == self._proofs:
            return
        for name in self._proofs.keys() | proofs.keys():
            if self._proofs.get(name) != proofs.get(name):
                self._attempts.forget_user(name)
        self._proofs = proofs

    def _hashes(self) -> dict[str, str]:
        """The file as it is now; while it cannot be used, as it was last, and the log says so once."""
        if self._credentials is None:
            return {}
        try:
            self._last_hashes = self._credentials.hashes()
            self._complaint = ""
        except UnavailableError as error:
            if str(error) != self._complaint:
                log.error("new passwords are not taken over: %s", error)  # noqa: TRY400 - the text says it all
            self._complaint = str(error)
        return self._last_hashes

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode(errors="surrogatepass"), "sha256")


def _let_in(reader: Reader | None, name: str | None) -> Reader:
    if reader is None:
        raise LogInRefused("wrong password" if name else "no such user", known=name is not None)
    return reader


def _tell(name: str | None, address: str, lock_s: float | None) -> None:
    """One line per lock, not per try; a name that no user has may be anything, a password too."""
    if lock_s is not None:
        who = f'"{name}"' if name else "unknown users"
        log.warning("log-ins of %s from %s are refused for %g s: too many wrong passwords", who, address, lock_s)
