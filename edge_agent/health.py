"""Is the agent doing its work? Heartbeats with deadlines.

A part that must make progress registers once and beats whenever it did. Nothing here looks at printers: an
unreachable printer is a completed cycle, a stuck poller is not.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct


class Late(Struct, frozen=True):
    """A part that has not beaten within its deadline."""

    part: str
    silent_s: float
    deadline_s: float

    def __str__(self) -> str:
        return f"{self.part} made no progress for {self.silent_s:.0f} s (deadline {self.deadline_s:.0f} s)"


class Heartbeat:
    """One part's proof of progress."""

    def __init__(self, part: str, *, deadline_s: float, monotonic: Callable[[], float]) -> None:
        self.part = part
        self.deadline_s = deadline_s
        self._monotonic = monotonic
        self._last = monotonic()

    def beat(self) -> None:
        """Say: I made progress just now."""
        self._last = self._monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the last beat."""
        return self._monotonic() - self._last


class Health:
    """All heartbeats of the process."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._heartbeats: dict[str, Heartbeat] = {}

    def register(self, part: str, *, deadline_s: float) -> Heartbeat:
        """Start the clock of a part; it must beat at least every ``deadline_s`` seconds.

        Raises:
            ValueError: the part is registered already.
        """
        if part in self._heartbeats:
            raise ValueError(f"{part} is registered already")
        heartbeat = Heartbeat(part, deadline_s=deadline_s, monotonic=self._monotonic)
        self._heartbeats[part] = heartbeat
        return heartbeat

    def forget(self, part: str) -> None:
        """A part ended on purpose."""
        self._heartbeats.pop(part, None)

    def late(self) -> list[Late]:
        """Every part past its deadline, in order of registration; empty when all is well."""
        return [
            Late(part=heartbeat.part, silent_s=heartbeat.silent_s, deadline_s=heartbeat.deadline_s)
            for heartbeat in self._heartbeats.values()
            if heartbeat.silent_s > heartbeat.deadline_s
        ]
