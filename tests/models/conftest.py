"""Crawling takes long, so every server is crawled once."""

import asyncio
import subprocess
import time
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import Client
from msgspec.structs import replace

from tests.endpoint import Bench
from tests.observations import MACHINE, observation
from tests.stock.server import prepared

from .crawl import crawl
from .dump import Dump

COMPILE = Path(__file__).parents[2] / "scripts" / "compile-models"
IDS = ("mark-one", "mark-two")


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def stock() -> Dump:
    """What a client sees of asyncua's own server with the same models."""
    printed = subprocess.run([COMPILE, "--nodesets"], check=True, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC221
    server = await prepared(Path(printed.stdout.strip()))
    async with server:
        assert server.bserver is not None
        assert isinstance(server.bserver._server, asyncio.Server)
        return await crawled("stock", server.bserver._server.sockets[0].getsockname()[1])


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def ours(tmp_path_factory: pytest.TempPathFactory) -> Dump:
    """What a client sees of our server, with two machines."""
    bench = Bench(tmp_path_factory.mktemp("models"), anonymous=True)
    for machine_id in IDS:
        bench.store.publish(observation(machine=replace(MACHINE, id=machine_id)))
    async with bench.running():
        return await crawled("ours", bench.sink.port)


async def crawled(name: str, port: int) -> Dump:
    began = time.perf_counter()
    async with Client(f"opc.tcp://127.0.0.1:{port}", timeout=60, watchdog_intervall=60) as client:
        found = await crawl(client)
    print(f"{name}: {len(found)} nodes crawled in {time.perf_counter() - began:.1f} s")
    return found
