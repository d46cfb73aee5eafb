"""What a value change costs the server: ``python -m tests.bench.change_cost``. See README.md beside this file.

The agent's OPC UA sink is driven at a known rate; what its clients are told is recorded, and a stock asyncua server
with the same nodes writes just that. CPU is the server's own, from inside; clients are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from msgspec import Struct
from msgspec.json import decode

from .control import Driven
from .footprint import surroundings
from .processes import Started, cpu_s, first_read, python, started
from .tree import read_changes
from .twins import Scene, Twin, crawl, nodesets, sink, stock

CLIENTS = (0, 1, 5)
PRINTERS = 20
SECONDS = 8.0
ROUNDS = 3
REST_S = 4.0
RECORD_S = 10.0
LINGER_S = 1.0
TOLERANCE = 0.02


class Cost(Struct, frozen=True, kw_only=True):
    """One drive. ``rest_share`` is the CPU, of one core, that the same clients cost while nothing changes."""

    driven: Driven
    changes: float
    told: tuple[int, ...]
    rest_share: float

    @property
    def each_s(self) -> float:
        """CPU per change, everything in it."""
        return self.driven.cpu_s / self.changes

    @property
    def above_rest_s(self) -> float:
        """CPU per change above that at rest."""
        return (self.driven.cpu_s - self.rest_share * self.driven.wall_s) / self.changes

    @property
    def complete(self) -> bool:
        """Every client was told of every change."""
        return all(abs(told / self.changes - 1) <= TOLERANCE for told in self.told)


class Driver(Struct, frozen=True, kw_only=True):
    """A server to drive, and how many values change for each of its writes."""

    name: str
    server: Started
    changes_per_write: float
    clients: list[Started]

    def drive(self, seconds: float, rest_share: float) -> Cost:
        """Have values change for so long."""
        before = [int(client.answer("count")) for client in self.clients]
        driven = decode(self.server.answer(str(seconds)), type=Driven)
        time.sleep(LINGER_S)
        after = [int(client.answer("count")) for client in self.clients]
        told = tuple(late - early for early, late in zip(before, after, strict=True))
        return Cost(driven=driven, changes=driven.writes * self.changes_per_write, told=told, rest_share=rest_share)

    def rest(self) -> float:
        """CPU, of one core, while nothing changes."""
        cpu, began = cpu_s(self.server.pid), time.monotonic()
        time.sleep(REST_S)
        return (cpu_s(self.server.pid) - cpu) / (time.monotonic() - began)


Costs = dict[str, dict[int, list[Cost]]]


def observe(server: Started, folder: Path, *, printers: int) -> tuple[Scene, float]:
    """What the sink serves and how it changes, and how many values change with an observation."""
    tree, changes = folder / "tree.jsonl", folder / "changes.jsonl"
    crawl(server, tree=tree)
    record = python("subscriber", server.url, "--tree", tree, "--record", changes)
    record += ["--seconds", str(RECORD_S + 2 * LINGER_S)]
    with started(record, port=0, log=folder / "recorder.log") as recorder:
        _ready(recorder)
        driven = decode(server.answer(str(RECORD_S)), type=Driven)
        recorder.process.wait(60)
    count = len(read_changes(changes))
    scene = Scene(
        printers=printers, tree=tree, changes=changes, nodes_per_printer=0.0, changes_per_s=count / driven.wall_s
    )
    return scene, count / driven.writes


@contextmanager
def drivers(folder: Path, *, printers: int, models: Path) -> Iterator[tuple[Scene, list[Driver]]]:
    """The sink, and the stock server on either event loop."""
    with ExitStack() as running:

        def up(twin: Twin) -> Started:
            server = running.enter_context(twin.start(None))
            asyncio.run(first_read(server, twin.live))
            return server

        ours = up(sink(folder, printers=printers))
        scene, changes_per_write = observe(ours, folder, printers=printers)
        found = [Driver(name="edge-agent's sink", server=ours, changes_per_write=changes_per_write, clients=[])]
        for loop in ("asyncio", "uvloop"):
            server = up(stock(folder, scene, nodesets=models, loop=loop, obey=True))
            found.append(Driver(name=f"stock asyncua on {loop}", server=server, changes_per_write=1.0, clients=[]))
        yield scene, found


def measure(scene: Scene, servers: list[Driver], *, seconds: float, rounds: int, folder: Path) -> Costs:
    """All servers by turns, with more and more clients."""
    costs: Costs = {driver.name: {} for driver in servers}
    with ExitStack() as running:
        for clients in CLIENTS:
            for driver in servers:
                while len(driver.clients) < clients:
                    driver.clients.append(running.enter_context(_client(driver.server, scene, folder)))
                    _ready(driver.clients[-1])
            rests = {driver.name: driver.rest() for driver in servers}
            for _ in range(rounds):
                for driver in servers:
                    costs[driver.name].setdefault(clients, []).append(driver.drive(seconds, rests[driver.name]))
        for driver in servers:
            driver.clients.clear()
    return costs


@contextmanager
def _client(server: Started, scene: Scene, folder: Path) -> Iterator[Started]:
    command = python("subscriber", server.url, "--tree", scene.tree)
    with started(command, port=0, log=folder / "subscriber.log") as client:
        yield client


def _ready(client: Started) -> None:
    assert client.process.stdout is not None
    if client.process.stdout.readline() != "ready\n":
        raise RuntimeError(f"a client failed:\n{client.log.read_text()[-3000:]}")


# --- the table ---


def table(costs: Costs) -> Iterator[str]:
    """CPU per change, and beside the stock server on its own event loop."""
    first, base, *_ = costs.values()
    yield "| Clients | Server | CPU per change, µs | above rest, µs | at rest, % of a core | clients told of all |"
    yield "|---|---|---|---|---|---|"
    for clients in CLIENTS:
        for name, found in costs.items():
            each = [cost.each_s * 1e6 for cost in found[clients]]
            above = median(cost.above_rest_s * 1e6 for cost in found[clients])
            cells = (
                str(clients),
                name,
                f"{median(each):.1f} ({min(each):.1f} to {max(each):.1f})",
                f"{above:.1f}",
                f"{found[clients][0].rest_share * 100:.1f}",
                "yes" if all(cost.complete for cost in found[clients]) else f"no: {found[clients]}",
            )
            yield f"| {' | '.join(cells)} |"
    yield ""
    for clients in CLIENTS:
        ratios = [ours.each_s / theirs.each_s for ours, theirs in zip(first[clients], base[clients], strict=True)]
        yield f"{clients} clients: the sink's CPU per change is x {median(ratios):.2f} of the stock server's."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU per value change, beside stock asyncua.")
    parser.add_argument("--printers", type=int, default=PRINTERS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each drive")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--nodesets", type=Path, help="folder of the models' XML files")
    options = parser.parse_args()
    models = options.nodesets or nodesets()
    with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as name:
        folder = Path(name)
        with drivers(folder, printers=options.printers, models=models) as (scene, servers):
            costs = measure(scene, servers, seconds=options.seconds, rounds=options.rounds, folder=folder)
    print(surroundings())
    print(f"{options.printers} printers, {scene.changes_per_s:.0f} value changes a second\n")
    print("\n".join(table(costs)))


if __name__ == "__main__":
    main()
