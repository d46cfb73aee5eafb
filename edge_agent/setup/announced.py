"""What an OctoPrint announces of itself: a line from the program that listens to the agent that reads it."""

from __future__ import annotations

from msgspec import Struct


class Announced(Struct, frozen=True, kw_only=True):
    """What an OctoPrint says of itself, with nothing looked at but its length.

    ``host`` is its name, where this computer finds it by that. A user and password (``u``, ``p``) are not read.
    """

    name: str
    port: int
    host: str = ""
    addresses: tuple[str, ...] = ()
    path: str = ""
    version: str = ""
    model: str = ""
