"""How long an event loop is kept from turning: a callback every millisecond that notes when it came late."""

from __future__ import annotations

import asyncio
import atexit
import json
import time
from pathlib import Path

from msgspec import Struct
from msgspec.json import decode

_EVERY_S = 0.001
_WORTH_NOTING_S = 0.005


class Block(Struct, frozen=True):
    """The loop did not turn for ``wall_s``; ``cpu_s`` of it the process computed, so the rest was the machine's."""

    at: float
    wall_s: float
    cpu_s: float


class LoopWatch:
    """Watches one loop from its first turn to the end of the process, and then writes the blocks to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks: list[tuple[float, float, float]] = []

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin now; to be called before anything else is given to the loop."""
        self._loop = loop
        self._at, self._cpu = time.monotonic(), time.process_time()
        loop.call_soon(self._tick)
        atexit.register(self._write)

    def _tick(self) -> None:
        at, cpu = time.monotonic(), time.process_time()
        if at - self._at - _EVERY_S > _WORTH_NOTING_S:
            self._blocks.append((self._at, at - self._at - _EVERY_S, cpu - self._cpu))
        self._at, self._cpu = at, cpu
        self._loop.call_later(_EVERY_S, self._tick)

    def _write(self) -> None:
        self._path.write_text(json.dumps(self._blocks))


def read_blocks(path: Path) -> list[Block]:
    """What a watch has written; ``at`` is by `time.monotonic`, which all processes of a machine share."""
    return [Block(*block) for block in decode(path.read_bytes(), type=list[tuple[float, float, float]])]


def longest(blocks: list[Block], *, since: float, until: float) -> Block:
    """The longest of the blocks that began in a span of time: by the clock, and apart from that by its computing.

    On a machine with other work these are two blocks: the first may be another program's turn.
    """
    begun = [block for block in blocks if since <= block.at < until]
    wall_s = max((block.wall_s for block in begun), default=0.0)
    return Block(since, wall_s, max((block.cpu_s for block in begun), default=0.0))
