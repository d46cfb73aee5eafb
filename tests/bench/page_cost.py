"""What the status page costs a running agent: ``python -m tests.bench.page_cost``. See README.md beside this file."""

from __future__ import annotations

import argparse
import asyncio
import socket
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from .processes import Memory, Started, cpu_s, first_read, python, started

LIVE = "ns=13;s=printer-1/MesStatus"
SETTLE_S = 10.0


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(server: Started, seconds: float, clients: Sequence[socket.socket] = ()) -> str:
    """CPU over a while, in which the clients read what comes, then memory, as a table's cells."""
    before, began = cpu_s(server.pid), time.monotonic()
    while time.monotonic() - began < seconds:
        time.sleep(0.1)
        for client in clients:
            read(client)
    share = (cpu_s(server.pid) - before) / (time.monotonic() - began)
    memory = Memory.of(server.pid)
    return f"{memory.rss:.1f} | {memory.pss:.1f} | {memory.private_dirty:.1f} | {share * 100:.2f}"


def read(client: socket.socket) -> None:
    """All that has come."""
    with suppress(BlockingIOError):
        while client.recv(1 << 20):
            pass


def listen(port: int) -> socket.socket:
    """A client of the events."""
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    client.setblocking(False)
    return client


def rows(printers: int, seconds: float, folder: Path) -> Iterator[str]:
    """Without the page, with it, read by Prometheus, and with as many open pages as there may be."""
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
        with ExitStack() as stack:
            server = stack.enter_context(started(command, port=port, log=folder / f"{page}.log"))
            asyncio.run(first_read(server, LIVE))
            if not counts:
                continue
            time.sleep(SETTLE_S)
            yield f"| {'with the page, nobody looks' if page else 'without the page'} | {measure(server, seconds)} |"
            if not page:
                continue
            for path in ("metrics", "", "api/v1/machines", "api/v1/agent"):
                with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/{path}") as answer:
                    answer.read()
            yield f"| after a request of each kind | {measure(server, seconds)} |"
            clients: list[socket.socket] = []
            for count in (1, 16):
                clients += [stack.enter_context(listen(http_port)) for _ in range(count - len(clients))]
                yield f"| {count} listening to the events | {measure(server, seconds, clients)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Memory and CPU of the status page in a running agent.")
    parser.add_argument("--printers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each row")
    options = parser.parse_args()
    print("| | RSS, MB | PSS, MB | private dirty, MB | CPU, % of a core |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as name:
        for row in rows(options.printers, options.seconds, Path(name)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
