"""A store and the OPC UA endpoint that serves it, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from asyncua import Client

from edge_agent.health import Health
from edge_agent.journal import Journal
from edge_agent.sinks.opcua import OpcUaOptions
from edge_agent.sinks.opcua.server import OpcUaSink
from edge_agent.store import Store

DEVICE = "11111111-2222-3333-4444-555555555555"


class Bench:
    """A store, and the sink that serves it."""

    def __init__(self, folder: Path, *, journal: Journal | None = None, **options: Any) -> None:
        self.store = Store()
        self.folder = folder
        self.health = Health(monotonic=asyncio.get_running_loop().time)
        defaults: dict[str, Any] = {"port": 0, "bind": "127.0.0.1", "hostname": "127.0.0.1"}
        self.sink = OpcUaSink(
            OpcUaOptions(**(defaults | options)),
            device_uuid=DEVICE,
            state_dir=folder,
            health=self.health,
            journal=journal,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Bench]:
        task = asyncio.ensure_future(self.sink.run(self.store))
        ready = asyncio.ensure_future(self.sink.ready.wait())
        await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            ready.cancel()
            await task
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def client(self, port: int | None = None) -> Client:
        # Not each second: on a busy computer it takes a slow answer for a lost connection.
        return Client(f"opc.tcp://127.0.0.1:{port or self.sink.port}", timeout=5, watchdog_intervall=60)

    async def settle(self) -> None:
        """Let the sink take the store's changes over."""
        for _ in range(20):
            await asyncio.sleep(0)
