"""Answers: what stands in the head of each, and how one is refused or sent elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from .library import web
from .listener import PLAIN_HEADERS
from .report import Refusal, encoded

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
API = "/api/v1/"

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


def refuse(request: web.BaseRequest, status: int, reason: str, /, **headers: str) -> web.Response:
    """Why not, as who asks can read it."""
    if request.path.startswith(API):
        return answer(encoded(Refusal(error=reason)), JSON, status=status, headers=headers)
    return answer(f"{reason}\n".encode(), TEXT, status=status, headers=headers)
