"""The program that listens for OctoPrints: one JSON object a line for each that announces itself by mDNS.

It is a process of its own while somebody looks: what it needs (28 MB) is gone from memory afterwards, and what
strangers send costs it, and not the agent, memory and time. It ends with its standard input, or by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import resource
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from zeroconf import DNSQuestionType, InterfaceChoice, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from .announced import Announced

SERVICE = "_octoprint._tcp.local."
MOST = 64
MDNS_PORT = 5353

_MEMORY_BYTES = 128 << 20
_CPU_S = 60
_LOOKUP_S = 2.0
_ANSWER_MS = 3000.0
_AT_ONCE = 8
_LONGEST_NAME, _LONGEST_TEXT, _MOST_ADDRESSES = 120, 200, 8
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.local")


class Listener:
    """Listens, and tells of each OctoPrint once, and again when its host's name is found to work.

    Args:
        tell: takes what is found.
        ask: ask only this address and port, instead of everybody; for tests.
    """

    def __init__(self, tell: Callable[[Announced], None], *, ask: tuple[str, int] | None = None) -> None:
        self._tell = tell
        self._ask = ask
        self._seen: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="lookup")

    async def run(self) -> None:
        """Until cancelled."""
        address, port = self._ask or (None, MDNS_PORT)
        interfaces = [address] if address else InterfaceChoice.All
        self._mdns = AsyncZeroconf(interfaces=interfaces, unicast=self._ask is not None)
        browser = AsyncServiceBrowser(
            self._mdns.zeroconf,
            SERVICE,
            handlers=[self._changed],
            addr=address,
            port=port,
            # Answers to all: one to this computer alone could go to the avahi beside us.
            question_type=DNSQuestionType.QM,
        )
        try:
            await asyncio.Event().wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await browser.async_cancel()
            await self._mdns.async_close()
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        """Called by zeroconf, by these names."""
        if state_change is ServiceStateChange.Removed or len(self._seen) >= MOST or name in self._seen:
            return
        self._seen.add(name)
        task = asyncio.ensure_future(self._resolve(zeroconf, service_type, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, zeroconf: Zeroconf, service_type: str, name: str) -> None:
        address, port = self._ask or (None, MDNS_PORT)
        info = AsyncServiceInfo(service_type, name)
        async with self._turns:
            if not await info.async_request(zeroconf, _ANSWER_MS, DNSQuestionType.QM, address, port):
                self._seen.discard(name)  # it may answer the next time it is heard of
                return
        found = announced(info)
        self._tell(found)
        host = (info.server or "").rstrip(".").lower()
        if _HOST.fullmatch(host) and await self._leads_there(host, found.addresses):
            self._tell(msgspec.structs.replace(found, host=host))

    async def _leads_there(self, host: str, addresses: tuple[str, ...]) -> bool:
        """This computer finds the host by its name: then that is the better address, since it stays."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LOOKUP_S):
                rows = await loop.run_in_executor(
                    self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                )
            return bool({str(row[4][0]) for row in rows}.intersection(addresses))
        return False


def announced(info: AsyncServiceInfo) -> Announced:
    """What a service says, cut to a size."""
    texts = {key.decode("ascii", "replace").lower(): value for key, value in info.properties.items() if value}
    instance = info.name.removesuffix(f".{info.type}")

    def text(key: str) -> str:
        return texts.get(key, b"")[:_LONGEST_TEXT].decode("utf-8", "replace")

    return Announced(
        name=instance[:_LONGEST_NAME],
        port=info.port or 0,
        addresses=tuple(info.parsed_addresses()[:_MOST_ADDRESSES]),
        path=text("path"),
        version=text("version"),
        model=text("model"),
    )


def _print(found: Announced) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    sys.stdout.buffer.flush()


def _limit() -> None:
    """Strangers fill this process at most so far. Where that is forbidden, the unit's own limit has to do."""
    for what, most in ((resource.RLIMIT_DATA, _MEMORY_BYTES), (resource.RLIMIT_CPU, _CPU_S)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


async def _until_the_reader_leaves(listener: Listener, *, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    listening = asyncio.create_task(listener.run())
    leaving: asyncio.Task[bytes] = asyncio.create_task(reader.read())
    both: list[asyncio.Task[Any]] = [listening, leaving]
    done, _ = await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    leaving.cancel()
    await asyncio.wait(both)
    if listening in done:
        listening.result()


def main() -> int:
    """Listen as the arguments say."""
    parser = argparse.ArgumentParser(prog="edge_agent.setup.listen")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--ask", metavar="ADDRESS:PORT")
    options = parser.parse_args()
    address, _, port = (options.ask or "").rpartition(":")
    _limit()
    try:
        listener = Listener(_print, ask=(address, int(port)) if address else None)
        asyncio.run(_until_the_reader_leaves(listener, seconds=options.seconds))
    except OSError as error:
        sys.stderr.write(f"cannot listen for mDNS: {error.strerror or error}\n")
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
