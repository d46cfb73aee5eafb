"""One TCP connection to the double: HTTP/1.1 by hand, so that it can also be done wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import http
import re
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, cast
from urllib.parse import parse_qsl

FOR_EVER = 1 << 62
_CHUNK = b"x" * 65536


@dataclass(frozen=True)
class Answer:
    """What is to be said. ``version`` is the HTTP version of the status line."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None
    version: str = "1.1"

    @functools.cached_property
    def wire(self) -> bytes:
        """The bytes of the whole answer, made once."""
        return self.head(len(self.body)) + self.body

    def at(self, place: bytes, time: bytes) -> Answer:
        """The same with ``time`` written over ``place``, which is as long."""
        return dataclasses.replace(self, body=self.body.replace(place, time))

    def head(self, length: int | None, extra: Iterable[str] = ()) -> bytes:
        """Status line and headers, claiming ``length`` bytes of body (None: not saying)."""
        lines = [
            f"HTTP/{self.version} {self.status} {http.HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            *(f"{name}: {value}" for name, value in (self.headers or {}).items()),
            *([] if length is None else [f"Content-Length: {length}"]),
            *extra,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True, eq=False)
class Question:
    """A request as it came; equal only to itself, so that it can be a dictionary's key.

    ``headers`` have lower-case names. The API key is in ``key`` alone.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    key: str | None

    @classmethod
    def parsed(cls, head: bytes) -> Question:
        """Read a request's head.

        Raises:
            ValueError: it is not HTTP/1.
        """
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(f"not HTTP/1: {version}")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        path, _, query = target.partition("?")
        bearer = headers.get("authorization", "").removeprefix("Bearer ") or None
        in_query = dict(parse_qsl(query)).get("apikey")
        key = in_query or headers.get("x-api-key") or bearer
        hidden = {name: "(key)" for name in ("x-api-key", "authorization") if name in headers}
        shown = query.replace(in_query, "(key)") if in_query else query
        return cls(method, path, shown, headers | hidden, key)


class Listener(Protocol):
    """What a connection needs of the double."""

    closing: Literal["never", "announced", "unannounced"]
    linger_s: float

    def arrived(self, connection: Connection) -> int:
        """A connection was made; its number."""

    def left(self, connection: Connection) -> None:
        """A connection is gone."""

    def asked(self, connection: Connection, head: bytes) -> None:
        """A request came; see to it that one of the connection's verbs ends it."""

    def answer(self, question: Question) -> Answer:
        """What OctoPrint would say now."""


class Connection(asyncio.Protocol):
    """Reads requests one at a time; its verbs say or do something about the one in hand."""

    number: int
    question: Question
    body: bytes = b""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._heard = b""
        self._busy = False
        self._unsent = 0
        self._junk = _CHUNK
        self._paused = False
        self._timers: set[asyncio.TimerHandle] = set()

    # The protocol's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a number."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.number = self._listener.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """Forget what was still planned."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._unsent = 0
        self._listener.left(self)

    def data_received(self, data: bytes) -> None:
        """Collect bytes until a request is complete."""
        self._heard += data
        self._next()

    def pause_writing(self) -> None:
        """The client does not read: stop pouring."""
        self._paused = True

    def resume_writing(self) -> None:
        """The client has read: go on with a huge answer."""
        self._paused = False
        self._pour()

    def _next(self) -> None:
        if self._busy or self._transport.is_closing():
            return
        head, end, rest = self._heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        size = int(length[1]) if length else 0
        if end and len(rest) >= size:
            self.body, self._heard = rest[:size], rest[size:]
            self._busy = True
            self._listener.asked(self, head)

    # Verbs.

    def well(self) -> Answer:
        """What would be said now if nothing were wrong."""
        return self._listener.answer(self.question)

    def reply(self, answer: Answer) -> int:
        """Say it properly, and be ready for the next request; the status."""
        closing = self._listener.closing
        if closing == "never":
            self._transport.write(answer.wire)
        elif closing == "announced":
            self.send(answer.head(len(answer.body), ["Connection: close"]) + answer.body)
            self.close()
            return answer.status
        else:
            self.send(answer.wire)
            # Deaf from now on, whatever still comes in before the end: this is the race of a real network.
            self.later(self._listener.linger_s, self.close)
            return answer.status
        self._busy = False
        if self._heard:
            self._next()
        return answer.status

    def send(self, raw: bytes) -> None:
        """Say some bytes; the request stays in hand."""
        self._transport.write(raw)

    def close(self) -> None:
        """End the connection in good order."""
        self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    def reset(self) -> None:
        """End it with a TCP reset: linger time zero."""
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after a while, if the client is still there."""
        if not seconds:
            action()
            return

        def due() -> None:
            self._timers.discard(timer)
            action()

        timer = self._loop.call_later(seconds, due)
        self._timers.add(timer)

    def pour(self, size: int = FOR_EVER, junk: bytes = _CHUNK) -> None:
        """Send ``size`` bytes of ``junk`` again and again, as fast as the client reads, then close."""
        self._junk = junk * max(1, len(_CHUNK) // len(junk))
        self._unsent = size
        self._pour()

    def _pour(self) -> None:
        while self._unsent and not self._paused and not self._transport.is_closing():
            part = min(self._unsent, len(self._junk))
            self._unsent -= part
            self._transport.write(self._junk[:part])
            if not self._unsent:
                self._transport.close()
