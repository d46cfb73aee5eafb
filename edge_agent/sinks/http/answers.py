"""Answers: what stands in the head of each, and how one is refused or sent elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

from msgspec import Struct

from .library import web
from .listener import PLAIN_HEADERS
from .report import Refusal, encoded

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
API = "/api/v1/"
PACKED = (HTML, "text/css; charset=utf-8", "text/javascript; charset=utf-8")
"""What is made for a person's screen. Programs in the same house can do without."""

_WORTH_PACKING_BYTES = 1400  # less fits into one packet anyway

# The referrer goes to our own pages: without it a browser calls the origin of a form "null".
HEADERS = {
    **PLAIN_HEADERS,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}


def answer(body: bytes, kind: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Some bytes."""
    return web.Response(body=body, status=status, headers={**HEADERS, "Content-Type": kind, **(headers or {})})


def json_answer(report: Struct) -> web.Response:
    """A struct as JSON."""
    return answer(encoded(report), JSON)


def page_answer(
    text: str, language: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A page in the reader's language."""
    more = {"Content-Language": language, "Vary": "Accept-Language", **(headers or {})}
    return answer(text.encode("utf-8", "replace"), HTML, status=status, headers=more)


def packed(response: web.Response, request: web.BaseRequest) -> web.Response:
    """The same in fewer bytes, for who can unpack it.

    Not for a page with a secret in it: its size would tell how much of the secret an address repeats.
    """
    kind, body = response.headers["Content-Type"], response.body
    if kind not in PACKED or not isinstance(body, bytes):
        return response
    response.headers["Vary"] = ", ".join(filter(None, (response.headers.get("Vary"), "Accept-Encoding")))
    if len(body) > _WORTH_PACKING_BYTES and _unpacks(request.headers.get("Accept-Encoding", "")):
        response.body = gzip.compress(body, compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    return response


def _unpacks(accept_encoding: str) -> bool:
    """Does a browser know gzip; one that weighs its encodings is no browser and gets the plain text."""
    return "gzip" in [part.strip().lower() for part in accept_encoding.split(",")]


def refuse(request: web.BaseRequest, status: int, reason: str, /, **headers: str) -> web.Response:
    """Why not, as who asks can read it."""
    if request.path.startswith(API):
        return answer(encoded(Refusal(error=reason)), JSON, status=status, headers=headers)
    return answer(f"{reason}\n".encode(), TEXT, status=status, headers=headers)
