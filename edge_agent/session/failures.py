"""What a failed request means, in our words."""

from __future__ import annotations

import ssl

from ..errors import Failure, ProxyFault, SourceError, Starting, UnexpectedAnswer, Unreachable, WrongTarget
from .library import aiohttp


def proxy_fault(status: int, url: str) -> SourceError:
    """A proxy answers 502, 503 or 504."""
    return ProxyFault(
        f"a proxy at {url} answers {status}: the printer's server behind it is not running or still starting; "
        "wait, or look at it on that host"
    )


def translate(error: Exception, url: str) -> SourceError:  # noqa: C901 - a table, written as one
    """Say in our words what a failed request means; no text of ours holds a key or an answer's body."""
    match error:
        case aiohttp.ServerFingerprintMismatch():
            return WrongTarget(
                f"{url}: the certificate's SHA-256 fingerprint is {error.got.hex()}, not the one in tls.fingerprint; "
                "if the printer's certificate was renewed, put the new one there",
                Failure.UNTRUSTED,
            )
        case aiohttp.ClientConnectorSSLError() if not isinstance(error, aiohttp.ClientConnectorCertificateError):
            return WrongTarget(
                f"{url}: no TLS connection ({_ssl_reason(error)}); if the server speaks plain HTTP, put http:// in url",
                Failure.NO_TLS,
            )
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return WrongTarget(
                f"{url}: its TLS certificate is not trusted ({_ssl_reason(error)}); "
                "set tls.ca_file or tls.fingerprint for this machine",
                Failure.UNTRUSTED,
            )
        case aiohttp.ClientConnectorDNSError():
            return Unreachable(f"{url}: the host name is unknown; check it, or use the address", Failure.UNKNOWN_NAME)
        case aiohttp.ClientConnectorError():
            refused = isinstance(error.os_error, ConnectionRefusedError)
            return Unreachable(
                f"{url}: {_connect_reason(error)}; check that host and printer server are on",
                Failure.REFUSED if refused else Failure.NO_WAY,
            )
        case aiohttp.ClientPayloadError():
            return UnexpectedAnswer(f"{url}: the answer was cut off; check the network and proxies in between")
        case aiohttp.ClientResponseError() if "Not found" in error.message:
            # OctoPrint's intermediary server, for the first seconds, answers these bytes without a status line.
            return Starting(f"{url}: OctoPrint is still starting; it will be asked again")
        case aiohttp.ClientResponseError():
            return WrongTarget(f"{url}: what answers does not speak HTTP; check host and port")
        case aiohttp.InvalidURL():
            return WrongTarget(f"{url}: this url cannot be used")
        case TimeoutError():
            return Unreachable(f"{url}: no answer in time; check that the host is on and not overloaded")
        case aiohttp.ServerDisconnectedError() | ConnectionError() | aiohttp.ClientOSError():
            return Unreachable(
                f"{url}: the connection was closed before the answer; the server may be restarting", Failure.CLOSED
            )
        case _:
            return Unreachable(
                f"{url}: the request failed ({type(error).__name__}); it will be repeated", Failure.CLOSED
            )


def _ssl_reason(error: BaseException) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    return str(getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or type(cause).__name__)


def _connect_reason(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error.os_error, ConnectionRefusedError):
        return "connection refused"
    return (error.os_error.strerror or type(error.os_error).__name__).lower()
