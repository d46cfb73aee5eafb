"""aiohttp, imported without the certificates of the system's authorities.

It reads all of them when it is imported, which costs two megabytes for as long as the process lives; most printers
speak plain HTTP. `authorities` reads them for who needs them. Only this room imports aiohttp, so that it is this way.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache


@contextmanager
def _without_authorities() -> Iterator[None]:
    """OpenSSL looks for them where these variables say."""
    before = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(dict.fromkeys(before, os.devnull))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


with _without_authorities():
    import aiohttp as aiohttp  # noqa: PLC0414 - handed on
    from aiohttp.abc import AbstractResolver as AbstractResolver  # noqa: PLC0414
    from aiohttp.abc import ResolveResult as ResolveResult  # noqa: PLC0414
    from aiohttp.client_proto import ResponseHandler as ResponseHandler  # noqa: PLC0414

ClientSession = aiohttp.ClientSession


@lru_cache(maxsize=1)
def authorities() -> ssl.SSLContext:
    """A context that trusts whom the system trusts; one for all hosts."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
