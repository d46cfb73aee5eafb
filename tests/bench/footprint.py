"""Memory and start-up beside other servers: ``python -m tests.bench.footprint``. See README.md beside this file.

For each number of printers: the agent is crawled and its changes are recorded; all servers are started by turns and
timed until a client has read a value; then they run side by side and are measured, crawled, and measured again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median

from msgspec import Struct

from .crawl import Crawled
from .loop_watch import Block, longest, read_blocks
from .processes import Memory, Started, cpu_s, first_read
from .twins import Scene, Twin, agent, crawl, node_opcua, nodesets, observe_agent, stock

STARTS = 5
SETTLE_S = 10.0
LATER_S = 60.0
START_GRACE_S = 2.0


class Footprint(Struct, frozen=True, kw_only=True):
    """One server while it runs; ``cpu_share`` is of one core, with polling and no client, over the last minute."""

    starts_s: tuple[float, ...]
    started: Memory
    crawled: Memory
    later: Memory
    crawl: Crawled
    cpu_share: float


class Loop(Struct, frozen=True, kw_only=True):
    """The longest blocks of one server's event loop."""

    start: Block
    crawl: Block


class Measured(Struct, frozen=True, kw_only=True):
    """Everything for one number of printers, by the twins' names."""

    scene: Scene
    footprints: dict[str, Footprint]
    loops: dict[str, Loop]


def measure(twins: Sequence[Twin], scene: Scene, *, starts: int, later_s: float, folder: Path) -> Measured:
    """All figures of all twins."""
    times = time_starts(twins, starts)
    footprints = side_by_side(twins, times, later_s=later_s)
    loops = {twin.name: watch_loop(twin, folder) for twin in twins if twin.name != "node-opcua"}
    return Measured(scene=scene, footprints=footprints, loops=loops)


def time_starts(twins: Sequence[Twin], rounds: int) -> dict[str, tuple[float, ...]]:
    """Seconds from spawn to the first read, by turns; a first start, which may have a key to make, does not count."""
    times: dict[str, list[float]] = {twin.name: [] for twin in twins}
    for _ in range(rounds + 1):
        for twin in twins:
            with twin.start(None) as server:
                times[twin.name].append(asyncio.run(first_read(server, twin.live)))
    return {name: tuple(seconds[1:]) for name, seconds in times.items()}


def side_by_side(twins: Sequence[Twin], times: dict[str, tuple[float, ...]], *, later_s: float) -> dict[str, Footprint]:
    """Run all of them together, and measure each before a crawl, after it, and a while later."""
    with ExitStack() as running:
        servers: dict[str, Started] = {}
        for twin in twins:
            servers[twin.name] = running.enter_context(twin.start(None))
            asyncio.run(first_read(servers[twin.name], twin.live))
        time.sleep(SETTLE_S)
        started = {name: Memory.of(server.pid) for name, server in servers.items()}
        crawls, crawled = {}, {}
        for name, server in servers.items():
            crawls[name] = crawl(server)
            crawled[name] = Memory.of(server.pid)
        cpu = {name: cpu_s(server.pid) for name, server in servers.items()}
        began = time.monotonic()
        time.sleep(later_s)
        seconds = time.monotonic() - began
        return {
            name: Footprint(
                starts_s=times[name],
                started=started[name],
                crawled=crawled[name],
                later=Memory.of(server.pid),
                crawl=crawls[name],
                cpu_share=(cpu_s(server.pid) - cpu[name]) / seconds,
            )
            for name, server in servers.items()
        }


def watch_loop(twin: Twin, folder: Path) -> Loop:
    """One more start and crawl, with the event loop watched."""
    path = folder / f"{twin.name}.blocks"
    with twin.start(path) as server:
        asyncio.run(first_read(server, twin.live))
        time.sleep(START_GRACE_S)
        up_at = time.monotonic()
        crawl(server)
        ended_at = time.monotonic()
    blocks = read_blocks(path)
    return Loop(start=longest(blocks, since=0.0, until=up_at), crawl=longest(blocks, since=up_at, until=ended_at))


# --- the tables ---


def tables(found: Sequence[Measured]) -> Iterator[str]:
    """Everything, in Markdown."""
    for measured in found:
        scene = measured.scene
        yield f"\n### {scene.printers} printers\n"
        yield f"{scene.nodes_per_printer:.0f} nodes a printer, {scene.changes_per_s:.1f} value changes a second.\n"
        yield from figures(measured)
        yield ""
        yield from blocks(measured)
    if len(found) > 1:
        yield "\n### Growth\n"
        yield from growth(found[0], found[-1])


def figures(measured: Measured) -> Iterator[str]:
    """One row per figure, one column per server, and the agent's share of the stock server's."""
    columns = measured.footprints
    yield f"| | {' | '.join(columns)} | edge-agent / stock |"
    yield "|---" * (len(columns) + 2) + "|"
    for name, digits, read in _FIGURES:
        values = [read(column) for column in columns.values()]
        share = f"{values[0] / values[1]:.2f}" if len(values) > 1 and values[1] else ""
        yield f"| {name} | {' | '.join(f'{value:.{digits}f}' for value in values)} | {share} |"


_FIGURES: tuple[tuple[str, int, Callable[[Footprint], float]], ...] = (
    ("RSS after start, MB", 1, lambda of: of.started.rss),
    ("PSS after start, MB", 1, lambda of: of.started.pss),
    ("private dirty after start, MB", 1, lambda of: of.started.private_dirty),
    ("RSS after a crawl, MB", 1, lambda of: of.crawled.rss),
    ("PSS after a crawl, MB", 1, lambda of: of.crawled.pss),
    ("private dirty after a crawl, MB", 1, lambda of: of.crawled.private_dirty),
    ("RSS a minute later, MB", 1, lambda of: of.later.rss),
    ("PSS a minute later, MB", 1, lambda of: of.later.pss),
    ("private dirty a minute later, MB", 1, lambda of: of.later.private_dirty),
    ("start to first read, s (median)", 2, lambda of: median(of.starts_s)),
    ("the fastest", 2, lambda of: min(of.starts_s)),
    ("the slowest", 2, lambda of: max(of.starts_s)),
    ("CPU without clients, % of a core", 2, lambda of: of.cpu_share * 100),
    ("crawl: nodes", 0, lambda of: of.crawl.nodes),
    ("crawl: references", 0, lambda of: of.crawl.references),
    ("crawl: attributes", 0, lambda of: of.crawl.attributes),
    ("crawl, s", 2, lambda of: of.crawl.seconds),
)


def blocks(measured: Measured) -> Iterator[str]:
    """The longest blocks, as the clock saw them, and those with most computing in them."""
    yield "| Longest block of the event loop, ms (longest by CPU) | during start | during a crawl |"
    yield "|---|---|---|"
    for name, loop in measured.loops.items():
        cells = (f"{block.wall_s * 1e3:.0f} ({block.cpu_s * 1e3:.0f})" for block in (loop.start, loop.crawl))
        yield f"| {name} | {' | '.join(cells)} |"


def growth(first: Measured, last: Measured) -> Iterator[str]:
    """MB for each printer more."""
    yield "| MB for each printer more | after start | after a crawl |"
    yield "|---|---|---|"
    more = last.scene.printers - first.scene.printers
    for name, least in first.footprints.items():
        most = last.footprints[name]
        grown = (most.started.rss - least.started.rss, most.crawled.rss - least.crawled.rss)
        yield f"| {name} | {' | '.join(f'{value / more:.3f}' for value in grown)} |"


def surroundings() -> str:
    """What it was measured on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("asyncua", "aiohttp", "msgspec", "uvloop"))
    return f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, {platform.machine()}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Memory and start-up, beside stock asyncua and node-opcua.")
    parser.add_argument("--printers", default="1,20,100", help="numbers of printers, with commas")
    parser.add_argument("--starts", type=int, default=STARTS, help="of each server, by turns")
    parser.add_argument("--later", type=float, default=LATER_S, help="seconds until memory is measured again")
    parser.add_argument("--nodesets", type=Path, help="folder of the models' XML files")
    parser.add_argument("--without-node", action="store_true", help="leave node-opcua out")
    options = parser.parse_args()
    models = options.nodesets or nodesets()
    print(surroundings())
    found = []
    for printers in map(int, options.printers.split(",")):
        with tempfile.TemporaryDirectory(prefix="edge-agent-bench-") as name:
            folder = Path(name)
            ours = agent(folder, printers=printers)
            scene = observe_agent(ours, folder, printers=printers)
            twins = [ours, stock(folder, scene, nodesets=models)]
            if not options.without_node:
                twins.append(node_opcua(folder, scene))
            measured = measure(twins, scene, starts=options.starts, later_s=options.later, folder=folder)
            found.append(measured)
    print("\n".join(tables(found)))


if __name__ == "__main__":
    main()
