"""The one HTTP session of the agent: pool, names, trust, and the translation of foreign errors.

All HTTP sources share one `aiohttp.ClientSession` (two connections per host, kept alive). Whatever aiohttp,
ssl or the resolver can raise becomes a `SourceError` here and nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct

from .errors import ConfigError, ProxyFault, SourceError, Starting, UnexpectedAnswer, Unreachable, WrongTarget

KEEPALIVE_S = 30.0
CONNECT_TIMEOUT_S = 3.0
MAX_BODY_BYTES = 1 << 20
_LOOKUP_THREADS = 64
_PROXY_STATUSES = {502, 503, 504}
# A new connection for each request, three times in a row although each answer promised to keep it.
_SILENT_CLOSES = 3


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


class Resolver(AbstractResolver):
    """Host names, looked up in threads of our own.

    uvloop looks names up in libuv's pool of four threads and asyncio in its default executor. A name that does not
    answer (a ``.local`` printer that is off) blocks a thread for seconds, so that a few dead printers would keep the
    living ones from being found.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of a host name.

        Raises:
            OSError: the name is unknown, or the name service does not answer.
        """
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        )
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=int(address[1]), family=entry, proto=proto, flags=0)
            for entry, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Let the threads end; a look-up under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def open_session() -> aiohttp.ClientSession:
    """The agent's session: to be closed by whoever opened it. It follows no redirect and keeps no cookie."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,
            limit_per_host=2,
            keepalive_timeout=KEEPALIVE_S,
            ttl_dns_cache=60,
            resolver=Resolver(),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Proxies of OctoPi compress if they may; on a LAN that costs both Pis time and saves nothing.
        headers={"Accept-Encoding": "identity", "User-Agent": "edge-agent"},
        trace_configs=[_connection_trace()],
        trust_env=False,
    )


def _connection_trace() -> aiohttp.TraceConfig:
    async def created(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.new_connections += 1

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(created)
    return trace


class _Exchange:
    """What the trace notes of one request."""

    def __init__(self) -> None:
        self.new_connections = 0


class HttpHost:
    """One host behind one base url, with its key and its habits.

    It learns whether the host closes connections without saying so (OctoPrint up to 1.9 does) and then asks for it,
    so that no request is ever sent into a connection that is about to close.
    """

    def __init__(self, session: aiohttp.ClientSession, *, url: str, headers: dict[str, str], tls: Tls) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._ssl = _ssl_parameter(tls)
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
        exchange = _Exchange()
        failure: SourceError | None = None
        started = perf_counter()
        headers = {**self._headers, "Connection": "close"} if self.closes_silently else self._headers
        try:
            async with self._session.get(
                self._url + path,
                headers=headers,
                allow_redirects=False,
                ssl=self._ssl,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                trace_request_ctx=exchange,
            ) as response:
                body = await _read(response)
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
        if answer.status in _PROXY_STATUSES:
            raise _proxy_error(answer, self._url)
        return answer

    def _learn(self, exchange: _Exchange, *, kept: bool) -> None:
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


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UnexpectedAnswer(
                f"the answer is larger than {MAX_BODY_BYTES >> 20} MiB; check that url points at the printer's server"
            )
    return bytes(body)


def _proxy_error(answer: Answer, url: str) -> SourceError:
    return ProxyFault(
        f"a proxy at {url} answers {answer.status}: the printer's server behind it is not running or still starting; "
        "wait, or look at it on that host"
    )


def _ssl_parameter(tls: Tls) -> ssl.SSLContext | aiohttp.Fingerprint | bool:
    if tls.fingerprint is not None:
        return aiohttp.Fingerprint(tls.fingerprint)
    if not tls.verify:
        return False
    if tls.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls.ca_file {tls.ca_file}: {error}; give a PEM file of the authority") from error


def translate(error: Exception, url: str) -> SourceError:  # noqa: C901 - a table, written as one
    """Say in our words what a failed request means; no text of ours holds a key or an answer's body."""
    match error:
        case aiohttp.ServerFingerprintMismatch():
            return WrongTarget(
                f"{url}: the certificate's SHA-256 fingerprint is {error.got.hex()}, not the one in tls.fingerprint; "
                "if the printer's certificate was renewed, put the new one there"
            )
        case aiohttp.ClientConnectorSSLError() if not isinstance(error, aiohttp.ClientConnectorCertificateError):
            return WrongTarget(
                f"{url}: no TLS connection ({_ssl_reason(error)}); if the server speaks plain HTTP, put http:// in url"
            )
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return WrongTarget(
                f"{url}: its TLS certificate is not trusted ({_ssl_reason(error)}); "
                "set tls.ca_file or tls.fingerprint for this machine"
            )
        case aiohttp.ClientConnectorDNSError():
            return Unreachable(f"{url}: the host name is unknown; check it, or use the address")
        case aiohttp.ClientConnectorError():
            return Unreachable(f"{url}: {_connect_reason(error)}; check that host and printer server are on")
        case aiohttp.ClientPayloadError():
            return UnexpectedAnswer(f"{url}: the answer was cut off; check the network and proxies in between")
        case aiohttp.ClientResponseError() if "Not found" in error.message:
            # OctoPrint's intermediary server, for the first seconds, answers these bytes without a status line.
            return Starting(f"{url}: OctoPrint is still starting; it will be asked again")
        case aiohttp.ClientResponseError():
            return WrongTarget(f"{url}: what answers does not speak HTTP; check host and port")
        case aiohttp.InvalidURL():
            return WrongTarget(f"{url}: this url cannot be used")
        case TimeoutError():
            return Unreachable(f"{url}: no answer in time; check that the host is on and not overloaded")
        case aiohttp.ServerDisconnectedError() | ConnectionError() | aiohttp.ClientOSError():
            return Unreachable(f"{url}: the connection was closed before the answer; the server may be restarting")
        case _:
            return Unreachable(f"{url}: the request failed ({type(error).__name__}); it will be repeated")


def _ssl_reason(error: BaseException) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or type(cause).__name__)


def _connect_reason(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error.os_error, ConnectionRefusedError):
        return "connection refused"
    return (error.os_error.strerror or type(error.os_error).__name__).lower()
