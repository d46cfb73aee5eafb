import asyncio
import subprocess
from pathlib import Path

import pytest
from asyncua import Client

from tests.stock.server import prepared

from . import compiled
from .compare import complaints, differences
from .crawl import crawl
from .dump import Dump
from .stock_rules import RULES

COMPILE = Path(__file__).parents[2] / "scripts" / "compile-models"


async def stock() -> Dump:
    """What a client sees of asyncua's own server with the same models."""
    printed = subprocess.run([COMPILE, "--nodesets"], check=True, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC221
    server = await prepared(Path(printed.stdout.strip()))
    async with server:
        assert server.bserver is not None
        assert isinstance(server.bserver._server, asyncio.Server)
        port = server.bserver._server.sockets[0].getsockname()[1]
        async with Client(f"opc.tcp://127.0.0.1:{port}", timeout=60) as client:
            return await crawl(client)


@pytest.mark.timeout(300)
async def test_every_difference_to_a_stock_server_is_known() -> None:
    assert complaints(differences(compiled.dump(), await stock()), RULES) == []
