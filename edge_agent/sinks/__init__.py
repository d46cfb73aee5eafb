"""What a sink is.

A sink serves the store to somebody: an OPC UA client, a browser, a broker. It walks `edge_agent.items` for
names, units and values, so that a new data item needs no line here. A sink imports no source and no other sink, calls
nothing on its left, and never makes a poller wait.
"""

from __future__ import annotations

from typing import Never, Protocol

from ..store import Store


class Sink(Protocol):
    """Something that serves the store."""

    async def run(self, store: Store) -> Never:
        """Serve until cancelled. The port is acquired before the first heartbeat.

        Raises:
            UnavailableError: the port cannot be had. Any raise ends the agent.
        """
        ...
