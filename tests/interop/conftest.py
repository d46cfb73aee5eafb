"""One agent and one node-opcua process for each file of tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .node_client import NodeClient
from .shop import Shop, all_asked, log_in


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("shop"))
    async with made.printing, made.idle, made.unplugged, made.locked:
        made.prepare()
        async with made.agent:
            yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeClient]:
    async with NodeClient(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def mes(shop: Shop, client: NodeClient) -> AsyncIterator[NodeClient]:
    """The client, logged in, once every machine has been asked."""
    await log_in(client, shop.agent)
    async with asyncio.timeout(20):
        while not await all_asked(client):  # noqa: ASYNC110 - it stands for a person who looks again
            await asyncio.sleep(0.05)
    client.forget()
    yield client
    await client.command("disconnect")
