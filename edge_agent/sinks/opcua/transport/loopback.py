"""Does our port answer, and is it we who answer: asked as a client asks, through the kernel's own network.

Hello, a channel without security, GetEndpoints: what every client may ask before it logs in. No session: with endpoints
that are all encrypted it would need a user and RSA at every turn (docs/decisions/0020). By hand and without asyncua's
client, which would cost more memory than all that is asked here.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

TIMEOUT_S = 10.0
Address = tuple[str, int]

_SECURITY_NONE = b"http://opcfoundation.org/UA/SecurityPolicy#None"
_OPEN, _GET_ENDPOINTS, _ENDPOINTS = 446, 428, 431
_BUFFER_BYTES = 65_535
_LARGEST_BYTES = 4 * 1024 * 1024
_LIFETIME_MS = 60_000


class _NoAnswerError(Exception):
    """The port is open, and what comes out of it is no answer of ours."""


class Loopback:
    """Asks our own ports.

    Args:
        addresses: where they listen, as ``getsockname`` has it; a wildcard is asked on its loopback address.
        url: of the endpoint.
        application_uri: ours; an answer without it comes from somebody else.
        expecting: is told from which address we ask, while we do: such a connection takes no client's place.
        timeout_s: for all answers of one port.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        url: str,
        application_uri: str,
        expecting: Callable[[Address], AbstractContextManager[None]],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._addresses = [_reachable(address) for address in addresses]
        self._url = url.encode()
        self._application_uri = application_uri.encode()
        self._expecting = expecting
        self._timeout_s = timeout_s

    async def ask(self) -> str:
        """What is wrong; empty if every port answers as it should."""
        for host, port in self._addresses:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._ask(host, port)
            except TimeoutError:
                return f"port {port} does not answer within {self._timeout_s:g} s"
            except (_NoAnswerError, struct.error) as error:
                return f"port {port}: {error}"
            except OSError as error:
                return f"port {port}: {os.strerror(error.errno or 0)}"  # asyncio's own text names the address only
            except EOFError:
                return f"port {port}: the connection was closed"
        return ""

    async def _ask(self, host: str, port: int) -> None:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as ours:
            ours.setblocking(False)
            try:
                ours.bind((host, 0))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    return  # the network of that address is down: no fault of ours, and no restart brings it back
                raise
            with self._expecting(ours.getsockname()[:2]):
                await asyncio.get_running_loop().sock_connect(ours, (host, port))
                reader, writer = await asyncio.open_connection(sock=ours)
                try:
                    await self._converse(reader, writer)
                finally:
                    writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = struct.pack("<5I", 0, _BUFFER_BYTES, _BUFFER_BYTES, 0, 0) + _string(self._url)
        writer.write(_chunk(b"HELF", hello))
        await _receive(reader, b"ACK")

        security = _string(_SECURITY_NONE) + _string(None) + _string(None)
        opening = struct.pack("<3I", 0, 0, 1) + _string(None) + struct.pack("<I", _LIFETIME_MS)
        writer.write(_chunk(b"OPNF", struct.pack("<I", 0) + security + _request(1, _OPEN, opening)))
        opened = await _receive(reader, b"OPN")
        # The channel's id and its token's stand behind three strings, a request's numbers, and the response's header.
        at = 4
        for _ in range(3):
            at += 4 + max(0, struct.unpack_from("<i", opened, at)[0])
        _, result = _response(opened[at + 8 :])
        channel_id, token_id = struct.unpack_from("<2I", result, 4)

        asked = _string(self._url) + _string(None) + _string(None)
        writer.write(_chunk(b"MSGF", struct.pack("<2I", channel_id, token_id) + _request(2, _GET_ENDPOINTS, asked)))
        kind, endpoints = _response((await _receive(reader, b"MSG"))[16:])
        if kind != _ENDPOINTS or self._application_uri not in endpoints:
            raise _NoAnswerError("another program answers there")


def _reachable(address: Address) -> Address:
    host, port = address
    anywhere = ipaddress.ip_address(host.partition("%")[0])
    if anywhere.is_unspecified:
        return ("127.0.0.1" if anywhere.version == 4 else "::1"), port
    return address


def _string(text: bytes | None) -> bytes:
    return struct.pack("<i", -1) if text is None else struct.pack("<i", len(text)) + text


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", 8 + len(body)) + body


def _request(number: int, kind: int, body: bytes) -> bytes:
    """A sequence header, a type, a request header without a session, and the rest."""
    header = b"\0\0" + struct.pack("<qIIiI", 0, number, 0, -1, int(TIMEOUT_S * 1000)) + b"\0\0\0"
    return struct.pack("<2I", number, number) + struct.pack("<BBH", 1, 0, kind) + header + body


def _response(message: bytes) -> tuple[int, bytes]:
    """Its type, and what follows its header."""
    encoding, _, kind = struct.unpack_from("<BBH", message)
    (code,) = struct.unpack_from("<I", message, 4 + 12)
    if encoding != 1 or code:
        raise _NoAnswerError(f"it refuses to say what it is (status code 0x{code:08X})")
    return kind, message[4 + 12 + 4 + 1 + 4 + 3 :]


async def _receive(reader: asyncio.StreamReader, wanted: bytes) -> bytes:
    """A message's body; its chunks after the first come without their headers."""
    whole = bytearray()
    while True:
        head = await reader.readexactly(8)
        kind, last, size = struct.unpack("<3scI", head)
        if kind == b"ERR":
            (code,) = struct.unpack("<I", await reader.readexactly(4))
            raise _NoAnswerError(f"it ends the connection (status code 0x{code:08X})")
        if kind != wanted or not 8 <= size <= _BUFFER_BYTES or len(whole) > _LARGEST_BYTES:
            raise _NoAnswerError("another program answers there")
        body = await reader.readexactly(size - 8)
        whole += body[16:] if whole else body
        if last == b"F":
            return bytes(whole)
