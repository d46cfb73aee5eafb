"""What a server can send instead of an answer, and what the agent has to say of it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import NamedTuple

from edge_agent.errors import SourceError, UnexpectedAnswer, Unreachable, WrongKey, WrongTarget
from tests.double import KEY, OctoPrintDouble

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"
BOMB_BYTES = 64_000_000
BOMB = b" " * BOMB_BYTES


class Attack(NamedTuple):
    """``waits``: nothing ends it but the cycle's deadline."""

    act: Callable[[OctoPrintDouble], object]
    kind: type[SourceError]
    words: str
    waits: bool = False


def babble(said: bytes, again: bytes, kind: type[SourceError], words: str) -> Attack:
    """These bytes instead of an answer."""
    return Attack(lambda o: o.babble(said, again), kind, words)


def body(of: bytes, kind: type[SourceError], words: str) -> Attack:
    """This body to /api/job, properly sent."""
    return Attack(lambda o: o.garble(of, path="/api/job"), kind, words)


def silent(said: bytes) -> Attack:
    """These bytes, and then nothing, on an open connection."""
    return Attack(lambda o: o.babble(said, stay=True), Unreachable, "no answer", waits=True)


def status(line: bytes, kind: type[SourceError], words: str) -> Attack:
    """This status line, and headers, with an empty body."""
    return babble(b"HTTP/1.1 " + line + b"\r\n" + EMPTY, b"", kind, words)


def packed(encoding: bytes, content: bytes) -> bytes:
    """An answer with this Content-Encoding."""
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(content)) + content


NO_HTTP = (WrongTarget, "does not speak HTTP")
NO_END = (SourceError, "")
"""aiohttp's own limits or ours end it, whichever comes first, and with them the words."""
TOO_LARGE = (UnexpectedAnswer, "larger than 1 MiB")
CUT_OFF = (UnexpectedAnswer, "cut off")
NO_JSON = (UnexpectedAnswer, "not valid JSON")
NO_OBJECT = (UnexpectedAnswer, "Expected `object`")
PACKED = (UnexpectedAnswer, "packed")

FLOODS: dict[str, Attack] = {
    "100 again and again": babble(b"", b"HTTP/1.1 100 Continue\r\n\r\n", UnexpectedAnswer, "gives none"),
    "103 again and again": babble(b"", b"HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n", UnexpectedAnswer, "gives none"),
    "answers again and again": babble(b"", OK + b"Content-Length: 2\r\n\r\n[]", *NO_OBJECT),
    "headers without end": babble(OK, b"X-A: b\r\n", *NO_END),
    "a header without end": babble(OK + b"X-A: ", b"x", *NO_HTTP),
    "a header's name without end": babble(OK, b"x", *NO_HTTP),
    "a folded header without end": babble(OK + b"X-A: b\r\n", b" c\r\n", *NO_HTTP),
    "a reason without end": babble(b"HTTP/1.1 200 ", b"x", *NO_HTTP),
    "a version without end": babble(b"HTTP/1.", b"1", *NO_HTTP),
    "line ends without end": babble(b"", b"\r\n", *NO_END),
    "zeros": babble(b"", b"\0", *NO_HTTP),
    "cookies": babble(OK, b"Set-Cookie: a=b\r\n", *NO_END),
    "chunks of a byte": babble(CHUNKED, b"1\r\n \r\n", *TOO_LARGE),
    "chunks of many bytes": babble(CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n", *TOO_LARGE),
    "a chunk's extension without end": babble(CHUNKED + b"1;", b"x", *TOO_LARGE),
    "a chunk's size without end": babble(CHUNKED, b"0", *TOO_LARGE),
    "trailers without end": babble(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n", *NO_END),
    "a huge size, declared": babble(OK + b"Content-Length: 9223372036854775807\r\n\r\n", b" ", *TOO_LARGE),
    "no size": babble(OK + b"\r\n", b" ", *TOO_LARGE),
    "a gzip bomb": babble(packed(b"gzip", gzip.compress(BOMB)), b"", *TOO_LARGE),
    "a deflate bomb": babble(packed(b"deflate", zlib.compress(BOMB)), b"", *TOO_LARGE),
    "a gzip bomb in a gzip bomb": babble(
        packed(b"gzip", gzip.compress(gzip.compress(BOMB))), b"", *NO_JSON
    ),
    "a gzip bomb, and it says so": babble(
        packed(b"gzip, gzip", gzip.compress(gzip.compress(BOMB))), b"", *PACKED
    ),
    "a brotli bomb": babble(packed(b"br", b"\x8b" * 1000), b"", *PACKED),
    "a zstandard bomb": babble(packed(b"zstd", b"\x28\xb5\x2f\xfd" * 100), b"", *PACKED),
    "a switch of protocols": babble(
        b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"xyz", UnexpectedAnswer, "answers 101"
    ),
}  # fmt: skip

LIES: dict[str, Attack] = {
    "a negative size": babble(OK + b"Content-Length: -1\r\n\r\n{}", b"", *NO_HTTP),
    "two sizes": babble(OK + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}", b"", *NO_HTTP),
    "a size beyond all numbers": babble(OK + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}", b"", *NO_HTTP),
    "a size and chunks": babble(
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"", *NO_HTTP
    ),
    "a larger size than sent": babble(OK + b"Content-Length: 100\r\n\r\n{}", b"", *CUT_OFF),
    "chunks that break off": babble(CHUNKED + b"2\r\n{}\r\n", b"", *CUT_OFF),
    "a head that breaks off": babble(OK + b"Content-Le", b"", Unreachable, "closed before the answer"),
    "packed and broken off": babble(packed(b"gzip", gzip.compress(b'{"server": "1"}')[:-12]), b"", *NO_JSON),
    "packed and not packed": babble(packed(b"gzip", b'{"server": "1"}'), b"", *PACKED),
    "HTTP/1.0": babble(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[]", b"", *NO_OBJECT),
    "HTTP/0.9": babble(b"{}", b"", *NO_HTTP),
    "HTTP/2": babble(b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\0\xff\xff", b"", *NO_HTTP),
    "TLS": babble(b"\x15\x03\x01\0\2\2\x46", b"", *NO_HTTP),
    "another protocol": babble(b"SSH-2.0-OpenSSH_9.2\r\n", b"", *NO_HTTP),
    "not modified": status(b"304 Not Modified", UnexpectedAnswer, "answers 304"),
    "multiple choices": status(b"300 Multiple Choices", UnexpectedAnswer, "answers 300"),
    "no content": babble(b"HTTP/1.1 204 No Content\r\n\r\n", b"", UnexpectedAnswer, "answers 204"),
    "a status of no kind": status(b"999 What", UnexpectedAnswer, "answers 999"),
    "a proxy's log-in": status(b'407 Log In\r\nProxy-Authenticate: Basic realm="x"', UnexpectedAnswer, "407"),
    "a log-in": status(b'401 Log In\r\nWWW-Authenticate: Basic realm="x"', WrongKey, "does not know"),
    "a log-in by digest": status(
        b'401 Log In\r\nWWW-Authenticate: Digest realm="x", nonce="y", qop="auth"', WrongKey, "does not know"
    ),
    "a log-in by negotiation": status(b"401 Log In\r\nWWW-Authenticate: Negotiate", WrongKey, "does not know"),
    "header bytes that are no text": babble(
        OK + b"X: \xff\xfe\x80\r\nContent-Length: 2\r\n\r\n[]", b"", *NO_OBJECT
    ),
}  # fmt: skip

BODIES: dict[str, Attack] = {
    "nothing": body(b"", *NO_JSON),
    "cut": body(b'{"state": "Opera', *NO_JSON),
    "followed by more": body(b'{"state": "Operational"} {}', *NO_JSON),
    "lists in lists": body(b'{"state": "Offline", "x": ' + b"[" * 400_000 + b"]" * 400_000 + b"}", *NO_JSON),
    "objects in objects": body(b'{"x": ' * 100_000 + b"1" + b"}" * 100_000, *NO_JSON),
    "no UTF-8": body(b'{"state": "\xff\xfe"}', *NO_JSON),
    "half a surrogate pair": body(b'{"state": "\\ud800"}', *NO_JSON),
    "UTF-16": body('{"state": "Offline"}'.encode("utf-16"), *NO_JSON),
    "NaN": body(b'{"state": "Operational", "progress": {"completion": NaN}}', *NO_JSON),
    "infinity": body(b'{"state": "Operational", "progress": {"completion": -Infinity}}', *NO_JSON),
    "a number beyond numbers": body(b'{"state": "x", "progress": {"completion": 1e999}}', UnexpectedAnswer, "$.pro"),
    "a number of digits": body(
        b'{"state": "x", "progress": {"completion": ' + b"9" * 900_000 + b"}}", UnexpectedAnswer, "$.progress"
    ),
    "a text for a number": body(b'{"state": "x", "progress": {"completion": "7"}}', UnexpectedAnswer, "$.progress"),
    "a flag for a text": body(b'{"state": true}', UnexpectedAnswer, "$.state"),
    "a list for an object": body(b'{"state": "x", "job": []}', UnexpectedAnswer, "$.job"),
    "the last of two states": body(b'{"state": "Offline", "state": 1}', UnexpectedAnswer, "$.state"),
    "the key": body(json.dumps({"state": KEY}).encode(), WrongTarget, "repeats the API key"),
    "the key, written otherwise": body(
        b'{"state": "%s"}' % b"".join(b"\\u%04x" % byte for byte in KEY.encode()), WrongTarget, "repeats the API key"
    ),
    "a stranger's name that is the key": Attack(
        lambda o: o.garble(json.dumps({"text": KEY}).encode()), WrongTarget, "repeats the API key"
    ),
}  # fmt: skip

SLOW: dict[str, Attack] = {
    "silence": Attack(lambda o: o.hang(), Unreachable, "no answer", waits=True),
    "a byte a second": Attack(lambda o: o.trickle(1.0), Unreachable, "no answer", waits=True),
    "half a head": silent(OK),
    "half a body": silent(OK + b"Content-Length: 100\r\n\r\n{"),
    "half a chunk": silent(CHUNKED + b"5\r\n{"),
    "an announcement": silent(b"HTTP/1.1 100 Continue\r\n\r\n"),
}

ATTACKS = FLOODS | LIES | BODIES | SLOW
