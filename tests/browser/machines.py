"""A hall of machines in every state, the same each time, and the hour behind them."""

from __future__ import annotations

from datetime import timedelta
from math import exp, sin
from typing import Any

from msgspec.structs import replace

from edge_agent.errors import Failure
from edge_agent.jobs import JobRun, Outcome
from edge_agent.model import Identification, Job, MachineState, Quality, Snapshot, Temperature
from edge_agent.observation import Observation
from tests.observations import AT, PRINTING, observation
from tests.unit.http.bench import machine

_FILES = ("motor_bracket_v3.gcode", "cable_clip_x12.gcode", "gear_m1_z24.gcode", "Gehäuse_für_Kunde_№1.gcode")
_FAULT = "Thermal runaway of heater tool0"
_LOST = "http://printer.local: connection refused"
_DENIED = "http://printer.local: 403 for this API key"


def hall(machines: int = 12) -> list[Observation]:
    """So many machines, the same each time."""
    return [_one(number) for number in range(machines)]


def busy_hall(machines: int) -> list[Observation]:
    """All of them print: the most there is to tell."""
    return [printing(number, ratio=number / machines) for number in range(machines)]


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
    before = tuple(_ended(number, days) for days in (1, 2, 3))
    return _known(number, replace(PRINTING, job=job, temperatures=_hot()), run=run, recent=(run, *before))


def _ended(number: int, days: int) -> JobRun:
    """Days ago: one went well, one was cancelled, one failed."""
    outcome = (Outcome.COMPLETED, Outcome.CANCELLED, Outcome.FAILED)[days - 1]
    began = AT - timedelta(days=days, minutes=7 * number)
    return JobRun(
        id=f"run-{number}-{days}",
        machine_id=f"machine-{number}",
        started_at=began,
        updated_at=began,
        ended_at=began + timedelta(hours=4 - days, minutes=12),
        outcome=outcome,
        file_name=_FILES[(number + days) % len(_FILES)],
        reason=_FAULT if outcome is Outcome.FAILED else "",
    )


def _known(number: int, snapshot: Snapshot, **more: Any) -> Observation:
    identity = Identification(manufacturer="Prusa Research", model="MK4S", location=f"Hall {1 + number % 3}")
    return observation(snapshot, machine=machine(number, identification=identity), **more)


def _in(number: int, state: MachineState, text: str, **more: Any) -> Observation:
    return _known(number, replace(PRINTING, state=state, state_text=text, job=Job(), **more))


def _unknown(number: int, quality: Quality, reason: str = "", failure: Failure | None = None) -> Observation:
    return observation(None, quality, machine=machine(number), error=reason, failure=failure, reachable=False)


def _one(number: int) -> Observation:
    match number % 8:
        case 1:
            return _in(number, MachineState.READY, "Operational", temperatures=_cold())
        case 2:
            return _in(number, MachineState.OFF, "Offline", temperatures={})
        case 3:
            return _in(number, MachineState.FAULT, "Offline after error", error=_FAULT, temperatures={})
        case 4:
            before = printing(number, ratio=0.72)
            assert before.snapshot is not None
            paused = replace(before.snapshot, state=MachineState.PAUSED, state_text="Paused")
            return _known(number, paused, run=before.run, recent=before.recent)
        case 5:
            return _unknown(number, Quality.NO_COMMUNICATION, _LOST, Failure.REFUSED)
        case 6:
            return _unknown(number, Quality.ACCESS_DENIED, _DENIED, Failure.WRONG_KEY)
        case 7:
            return _unknown(number, Quality.WAITING)
        case _:
            return printing(number, ratio=0.41 + number / 200)


def _hot() -> dict[str, Temperature]:
    return {"tool0": Temperature(214.8, 215.0), "bed": Temperature(59.6, 60.0), "chamber": Temperature(38.5, None)}


def _cold() -> dict[str, Temperature]:
    return {"tool0": Temperature(24.1, 0.0), "bed": Temperature(23.4, 0.0)}


def warmed(now: Observation, slot: int, *, phase: int) -> Observation:
    """As it was: cold at first, then after some minutes at its set points."""
    if now.snapshot is None:
        return now
    share = 1 - exp(-max(slot - 10 - phase % 40, 0) / 8)
    then = {
        name: Temperature(
            22 + (each.actual_celsius - 22) * share + 0.4 * sin(slot * 1.7 + phase)
            if each.actual_celsius is not None
            else None,
            each.target_celsius if share else each.target_celsius and 0.0,
        )
        for name, each in now.snapshot.temperatures.items()
    }
    return replace(now, snapshot=replace(now.snapshot, temperatures=then))
