"""The loop around one source (being written)."""

from __future__ import annotations

from msgspec import Struct


class Polling(Struct, frozen=True, kw_only=True):
    """How often machines are asked.

    ``interval_s`` while a print is on or can begin at any moment, ``idle_interval_s`` while none can (printer off,
    disconnected, fault). ``timeout_s`` is the deadline of a whole cycle.
    """

    interval_s: float = 1.0
    idle_interval_s: float = 5.0
    timeout_s: float = 8.0
