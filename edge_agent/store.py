"""The latest observation of each machine, and what happens: the process's only shared mutable state.

Pollers publish, sinks watch. Everything happens on the event loop's thread, so no lock is needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from .events import Event
from .observation import AgentStatus, Observation

log = logging.getLogger(__name__)

KEEP_EVENTS = 1_000
AGENT = ""
"""Stands for the agent itself among the changed ids; no machine's id is empty."""


class Watch:
    """One reader's view of what changed since it last looked."""

    def __init__(self, machine_ids: Iterator[str]) -> None:
        # A dict, since sets forget the order machines appeared in and sinks create nodes in that order.
        self._changed: dict[str, None] = dict.fromkeys(machine_ids)
        self._events: deque[Event] = deque(maxlen=KEEP_EVENTS)
        self._wants_events = False
        self._is_behind = False
        self._wake = asyncio.Event()
        if self._changed:
            self._wake.set()

    def mark(self, machine_id: str) -> None:
        """Note a change; called by the store."""
        self._changed[machine_id] = None
        self._wake.set()

    def tell(self, event: Event) -> None:
        """Keep an event until it is taken; called by the store."""
        if self._wants_events and len(self._events) == KEEP_EVENTS and not self._is_behind:
            self._is_behind = True
            log.warning("a reader of events is more than %d behind; the oldest are left out", KEEP_EVENTS)
        self._events.append(event)
        self._wake.set()

    async def wait(self) -> None:
        """Return when something changed or happened since the last `take`."""
        await self._wake.wait()

    def take(self) -> tuple[str, ...]:
        """The ids of machines changed or removed since the last turn, each once, in the order they first changed."""
        self._wake.clear()
        changed, self._changed = tuple(self._changed), {}
        return changed

    def take_events(self) -> tuple[Event, ...]:
        """What happened since the last turn, in order; the newest `KEEP_EVENTS` if that is more."""
        self._wants_events, self._is_behind = True, False
        events = tuple(self._events)
        self._events.clear()
        return events

    async def __aiter__(self) -> AsyncIterator[tuple[str, ...]]:
        """`wait` and `take` by turns, for ever."""
        while True:
            await self.wait()
            yield self.take()


class Store:
    """Latest observation per machine, with conflating watches: a slow sink skips values and never blocks anybody.

    Events are not conflated: each reader gets every one, unless it falls `KEEP_EVENTS` behind.
    """

    def __init__(self) -> None:
        self._latest: dict[str, Observation] = {}
        self._watches: list[Watch] = []
        self._agent: AgentStatus | None = None

    @property
    def agent(self) -> AgentStatus | None:
        """What the agent says of itself; ``None`` before it has said anything."""
        return self._agent

    def publish_agent(self, status: AgentStatus) -> None:
        """Make this the agent's latest word on itself; watchers are told by `AGENT`."""
        self._agent = status
        self._mark(AGENT)

    def publish(self, observation: Observation) -> None:
        """Make this the machine's latest observation."""
        self._latest[observation.machine.id] = observation
        self._mark(observation.machine.id)

    def announce(self, event: Event) -> None:
        """Tell all readers that something happened; it is in the journal already."""
        for watch in self._watches:
            watch.tell(event)

    def remove(self, machine_id: str) -> None:
        """Forget a machine; watchers are told and find `latest` empty."""
        if self._latest.pop(machine_id, None) is not None:
            self._mark(machine_id)

    def latest(self, machine_id: str) -> Observation | None:
        """The machine's latest observation, ``None`` for a machine that is unknown or gone."""
        return self._latest.get(machine_id)

    def observations(self) -> list[Observation]:
        """All latest observations, in the order the machines first appeared."""
        return list(self._latest.values())

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Watch for changes; the first turn names every machine there is."""
        watch = Watch(iter(self._latest))
        self._watches.append(watch)
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    def _mark(self, machine_id: str) -> None:
        for watch in self._watches:
            watch.mark(machine_id)
