"""The status page's sink on loopback, with a store to fill and a client to ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from msgspec.structs import replace

from edge_agent.admin import Admin
from edge_agent.computer import Computer, Disk
from edge_agent.health import Health
from edge_agent.items import DataItem
from edge_agent.journal import Journal
from edge_agent.model import Machine
from edge_agent.observation import AgentStatus, Observation
from edge_agent.sinks.http.about import About, Endpoint
from edge_agent.sinks.http.listener import Limits
from edge_agent.sinks.http.options import HttpOptions
from edge_agent.sinks.http.server import HttpSink
from edge_agent.sinks.http.setting_up import SetUp
from edge_agent.sinks.http.stream import Pace
from edge_agent.store import Store
from tests.observations import MACHINE, observation

NOW = datetime(2026, 3, 4, 5, 6, 9, tzinfo=UTC)
FINGERPRINT = "3f" * 32
ENDPOINT = Endpoint(urls=("opc.tcp://pi:4840",), hostname="pi", fingerprint=FINGERPRINT)
STATUS = AgentStatus(version="1.2.3", started_at=NOW, config_status="2026-03-04T05:06:07Z 1 machines")

COMPUTER = Computer(
    model="Raspberry Pi Zero 2 W",
    os="Debian GNU/Linux 13",
    python="3.13.5",
    temperature_celsius=61.5,
    under_voltage_now=True,
    under_voltage_since_boot=True,
    throttled=False,
    clock_synchronised=False,
    memory_total_bytes=512_000_000,
    memory_available_bytes=210_000_000,
    uptime_s=90_000.0,
)
DISK = Disk(path="/var/lib/edge-agent", total_bytes=16_000_000_000, free_bytes=2_000_000_000, read_only=True)


class Bench:
    """What a test may change at any time, and the sink that must follow."""

    def __init__(
        self,
        *,
        journal: Journal | None = None,
        pace: Pace | None = None,
        limits: Limits | None = None,
        state_dir: Path | None = None,
        set_up: SetUp | None = None,
        **told: Any,
    ) -> None:
        self.store = Store()
        self.store.publish_agent(STATUS)
        self.seconds = 0.0
        self.health = Health(monotonic=lambda: self.seconds)
        self.endpoint = ENDPOINT
        self.options = HttpOptions(port=0, bind="127.0.0.1")
        self.admin = Admin(state_dir, monotonic=lambda: self.seconds) if state_dir is not None else None
        self.about = About(
            endpoint=lambda: self.endpoint,
            health=self.health,
            journal=journal,
            admin=self.admin,
            set_up=set_up,
            **({"node_id": node_id} | told),
        )
        self.sink = HttpSink(lambda: self.options, about=self.about, now=lambda: NOW, limits=limits, pace=pace)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.sink.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Serve, and give a client to ask it with."""
        serving = asyncio.ensure_future(self.sink.run(self.store))
        opened = asyncio.ensure_future(self.sink.ready.wait())
        try:
            await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            async with aiohttp.ClientSession(self.url) as client:
                yield client
        finally:
            opened.cancel()
            serving.cancel()
            await asyncio.wait({serving})

    async def text(self, client: aiohttp.ClientSession, path: str, **options: Any) -> str:
        async with client.get(path, **options) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def json(self, client: aiohttp.ClientSession, path: str) -> Any:
        async with client.get(path) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "application/json"
            return await answer.json()


def node_id(machine_id: str, item: DataItem | None) -> str:
    """Like the endpoint's."""
    return f"nsu=urn:edge-agent:0:machines;s={machine_id}{f'/{item.id}' if item else ''}"


def machine(number: int, **more: Any) -> Machine:
    """One of many."""
    return replace(MACHINE, id=f"machine-{number}", name=f"Machine {number}", **more)


def observed(number: int, **more: Any) -> Observation:
    """What is known of one of many."""
    return observation(**{"machine": machine(number)} | more)
