"""Whose name a request must bear, and who may read.

A page of anybody's can have a browser ask for ``http://evil.example:8080/`` and make that name point at this computer
(DNS rebinding): to the browser the answer is then evil.example's own, to be read by its scripts. So a name has to be
one that nobody else can give away: an address, this host's own names, or one that the file names.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
from collections.abc import Collection
from hmac import compare_digest

from .options import HttpUser

_NOT_FOR_SALE = ("local", "lan", "internal", "home.arpa", "localdomain")
"""Endings that only a router or the local network gives a meaning to."""


def host_of(header: str) -> str:
    """The name or address of a Host header, without port, brackets, final dot; lower case."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name, _, port = text.rpartition(":")
    return (name if name and port.isdigit() else text).removesuffix(".")


def is_ours(header: str, hostnames: Collection[str]) -> bool:
    """May a request ask for this host.

    Args:
        header: the Host header as it came.
        hostnames: further names, in lower case.
    """
    host = host_of(header)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        own = socket.gethostname().lower().partition(".")[0]
        ours = {"localhost", own, socket.gethostname().lower(), *(f"{own}.{ending}" for ending in _NOT_FOR_SALE)}
        return host in ours or host in hostnames
    return True


def may_read(authorization: str | None, users: Collection[HttpUser]) -> bool:
    """Does an Authorization header name one of the users, or is reading free.

    Every user is compared, so that the time of an answer tells nothing.
    """
    if not users:
        return True
    name, password = _basic(authorization or "")
    found = [
        compare_digest(user.name.encode(), name) & compare_digest(user.password.reveal().encode(), password)
        for user in users
        if user.password.reveal()
    ]
    return any(found)


def _basic(header: str) -> tuple[bytes, bytes]:
    """User name and password of HTTP's Basic scheme (RFC 7617); empty if there are none."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    try:
        name, _, password = base64.b64decode(coded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return name, password
