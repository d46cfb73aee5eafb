"""OctoPrint's application keys: the questions, and what their answers mean.

Datasheet (1.3.10 and newer; measured on 1.11.8 and 2.0.0rc7): the plugin Application Keys, which is part of OctoPrint.

    GET  /plugin/appkeys/probe            204 without a key; 404 = switched off, or no OctoPrint
    POST /plugin/appkeys/request          {"app"} -> 201 {"app_token", "auth_dialog"}; 429 = 3 a minute, 10 an hour
    GET  /plugin/appkeys/request/<token>  202 = nobody has decided; 200 {"api_key"}, once; 404 = denied, or over

A request that nobody asks about for 5 s is over, and there is no other way to take it back. A denial and an end look
alike. The key may do what the user may who presses Allow. The same name and user get the same key again.
"""

from __future__ import annotations

import re
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ..errors import Starting, UnexpectedAnswer, WrongTarget
from ..secret import Secret
from ..session import Answer, ClientSession, HttpHost, Tls
from ..sources.octoprint import VersionAnswer, lookalike

Wire = TypeVar("Wire", bound=Struct)

POLL_EVERY_S = 2.0
OVER_AFTER_S = 5.0
"""OctoPrint forgets a request that was not asked about for so long."""

_PROBE, _REQUEST = "/plugin/appkeys/probe", "/plugin/appkeys/request"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_KEY = re.compile(r"[\x21-\x7e]{1,500}")
_LONGEST_URL = 500


class Request(Struct, frozen=True, kw_only=True):
    """A request that waits for somebody to press Allow. ``dialog_url`` is where."""

    token: str
    dialog_url: str


class _RequestAnswer(Struct):
    app_token: str | None = None
    auth_dialog: str | None = None  # >= 1.8


class _KeyAnswer(Struct):
    api_key: str | None = None


class NoAppKeysError(Exception):
    """An OctoPrint answers that gives no application keys; the text says what to do instead."""


class AppKeys:
    """One OctoPrint's application keys. ``url`` has no trailing slash and no credentials in it."""

    def __init__(self, session: ClientSession, *, url: str, tls: Tls) -> None:
        self._url = url
        self._host = HttpHost(session, url=url, headers={}, tls=tls)

    async def request(self, app: str) -> Request:
        """Ask for a key under this name.

        Raises:
            NoAppKeysError: it gives none, or none now.
            SourceError: it is no OctoPrint, or cannot be reached.
        """
        probe = await self._host.get(_PROBE)
        if probe.status != 204:
            raise await self._without_plugin(probe)
        answer = await self._host.post(_REQUEST, msgspec.json.encode({"app": app}))
        if answer.status == 429:
            raise NoAppKeysError(
                "OctoPrint has been asked for keys too often (3 times in a minute, 10 in an hour); wait, or type a key"
            )
        if answer.status != 201:
            raise UnexpectedAnswer(f"{self._url}: answers {answer.status} to a request for a key; type a key instead")
        found = _decoded(answer, _RequestAnswer, self._url)
        if not _TOKEN.fullmatch(found.app_token or ""):
            raise UnexpectedAnswer(f"{self._url}: names no request for a key in its answer; type a key instead")
        return Request(token=found.app_token or "", dialog_url=self._dialog(found.auth_dialog or ""))

    async def decision(self, request: Request) -> Secret | bool:
        """The key, or whether it is still worth waiting.

        Raises:
            SourceError: no usable answer; asking again may help.
        """
        answer = await self._host.get(f"{_REQUEST}/{request.token}")
        if answer.status == 202:
            return True
        if answer.status == 404:
            return False
        if answer.status != 200:
            raise UnexpectedAnswer(f"{self._url}: answers {answer.status} where it should tell a decision")
        key = _decoded(answer, _KeyAnswer, self._url).api_key or ""
        if not _KEY.fullmatch(key):
            raise UnexpectedAnswer(f"{self._url}: the key it gives is no key; type one instead")
        return Secret(key)

    def _dialog(self, told: str) -> str:
        """Where to press Allow: a link on our page leads to the OctoPrint that was asked, and nowhere else."""
        if re.fullmatch(r"[\x21-\x7e]+", told) and len(told) <= _LONGEST_URL and _origin(told) == _origin(self._url):
            return told
        return f"{self._url}/"

    async def _without_plugin(self, probe: Answer) -> Exception:
        """Why there is no answer to the probe: another program, or an OctoPrint without the plugin."""
        if b"still starting" in probe.body:
            return Starting(f"{self._url}: OctoPrint is still starting; try again in a minute")
        if probe.status in {301, 302, 303, 307, 308}:
            return WrongTarget(f"{self._url}: redirects elsewhere, which is not followed; use the final address")
        version = await self._host.get("/api/version")
        if version.status == 200 and version.is_json:
            reason = lookalike(_decoded(version, VersionAnswer, self._url))
            if reason:
                return WrongTarget(f"{self._url}: {reason}")
        elif version.status != 403 or not version.is_json:
            return WrongTarget(
                f"{self._url}: no OctoPrint answers there; check the address, its port and path "
                "(PrusaLink and Moonraker are not served)"
            )
        return NoAppKeysError(
            "this OctoPrint gives no application keys: its plugin Application Keys is switched off, or it is older "
            "than 1.3.10; switch it on in Settings > Plugin Manager, or type a user's API key (User Settings > API Key)"
        )


def is_key(text: str) -> bool:
    """A text can be a key: OctoPrint fails with an error of its own at others."""
    return _KEY.fullmatch(text) is not None


def _decoded(answer: Answer, kind: type[Wire], url: str) -> Wire:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UnexpectedAnswer(f"{url}: what answers is no OctoPrint's; check the address") from None


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", port
