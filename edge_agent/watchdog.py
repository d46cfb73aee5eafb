"""What systemd hears: ready, one line of status, and a sign of life only while the agent does its work.

Without systemd (``NOTIFY_SOCKET`` unset) nothing is sent and nothing else changes. docs/supervision.md has the whole.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Never, Protocol, cast

import sdnotify

from .health import Health, Late

log = logging.getLogger(__name__)

LONGEST_START_S = 600.0
"""How long a start asks systemd for more time; then it is stuck, whatever it waits for."""
_STATUS_EVERY_S = 5.0
_LOOK_EVERY_S = 0.2
_MORE_TIME_S = 30
_LONGEST_STATUS = 500
_BUSY_S = 1.0


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


def say_status(text: str) -> None:
    """Tell systemd one line that stays in ``systemctl status``, also after the end."""
    notifier = _systemd()
    notifier.notify(_status(text))
    if isinstance(notifier, sdnotify.SystemdNotifier) and notifier.socket is not None:
        notifier.socket.close()


class _Nobody:
    def notify(self, state: str) -> None:
        pass


def _systemd() -> Notifier:
    if "NOTIFY_SOCKET" not in os.environ:
        return _Nobody()
    notifier = sdnotify.SystemdNotifier()
    if notifier.socket is not None:
        notifier.socket.setblocking(False)  # a systemd that is too busy to listen must not stall the agent
    return cast(Notifier, notifier)


def _status(text: str) -> str:
    line = (text.splitlines() or [""])[0][:_LONGEST_STATUS]
    # sdnotify sends Latin-1 or nothing, systemd takes UTF-8 or nothing.
    return f"STATUS={line}".encode(errors="replace").decode("latin-1")


class Watchdog:
    """Tells systemd how the agent is.

    Args:
        health: who is late.
        status: one line for people.
        notifier: to systemd.
        interval_s: between signs of life, ``None`` if systemd does not wait for any.
        on_late: told who is late when that begins or changes, and told of nobody when it is over.
        on_turn: called whenever the event loop got round to us.
    """

    def __init__(
        self,
        *,
        health: Health,
        status: Callable[[], str],
        notifier: Notifier | None = None,
        interval_s: float | None,
        on_late: Callable[[Sequence[Late]], None] = lambda _: None,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._health = health
        self._status = status
        self._notifier = notifier or _systemd()
        self._interval_s = interval_s
        self._on_late = on_late
        self._on_turn = on_turn
        self._late_parts: list[str] = []
        self._is_ready = False

    async def run(self, *settled: asyncio.Event) -> Never:
        """Say READY once all are ``settled`` and nobody's first beat is awaited, then how it is, until cancelled."""
        try:
            await self._start(settled)
            self._is_ready = True
            self._insist("READY=1")
            while True:
                self._on_turn()
                self.tell()
                await asyncio.sleep(min(self._interval_s or _STATUS_EVERY_S, _STATUS_EVERY_S))
        finally:
            self._insist("STOPPING=1")

    def tell(self) -> None:
        """One status line, and a sign of life unless a part is past its deadline."""
        late = self._health.late()
        parts = [one.part for one in late]
        if parts != self._late_parts:
            if late:
                log.error("no sign of life to systemd: %s", "; ".join(map(str, late)))
            else:
                log.warning("%s: progress again", ", ".join(self._late_parts))
            self._on_late(late)
        self._late_parts = parts
        self._notifier.notify(_status(str(late[0]) if late else self._status()))
        if not late and self._interval_s is not None:
            self._notifier.notify("WATCHDOG=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell systemd that the configuration is read anew; ``systemctl reload`` waits for the end of it."""
        if not self._is_ready:
            yield
            return
        self._insist(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self._insist("READY=1")
            self.tell()

    def _insist(self, state: str) -> None:
        """Send what is said only once: a systemd that is busy for a moment must not miss it."""
        opened = getattr(self._notifier, "socket", None)
        if opened is not None:
            opened.settimeout(_BUSY_S)
        self._notifier.notify(state)
        if opened is not None:
            opened.setblocking(False)

    async def _start(self, settled: Sequence[asyncio.Event]) -> None:
        """Wait, and ask for more time meanwhile: a slow computer is no failed start, and a stuck start is one."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        asked = -_STATUS_EVERY_S
        while not all(event.is_set() for event in settled) or self._health.awaited():
            now_s = loop.time() - began
            if now_s - asked >= _STATUS_EVERY_S:
                asked = now_s
                self._on_turn()
                if now_s < LONGEST_START_S:
                    self._notifier.notify(f"EXTEND_TIMEOUT_USEC={_MORE_TIME_S * 1_000_000}")
                awaited = self._health.awaited()
                more = f" and {len(awaited) - 1} more" * (len(awaited) > 1)
                self._notifier.notify(_status(f"starting: {awaited[0]}{more}" if awaited else "starting"))
            await asyncio.sleep(_LOOK_EVERY_S)
