"""The double itself: who may ask, what is answered, what goes wrong, what was asked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self, TypedDict, Unpack

from . import faults
from .appkeys import PREFIX, AppKeys
from .editions import EDITIONS, UnknownKey
from .faults import Fault
from .printer import HISTORY_TIME, Printer, Watched, encoded
from .wire import Answer, Connection, Question

KEY = "STATUSKEYSTATUSKEYSTATUSKEYSTATU"

_FORBIDDEN = (
    "You don't have the permission to access the requested resource. "
    "It is either read-protected or not readable by the server."
)
_ENDPOINTS = {
    "/api/job": "job",
    "/api/printer": "printer",
    "/api/printer/error": "printer_error",
    "/api/connection": "connection",
}
# With its name: the digits alone also occur in the likes of 14.499999999999998.
_PLACE = b'"time": %d' % HISTORY_TIME
_REMEMBERED = 256


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class User:
    """An OctoPrint user. Deactivated, it may nothing, though its permissions are still listed."""

    name: str = "agent"
    permissions: tuple[str, ...] = ("STATUS",)
    active: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was asked and answered.

    ``time`` is the loop's, in seconds. ``connection`` numbers the TCP connections from 1. ``headers`` have lower-case
    names; the key's value is replaced by "(key)". ``status`` is None where no status was sent before the log was
    written: nothing, no status line, or an answer still held back.
    """

    time: float
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    connection: int
    key: Literal["right", "wrong", "missing"]
    status: int | None


class Where(TypedDict, total=False):
    """Limits of a fault: one ``path`` only, the next requests only (``times``)."""

    path: str
    times: int


@dataclass
class _Planned:
    fault: Fault
    left: int | None


class OctoPrintDouble:
    """One OctoPrint with one printer, on a free port of 127.0.0.1; runs inside ``async with``.

    Args:
        version: a key of `EDITIONS`: "1.3.6", "1.9.3", "1.11.8" or "2.0.0rc7".
        clock: the host's wall clock, which stamps temperatures.
        tls: serve https with this context.
        log_limit: keep only so many of the latest requests.
        address: where it listens.

    Attributes:
        printer: the model, with its own verbs.
        appkeys: the plugin Application Keys.
        users: by API key. At first one, `KEY`, with the permission STATUS.
        connections: how many TCP connections were made so far.
        open_connections: those that are open now.
    """

    key = KEY

    def __init__(
        self,
        version: str = "1.11.8",
        *,
        clock: Callable[[], datetime] = _utc_now,
        tls: ssl.SSLContext | None = None,
        log_limit: int | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.edition = EDITIONS[version]
        self.printer = Printer(self._forget_answers)
        self.appkeys = AppKeys(lambda: self.url)
        self.users = Watched({KEY: User()}, self._forget_answers)
        self.connections = 0
        self.open_connections: set[Connection] = set()
        self.closing: Literal["never", "announced", "unannounced"] = "never"
        self.linger_s = 0.0
        self.port = 0
        self._address = address
        self._clock = clock
        self._tls = tls
        self._log: deque[Request] = deque(maxlen=log_limit)
        self._questions: dict[bytes, Question] = {}
        self._faults: dict[str | None, _Planned] = {}
        self._held: list[Connection] = []
        self._thaw: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None
        self._listening = False
        self._accepted: set[asyncio.Task[None]] = set()
        self.well()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._bind()
        self.speak()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.silence()
        assert self._socket is not None
        self._socket.close()
        self._cancel_thaw()
        while self._accepted or self.open_connections:  # noqa: ASYNC110 -- a turn or two, no news of their own
            await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"{'https' if self._tls else 'http'}://{self._address}:{self.port}"

    @property
    def log(self) -> list[Request]:
        """All requests since the last `clear_log`, oldest first."""
        return list(self._log)

    def clear_log(self) -> None:
        """Forget the requests so far; ``connections`` goes on counting."""
        self._log.clear()

    # Verbs for failure. Each replaces the last one for the same path; `well` undoes them all.

    def well(self) -> None:
        """Undo every fault; what `hang` held is answered now."""
        self._faults.clear()
        self.closing = "unannounced" if self.edition.closes else "never"
        self.linger_s = 0.0
        self._answer_held()
        if self._socket is not None:
            self.speak()

    def silence(self) -> None:
        """Stop: open connections end, new ones are refused. The port stays ours for `speak`."""
        if not self._listening:
            return
        assert self._socket is not None
        self._listening = False
        self._loop.remove_reader(self._socket)
        self._socket.close()
        # Bound but not listening, it refuses, and nobody else is given the port meanwhile.
        self._bind()
        for task in self._accepted:
            task.cancel()
        for connection in list(self.open_connections):
            connection.abort()

    def speak(self) -> None:
        """Listen (again)."""
        if self._listening:
            return
        assert self._socket is not None
        self._listening = True
        self._socket.listen(128)
        self._loop.add_reader(self._socket, self._accept)

    def refuse(
        self,
        status: int = 403,
        body: str | None = None,
        content_type: str = "application/json",
        **where: Unpack[Where],
    ) -> None:
        """Answer with this status; without a body in OctoPrint's words for 403, else a short JSON error."""
        words = encoded({"error": _FORBIDDEN if status == 403 else f"refused with {status}"})
        answer = Answer(status, words if body is None else body.encode(), content_type)
        self._plan(faults.saying(answer), where)

    def hang(self, seconds: float | None = None, **where: Unpack[Where]) -> None:
        """Accept and listen, and say nothing for ``seconds`` (None: until `well`), like a stopped process.

        Then what was asked meanwhile is answered at once.
        """
        self._plan(self._hold, where)
        self._cancel_thaw()
        if seconds is not None:
            self._thaw = self._loop.call_later(seconds, self._answer_held)

    def slow(self, seconds: float, **where: Unpack[Where]) -> None:
        """Answer rightly, each time after ``seconds``."""
        self._plan(faults.slow(seconds), where)

    def garble(self, body: bytes, content_type: str = "application/json", **where: Unpack[Where]) -> None:
        """Answer 200 with these bytes."""
        self._plan(faults.saying(Answer(200, body, content_type)), where)

    def truncate(self, **where: Unpack[Where]) -> None:
        """Promise the whole body, send half, close."""
        self._plan(faults.truncated, where)

    def reset(self, **where: Unpack[Where]) -> None:
        """Reset the TCP connection in the middle of the body."""
        self._plan(faults.reset, where)

    def redirect(self, to: str, status: int = 302, **where: Unpack[Where]) -> None:
        """Send the client to the address ``to``, taken as it is."""
        self._plan(faults.saying(Answer(status, b"", "text/html", {"Location": to})), where)

    def starting(self, **where: Unpack[Where]) -> None:
        """Be OctoPrint's stand-in while it starts: the bytes "Not found", no status line."""
        self._plan(faults.starting, where)

    def proxy_down(self, status: Literal[502, 503] = 503, *, after_s: float = 0.0, **where: Unpack[Where]) -> None:
        """Be a proxy that reaches nobody. OctoPi's says 503 after three seconds of trying, 502 while starting."""
        self._plan(faults.proxy_down(status, after_s), where)

    def trickle(self, interval_s: float = 1.0, **where: Unpack[Where]) -> None:
        """Answer rightly, one byte every ``interval_s``."""
        self._plan(faults.trickling(interval_s), where)

    def huge(self, size: int, *, declared: bool = True, **where: Unpack[Where]) -> None:
        """Answer 200 with ``size`` bytes of junk, as fast as they are read; ``declared`` in Content-Length or not."""
        self._plan(faults.huge(size, declared=declared), where)

    def babble(self, said: bytes, again: bytes = b"", *, stay: bool = False, **where: Unpack[Where]) -> None:
        """Say exactly these bytes, then ``again`` for ever; without that close, or ``stay`` and be silent."""
        self._plan(faults.babbling(said, again, stay=stay), where)

    def go_on(self, said: bytes, *, after_s: float = 0.0, for_ever: bool = False, **where: Unpack[Where]) -> None:
        """Answer rightly, and ``after_s`` later say what nobody asked for, once or ``for_ever``."""
        self._plan(faults.going_on(said, after_s, for_ever=for_ever), where)

    def lookalike(self, name: Literal["moonraker", "prusalink"], **where: Unpack[Where]) -> None:
        """Be another program, in the middle of a print. It takes any key."""
        self._plan(faults.lookalike(name), where)

    def close_each(self, *, announce: bool, linger_s: float = 0.0) -> None:
        """Close the connection after each answer, with "Connection: close" or without.

        Unannounced, the close comes ``linger_s`` after the answer, and a request sent in between dies with it.
        """
        self.closing = "announced" if announce else "unannounced"
        self.linger_s = linger_s

    # What connections call.

    def arrived(self, connection: Connection) -> int:
        """Count a new connection."""
        self.connections += 1
        self.open_connections.add(connection)
        return self.connections

    def left(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.open_connections.discard(connection)
        if connection in self._held:
            self._held.remove(connection)

    def asked(self, connection: Connection, head: bytes) -> None:
        """Answer, or fail to, as planned; then write the log."""
        question = self._questions.get(head)
        if question is None:
            try:
                question = Question.parsed(head)
            except ValueError:
                connection.send(Answer(400, b"", "text/html").wire)
                connection.close()
                return
            if len(self._questions) >= _REMEMBERED:
                self._questions.clear()
                self._forget_answers()
            self._questions[head] = question
        connection.question = question
        known: Literal["right", "wrong"] = "right" if question.key in self.users else "wrong"
        fault = self._due(question.path)
        if fault is not None:
            status = fault(connection)
        elif question.path.startswith(PREFIX):
            status = connection.reply(self.appkeys.answer(question, connection.body, self._loop.time()))
        else:
            status = connection.reply(self.answer(question))
        self._log.append(
            Request(
                self._loop.time(),
                question.method,
                question.path,
                question.query,
                question.headers,
                connection.number,
                known if question.key else "missing",
                status,
            ),
        )

    def answer(self, question: Question) -> Answer:
        """What OctoPrint says now. Made once for each question and state; only the temperatures' time is filled in."""
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answers[question] = self._judged(question)
        if _PLACE in answer.body:
            at = self.printer.temperatures_at or self._clock()
            return answer.at(_PLACE, b'"time": %010d' % int(at.timestamp()))
        return answer

    # Inside.

    def _judged(self, question: Question) -> Answer:
        edition = self.edition
        if question.method != "GET":
            return self._error(405, "The method is not allowed for the requested URL.")
        if not question.path.startswith("/api/"):
            found = question.path == "/"
            return Answer(200 if found else 404, b"<html><body>OctoPrint</body></html>", "text/html")
        if question.key and not question.key.isascii():
            return self._error(500, "The server encountered an internal error.")
        user = self.users.get(question.key or "")
        if user is None and edition.unknown_key is UnknownKey.TEXT_401:
            return self._error(401, "Invalid API key")
        if user is None and question.key and edition.unknown_key is UnknownKey.JSON_403:
            return self._error(403, "Invalid API key")
        if question.path == "/api/currentuser" and edition.users:
            return Answer(200, encoded(_current_user(user)))
        answer = self._status(question)
        if answer.status == 404 or not edition.users or (user and user.active and "STATUS" in user.permissions):
            return answer
        return self._error(403, _FORBIDDEN)

    def _status(self, question: Question) -> Answer:
        version, path = self.edition.version, question.path
        if path == "/api/version":
            return Answer(200, encoded({"api": "0.1", "server": version, "text": f"OctoPrint {version}"}))
        if path == "/api/server" and self.edition.server_endpoint:
            return Answer(200, encoded({"safemode": None, "version": version}))
        endpoint = _ENDPOINTS.get(path)
        if endpoint is None or (endpoint == "printer_error" and not self.edition.error_endpoint):
            return self._error(404, "The requested URL was not found on the server.")
        if endpoint == "printer" and "history=true" in question.query.split("&"):
            endpoint = "printer_history"
        status, body = self.printer.answer(endpoint, self.edition)
        return Answer(status, body, "application/json" if body.startswith(b"{") else "text/html")

    def _error(self, status: int, text: str) -> Answer:
        if self.edition.json_errors:
            return Answer(status, encoded({"error": text}))
        return Answer(status, text.encode(), "text/html")

    def _forget_answers(self) -> None:
        self._answers: dict[Question, Answer] = {}

    def _plan(self, fault: Fault, where: Where) -> None:
        self._faults[where.get("path")] = _Planned(fault, where.get("times"))

    def _due(self, path: str) -> Fault | None:
        if not self._faults:
            return None
        place = path if path in self._faults else None
        planned = self._faults.get(place)
        if planned is None:
            return None
        if planned.left is not None:
            planned.left -= 1
            if planned.left <= 0:
                del self._faults[place]
        return planned.fault

    def _hold(self, connection: Connection) -> None:
        self._held.append(connection)

    def _answer_held(self) -> None:
        self._cancel_thaw()
        self._faults = {path: planned for path, planned in self._faults.items() if planned.fault != self._hold}
        held, self._held = self._held, []
        for connection in held:
            connection.reply(connection.well())

    def _cancel_thaw(self) -> None:
        if self._thaw is not None:
            self._thaw.cancel()
            self._thaw = None

    def _bind(self) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((self._address, self.port))
        self.port = self._socket.getsockname()[1]

    def _accept(self) -> None:
        assert self._socket is not None
        try:
            peer, _ = self._socket.accept()
        except OSError:
            return
        peer.setblocking(False)
        task = self._loop.create_task(self._serve(peer))
        self._accepted.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._accepted.discard(task)
            if task.cancelled():
                peer.close()

        task.add_done_callback(done)

    async def _serve(self, peer: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: Connection(self), peer, ssl=self._tls)
        except OSError:
            peer.close()  # a client that hung up in the TLS handshake: its business


def _current_user(user: User | None) -> dict[str, object]:
    if user is None:
        return {"groups": ["guests"], "name": None, "permissions": []}
    return {"groups": [], "name": user.name, "permissions": list(user.permissions)}
