"""Pairings: OctoPrints that are being asked for a key, and those that gave one.

A key lives here, as a `Secret`, from the moment it is granted until it is written to its file or forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from msgspec.structs import replace

from ..config.url import UrlError, parse_url
from ..errors import DeactivatedUser, NoPermission, SourceError, WrongKey
from ..secret import Secret
from ..session import ClientSession, Tls
from ..sinks.http.setting_up import PAIRING_WAIT_S, Pairing, PairingState
from ..sources.octoprint import Identity, OctoPrint, OctoPrintOptions
from .appkeys import OVER_AFTER_S, POLL_EVERY_S, AppKeys, NoAppKeysError, Request, is_key

log = logging.getLogger(__name__)

NEEDED = frozenset({"STATUS"})
"""All that the agent ever uses."""

MOST_WAITING = 4
_KEPT = 16
_KEEP_S = 1800.0
_ANSWER_S = 15.0
_AFTER_FAILURE_S = 0.5


class Granted:
    """A pairing whose key can be used."""

    def __init__(self, url: str, key: Secret) -> None:
        self.url = url
        self.key = key


class Pairings:
    """At most four at a time wait for somebody, five minutes each; what came of them is kept for half an hour.

    Args:
        session: asks.
        app: what OctoPrint calls who asks; the same name gets the same key again.
        name_of: the name that an OctoPrint gives itself on the network, by url; empty if that is not known.
        tls: how an https host is trusted, by url.
        every_s: seconds between two questions for a decision.
        wait_s: seconds until it is given up.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        app: str,
        name_of: Callable[[str], str] = lambda _: "",
        tls: Callable[[str], Tls] = lambda _: Tls(),
        every_s: float = POLL_EVERY_S,
        wait_s: float = PAIRING_WAIT_S,
    ) -> None:
        self._session = session
        self._app = app
        self._name_of = name_of
        self._tls = tls
        self._every_s = every_s
        self._wait_s = wait_s
        self._pairings: dict[str, Pairing] = {}
        self._keys: dict[str, Secret] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.TimerHandle] = {}

    async def pair(self, url: str, key: str = "") -> Pairing:
        """Ask for a key, or check the one that was typed.

        Returns:
            It, waiting for somebody to press Allow, or at its end already. One that waits for the same url is returned
            again: OctoPrint takes three requests a minute.
        """
        try:
            url = parse_url(url).text
        except UrlError as error:
            return self._note(self._new(url="", state=PairingState.FAILED, reason=f"the address {error}"))
        for pairing in self._waiting():
            if pairing.url == url and not key:
                return pairing
        if len(self._waiting()) >= MOST_WAITING:
            reason = f"{MOST_WAITING} printers are being asked already; press Allow there, or cancel one"
            return self._note(self._new(url=url, state=PairingState.FAILED, reason=reason))
        pairing = self._note(self._new(url=url, state=PairingState.WAITING))
        if key.strip():
            await self._check(pairing, key.strip())
        else:
            await self._ask(pairing)
        return self._pairings.get(pairing.id, pairing)

    def pairing(self, id: str) -> Pairing | None:  # noqa: A002 - named as the field is
        """How far it is; ``None`` if there is none of this id, or no longer."""
        return self._pairings.get(id)

    def granted(self, id: str) -> Granted | None:  # noqa: A002 - as above
        """Its key, if it has been granted."""
        pairing, key = self._pairings.get(id), self._keys.get(id)
        return Granted(pairing.url, key) if pairing is not None and key is not None else None

    async def settled(self, id: str) -> Pairing | None:  # noqa: A002 - as above
        """Wait for its end."""
        task = self._tasks.get(id)
        if task is not None:
            await asyncio.wait([task])
        return self._pairings.get(id)

    async def forget(self, id: str) -> None:  # noqa: A002 - as above
        """End it, and forget its key. OctoPrint takes its own dialog away seconds later."""
        self._pairings.pop(id, None)
        self._keys.pop(id, None)
        if timer := self._ends.pop(id, None):
            timer.cancel()
        if task := self._tasks.pop(id, None):
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """End all of them."""
        for id_ in list(self._pairings):
            await self.forget(id_)

    # Inside

    def _waiting(self) -> list[Pairing]:
        return [pairing for pairing in self._pairings.values() if pairing.state is PairingState.WAITING]

    def _new(self, *, url: str, state: PairingState, reason: str = "") -> Pairing:
        return Pairing(id=secrets.token_hex(8), url=url, state=state, reason=reason)

    def _note(self, pairing: Pairing) -> Pairing:
        """Keep it as it is now; the oldest that are at their end make room."""
        self._pairings[pairing.id] = pairing
        if pairing.state is PairingState.WAITING:
            return pairing
        ended = [id_ for id_, other in self._pairings.items() if other.state is not PairingState.WAITING]
        for id_ in ended[: max(0, len(ended) - _KEPT)]:
            self._drop(id_)
        if pairing.id not in self._ends and pairing.id in self._pairings:
            loop = asyncio.get_running_loop()
            self._ends[pairing.id] = loop.call_later(_KEEP_S, self._drop, pairing.id)
        return pairing

    def _drop(self, id_: str) -> None:
        for kept in (self._pairings, self._keys, self._tasks):
            kept.pop(id_, None)
        if timer := self._ends.pop(id_, None):
            timer.cancel()

    def _end(self, id_: str, state: PairingState, reason: str) -> None:
        if pairing := self._pairings.get(id_):
            self._note(replace(pairing, state=state, reason=reason))

    async def _ask(self, pairing: Pairing) -> None:
        keys = AppKeys(self._session, url=pairing.url, tls=self._tls(pairing.url))
        try:
            async with asyncio.timeout(_ANSWER_S):
                request = await keys.request(self._app)
        except TimeoutError:
            reason = f"{pairing.url}: no answer in {_ANSWER_S:g} s; check that the host is on"
            return self._end(pairing.id, PairingState.FAILED, reason)
        except (NoAppKeysError, SourceError) as error:
            return self._end(pairing.id, PairingState.FAILED, str(error))
        if pairing.id in self._pairings:  # nobody has cancelled it meanwhile
            self._note(replace(pairing, dialog_url=request.dialog_url))
            self._tasks[pairing.id] = asyncio.create_task(
                self._wait(pairing, keys, request), name=f"pairing with {pairing.url}"
            )
        return None

    async def _wait(self, pairing: Pairing, keys: AppKeys, request: Request) -> None:
        try:
            decided = await self._decided(keys, request)
            if isinstance(decided, Secret):
                await self._check(pairing, decided.reveal())
            else:
                self._end(pairing.id, *decided)
        except Exception:
            log.exception("a bug of the agent while it waited for a key of %s", pairing.url)
            self._end(pairing.id, PairingState.FAILED, "a bug of the agent; its log has the details: please report it")

    async def _decided(self, keys: AppKeys, request: Request) -> Secret | tuple[PairingState, str]:
        """The key, or why there is none."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._wait_s
        heard, failed = loop.time(), False
        while loop.time() < end:
            await asyncio.sleep(min(_AFTER_FAILURE_S, self._every_s) if failed else self._every_s)
            asked = loop.time()
            try:
                async with asyncio.timeout(OVER_AFTER_S):
                    decision = await keys.decision(request)
            except (SourceError, TimeoutError):
                failed = True
                continue  # if it lasts, OctoPrint has forgotten the request, and the next answer says so
            if isinstance(decision, Secret):
                return decision
            if not decision:
                return _refusal(unheard_s=asked - heard)
            heard, failed = loop.time(), False
        text = (
            f"nobody has pressed Allow within {self._wait_s / 60:g} minutes; ask again, and press it in OctoPrint then"
        )
        return PairingState.EXPIRED, text

    async def _check(self, pairing: Pairing, text: str) -> None:
        """See whose key it is, and whether it is enough."""
        if not is_key(text):
            reason = "this is no API key: it holds a character that no key has; copy it again"
            return self._end(pairing.id, PairingState.FAILED, reason)
        key = Secret(text)
        options = OctoPrintOptions(url=pairing.url, api_key=key, tls=self._tls(pairing.url))
        loop = asyncio.get_running_loop()
        source = OctoPrint(options, session=self._session, now=lambda: datetime.now(UTC), monotonic=loop.time)
        try:
            async with asyncio.timeout(_ANSWER_S):
                identity = await source.identify()
                await source.fetch()
        except TimeoutError:
            reason = f"{pairing.url}: no answer in {_ANSWER_S:g} s; check that the host is on"
            return self._end(pairing.id, PairingState.FAILED, reason)
        except SourceError as error:
            return self._end(pairing.id, PairingState.FAILED, _why(error, pairing.url))
        if pairing.id in self._pairings:
            self._keys[pairing.id] = key
            self._note(self._told(self._pairings[pairing.id], identity))
        return None

    def _told(self, pairing: Pairing, identity: Identity) -> Pairing:
        return replace(
            pairing,
            state=PairingState.GRANTED,
            version=identity.version,
            user=identity.user or "",
            name=self._name_of(pairing.url) or identity.profile_name or "",
            permissions=tuple(sorted(identity.permissions)),
            more_than_needed=_more(identity.permissions),
        )


def _more(permissions: Iterable[str]) -> bool:
    return not NEEDED.issuperset(permissions)


def _refusal(*, unheard_s: float) -> tuple[PairingState, str]:
    """A denial and an end look alike; who has asked all the time was denied."""
    if unheard_s < OVER_AFTER_S:
        return PairingState.DENIED, "somebody has pressed Deny in OctoPrint; ask again if that was a mistake"
    return (
        PairingState.EXPIRED,
        f"OctoPrint could not be reached for {unheard_s:.0f} s and has forgotten the request; ask again",
    )


def _why(error: SourceError, url: str) -> str:
    """The sentences of a machine's page speak of a key that is in a file already; here it is new."""
    if isinstance(error, WrongKey):
        return f"{url}: OctoPrint does not know this key; copy it again, or ask for one"
    if isinstance(error, NoPermission):
        return f"{error}; then ask again"
    if isinstance(error, DeactivatedUser):
        return f"{error}, or take another user's key"
    return str(error)
