"""A hall of machines in every state, on the status page, without anything behind it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from edge_agent.jobs import JobRun
from edge_agent.model import Identification, Job, MachineState, Quality, Snapshot, Temperature
from edge_agent.observation import Observation
from tests.observations import AT, PRINTING, observation
from tests.unit.http.bench import Bench, machine

_FILES = ("motor_bracket_v3.gcode", "cable_clip_x12.gcode", "gear_m1_z24.gcode", "Gehäuse_für_Kunde_№1.gcode")
_FAULT = "Thermal runaway of heater tool0"
_LOST = "http://printer-5.local: connection refused; is OctoPrint running, and is the port right?"
_DENIED = "http://printer-6.local: 403, the API key is wrong or was deleted; make a new one in OctoPrint"


def hall(machines: int = 12) -> list[Observation]:
    """So many machines, the same each time."""
    return [_one(number) for number in range(machines)]


def fill(bench: Bench, machines: int = 12) -> None:
    """Publish them."""
    for each in hall(machines):
        bench.store.publish(each)


def printing(number: int, *, ratio: float) -> Observation:
    """One that prints."""
    file = _FILES[number % len(_FILES)]
    job = Job(
        file_name=file,
        file_path=f"orders/{file}",
        file_size_bytes=2_050_000,
        progress_ratio=ratio,
        elapsed_s=9000 * ratio,
        remaining_s=9000 * (1 - ratio),
        user="anna",
    )
    run = JobRun(
        id=f"run-{number}",
        machine_id=f"machine-{number}",
        started_at=AT - timedelta(seconds=9000 * ratio),
        updated_at=AT,
        file_name=file,
    )
    return _known(number, replace(PRINTING, job=job, temperatures=_hot()), run=run)


def _known(number: int, snapshot: Snapshot, **more: Any) -> Observation:
    identity = Identification(manufacturer="Prusa Research", model="MK4S", location=f"Hall {1 + number % 3}")
    return observation(snapshot, machine=machine(number, identification=identity), **more)


def _in(number: int, state: MachineState, text: str, **more: Any) -> Observation:
    return _known(number, replace(PRINTING, state=state, state_text=text, job=Job(), **more))


def _unknown(number: int, quality: Quality, reason: str = "") -> Observation:
    return observation(None, quality, machine=machine(number), error=reason, reachable=False)


def _one(number: int) -> Observation:
    match number % 8:
        case 1:
            return _in(number, MachineState.READY, "Operational", temperatures=_cold())
        case 2:
            return _in(number, MachineState.OFF, "Offline", temperatures={})
        case 3:
            return _in(number, MachineState.FAULT, "Offline after error", error=_FAULT, temperatures={})
        case 4:
            paused = printing(number, ratio=0.72)
            assert paused.snapshot is not None
            return _known(
                number, replace(paused.snapshot, state=MachineState.PAUSED, state_text="Paused"), run=paused.run
            )
        case 5:
            return _unknown(number, Quality.NO_COMMUNICATION, _LOST)
        case 6:
            return _unknown(number, Quality.ACCESS_DENIED, _DENIED)
        case 7:
            return _unknown(number, Quality.WAITING)
        case _:
            return printing(number, ratio=0.41 + number / 200)


def _hot() -> dict[str, Temperature]:
    return {"tool0": Temperature(214.8, 215.0), "bed": Temperature(59.6, 60.0), "chamber": Temperature(38.5, None)}


def _cold() -> dict[str, Temperature]:
    return {"tool0": Temperature(24.1, 0.0), "bed": Temperature(23.4, 0.0)}
