"""How a command asks the running agent: through its status page, as a browser does."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from ..config import HttpOptions
from ..errors import UnavailableError

TIMEOUT_S = 10.0
LARGEST_ANSWER_BYTES = 8 << 20
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on is asked on loopback


class Asked(Struct, frozen=True):
    """Where the page is, and what has to be said to read it."""

    url: str
    headers: Mapping[str, str] = {}


def this_computers(options: HttpOptions) -> Asked:
    """The page of the agent of this computer, to be read as the first of its users.

    Raises:
        UnavailableError: it has none.
    """
    if not options.enabled:
        raise UnavailableError("the agent cannot be asked: http.enabled is false in config.json")
    host = _EVERYWHERE.get(options.bind, options.bind)
    headers = {}
    if options.users:
        user = options.users[0]
        pair = base64.b64encode(f"{user.name}:{user.password.reveal()}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    return Asked(f"http://{f'[{host}]' if ':' in host else host}:{options.port}", headers)


def get(asked: Asked, path: str, *, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
    """One answer: its status, and its body up to `LARGEST_ANSWER_BYTES`.

    Raises:
        UnavailableError: there is none, or only users may read it.
    """
    try:
        parts = urlsplit(asked.url)
        if parts.scheme != "http" or not parts.hostname:
            raise UnavailableError(f'{asked.url}: expected an address like "http://raspberrypi.local:8080"')
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
        try:
            connection.request("GET", parts.path + path, headers=dict(asked.headers))
            answer = connection.getresponse()
            body = answer.read(LARGEST_ANSWER_BYTES)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnavailableError(
            f"no agent answers at {asked.url}: {reason}; is it running (systemctl status edge-agent), and is the port "
            "http.port of config.json?"
        ) from error
    if answer.status == http.client.UNAUTHORIZED:
        raise UnavailableError(f"{asked.url}: only users of http.users may read it; run this as root on that computer")
    return answer.status, body
