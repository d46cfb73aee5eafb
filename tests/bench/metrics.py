"""What ``/metrics``, the page and the JSON cost: ``python -m tests.bench.metrics``. See README.md beside this file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

from msgspec.structs import replace

from edge_agent.health import Health
from edge_agent.jobs import JobRun
from edge_agent.model import Identification, Temperature
from edge_agent.sinks.http.about import About, Endpoint
from edge_agent.sinks.http.metrics import metrics
from edge_agent.sinks.http.page import page
from edge_agent.sinks.http.report import MachineList, agent_report, encoded, machine_detail, machine_report
from edge_agent.sinks.http.words import EN
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


def answers_of(store: Store) -> dict[str, Callable[[], bytes]]:
    """What makes each answer."""
    endpoint = Endpoint(urls=("opc.tcp://pi:4840",), hostname="pi")
    about = About(endpoint=lambda: endpoint, health=Health(monotonic=time.monotonic))

    def tiles() -> bytes:
        machines = [machine_report(each) for each in store.observations()]
        return page(machines, agent_report(store, about, now=NOW), endpoint, EN).encode()

    return {
        "/metrics": lambda: "".join(metrics(store, about)).encode(),
        "/": tiles,
        "/api/v1/machines": lambda: encoded(MachineList(machines=tuple(map(machine_report, store.observations())))),
        "/api/v1/machines/<id>": lambda: encoded(machine_detail(store.observations()[0])),
    }


def timed(work: Callable[[], bytes], rounds: int) -> tuple[str, str]:
    """Milliseconds of CPU, median (least to most), and kilobytes."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        size = len(work())
        times.append((time.process_time() - began) * 1000)
    return f"{median(times):.2f} ({min(times):.2f} to {max(times):.2f})", f"{size / 1000:.0f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU of the answers of the status page's port.")
    parser.add_argument("--machines", default="1,20,100", help="numbers of machines, with commas")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print("| Answer | machines | CPU, ms: median (least to most) | kB |\n|---|---|---|---|")
    for machines in map(int, options.machines.split(",")):
        answers = answers_of(filled(machines))
        for path, work in answers.items():
            cpu, size = timed(work, options.rounds)
            print(f"| `{path}` | {machines} | {cpu} | {size} |")


if __name__ == "__main__":
    main()
