"""The sink: its options, its port, its sign of life."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Never

from ...store import Store
from .about import About
from .curves import Curves
from .listener import Limits, Listener
from .options import HttpOptions
from .site import Site
from .stream import Pace

log = logging.getLogger(__name__)

PART = "status page"
_HEARTBEAT_S = 5.0
_DEADLINE_S = 60.0
_RETRY_S = 30.0


class HttpSink:
    """Serves the store to browsers and to machines that speak HTTP.

    ``options`` are asked at every request: who may read, and by which names, may change; the port does not.

    Attributes:
        ready: it is open.
        port: where; final once it is ready.
        trouble: why there is no page, and what to do; empty if there is one.
        curves: the last hour.
    """

    def __init__(
        self,
        options: Callable[[], HttpOptions],
        *,
        about: About,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: Limits | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._options = options
        self._about = about
        self._now = now
        self._limits = limits
        self._pace = pace
        self.ready = asyncio.Event()
        self.port = options().port
        self.trouble = ""
        self.curves = Curves()

    async def run(self, store: Store) -> Never:
        """Serve until cancelled. A port that is taken is waited for: the endpoint does not depend on a page."""
        site = Site(store, about=self._about, options=self._options, now=self._now, pace=self._pace, curves=self.curves)
        listener = Listener(site.answer, limits=self._limits)
        await self._open(listener)
        heartbeat = self._about.health.register(PART, deadline_s=_DEADLINE_S)
        loop = asyncio.get_running_loop()
        try:
            log.info("status page: http://%s:%d/", socket.gethostname(), self.port)
            if notice := site.desk.notice():
                log.info("%s", notice)
            self.ready.set()
            while True:
                if listener.is_open:
                    heartbeat.beat()
                self.curves.note(store.observations(), monotonic_s=loop.time(), at=self._now())
                await asyncio.sleep(_HEARTBEAT_S)
        finally:
            self._about.health.forget(PART)
            await listener.close()
            site.desk.close()

    async def _open(self, listener: Listener) -> None:
        options = self._options()
        while True:
            try:
                self.port = await listener.open(options.bind, options.port)
            except OSError as error:
                trouble = _port_trouble(options, error)
                if trouble != self.trouble:
                    log.error("%s", trouble)  # noqa: TRY400 - the text says it all
                self.trouble = trouble
                await asyncio.sleep(_RETRY_S)
            else:
                self.trouble = ""
                return


def _port_trouble(options: HttpOptions, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"no status page: HTTP port {options.port} is in use by another program; set http.port in config.json and "
            'restart, or do without the page: "http": {"enabled": false}'
        )
    return (
        f"no status page: HTTP port {options.port} on {options.bind} cannot be opened: {error.strerror or error}; "
        "check http.bind and http.port"
    )
