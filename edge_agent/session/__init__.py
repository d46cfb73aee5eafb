"""The one HTTP session of the agent: pool, names, trust, limits, and the translation of foreign errors.

All HTTP sources share one `aiohttp.ClientSession` (two connections per host, kept alive). Whatever aiohttp,
ssl or the resolver can raise becomes a `SourceError` here and nowhere else. Whatever a host sends, one answer costs a
few megabytes of memory and no other host its turn.
"""

from .connection import Resolver, open_session
from .host import Answer, HttpHost, Tls
from .library import ClientSession

__all__ = ["Answer", "ClientSession", "HttpHost", "Resolver", "Tls", "open_session"]
