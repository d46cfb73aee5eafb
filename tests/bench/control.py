"""A server in a process of its own that is told when to have its values change, and says what that cost it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import Struct

_LAST_PUBLICATION_S = 0.3

Drive = Callable[[float], Awaitable[int]]
"""Makes values change for so many seconds; the result says how many times something was written."""


class Driven(Struct, frozen=True, kw_only=True):
    """One drive: ``cpu_s`` of the whole process, until the last change was published, too."""

    writes: int
    cpu_s: float
    wall_s: float


async def obey(drive: Drive) -> None:
    """Read seconds from standard input, line by line, drive for so long, and print a `Driven`; until the input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        cpu, wall = time.process_time(), time.monotonic()
        writes = await drive(float(line))
        await asyncio.sleep(_LAST_PUBLICATION_S)
        driven = Driven(writes=writes, cpu_s=time.process_time() - cpu, wall_s=time.monotonic() - wall)
        print(msgspec.json.encode(driven).decode(), flush=True)
