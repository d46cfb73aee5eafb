"""Is the agent doing its work? Heartbeats with deadlines.

A part that must make progress registers once and beats whenever it did. Nothing here looks at printers: an
unreachable printer is a completed cycle, a stuck poller is not. A part that cannot tell by itself is asked by `prove`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Never

from msgspec import Struct


class Late(Struct, frozen=True):
    """A part that has not beaten within its deadline.

    ``kind`` is what may be told to everybody: a part's name has its machine in it, and clients see only their own.
    ``reason`` is what it last said of itself, empty if nothing.
    """

    part: str
    silent_s: float
    deadline_s: float
    kind: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return self._sentence(self.part)

    @property
    def for_everybody(self) -> str:
        """The same without the machine's name."""
        return self._sentence(self.kind or self.part)

    def _sentence(self, who: str) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"{who} made no progress for {self.silent_s:.0f} s (deadline {self.deadline_s:.0f} s){reason}"


class Heartbeat:
    """One part's proof of progress."""

    def __init__(
        self, part: str, *, kind: str, deadline_s: float, first_s: float, monotonic: Callable[[], float]
    ) -> None:
        self.part = part
        self.kind = kind
        self.deadline_s = deadline_s
        self.first_s = first_s
        self.reason = ""
        self.has_beaten = False
        self._monotonic = monotonic
        self._last = monotonic()

    def beat(self) -> None:
        """Say: I made progress just now."""
        self._last = self._monotonic()
        self.has_beaten, self.reason = True, ""

    def complain(self, reason: str) -> None:
        """Say why there is no progress; it is told once the deadline is over."""
        self.reason = reason

    @property
    def silent_s(self) -> float:
        """Seconds since the last beat."""
        return self._monotonic() - self._last


class Health:
    """All heartbeats of the process."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._heartbeats: dict[str, Heartbeat] = {}

    def register(self, part: str, *, deadline_s: float, first_s: float = math.inf, kind: str = "") -> Heartbeat:
        """Start the clock of a part; it must beat at least every ``deadline_s`` seconds.

        Args:
            part: its name, for the log.
            deadline_s: how long it may take from one beat to the next.
            first_s: how long the agent waits for its first beat before it is ready without; for ever by default.
            kind: its name for those who must not know of its machine.

        Raises:
            ValueError: the part is registered already.
        """
        if part in self._heartbeats:
            raise ValueError(f"{part} is registered already")
        heartbeat = Heartbeat(part, kind=kind, deadline_s=deadline_s, first_s=first_s, monotonic=self._monotonic)
        self._heartbeats[part] = heartbeat
        return heartbeat

    def forget(self, part: str) -> None:
        """A part ended on purpose."""
        self._heartbeats.pop(part, None)

    def late(self) -> list[Late]:
        """Every part past its deadline, in order of registration; empty when all is well."""
        return [
            Late(heartbeat.part, heartbeat.silent_s, heartbeat.deadline_s, heartbeat.kind, heartbeat.reason)
            for heartbeat in self._heartbeats.values()
            if heartbeat.silent_s > heartbeat.deadline_s
        ]

    def awaited(self) -> list[str]:
        """The parts that a start waits for: no first beat yet, and time left for it."""
        return [
            heartbeat.part
            for heartbeat in self._heartbeats.values()
            if not heartbeat.has_beaten and heartbeat.silent_s < heartbeat.first_s
        ]


async def prove(heartbeat: Heartbeat, ask: Callable[[], Awaitable[str]], *, every_s: float) -> Never:
    """Ask a part for ever how it is; it beats when it has nothing to complain of. One that never answers is late."""
    while True:
        complaint = await ask()
        if complaint:
            heartbeat.complain(complaint)
        else:
            heartbeat.beat()
        await asyncio.sleep(every_s)
