"""What the configuration says of the status page."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ...secret import Secret


class HttpUser(Struct, frozen=True, kw_only=True):
    """Somebody who may read the page where not everybody may."""

    name: str
    password: Secret


class HttpOptions(Struct, frozen=True, kw_only=True):
    """The page's listener.

    ``hostnames`` are names it is reached by beside this host's own: of a proxy, or from a name server. With ``users``
    nobody else may read.
    """

    port: int = 8080
    bind: str = "0.0.0.0"  # noqa: S104 - a status page is there to be seen from the workshop
    enabled: bool = True
    hostnames: tuple[str, ...] = ()
    users: tuple[HttpUser, ...] = ()

    def same_listener(self, other: HttpOptions) -> bool:
        """False if a restart is needed for all of it: names and users count at once."""
        return replace(self, hostnames=(), users=()) == replace(other, hostnames=(), users=())
