"""What systemd hears: ready, one line of status, and a sign of life only while the agent does its work.

Without systemd (``NOTIFY_SOCKET`` unset) nothing is sent and nothing else changes.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Never, Protocol, cast

import sdnotify

from .health import Health

log = logging.getLogger(__name__)

_STATUS_EVERY_S = 5.0


class Notifier(Protocol):
    """`sdnotify.SystemdNotifier`, as far as it is used here."""

    def notify(self, state: str) -> None:
        """Send one message to systemd; a no-op without it."""
        ...


def watchdog_interval_s(environment: Mapping[str, str]) -> float | None:
    """Seconds between signs of life, a third of what systemd allows; ``None`` if it does not watch this process."""
    allowed_us = environment.get("WATCHDOG_USEC", "")
    watched_pid = environment.get("WATCHDOG_PID", str(os.getpid()))
    if not allowed_us.isdigit() or int(allowed_us) == 0 or watched_pid != str(os.getpid()):
        return None
    return int(allowed_us) / 1_000_000 / 3


def _systemd() -> Notifier:
    notifier = sdnotify.SystemdNotifier()
    if notifier.socket is not None:
        notifier.socket.setblocking(False)  # a systemd that is too busy to listen must not stall the agent
    return cast(Notifier, notifier)


class Watchdog:
    """Tells systemd how the agent is."""

    def __init__(
        self, *, health: Health, status: Callable[[], str], notifier: Notifier | None = None, interval_s: float | None
    ) -> None:
        self._health = health
        self._status = status
        self._notifier = notifier or _systemd()
        self._interval_s = interval_s
        self._complaints: list[str] = []

    async def run(self, ready: asyncio.Event) -> Never:
        """Say READY once the agent is, then keep saying how it is until cancelled."""
        await ready.wait()
        self._notifier.notify("READY=1")
        try:
            while True:
                self.tell()
                await asyncio.sleep(self._interval_s or _STATUS_EVERY_S)
        finally:
            self._notifier.notify("STOPPING=1")

    def tell(self) -> None:
        """One status line, and a sign of life unless a part is past its deadline."""
        complaints = [str(late) for late in self._health.late()]
        if complaints and [late.part for late in self._health.late()] != self._complaints:
            log.error("no sign of life to systemd: %s", "; ".join(complaints))
        self._complaints = [late.part for late in self._health.late()]
        self._notifier.notify(f"STATUS={complaints[0] if complaints else self._status()}")
        if not complaints and self._interval_s is not None:
            self._notifier.notify("WATCHDOG=1")
