"""One agent and one process of the C client for each file of tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.interop.shop import Shop, node

from .c_client import CClient


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("shop"))
    async with made.printing, made.idle, made.unplugged, made.locked:
        made.prepare()
        async with made.agent:
            yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CClient]:
    async with CClient(tmp_path_factory.mktemp("open62541")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(process: CClient) -> AsyncIterator[CClient]:
    """The client without a session; those that a test leaves open, also by failing, are closed."""
    yield process
    await process.close_all()
    process.forget()


@pytest_asyncio.fixture(loop_scope="module")
async def mes(shop: Shop, client: CClient) -> CClient:
    """The client with a session, once every machine has been asked."""
    await client.open(shop.agent)
    async with asyncio.timeout(20):
        while not await _all_asked(client):  # noqa: ASYNC110 - it stands for a person who looks again
            await asyncio.sleep(0.05)
    client.forget()
    return client


async def _all_asked(client: CClient) -> bool:
    paths = ("Agent/MachinesReachable", "locked/Source/Error", "missing/Source/Error")
    reachable, *errors = await client.read(*map(node, paths))
    return reachable.value == 3 and all(error.value for error in errors)
