"""How much a machine has worked, as far as the agent has seen it."""

from __future__ import annotations

from msgspec import Struct


class Counters(Struct, frozen=True, kw_only=True):
    """Counted since the agent first saw the machine.

    ``power_on_s`` is how long the printer was seen switched on and connected, ``operation_s`` how long it was seen
    printing, pauses left out. ``completed`` counts the prints that were completed.
    """

    power_on_s: float = 0.0
    operation_s: float = 0.0
    completed: int = 0
