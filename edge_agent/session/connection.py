"""Names, connections, and how much may come through one of them."""

from __future__ import annotations

import asyncio
import functools
import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

from ..errors import UnexpectedAnswer
from .library import AbstractResolver, ResolveResult, ResponseHandler, aiohttp

KEEPALIVE_S = 30.0
MAX_BODY_BYTES = 1 << 20
# A body in ten thousand chunks is still read, one in a million is not.
MAX_EXCHANGE_BYTES = MAX_BODY_BYTES + (1 << 18)
MAX_INTERIM_ANSWERS = 8
_LOOKUP_THREADS = 64


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


def too_large() -> UnexpectedAnswer:
    """More came than any printer's server has to say."""
    return UnexpectedAnswer(
        f"the answer is larger than {MAX_BODY_BYTES >> 20} MiB; check that url points at the printer's server"
    )


class _Connection(ResponseHandler):
    """One connection, closed as soon as more comes through it than one answer can be.

    aiohttp limits the size and number of headers, but neither the answers before the answer (1xx), which it queues at
    twenty times their size (as http.client did: https://github.com/python/cpython/issues/150743), nor what stands
    between the chunks of a body, nor what is sent while nobody asks. What came unasked would also be taken for the
    answer to the next question.
    """

    _room, _interim = MAX_EXCHANGE_BYTES, MAX_INTERIM_ANSWERS
    _answered = False

    def set_response_params(self, **parameters: Any) -> None:  # noqa: ANN401 - aiohttp's, handed on
        """A request is about to be sent; called by aiohttp."""
        self._room, self._interim, self._answered = MAX_EXCHANGE_BYTES, MAX_INTERIM_ANSWERS, False
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer, or such as nobody asked for."""
        if data and self._answered and (self._payload is None or self._payload.is_eof()):
            self._cut()
            return
        self._room -= len(data)
        super().data_received(data)  # without bytes aiohttp goes on with what it held back
        if self._room < 0 and self.is_connected():
            self._fail(too_large())

    def feed_data(self, data: Any, size: int = 0) -> None:  # noqa: ANN401 - aiohttp's pair of head and body
        """One answer's head has been read; called by aiohttp."""
        self._answered = data[0].code >= 200 or data[0].code == 101
        self._interim -= not self._answered
        if self._interim < 0:
            self._fail(UnexpectedAnswer("it announces an answer again and again, and gives none; check url"))
            return
        super().feed_data(data, size)

    def _fail(self, error: UnexpectedAnswer) -> None:
        payload = self._payload
        self._cut()
        self.set_exception(error)
        if payload is not None:
            payload.set_exception(error)

    def _cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        self.close()


class _Connector(aiohttp.TCPConnector):
    """Makes connections of our kind."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - aiohttp's, handed on
        super().__init__(**options)
        self._factory = cast(
            "functools.partial[ResponseHandler]", functools.partial(_Connection, loop=asyncio.get_running_loop())
        )


def open_session() -> aiohttp.ClientSession:
    """The agent's session: to be closed by whoever opened it. It follows no redirect and keeps no cookie."""
    return aiohttp.ClientSession(
        connector=_Connector(
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
        # Unpacked by `HttpHost`, which stops at the limit; aiohttp did not before 3.13.
        auto_decompress=False,
    )


def _connection_trace() -> aiohttp.TraceConfig:
    async def created(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.new_connections += 1

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(created)
    return trace


class Exchange:
    """What the trace notes of one request; goes with it as ``trace_request_ctx``."""

    def __init__(self) -> None:
        self.new_connections = 0
