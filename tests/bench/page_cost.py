"""What the status page costs a running agent: ``python -m tests.bench.page_cost``. See README.md beside this file."""

from __future__ import annotations

import argparse
import asyncio
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from statistics import median

import aiohttp

from .processes import Memory, Started, cpu_s, first_read, python, started

LIVE = "ns=13;s=printer-1/MesStatus"
SETTLE_S = 10.0
REST_S = 2.0
AGAIN_S = 15.0
PAGES = (0, 1, 20)
"""How many are open at a time; 16 may listen to the events, the others ask every 15 s."""
PATHS = ("/metrics", "/", "/machines/printer-1", "/agent", "/api/v1/machines", "/api/v1/agent")
QUIET = aiohttp.ClientTimeout(total=None, sock_connect=10)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def measure(server: Started, seconds: float) -> str:
    """CPU over a while, then memory, as a table's cells."""
    before, began = cpu_s(server.pid), time.monotonic()
    await asyncio.sleep(seconds)
    share = (cpu_s(server.pid) - before) / (time.monotonic() - began)
    memory = Memory.of(server.pid)
    return f"{memory.rss:.1f} | {memory.pss:.1f} | {memory.private_dirty:.1f} | {share * 100:.2f}"


async def open_page(client: aiohttp.ClientSession) -> None:
    """What a browser asks for while the page is open: the events, and the page whenever there was one."""
    changed = asyncio.Event()
    listening: asyncio.Task[None] | None = None
    try:
        while True:
            async with client.get("/") as answer:
                await answer.read()
            if listening is None or listening.done():
                listening = asyncio.create_task(_listen(client, changed))
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), AGAIN_S)
            await asyncio.sleep(REST_S)
            changed.clear()
    finally:
        if listening is not None:
            listening.cancel()


async def _listen(client: aiohttp.ClientSession, changed: asyncio.Event) -> None:
    async with client.get("/api/v1/events") as answer:
        if answer.status == 200:
            async for _ in answer.content.iter_any():
                changed.set()


async def asked(server: Started, client: aiohttp.ClientSession, path: str, times: int) -> str:
    """The cells of one path: wall time over one connection that is kept, and the server's own CPU."""
    walls, size, before = [], 0, cpu_s(server.pid)
    for _ in range(times):
        began = time.perf_counter()
        async with client.get(path) as answer:
            answer.raise_for_status()
            size = len(await answer.read())
        walls.append((time.perf_counter() - began) * 1000)
    cpu_ms = (cpu_s(server.pid) - before) / times * 1000
    return f"{size / 1000:.0f} | {median(walls):.1f} ({min(walls):.1f} to {max(walls):.1f}) | {cpu_ms:.1f}"


async def rows(printers: int, seconds: float, folder: Path) -> AsyncIterator[str]:
    """Without the page, with it, asked for everything once, and with pages open."""
    for page, counts in ((False, False), (True, False), (False, True), (True, True)):  # the first starts compile
        port, http_port = free_port(), free_port()
        words: list[str | Path] = [
            "--printers",
            str(printers),
            "--port",
            str(port),
            "--state",
            folder / f"state-{page}",
        ]
        command = python("agent_twin", *words, *(["--http-port", str(http_port)] if page else []))
        async with AsyncExitStack() as stack:
            server = stack.enter_context(started(command, port=port, log=folder / f"{page}.log"))
            await first_read(server, LIVE)
            if not counts:
                continue
            await asyncio.sleep(SETTLE_S)
            if not page:
                yield f"| without the page | {await measure(server, seconds)} |"
                continue
            url = f"http://127.0.0.1:{http_port}"
            client = await stack.enter_async_context(
                aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0), timeout=QUIET)
            )
            opened: list[asyncio.Task[None]] = []
            for count in PAGES:
                opened += [asyncio.create_task(open_page(client)) for _ in range(count - len(opened))]
                yield f"| with the page, {count} open | {await measure(server, seconds)} |"
            for one in opened:
                one.cancel()
            await asyncio.wait(opened)
            yield "\n| Answer | kB | wall, ms: median (least to most) | CPU, ms |\n|---|---|---|---|"
            for path in PATHS:
                yield f"| `{path}` | {await asked(server, client, path, 50)} |"


async def show(printers: int, seconds: float) -> None:
    """Print as it comes."""
    print("| | RSS, MB | PSS, MB | private dirty, MB | CPU, % of a core |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as name:
        async for row in rows(printers, seconds, Path(name)):
            print(row, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Memory and CPU of the status page in a running agent.")
    parser.add_argument("--printers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each row")
    options = parser.parse_args()
    asyncio.run(show(options.printers, options.seconds))


if __name__ == "__main__":
    main()
