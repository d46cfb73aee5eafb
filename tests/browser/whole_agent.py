"""The whole agent in this process, on free ports of loopback: with simulated printers, or new and without a file."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from edge_agent.agent import Agent
from edge_agent.cli.demo import LOOPBACK, demo_config
from edge_agent.config import Config, load, load_or_wait
from edge_agent.setup import room
from edge_agent.setup.announced import Announced
from edge_agent.setup.discovery import Discovery
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
async def new_agent(folder: Path, *, announced: Sequence[int] = ()) -> AsyncIterator[str]:
    """``edge-agent run`` before anybody has written a config.json; the one of ``folder`` counts once it comes.

    Args:
        folder: for everything.
        announced: the ports of OctoPrints that seem to announce themselves; nothing is really looked for.
    """
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
        config_path=path,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "Discovery", lambda: Discovery(command=_listening(announced), loopback=True))
        async with _running(agent, http_port) as url:
            yield url


def _listening(ports: Sequence[int]) -> tuple[str, ...]:
    """A program that hears of these OctoPrints, as the one that listens on the network tells of them."""
    heard = [Announced(name=f"Bench {port}", port=port, addresses=(LOOPBACK,), version="1.11.8") for port in ports]
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in heard).decode()
    return (
        sys.executable,
        "-c",
        "import sys; sys.stdout.write(sys.argv[1]); sys.stdout.flush(); sys.stdin.read()",
        lines,
    )


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
