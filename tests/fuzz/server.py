"""An endpoint in a process of its own, on the event loop that the agent has: prints its port, and serves."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import uvloop

from edge_agent.journal import Journal
from edge_agent.secret import Secret
from edge_agent.sinks.opcua.options import OpcUaUser
from tests.endpoint import Bench
from tests.observations import observation

ALICE = ("alice", "correct horse")


async def serve(folder: Path) -> None:
    journal = await Journal.open(folder / "journal.sqlite")
    user = OpcUaUser(name=ALICE[0], password=Secret(ALICE[1]))
    bench = Bench(folder, journal=journal, anonymous=True, users=(user,))
    bench.store.publish(observation())
    async with bench.running():
        print(bench.sink.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await journal.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as made:
        uvloop.run(serve(Path(made)))
