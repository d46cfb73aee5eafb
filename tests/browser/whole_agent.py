"""The whole agent in this process, on free ports of loopback: with simulated printers, or new and without a file."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec.structs import replace

from edge_agent.agent import Agent
from edge_agent.cli.demo import LOOPBACK, demo_config
from edge_agent.config import Config, load, load_or_wait
from tests.integration.agent import free_port

START_S = 30.0


@asynccontextmanager
async def demo(folder: Path, *, printers: int = 6) -> AsyncIterator[str]:
    """``edge-agent demo`` without its table; the result is the page's address."""
    http_port = free_port()
    config = demo_config(printers=printers, port=0, speed=60.0, http_port=http_port)
    async with _running(Agent(config, state_dir=folder), http_port) as url:
        yield url


@asynccontextmanager
async def new_agent(folder: Path) -> AsyncIterator[str]:
    """``edge-agent run`` before anybody has written a config.json; the one of ``folder`` counts once it comes."""
    http_port = free_port()
    path, state_dir = folder / "config.json", folder / "state"
    state_dir.mkdir()

    def here(config: Config) -> Config:
        return dataclasses.replace(
            config,
            opcua=replace(config.opcua, port=0, bind=LOOPBACK, hostname=LOOPBACK),
            http=replace(config.http, port=http_port, bind=LOOPBACK),
        )

    agent = Agent(
        here(load_or_wait(path, state_dir=state_dir)),
        state_dir=state_dir,
        load=lambda: here(load(path, state_dir=state_dir, remember=True)),
    )
    async with _running(agent, http_port) as url:
        yield url


@asynccontextmanager
async def _running(agent: Agent, http_port: int) -> AsyncIterator[str]:
    url = f"http://{LOOPBACK}:{http_port}"
    serving = asyncio.ensure_future(agent._serve())
    try:
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as client:
            while not await _is_well(client, url):
                if serving.done():
                    serving.result()
                await asyncio.sleep(0.05)
        yield url
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def _is_well(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(f"{url}/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
