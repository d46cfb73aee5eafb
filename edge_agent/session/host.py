"""One host behind one url: what is asked of it, whom it is trusted to be, what it may answer."""

from __future__ import annotations

import asyncio
import re
import ssl
import zlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from msgspec import Struct

from ..errors import ConfigError, SourceError, UnexpectedAnswer, WrongTarget
from .connection import KEEPALIVE_S, MAX_BODY_BYTES, Exchange, too_large
from .failures import proxy_fault, translate
from .library import aiohttp, authorities

CONNECT_TIMEOUT_S = 3.0
_PROXY_STATUSES = {502, 503, 504}
# A new connection for each request, three times in a row although each answer promised to keep it.
_SILENT_CLOSES = 3
_SECRET_BYTES = 8
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_ESCAPED = re.compile(rb"\\(?:u00([2-7][0-9a-fA-F])|/)")


class Tls(Struct, frozen=True, kw_only=True):
    """How to trust one https host.

    ``fingerprint`` is the SHA-256 of the host's certificate (32 bytes): the way to trust OctoPi's self-signed one.
    ``verify`` False trusts anybody and is warned about.
    """

    ca_file: Path | None = None
    fingerprint: bytes | None = None
    verify: bool = True


class Answer(Struct, frozen=True):
    """One HTTP answer, read to its end. ``elapsed_s`` is from the request's start to the body's last byte."""

    status: int
    content_type: str
    body: bytes
    location: str
    elapsed_s: float

    @property
    def is_json(self) -> bool:
        """The answer says that it is JSON."""
        return self.content_type.endswith("json")


class HttpHost:
    """One host behind one base url, with its key and its habits.

    It learns whether the host closes connections without saying so (OctoPrint up to 1.9 does) and then asks for it,
    so that no request is ever sent into a connection that is about to close.
    """

    def __init__(self, session: aiohttp.ClientSession, *, url: str, headers: dict[str, str], tls: Tls) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._ssl = _ssl_parameter(tls) if url.startswith("https:") else True
        self._silent_closes = 0
        self._last_answer_at = 0.0
        self.closes_silently = False

    def forget_habits(self) -> None:
        """The server behind the url may be another one now (an upgrade, a restart): learn again."""
        self.closes_silently = False
        self._silent_closes = 0

    async def get(self, path: str) -> Answer:
        """GET one path below the base url.

        A GET that fails on a dead pooled connection is repeated once on a new one, by aiohttp itself.

        Raises:
            SourceError: no usable HTTP answer; any status but 5xx from a proxy is an answer.
        """
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: bytes) -> Answer:
        """POST a body of JSON to one path below the base url. It is never repeated. Raises as `get` does."""
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body_sent: bytes | None) -> Answer:
        exchange = Exchange()
        failure: SourceError | None = None
        started = perf_counter()
        headers = {**self._headers, "Connection": "close"} if self.closes_silently else dict(self._headers)
        if body_sent is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method,
                self._url + path,
                data=body_sent,
                headers=headers,
                allow_redirects=False,
                ssl=self._ssl,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                trace_request_ctx=exchange,
            ) as response:
                body = await _read(response, self._url)
                answer = Answer(
                    status=response.status,
                    content_type=response.content_type,
                    body=body,
                    location=response.headers.get("Location", ""),
                    elapsed_s=perf_counter() - started,
                )
                kept = _promises_to_stay(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = translate(error, self._url)
        if failure is not None:
            # Here and not where it is caught: aiohttp's errors hold the request's headers, and so the key.
            raise failure
        self._learn(exchange, kept=kept)
        if any(_repeats(body, secret) for secret in self._headers.values()):
            raise WrongTarget(
                f"{self._url}: the answer repeats the API key, which no OctoPrint does; check url, and replace the key"
            )
        if answer.status in _PROXY_STATUSES:
            raise proxy_fault(answer.status, self._url)
        return answer

    def _learn(self, exchange: Exchange, *, kept: bool) -> None:
        now = asyncio.get_running_loop().time()
        quick = now - self._last_answer_at < KEEPALIVE_S / 2
        self._last_answer_at = now
        if self.closes_silently:
            return
        if kept and quick and exchange.new_connections:
            self._silent_closes += 1
            self.closes_silently = self._silent_closes >= _SILENT_CLOSES
        elif not exchange.new_connections:
            self._silent_closes = 0


def _promises_to_stay(response: aiohttp.ClientResponse) -> bool:
    said_close = response.headers.get("Connection", "").lower() == "close"
    return response.version == aiohttp.HttpVersion11 and not said_close


async def _read(response: aiohttp.ClientResponse, url: str) -> bytes:
    unpack = _unpacker(response.headers.get("Content-Encoding", "identity").strip().lower(), url)
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += unpack(chunk)
        if len(body) > MAX_BODY_BYTES:
            raise too_large()
    return bytes(body)


def _unpacker(encoding: str, url: str) -> Callable[[bytes], bytes]:
    """Undoes what a proxy did to a body, and never makes more of it than is read of any."""
    if encoding in {"", "identity"}:
        return lambda chunk: chunk
    refusal = UnexpectedAnswer(
        f"{url}: the answer is packed ({encoding[:20]!r}) although it was asked for unpacked; check the proxy before it"
    )
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise refusal
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)

    def unpack(chunk: bytes) -> bytes:
        try:
            return unpacking.decompress(chunk, MAX_BODY_BYTES + 1)
        except zlib.error:
            raise refusal from None

    return unpack


def _repeats(body: bytes, secret: str) -> bool:
    """A secret is in a body, plainly or as JSON may write it. Texts too short to be one are in many."""
    wanted = secret.encode(errors="surrogatepass")
    if len(wanted) < _SECRET_BYTES:
        return False
    return wanted in body or (b"\\" in body and wanted in _ESCAPED.sub(_unescaped, body))


def _unescaped(escaped: re.Match[bytes]) -> bytes:
    return bytes([int(escaped[1], 16)]) if escaped[1] else b"/"


def _ssl_parameter(tls: Tls) -> ssl.SSLContext | aiohttp.Fingerprint | bool:
    if tls.fingerprint is not None:
        return aiohttp.Fingerprint(tls.fingerprint)
    if not tls.verify:
        return False
    if tls.ca_file is None:
        return authorities()
    try:
        return ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls.ca_file {tls.ca_file}: {error}; give a PEM file of the authority") from error
