"""What can be wrong with an answer. A fault does it to a connection and returns the HTTP status it sent, if any."""

from __future__ import annotations

from collections.abc import Callable

from .lookalikes import LOOKALIKES
from .wire import Answer, Connection

Fault = Callable[[Connection], int | None]

_STARTING_PAGE = b"<!DOCTYPE html><html><body><h1>OctoPrint is still starting up</h1></body></html>\n"
_PROXY_PAGE = "<html><body><h1>{status} {title}</h1>\n{text}\n</body></html>\n"
_PROXY_TEXTS = {
    502: ("Bad Gateway", "The server returned an invalid or incomplete response."),
    503: ("Service Unavailable", "No server is available to handle this request."),
}


def saying(answer: Answer) -> Fault:
    """Always this answer."""
    return lambda connection: connection.reply(answer)


def truncated(connection: Connection) -> int:
    """Promise the whole body, send half of it, close."""
    answer = connection.well()
    connection.send(answer.head(len(answer.body)) + answer.body[: len(answer.body) // 2])
    connection.close()
    return answer.status


def reset(connection: Connection) -> int:
    """Reset the connection in the middle of the body."""
    answer = connection.well()
    connection.send(answer.head(len(answer.body)) + answer.body[: len(answer.body) // 2])
    # Not at once: the first half would be lost with the write buffer.
    connection.later(0.01, connection.reset)
    return answer.status


def slow(seconds: float) -> Fault:
    """The right answer, after a while."""

    def fault(connection: Connection) -> None:
        connection.later(seconds, lambda: connection.reply(connection.well()))

    return fault


def starting(connection: Connection) -> int | None:
    """OctoPrint's stand-in while it starts: under /api two bare words, without even a status line."""
    if not connection.question.path.startswith("/api"):
        return connection.reply(Answer(200, _STARTING_PAGE, "text/html"))
    connection.send(b"Not found")
    connection.close()
    return None


def proxy_down(status: int, after_s: float) -> Fault:
    """A reverse proxy that finds nobody behind it."""
    title, text = _PROXY_TEXTS[status]
    page = _PROXY_PAGE.format(status=status, title=title, text=text).encode()
    answer = Answer(status, page, "text/html", {"Cache-Control": "no-cache", "Connection": "close"}, "1.0")

    def fault(connection: Connection) -> int:
        def say() -> None:
            connection.send(answer.wire)
            connection.close()

        connection.later(after_s, say)
        return status

    return fault


def trickling(interval_s: float) -> Fault:
    """The right answer, one byte at a time, from the first byte of the status line."""

    def fault(connection: Connection) -> int:
        answer = connection.well()
        rest = iter(answer.wire)

        def drop() -> None:
            byte = next(rest, None)
            if byte is None:
                connection.close()
                return
            connection.send(bytes([byte]))
            connection.later(interval_s, drop)

        drop()
        return answer.status

    return fault


def huge(size: int, *, declared: bool) -> Fault:
    """A body of ``size`` bytes, with or without saying so beforehand."""

    def fault(connection: Connection) -> int:
        extra = [] if declared else ["Connection: close"]
        connection.send(Answer(200, b"").head(size if declared else None, extra))
        connection.pour(size)
        return 200

    return fault


def babbling(said: bytes, again: bytes, *, stay: bool) -> Fault:
    """Exactly these bytes instead of an answer, then others for ever."""

    def fault(connection: Connection) -> None:
        connection.send(said)
        if again:
            connection.pour(junk=again)
        elif not stay:
            connection.close()

    return fault


def going_on(said: bytes, after_s: float, *, for_ever: bool) -> Fault:
    """The right answer, and then what nobody asked for."""

    def fault(connection: Connection) -> int:
        status = connection.reply(connection.well())
        connection.later(after_s, lambda: connection.pour(junk=said) if for_ever else connection.send(said))
        return status

    return fault


def lookalike(name: str) -> Fault:
    """Another program's answers under OctoPrint's addresses."""
    answers = LOOKALIKES[name]
    missing = Answer(404, b'{"error": "Not Found"}')
    return lambda connection: connection.reply(answers.get(connection.question.path, missing))
