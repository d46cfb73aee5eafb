"""The ports that clients connect to, all with the same reception. In place of asyncua's BinaryServer."""

from __future__ import annotations

import asyncio
import copy
from asyncio import Task

from asyncua import ua
from asyncua.common.connection import TransportLimits

from ..options import Limits
from .connection import Connection
from .loopback import Loopback
from .processor import LARGEST_RESPONSE_BYTES
from .reception import Reception

CHUNK_BYTES = 65_535
CHUNKS = 128
"""What a megabyte takes in the smallest chunks that a client may use."""
_BACKLOG = 64
_GOODBYE_S = 2.0


class Listener:
    """Opens ports, and closes what came in by them.

    Attributes:
        addresses: where it was told to listen, and ought to.
    """

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._limits = transport_limits(reception.limits)
        self._servers: list[asyncio.Server] = []
        self.addresses: list[tuple[str, int]] = []
        self._watch: Task[None] | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: the port cannot be opened.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._connection, host, port, backlog=_BACKLOG)
        self._servers.append(server)
        self.addresses += [listening.getsockname()[:2] for listening in server.sockets]
        if self._watch is None:
            self._watch = loop.create_task(self._reception.watch())

    def loopback(self, *, url: str, application_uri: str) -> Loopback:
        """What asks every port that was opened; it takes no client's place."""
        return Loopback(self.addresses, url=url, application_uri=application_uri, expecting=self._reception.expecting)

    async def close(self) -> None:
        """Close every port and connection."""
        for server in self._servers:
            server.close()
        if self._watch is not None:
            self._watch.cancel()
        for guest in self._reception.guests:
            guest.cut(ua.StatusCodes.BadShutdown, "the server stops")
        await self._reception.all_gone(_GOODBYE_S)

    def _connection(self) -> Connection:
        return Connection(self._reception, copy.copy(self._limits))


def transport_limits(limits: Limits) -> TransportLimits:
    """What is told in Acknowledge."""
    return TransportLimits(
        max_recv_buffer=CHUNK_BYTES,
        max_send_buffer=CHUNK_BYTES,
        max_chunk_count=CHUNKS,
        # Clients are known that take this for what they may be sent; CreateSession tells how long a request may be.
        max_message_size=max(limits.max_message_bytes, LARGEST_RESPONSE_BYTES),
    )
