"""A machine's url, checked and written one way, so that two spellings of one address are equal."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from .fields import show

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[\w.-]+")
_EXAMPLE = "http://192.168.1.41:5000"


class Url(Struct, frozen=True):
    """A checked address. ``text`` has no trailing slash and no default port; ``address`` is always host:port."""

    text: str
    address: str


class UrlError(Exception):
    """The url cannot be used; the text says why, without credentials."""


def parse_url(text: str) -> Url:
    """Check the base url of a machine.

    Raises:
        UrlError: it is no http(s) address of a host, or holds more than that.
    """
    text = text.strip()
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise UrlError(f"holds a space or a control character; write it like {_EXAMPLE}")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise UrlError(f"has unbalanced brackets; write it like {_EXAMPLE}") from None
    _check_parts(text, parts)
    host = _checked_host(parts.hostname or "", bracketed="[" in parts.netloc)
    port = _checked_port(parts)
    default = _DEFAULT_PORTS[parts.scheme]
    suffix = "" if port in {None, default} else f":{port}"
    return Url(f"{parts.scheme}://{host}{suffix}{parts.path.rstrip('/')}", f"{host}:{port or default}")


def _check_parts(text: str, parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise UrlError("holds credentials; delete what stands between // and @ (a key belongs in its own file)")
    if parts.scheme not in _DEFAULT_PORTS:
        near = "" if "//" in text or "@" in text else f', like "http://{text}"'
        hint = near if show(text).startswith('"') else ""
        raise UrlError(f"expected http:// or https://, got {show(text)}; write the address as in the browser{hint}")
    if not parts.netloc or not parts.hostname:
        raise UrlError(f"names no host; write it like {_EXAMPLE}")
    if "?" in text or "#" in text:
        raise UrlError("holds a ? or #; delete it and what follows it")


def _checked_host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        return f"[{_checked_ip(host)}]"
    if re.fullmatch(r"[0-9.]+", host):
        return _checked_ip(host)
    if not _HOST.fullmatch(host):
        raise UrlError(f"the host has a character that no host name has; write it like {_EXAMPLE}")
    return host


def _checked_ip(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise UrlError(f"{host} is not an IP address; the four numbers of one go from 0 to 255") from None


def _checked_port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UrlError("the port must be a number from 1 to 65535")
    return port
