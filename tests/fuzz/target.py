"""The server process, and what is asked of it while it is attacked: to live, to stay small, to answer others."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.opcua_wire import WireClient, connected

MOST_MB = 20.0
SLOWEST_S = 1.0
ROOT = Path(__file__).parents[2]


class Target:
    """A running server process.

    Attributes:
        port: it listens on.
        lines: what it has logged.
        slowest_s: the longest that the client which is not attacking waited for an answer.
        answers: how many it got.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port
        self.lines: list[str] = []
        self.slowest_s = 0.0
        self.answers = 0
        self.peak_mb = self.baseline_mb = self.rss_mb

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def rss_mb(self) -> float:
        """Resident memory now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    @property
    def grown_mb(self) -> float:
        """Since `forget`, at most."""
        return self.peak_mb - self.baseline_mb

    @property
    def exceptions(self) -> list[str]:
        """What went wrong in the server by its own account."""
        return [line for line in self.lines if "Traceback" in line or line.startswith(("ERROR", "CRITICAL"))]

    def forget(self) -> None:
        """Begin to measure."""
        self.peak_mb = self.baseline_mb = self.rss_mb
        self.slowest_s, self.answers = 0.0, 0
        self.lines.clear()

    async def keep_log(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip())

    async def keep_reading(self, client: WireClient) -> None:
        """The client that must not notice."""
        while True:
            began = time.monotonic()
            await client.read()
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.answers += 1
            self.peak_mb = max(self.peak_mb, self.rss_mb)
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running() -> AsyncIterator[Target]:
    """A server process, with a client that reads all the time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.fuzz.server",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
    if not line:
        assert process.stderr is not None
        raise RuntimeError((await process.stderr.read()).decode())
    target = Target(process, int(line))
    log = asyncio.create_task(target.keep_log())
    try:
        async with connected(target.port) as client:
            await client.log_in()
            reading = asyncio.create_task(target.keep_reading(client))
            try:
                yield target
                assert not reading.done(), f"the client that behaves was cut off: {reading.exception()!r}"
            finally:
                reading.cancel()
                with suppress(BaseException):
                    await reading
    finally:
        await target.stop()
        await log
