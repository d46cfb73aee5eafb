"""The source: which questions, in which order, and what their failures mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct, field

from ...errors import (
    DeactivatedUser,
    Failure,
    NoPermission,
    ServerFault,
    SourceError,
    Starting,
    UnexpectedAnswer,
    Unreachable,
    WrongKey,
    WrongTarget,
)
from ...model import Snapshot
from ...secret import Secret
from ...session import Answer, ClientSession, HttpHost, Tls
from .meaning import Identity, is_operational, lookalike, plain, profile_name, to_snapshot
from .wire import CONNECTION, JOB, PRINTER, USER, VERSION, JobAnswer, PrinterAnswer, UserAnswer, decode

IDENTIFY_EVERY_S = 60.0
PRINTER_PATH = "/api/printer?history=true&limit=1"
_MOST_PERMISSIONS = 200
_REDIRECTS = {301, 302, 303, 307, 308}


class OctoPrintOptions(Struct, frozen=True, kw_only=True):
    """How to reach one OctoPrint. ``url`` has no trailing slash and no credentials in it."""

    url: str
    api_key: Secret
    tls: Tls = field(default_factory=Tls)


class OctoPrint:
    """One OctoPrint: `fetch` costs 2 requests while the printer is operational and 1 while it is not.

    About once a minute, and after any failure, 2 more ask who answers.
    """

    def __init__(
        self,
        options: OctoPrintOptions,
        *,
        session: ClientSession,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        headers = {"X-Api-Key": options.api_key.reveal()}
        self._host = HttpHost(session, url=options.url, headers=headers, tls=options.tls)
        self._url = options.url
        self._now = now
        self._monotonic = monotonic
        self._user = UserAnswer()
        self._user_known = False
        self._identity: Identity | None = None
        self._identified_at = -math.inf

    async def fetch(self) -> Snapshot:
        """One cycle.

        Raises:
            SourceError: see the family; a fault of the printer and a printer that is off are snapshots, not errors.
        """
        try:
            identity = await self._identify()
            answer, job = await self._job()
            printer = None
            if is_operational(job.state or ""):
                printer = await self._printer()
                if printer is None:
                    answer, job = await self._job()
        except BaseException:
            self._identified_at = -math.inf  # whoever answers next may be another version
            self._host.forget_habits()
            raise
        return to_snapshot(job, printer, identity, observed_at=self._now(), response_time_s=answer.elapsed_s)

    async def identify(self) -> Identity:
        """Who answers, whose key we hold; for a probe. Raises as `fetch` does."""
        self._identified_at = -math.inf
        return await self._identify()

    async def _identify(self) -> Identity:
        if self._identity is not None and self._monotonic() - self._identified_at < IDENTIFY_EVERY_S:
            return self._identity
        version = decode(VERSION, (await self._get("/api/version")).body, "/api/version")
        reason = lookalike(version)
        if reason:
            raise WrongTarget(f"{self._url}: {reason}; use the address of an OctoPrint, or remove this machine")
        name = plain(version.text or f"OctoPrint {version.server}").strip()
        if self._identity is not None and self._identity.version != name:
            self._host.forget_habits()
        if not self._user_known:
            self._user = await self._whose_key()
            self._user_known = True
        self._identity = Identity(
            version=name,
            profile_name=await self._profile_name(),
            user=self._user.name,
            permissions=tuple(plain(name) for name in (self._user.permissions or ())[:_MOST_PERMISSIONS]),
        )
        self._identified_at = self._monotonic()
        return self._identity

    async def _profile_name(self) -> str | None:
        answer = await self._host.get("/api/connection")
        try:
            return profile_name(decode(CONNECTION, answer.body, "/api/connection")) if answer.status == 200 else None
        except UnexpectedAnswer:
            return None  # a name is not worth a machine's status

    async def _whose_key(self) -> UserAnswer:
        answer = await self._host.get("/api/currentuser")
        known = answer.status == 200 and answer.is_json
        return decode(USER, answer.body, "/api/currentuser") if known else UserAnswer()

    async def _job(self) -> tuple[Answer, JobAnswer]:
        answer = await self._get("/api/job")
        job = decode(JOB, answer.body, "/api/job")
        if job.state is None:
            raise UnexpectedAnswer(f"{self._url}: /api/job tells no state, which every OctoPrint does; check url")
        return answer, job

    async def _printer(self) -> PrinterAnswer | None:
        answer = await self._get(PRINTER_PATH, also=409)
        return None if answer.status == 409 else decode(PRINTER, answer.body, "/api/printer")

    async def _get(self, path: str, *, also: int = 200) -> Answer:
        """GET a path that every OctoPrint has; ``also`` is one more status that is an answer here."""
        answer = await self._host.get(path)
        if answer.status == 200 and not answer.is_json:
            raise self._not_json(answer)
        if answer.status in {200, also}:
            return answer
        if answer.status in {401, 403}:
            self._user_known = False
            raise await self._refusal(answer)
        raise self._wrong_status(answer, path)

    def _not_json(self, answer: Answer) -> SourceError:
        if b"still starting" in answer.body:
            return Starting(f"{self._url}: OctoPrint is still starting; it will be asked again")
        return WrongTarget(f"{self._url}: a web page answers where OctoPrint's API should; check url and its path")

    def _wrong_status(self, answer: Answer, path: str) -> SourceError:
        status, url = answer.status, self._url
        if status in _REDIRECTS:
            return WrongTarget(
                f"{url}: redirects elsewhere, which is not followed; put the final address in url", Failure.REDIRECTED
            )
        if status == 404:
            return WrongTarget(f"{url}: has no {path.partition('?')[0]}; check that url is OctoPrint's, with its path")
        if status == 429:
            return Unreachable(f"{url}: asks us to slow down (429); it will be asked again later", Failure.BUSY)
        if 500 <= status < 600:
            return ServerFault(f"{url}: OctoPrint answers {status}, an error of its own; see octoprint.log there")
        return UnexpectedAnswer(f"{url}: answers {status} to {path.partition('?')[0]}, which no OctoPrint does")

    async def _refusal(self, refused: Answer) -> SourceError:
        """A 403 has one text for all reasons: ask /api/currentuser for the reason."""
        wrong_key = WrongKey(f"{self._url}: OctoPrint does not know the API key; put a valid one in the secret file")
        if refused.status == 401:
            return wrong_key
        user = await self._whose_key()
        if user.name is None:
            return wrong_key
        name = plain(user.name)
        if {"STATUS", "ADMIN"}.intersection(user.permissions or ()):
            return DeactivatedUser(
                f"{self._url}: the key's user {name!r} is deactivated; activate it in OctoPrint's access control"
            )
        return NoPermission(
            f"{self._url}: the key's user {name!r} lacks the STATUS permission; grant it in OctoPrint's access control"
        )
