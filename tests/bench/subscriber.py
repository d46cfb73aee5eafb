"""A client that subscribes to every variable of a tree at 100 ms: ``python -m tests.bench.subscriber URL --tree FILE``.

It prints ``ready``, and then, for each line it reads, how many changes it has been told of. With ``--record FILE`` it
writes what it is told for ``--seconds`` instead, and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from asyncua import Client, Node, ua

from .crawl import batches
from .tree import Change, variables, write_changes

PUBLISHING_MS = 100
QUEUE = 10
ITEMS_PER_CALL = 500
SETTLE_S = 1.5
TIMEOUT_S = 120.0


class Listener(Protocol):
    """What asyncua's subscriptions call."""

    def datachange_notification(self, node: Node, val: Any, data: Any) -> None: ...


class Counter:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def datachange_notification(self, _node: Node, _value: object, _notification: object) -> None:
        """Called by asyncua."""
        self.count += 1


class Recorder:
    """Keeps what changes once it is told to `begin`; before that come the values that are there already."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._began: float | None = None

    def begin(self) -> None:
        """From now on."""
        self._began = time.monotonic()

    def datachange_notification(self, node: Node, _value: object, notification: Any) -> None:
        """Called by asyncua."""
        if self._began is not None:
            value = ua.ua_binary.struct_to_binary(notification.monitored_item.Value).hex()
            self.changes.append(Change(time.monotonic() - self._began, node.nodeid.to_string(), value))


@asynccontextmanager
async def subscribed(url: str, nodes: list[str], listener: Listener) -> AsyncIterator[None]:
    """A session with all variables subscribed, their first values told already."""
    async with Client(url, timeout=TIMEOUT_S) as client:
        subscription = await client.create_subscription(PUBLISHING_MS, listener)
        for batch in batches(nodes, ITEMS_PER_CALL):
            await subscription.subscribe_data_change([client.get_node(node) for node in batch], queuesize=QUEUE)
        await asyncio.sleep(SETTLE_S)
        yield


async def count(url: str, nodes: list[str]) -> None:
    """Say how many changes there were whenever asked, until the input ends."""
    counter = Counter()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with subscribed(url, nodes, counter):
        print("ready", flush=True)
        while await reader.readline():
            print(counter.count, flush=True)


async def record(url: str, nodes: list[str], *, path: Path, seconds: float) -> None:
    """Write down what changes for so long."""
    recorder = Recorder()
    async with subscribed(url, nodes, recorder):
        recorder.begin()
        print("ready", flush=True)
        await asyncio.sleep(seconds)
    write_changes(path, recorder.changes)


def main() -> None:
    """Count or record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--record", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    nodes = variables(options.tree)
    if options.record is not None:
        asyncio.run(record(options.url, nodes, path=options.record, seconds=options.seconds))
    else:
        asyncio.run(count(options.url, nodes))


if __name__ == "__main__":
    main()
