"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): each machine as it changes.

Every client has a watch of its own on the store, which names a machine once however often it has changed: a client that
reads slowly skips values, and makes nobody wait. The text of an observation is made once for all clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from ...observation import Observation
from ...store import AGENT, Store, Watch
from .library import web
from .report import AgentReport, MachineReport, Removed, encoded, machine_report

CONTENT_TYPE = "text/event-stream; charset=utf-8"


class Pace(Struct, frozen=True, kw_only=True):
    """``rest_s`` is between two turns, ``heartbeat_s`` the longest silence; ``read_s`` a client has to read a turn."""

    rest_s: float = 0.5
    heartbeat_s: float = 15.0
    read_s: float = 30.0
    clients: int = 16


class _Said(Struct, frozen=True):
    """A machine's report as it was last made. ``worth`` is all of it that is worth telling when it changes."""

    of: Observation
    worth: MachineReport
    text: bytes


class Streams:
    """All clients that listen."""

    def __init__(self, store: Store, *, agent: Callable[[], AgentReport], pace: Pace | None = None) -> None:
        self._store = store
        self._agent = agent
        self._pace = pace or Pace()
        self._said: dict[str, _Said] = {}
        self._listening: set[asyncio.Task[object]] = set()

    @property
    def clients(self) -> int:
        """How many listen now."""
        return len(self._listening)

    @property
    def full(self) -> bool:
        """No more may listen."""
        return self.clients >= self._pace.clients

    async def serve(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Tell a client until it goes, or reads nothing for too long.

        Raises:
            TimeoutError: it does not read.
        """
        known: dict[str, MachineReport] = {}
        with self._counted(), self._store.watch() as watch:
            watch.mark(AGENT)
            async with asyncio.timeout(self._pace.read_s):
                await response.prepare(request)
            while True:
                text = await self._turn(watch, known)
                async with asyncio.timeout(self._pace.read_s):
                    await response.write(text)
                await asyncio.sleep(self._pace.rest_s)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a request is served in one
        self._listening.add(task)
        try:
            yield
        finally:
            self._listening.discard(task)
            if not self._listening:
                self._said.clear()

    async def _turn(self, watch: Watch, known: dict[str, MachineReport]) -> bytes:
        """What there is to tell next: changes, or after a while that there are none."""
        try:
            async with asyncio.timeout(self._pace.heartbeat_s):
                while True:
                    await watch.wait()
                    text = b"".join(self._told(machine_id, known) for machine_id in watch.take())
                    if text:
                        return text
        except TimeoutError:
            return b": nothing new\n\n"

    def _told(self, machine_id: str, known: dict[str, MachineReport]) -> bytes:
        """One machine's event; empty if this client knows it already."""
        if machine_id == AGENT:
            return _event("agent", encoded(self._agent()))
        observation = self._store.latest(machine_id)
        if observation is None:
            self._said.pop(machine_id, None)
            known.pop(machine_id, None)
            return _event("removed", encoded(Removed(id=machine_id)))
        said = self._report(machine_id, observation)
        if known.get(machine_id) == said.worth:
            return b""
        known[machine_id] = said.worth
        return said.text

    def _report(self, machine_id: str, observation: Observation) -> _Said:
        said = self._said.get(machine_id)
        if said is None or said.of is not observation:
            report = machine_report(observation)
            # Times that pass with every answer are nothing new by themselves.
            still = replace(report.print, elapsed_s=None, remaining_s=None, ends_at=None) if report.print else None
            worth = replace(report, last_seen=None, print=still)
            said = self._said[machine_id] = _Said(observation, worth, _event("machine", encoded(report)))
        return said


def _event(name: str, text: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), text)
