"""Connections: how many at a time, how long without a request, how large a request.

aiohttp (3.14) limits the size of heads, but neither the number of connections nor the time that a client takes to send
a request or to read an answer; both are limited here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from msgspec import Struct

from .library import web

log = logging.getLogger(__name__)

# What aiohttp has to say of requests that are none is of no use to anybody.
_quiet = logging.getLogger(f"{__name__}.aiohttp")
_quiet.propagate = False
_quiet.addHandler(logging.NullHandler())

_POLITE_S = 1.0


PLAIN_HEADERS = {"Server": "edge-agent", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Limits(Struct, frozen=True, kw_only=True):
    """How much clients may take. ``idle_s`` is how long a connection may have no request, or only half of one.

    ``answer_s`` is how long an answer may take, with the client reading it.
    """

    connections: int = 48
    idle_s: float = 15.0
    answer_s: float = 15.0
    head_line_bytes: int = 4096
    headers: int = 40


Deadline = asyncio.Timeout
Answer = Callable[[web.BaseRequest, Deadline], Awaitable[web.StreamResponse]]


class Listener:
    """One port. ``answer`` is called for every request; it may move the deadline that it is given."""

    def __init__(self, answer: Answer, *, limits: Limits | None = None) -> None:
        self._answer = answer
        self.limits = limits or Limits()
        self.connections: dict[_Connection, None] = {}
        self._server: web.Server | None = None
        self._listening: asyncio.Server | None = None

    async def open(self, bind: str, port: int) -> int:
        """Listen; the result is the port, which is another than ``port`` only if that is 0.

        Raises:
            OSError: the port cannot be opened.
        """
        loop = asyncio.get_running_loop()
        self._server = server = web.Server(self._serve, handler_cancellation=True)
        self._listening = await loop.create_server(lambda: _Connection(self, server), bind, port, backlog=64)
        return int(self._listening.sockets[0].getsockname()[1])

    @property
    def is_open(self) -> bool:
        """It listens."""
        return self._listening is not None and self._listening.is_serving()

    async def close(self) -> None:
        """Close the port and every connection."""
        if self._listening is not None:
            self._listening.close()
        for connection in list(self.connections):
            connection.cut()
        if self._server is not None:
            await self._server.shutdown(timeout=1.0)

    def make_room(self) -> None:
        """Cut the connection that has been without a request for longest, if there are too many."""
        if len(self.connections) > self.limits.connections:
            idle = (connection for connection in self.connections if not connection.busy)
            next(idle, next(iter(self.connections))).cut()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast("_Connection", request.protocol)
        connection.work()
        try:
            async with asyncio.timeout(self.limits.answer_s) as deadline:
                response = await self._answer(request, deadline)
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            connection.cut()
            return web.Response(status=503)  # for nobody: the connection is gone
        finally:
            connection.rest()
        return response


class _Connection(web.RequestHandler):
    """One client."""

    def __init__(self, listener: Listener, server: web.Server) -> None:
        limits = listener.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=cast("Any", None),
            logger=_quiet,
            max_line_size=limits.head_line_bytes,
            max_field_size=limits.head_line_bytes,
            max_headers=limits.headers,
            keepalive_timeout=limits.idle_s,
            lingering_time=0.0,
            auto_decompress=False,  # nobody has to send us anything packed, and a small packet can become a large one
        )
        self._listener = listener
        self._patience: asyncio.TimerHandle | None = None
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected; called by the event loop."""
        super().connection_made(transport)
        self.rest()
        self._listener.make_room()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is over; called by the event loop."""
        self._listener.connections.pop(self, None)
        self._forget_time()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request; called by aiohttp, which would send back what came."""
        del request, exc, message
        response = web.Response(status=status, text="no request that can be answered\n", headers=PLAIN_HEADERS)
        response.force_close()
        return response

    def work(self) -> None:
        """A request is there."""
        self.busy = True
        self._forget_time()

    def rest(self) -> None:
        """None is; the next one has to come in time. Who rests stands last in the queue of those to be cut."""
        self.busy = False
        self._forget_time()
        if self.transport is not None:
            # A moment after aiohttp has closed it politely, if it could.
            wait_s = self._listener.limits.idle_s + _POLITE_S
            self._patience = asyncio.get_running_loop().call_later(wait_s, self.cut)
            self._listener.connections.pop(self, None)
            self._listener.connections[self] = None

    def cut(self) -> None:
        """End it at once, with what it has not read yet."""
        self._listener.connections.pop(self, None)
        transport = cast("asyncio.WriteTransport | None", self.transport)
        self.force_close()
        if transport is not None:
            transport.abort()

    def _forget_time(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
