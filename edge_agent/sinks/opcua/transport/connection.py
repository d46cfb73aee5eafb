"""One client's connection: bytes to chunks, no faster than they are answered, and no more than agreed.

asyncua (2.1.0) keeps all bytes of a chunk that says it has 4 GB, 100 MB in chunks that never end
(https://github.com/FreeOpcUa/opcua-asyncio/issues/1962), 500 requests beside, and every answer of a client that does
not read. Here reading stops while there is something to answer or to be taken.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import Any, cast

from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.ua.ua_binary import uatcp_to_binary

from ..sessions.door import Door
from .channel import ChannelFault
from .counted_buffer import CountedBuffer
from .processor import Processor
from .reception import Reception

log = logging.getLogger(__name__)

_HEADER = struct.Struct("<3scI")
_LARGEST = {b"HEL": 8 * 1024, b"OPN": 16 * 1024, b"CLO": 16 * 1024}
"""Of a chunk; MSG has what was agreed."""
_SMALLEST = {b"HEL": 8, b"OPN": 12, b"CLO": 12, b"MSG": 12}
_CHUNK_TYPES = b"FCA"
_ENOUGH_BYTES = 64 * 1024
"""Received and not looked at: then no more is read."""
_UNSENT_BYTES = 128 * 1024
"""Sent and not taken: then nothing more is answered."""
_GOODBYE_S = 1.0
_READS = 64


class Connection(asyncio.Protocol):
    """asyncio calls it when bytes come."""

    def __init__(self, reception: Reception, limits: TransportLimits) -> None:
        self._reception = reception
        self._limits = limits
        self._received = bytearray()
        self._more = asyncio.Event()
        self._taken = asyncio.Event()
        self._taken.set()
        self._reading = True
        self._leaving = False
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._processor: Processor | None = None
        self._message_since: float | None = None
        self._unsent_since: float | None = None
        self.waits_since: float | None = reception.monotonic()
        self.address = ""
        self.sockname = ("", 0)

    @property
    def held_bytes(self) -> int:
        """Of requests and answers."""
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        return unsent + len(self._received) + (self._processor.channel.held_bytes if self._processor else 0)

    @property
    def stuck_since(self) -> float | None:
        """When the request began that is not complete, or the answer that is not taken."""
        return self._message_since if self._unsent_since is None else self._unsent_since

    @property
    def expired(self) -> bool:
        """The channel was not renewed in time."""
        return self._processor is not None and self._processor.channel.expired

    @property
    def processor(self) -> Processor | None:
        """What answers; ``None`` if the connection was refused."""
        return self._processor

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects."""
        self._transport = cast("asyncio.Transport", transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self.sockname = tuple((transport.get_extra_info("sockname") or ("", 0))[:2])
        self._transport.set_write_buffer_limits(high=_UNSENT_BYTES)
        own = self._reception.is_own(transport.get_extra_info("peername"))
        if not own:
            if not self._reception.arrive(self):
                self._transport.abort()
                return
            if not self._reception.admit(self):
                self._abort_in(_GOODBYE_S)
                return
        self._processor = Processor(self._reception, self, self._limits, door=Door() if own else None)
        self._task = asyncio.create_task(self._answer_all(self._processor))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - theirs
        """It is over, whoever ended it."""
        self._transport = None
        self._received.clear()
        if self._task is not None:
            self._task.cancel()
        self._reception.depart(self, self._processor.close() if self._processor else None)

    def data_received(self, data: bytes) -> None:
        """More bytes."""
        if self._leaving:
            return
        if self._task is None:  # told only now: what comes before its Hello, a client may not hear
            self.cut(ua.StatusCodes.BadMaxConnectionsReached, "all connections are in use")
            return
        self._received += data
        self._more.set()
        if len(self._received) > _ENOUGH_BYTES and self._reading and self._transport is not None:
            self._transport.pause_reading()
            self._reading = False
            self._reception.check_memory()

    def pause_writing(self) -> None:
        """The client does not take what it is sent."""
        self._taken.clear()
        self._unsent_since = self._reception.monotonic()

    def resume_writing(self) -> None:
        """It does again."""
        self._taken.set()
        self._unsent_since = None

    def send(self, frames: bytes) -> None:
        """Send."""
        if self._transport is None or self._transport.is_closing() or self._leaving:
            return
        self._transport.write(frames)
        if not self._taken.is_set():
            self._reception.check_memory()

    def cut(self, code: int, reason: str) -> None:
        """Say why, and go; who does not read is not waited for.

        To close a socket with bytes in it that nobody read resets the connection, and the client may never see why. So
        what it still sends is read and thrown away, until it has heard the end, or for a second; its place is free.
        """
        transport = self._transport
        if transport is None or transport.is_closing() or self._leaving:
            return
        self._leaving = True
        self._reception.leave(self)
        self._reception.complain(self.address, reason)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._received.clear()
        if self._processor is not None:
            self._processor.channel.forget()
        if transport.get_write_buffer_size():
            transport.abort()
            return
        error: Any = ua.ErrorMessage(ua.StatusCode(cast("ua.UInt32", code)), cast("ua.String", reason))
        transport.write(uatcp_to_binary(cast("ua.MessageType", ua.MessageType.Error), error))
        try:
            transport.write_eof()
        except OSError:  # the client has gone meanwhile
            transport.abort()
            return
        self._read_on()
        self._abort_in(_GOODBYE_S)

    def _abort_in(self, seconds: float) -> None:
        if self._transport is not None:
            asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    async def _answer_all(self, processor: Processor) -> None:
        try:
            going_on = True
            while going_on:
                going_on = await self._answer_next(processor)
        except ChannelFault as fault:
            self.cut(fault.code, fault.reason)
        except Exception:
            log.exception("OPC UA connection from %s", self.address)
            self.cut(ua.StatusCodes.BadTcpInternalError, "an error of this server; its log has more")
        else:
            if self._transport is not None:
                self._transport.close()

    async def _answer_next(self, processor: Processor) -> bool:
        chunk = self._take_chunk()
        if chunk is None:
            self._more.clear()
            self._read_on()
            await self._more.wait()
            return True
        await self._taken.wait()
        going_on = await processor.process(*chunk)
        self.revise()
        if processor.channel.held_bytes > _ENOUGH_BYTES:
            self._reception.check_memory()
        await asyncio.sleep(0)  # others have something to ask, too
        return going_on

    def revise(self) -> None:
        """Somebody has logged in, or nobody is any more."""
        activated = self._processor is not None and self._processor.activated
        self.waits_since = None if activated else (self.waits_since or self._reception.monotonic())

    def _read_on(self) -> None:
        if not self._reading and self._transport is not None:
            self._transport.resume_reading()
            self._reading = True

    def _take_chunk(self) -> tuple[ua.Header, CountedBuffer] | None:
        """The next chunk, ``None`` if it is not complete; one that is too large is not waited for."""
        if self._received and self._message_since is None:
            self._message_since = self._reception.monotonic()
        if len(self._received) < _HEADER.size:
            return None
        kind, chunk_type, size = _HEADER.unpack_from(self._received)
        self._check_header(kind, chunk_type, size)
        if len(self._received) < size:
            return None
        if chunk_type != ua.ChunkType.Intermediate:
            self._message_since = None
        chunk = bytes(self._received[:size])
        del self._received[:size]
        header = ua.Header(kind, chunk_type)
        header.packet_size, header.header_size = size, _SMALLEST[kind]
        header.body_size = size - header.header_size
        if header.header_size > _HEADER.size:
            header.ChannelId = int.from_bytes(chunk[8:12], "little")
        return header, CountedBuffer(chunk, header.header_size, reads_left=[_READS])

    def _check_header(self, kind: bytes, chunk_type: bytes, size: int) -> None:
        smallest = _SMALLEST.get(kind)
        if smallest is None or chunk_type not in _CHUNK_TYPES or (kind != b"MSG" and chunk_type != b"F"):
            raise ChannelFault(ua.StatusCodes.BadTcpMessageTypeInvalid, "not a message of OPC UA")
        if size < smallest:
            raise ChannelFault(ua.StatusCodes.BadDecodingError, "a message shorter than its header")
        if size > min(_LARGEST.get(kind, size), self._limits.max_recv_buffer):
            raise ChannelFault(ua.StatusCodes.BadTcpMessageTooLarge, "a chunk larger than agreed")
