"""Processes to measure: started on loopback, ended by their own id, and what Linux says of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from asyncua import Client, ua
from msgspec import Struct

ROOT = Path(__file__).parents[2]
START_S = 120.0
_END_S = 20.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Memory(Struct, frozen=True, kw_only=True):
    """Of one process, in MB (1,000,000 bytes). ``pss`` has its share of pages that others map, too."""

    rss: float
    pss: float
    private_dirty: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """As it is now."""
        bytes_of = {}
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, rest = line.partition(":")
            bytes_of[name] = int(rest.split()[0]) * 1024
        return cls(rss=bytes_of["Rss"] / 1e6, pss=bytes_of["Pss"] / 1e6, private_dirty=bytes_of["Private_Dirty"] / 1e6)


def cpu_s(pid: int) -> float:
    """CPU time a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


class Started(Struct, frozen=True, kw_only=True):
    """A server process and where to reach it; ``spawned_at`` is by `time.monotonic`."""

    process: subprocess.Popen[str]
    url: str
    log: Path
    spawned_at: float

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def answer(self, question: str) -> str:
        """Write a line to its standard input, and read the line it answers with."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"it ended; its log:\n{self.log.read_text()[-3000:]}")
        return line


@contextmanager
def started(command: Sequence[str | Path], *, port: int, log: Path, **environment: str) -> Iterator[Started]:
    """Run a server; at the end it is asked to stop, and made to if it does not."""
    with log.open("wb") as errors:
        spawned_at = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=_compiled_once() | environment,
        )
    try:
        yield Started(process=process, url=f"opc.tcp://127.0.0.1:{port}", log=log, spawned_at=spawned_at)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _compiled_once() -> dict[str, str]:
    """The environment, with a place for bytecode: compiling at start costs more memory than anything else would."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "edge-agent-bench-bytecode")}


def python(module: str, *arguments: str | Path) -> list[str]:
    """A module of this folder as a command."""
    return [sys.executable, "-m", f"tests.bench.{module}", *(str(argument) for argument in arguments)]


async def first_read(server: Started, node_id: str) -> float:
    """Seconds from the spawn to the first good value a client reads, trying to connect all the time.

    Raises:
        RuntimeError: the process ended, or no value came in time.
    """
    while time.monotonic() - server.spawned_at < START_S:
        if server.process.poll() is not None:
            break
        with suppress(OSError, TimeoutError, ua.UaError, asyncio.CancelledError):
            await _connect(server.url)
            async with Client(server.url, timeout=START_S) as client:
                value = await client.get_node(node_id).read_data_value(raise_on_bad_status=False)
                read_at = time.monotonic()
            if value.StatusCode is not None and value.StatusCode.is_good():
                return read_at - server.spawned_at
        await asyncio.sleep(0.01)
    raise RuntimeError(f"{server.url} served no {node_id}; its log:\n{server.log.read_text()[-3000:]}")


async def _connect(url: str) -> None:
    """A connection and nothing else: cheaper to fail than a client."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
