"""What ``/metrics``, the page and the JSON cost: ``python -m tests.bench.metrics``. See README.md beside this file."""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from math import sin
from statistics import median

from aiohttp.test_utils import make_mocked_request
from msgspec.structs import replace

from edge_agent.computer import computer
from edge_agent.health import Health
from edge_agent.jobs import JobRun
from edge_agent.model import Identification, Temperature
from edge_agent.observation import Observation
from edge_agent.sinks.http.about import About, Endpoint
from edge_agent.sinks.http.curves import SLOTS, STEP_S, Curves
from edge_agent.sinks.http.library import web
from edge_agent.sinks.http.options import HttpOptions
from edge_agent.sinks.http.site import Site
from edge_agent.store import Store
from tests.observations import AT, MACHINE, PRINTING, observation

ROUNDS = 200
NOW = datetime(2026, 3, 4, 5, 6, 9, tzinfo=UTC)


def filled(machines: int) -> Store:
    """A store of machines that all print and have three heaters each: the most there is to tell."""
    store = Store()
    job = replace(
        PRINTING.job, file_date=AT, elapsed_s=90.0, remaining_s=270.5, estimated_s=360.0, filament_length_mm=1500.0,
        filament_volume_cm3=3.5, user="anna",
    )  # fmt: skip
    sensors = {name: Temperature(204.8, 205.0) for name in ("tool0", "tool1", "bed")}
    for number in range(machines):
        machine = replace(
            MACHINE,
            id=f"machine-{number}",
            name=f"Machine {number}",
            identification=Identification(manufacturer="Prusa Research", model="MK4", location="Hall 2"),
        )
        run = JobRun(id=f"run-{number}", machine_id=machine.id, started_at=AT, updated_at=AT, file_name="gear.gcode")
        store.publish(observation(replace(PRINTING, job=job, temperatures=sensors), machine=machine, run=run))
    return store


def warmed(store: Store, curves: Curves, *, until_s: float) -> None:
    """Have an hour behind it in which every heater swung around its set point."""
    for slot in range(SLOTS):
        curves.note(swung(store, slot), monotonic_s=until_s - (SLOTS - 1 - slot) * STEP_S, at=NOW)


def swung(store: Store, slot: int) -> Iterator[Observation]:
    """All machines, some tenths of a degree from where they are."""
    for each in store.observations():
        assert each.snapshot is not None
        sensors = {
            name: Temperature((one.actual_celsius or 0.0) + 0.5 * sin(slot), one.target_celsius)
            for name, one in each.snapshot.temperatures.items()
        }
        yield replace(each, snapshot=replace(each.snapshot, temperatures=sensors))


class Asked:
    """The site, asked as a browser asks it, without a connection."""

    def __init__(self, machines: int) -> None:
        self.store = filled(machines)
        self.curves = Curves()
        self.seconds = SLOTS * STEP_S
        warmed(self.store, self.curves, until_s=self.seconds)
        endpoint = Endpoint(urls=("opc.tcp://pi:4840",), hostname="pi")
        self.site = Site(
            self.store,
            about=About(endpoint=lambda: endpoint, health=Health(monotonic=time.monotonic), computer=computer),
            options=HttpOptions,
            now=lambda: NOW,
            curves=self.curves,
        )

    async def answer(self, path: str) -> tuple[float, int]:
        """Milliseconds of CPU, and how many bytes go over the wire."""
        request = make_mocked_request("GET", path, headers={"Host": "127.0.0.1", "Accept-Encoding": "gzip"})
        async with asyncio.timeout(None) as deadline:
            began = time.process_time()
            answer = await self.site.answer(request, deadline)
            cpu_ms = (time.process_time() - began) * 1000
        assert isinstance(answer, web.Response)
        assert answer.status == 200, path
        assert isinstance(answer.body, bytes)
        return cpu_ms, len(answer.body)

    def pass_half_a_minute(self) -> None:
        """There is a new value, so every curve has to be drawn again."""
        self.seconds += STEP_S
        self.curves.note(self.store.observations(), monotonic_s=self.seconds, at=NOW)


async def timed(asked: Asked, path: str, rounds: int, *, anew: bool = False) -> str:
    """Milliseconds of CPU, median (least to most), and kilobytes, as cells."""
    times: list[float] = []
    _, size = await asked.answer(path)
    for _ in range(rounds):
        if anew:
            asked.pass_half_a_minute()
        cpu_ms, size = await asked.answer(path)
        times.append(cpu_ms)
    return f"{median(times):.2f} ({min(times):.2f} to {max(times):.2f}) | {size / 1000:.0f}"


async def show(machines: int, rounds: int) -> None:
    """Print the rows of so many machines."""
    asked = Asked(machines)
    for path in ("/metrics", "/", "/machines/machine-0", "/agent", "/api/v1/machines", "/api/v1/machines/machine-0"):
        print(f"| `{path}` | {machines} | {await timed(asked, path, rounds)} |")
    print(f"| `/`, its curves drawn anew | {machines} | {await timed(asked, '/', rounds // 4, anew=True)} |")


def kept_kb(machines: int) -> float:
    """What the last hour takes in memory."""
    store, curves = filled(machines), Curves()
    tracemalloc.start()
    warmed(store, curves, until_s=SLOTS * STEP_S)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU of the answers of the status page's port.")
    parser.add_argument("--machines", default="1,20,100", help="numbers of machines, with commas")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print("| Answer | machines | CPU, ms: median (least to most) | kB |\n|---|---|---|---|")
    numbers = [int(number) for number in options.machines.split(",")]
    for machines in numbers:
        asyncio.run(show(machines, options.rounds))
    for machines in numbers:
        print(f"\nThe last hour of {machines} machines with three heaters: {kept_kb(machines):.0f} kB")


if __name__ == "__main__":
    main()
