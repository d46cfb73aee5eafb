"""What a poll cycle costs the agent: ``python -m tests.bench.poll_cycle``. See README.md beside this file.

One OctoPrint double in a process of its own, one client in this one, rounds of all variants by turns, so that a noisy
neighbour disturbs each alike. CPU is this process's (user and system), and not the double's.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import platform
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from statistics import median

import aiohttp
import uvloop

from edge_agent.secret import Secret
from edge_agent.session import HttpHost, Tls, open_session
from edge_agent.sources.octoprint import PRINTER_PATH, OctoPrint, OctoPrintOptions
from tests.bench.decoding import DECODERS
from tests.double import KEY, OctoPrintDouble

Cycle = Callable[[], Awaitable[object]]
NEW_LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
REQUESTS_PER_CYCLE = 2
CYCLES_PER_ROUND = 200
SECONDS = 24.0
LEAST_ROUNDS = 5
DECODES_PER_ROUND = 2000
DECODE_ROUNDS = 15


@dataclass(frozen=True)
class Cost:
    """Of one cycle, or of one decoding: seconds of CPU and of the clock, and connections made."""

    cpu_s: float
    wall_s: float = 0.0
    connections: float = 0.0


# --- the double, in a process of its own ---


def serve(control: Connection) -> None:
    """Serve a printing OctoPrint until told to stop; say how many connections were made whenever asked."""

    async def serving() -> None:
        async with OctoPrintDouble(log_limit=1) as double:
            double.printer.print(0.42)
            asked = asyncio.Event()
            asyncio.get_running_loop().add_reader(control.fileno(), asked.set)
            control.send(double.url)
            while True:
                await asked.wait()
                asked.clear()
                if not control.recv():
                    return
                control.send(double.connections)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving())


class Printer:
    """The double's process, seen from here."""

    def __init__(self, control: Connection, url: str) -> None:
        self._control = control
        self.url = url

    def connections(self) -> int:
        """How many were made so far."""
        self._control.send(True)
        made: int = self._control.recv()
        return made


@contextmanager
def printer() -> Iterator[Printer]:
    """A printer to poll."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(10):
            raise TimeoutError("the double did not start within 10 s")
        yield Printer(ours, ours.recv())
    finally:
        ours.send(False)
        process.join(5)


# --- the variants ---


async def measured(cycle: Cycle, printer: Printer) -> Cost:
    """One round of one variant."""
    connections = printer.connections()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(CYCLES_PER_ROUND):
        await cycle()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    made = printer.connections() - connections
    return Cost(cpu / CYCLES_PER_ROUND, wall / CYCLES_PER_ROUND, made / CYCLES_PER_ROUND)


def variants(printer: Printer, ours: aiohttp.ClientSession, kept: aiohttp.ClientSession) -> dict[str, Cycle]:
    """The agent's own cycle, and two ways to ask the same that others take."""
    headers = {"X-Api-Key": KEY}
    urls = [f"{printer.url}/api/job", f"{printer.url}{PRINTER_PATH}"]
    source = OctoPrint(
        OctoPrintOptions(url=printer.url, api_key=Secret(KEY)),
        session=ours,
        now=lambda: datetime.now(UTC),
        monotonic=asyncio.get_running_loop().time,
    )

    host = HttpHost(ours, url=printer.url, headers=headers, tls=Tls())

    async def bodies() -> None:
        for path in ("/api/job", PRINTER_PATH):
            await host.get(path)

    async def pooled() -> None:
        for url in urls:
            async with kept.get(url, headers=headers) as response:
                await response.json()

    async def unpooled() -> None:
        for url in urls:
            async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
                await response.json()

    return {
        "the agent: pooled, to a snapshot": source.fetch,
        "the agent's session alone, not decoded": bodies,
        "one session kept, `response.json()`": pooled,
        "a new session per request, `response.json()`": unpooled,
    }


async def poll(printer: Printer, seconds: float) -> dict[str, list[Cost]]:
    """Rounds of all variants by turns until the time is up, one round to warm up before."""
    async with open_session() as ours, aiohttp.ClientSession() as kept:
        cycles = variants(printer, ours, kept)
        costs: dict[str, list[Cost]] = {name: [] for name in cycles}
        for cycle in cycles.values():
            await measured(cycle, printer)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or any(len(rounds) < LEAST_ROUNDS for rounds in costs.values()):
            for name, cycle in cycles.items():
                costs[name].append(await measured(cycle, printer))
    return costs


def decode() -> dict[str, dict[str, list[Cost]]]:
    """Rounds of all decoders by turns, for each answer."""
    found: dict[str, dict[str, list[Cost]]] = {}
    for answer, decoders in DECODERS.items():
        costs = found[answer] = {name: [] for name in decoders}
        for _ in range(DECODE_ROUNDS):
            for name, decoder in decoders.items():
                began = time.process_time()
                for _ in range(DECODES_PER_ROUND):
                    decoder()
                costs[name].append(Cost((time.process_time() - began) / DECODES_PER_ROUND))
    return found


# --- the tables ---


def spread(values: list[float], scale: float, digits: int = 2) -> str:
    """Median, least and most."""
    middle, least, most = (f"{value * scale:.{digits}f}" for value in (median(values), min(values), max(values)))
    return f"{middle} ({least} to {most})"


def ratio(costs: list[Cost], first: list[Cost]) -> str:
    """How many times the first variant's CPU, round by round."""
    ratios = [cost.cpu_s / base.cpu_s for cost, base in zip(costs, first, strict=True)]
    return f"x {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def cycle_table(costs: dict[str, list[Cost]]) -> Iterator[str]:
    """The costs of a cycle."""
    yield "| Variant | CPU per request, ms | CPU per cycle, ms | beside the agent | wall per cycle, ms | connections |"
    yield "|---|---|---|---|---|---|"
    first = next(iter(costs.values()))
    for name, rounds in costs.items():
        cpu_s = [cost.cpu_s for cost in rounds]
        cells = (
            name,
            spread([value / REQUESTS_PER_CYCLE for value in cpu_s], 1e3, 3),
            spread(cpu_s, 1e3),
            ratio(rounds, first),
            spread([cost.wall_s for cost in rounds], 1e3),
            f"{median(cost.connections for cost in rounds):g} per cycle",
        )
        yield f"| {' | '.join(cells)} |"


def decode_table(found: dict[str, dict[str, list[Cost]]]) -> Iterator[str]:
    """The costs of decoding."""
    yield "| Answer | Decoder | µs | beside msgspec |"
    yield "|---|---|---|---|"
    for answer, costs in found.items():
        first = next(iter(costs.values()))
        for name, rounds in costs.items():
            yield f"| {answer} | {name} | {spread([cost.cpu_s for cost in rounds], 1e6)} | {ratio(rounds, first)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a poll cycle costs.")
    parser.add_argument("--loop", choices=NEW_LOOPS, default="uvloop", help="the agent's is uvloop")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of polling; decoding takes a few more")
    options = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "msgspec", "uvloop"))
    print(f"Python {platform.python_version()}, {packages}; client on {options.loop}\n")
    with printer() as double, asyncio.Runner(loop_factory=NEW_LOOPS[options.loop]) as runner:
        costs = runner.run(poll(double, options.seconds))
    rounds = len(next(iter(costs.values())))
    print(f"{rounds} rounds of {CYCLES_PER_ROUND} cycles each by turns: median (least to most)\n")
    print("\n".join(cycle_table(costs)))
    print(f"\n{DECODE_ROUNDS} rounds of {DECODES_PER_ROUND} decodings each by turns: median (least to most)\n")
    print("\n".join(decode_table(decode())))


if __name__ == "__main__":
    main()
