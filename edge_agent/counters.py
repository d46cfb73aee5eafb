"""How much a machine has worked, as far as the agent has seen it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace


class Counters(Struct, frozen=True, kw_only=True):
    """Counted since the agent first saw the machine.

    ``power_on_s`` is how long the printer was seen switched on and connected, ``operation_s`` how long it was seen
    printing, pauses left out. ``completed`` counts the prints that were completed.
    """

    power_on_s: float = 0.0
    operation_s: float = 0.0
    completed: int = 0


class Meter:
    """Counts one machine's work from look to look, by a clock that never jumps."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._at_s: float | None = None
        self._on = self._printing = False

    def look(self, *, at_s: float, on: bool, printing: bool, completed: int, longest_step_s: float) -> None:
        """Look at the machine.

        What was found at a look is taken to hold until the next one, unless that is more than ``longest_step_s`` later:
        what happened meanwhile is not known, and not counted.

        Args:
            at_s: seconds of a clock that never jumps; its zero may be anything.
            on: the printer is switched on and connected.
            printing: a print is on, and not paused.
            completed: how many prints were completed since the last look.
            longest_step_s: the longest time between two looks that counts.
        """
        step_s = 0.0 if self._at_s is None else at_s - self._at_s
        if step_s > longest_step_s:
            step_s = 0.0
        if completed or (step_s and self._on):
            self.counters = replace(
                self.counters,
                power_on_s=self.counters.power_on_s + step_s * self._on,
                operation_s=self.counters.operation_s + step_s * self._printing,
                completed=self.counters.completed + completed,
            )
        self._at_s, self._on, self._printing = at_s, on, printing
