"""What comes in: forms, cookies, and where a form was filled in.

Only what a browser sends for a plain form is read: ``application/x-www-form-urlencoded``, of a bounded size, each field
once, text without control characters. A field that is longer than a person types is refused, not cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from .library import web

MOST_BYTES = 64 * 1024
MOST_FIELDS = 160
LONGEST_FIELD = 2048
COOKIE = "edge-agent-session"
COOKIE_S = 12 * 3600

_KIND = "application/x-www-form-urlencoded"
_MOST_TOKENS = 4
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PORTS = {"http": ":80", "https": ":443"}


class BadForm(Exception):
    """Something that none of our pages sends; the text says what."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read_form(request: web.BaseRequest) -> Mapping[str, str]:
    """The fields of a form.

    Raises:
        BadForm: it is none of ours.
    """
    if request.content_type != _KIND or request.headers.get("Content-Encoding", "identity") != "identity":
        raise BadForm(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"expected a form as browsers send it: {_KIND}")
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise BadForm(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected a form in UTF-8")
    return _fields(await _body(request))


async def _body(request: web.BaseRequest) -> bytes:
    too_large = BadForm(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a form has {MOST_BYTES} bytes at most")
    if (request.content_length or 0) > MOST_BYTES:
        raise too_large
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise too_large
    return bytes(body)


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
            max_num_fields=MOST_FIELDS,
        )  # fmt: skip
    except ValueError as error:  # half a character, half a field, or too many
        raise BadForm(HTTPStatus.BAD_REQUEST, "this is no form of this page") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadForm(HTTPStatus.BAD_REQUEST, "a field stands twice in this form")
    for name, text in pairs:
        if len(name) > LONGEST_FIELD or len(text) > LONGEST_FIELD:
            raise BadForm(HTTPStatus.BAD_REQUEST, f"a field has {LONGEST_FIELD} characters at most")
        if _CONTROL.search(name) or _CONTROL.search(text):
            raise BadForm(HTTPStatus.BAD_REQUEST, "a field has a character in it that nobody types")
    return fields


def from_our_page(request: web.BaseRequest) -> bool:
    """Was this form filled in on a page of ours.

    Browsers say with each form which origin its page is of. A program that says nothing is refused as well: it has no
    business here. The scheme is left to a proxy, which may add TLS; the Host header has been looked at before.
    """
    origin = request.headers.getall("Origin", [])
    host = request.headers.get("Host", "").lower()
    if len(origin) != 1 or request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    scheme, separator, name = origin[0].lower().partition("://")
    if not separator or scheme not in _PORTS:
        return False
    return bool(host) and name.removesuffix(_PORTS[scheme]) == host.removesuffix(_PORTS[scheme])


def by_https(request: web.BaseRequest) -> bool:
    """Is the page this form is on seen by https, thanks to a proxy."""
    return request.headers.get("Origin", "").lower().startswith("https://")


def tokens(request: web.BaseRequest) -> Iterator[str]:
    """What a browser sent as our cookie; several, if somebody else on this computer has set one of the same name."""
    found = 0
    for header in request.headers.getall("Cookie", []):
        for part in header.split(";"):
            name, _, token = part.strip().partition("=")
            if name == COOKIE and found < _MOST_TOKENS:
                found += 1
                yield token


def cookie(token: str, *, secure: bool) -> str:
    """The Set-Cookie header for a session; an empty token takes the cookie away."""
    text = f"{COOKIE}={token}; Path=/; Max-Age={COOKIE_S if token else 0}; HttpOnly; SameSite=Strict"
    return f"{text}; Secure" if secure else text
