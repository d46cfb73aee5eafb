"""Three ways to read the recorded answers: msgspec's decoders, `json.loads`, and structs built from that by hand.

By hand means as carefully as the decoders: every key may be missing or null. What is not done by hand is checking the
type of each value, which msgspec does too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from edge_agent.sources.octoprint import wire
from tests.double import recorded

SITUATION = "08_printing_3s"


def job_by_hand(body: bytes) -> wire.JobAnswer:
    """The answer of /api/job."""
    answer: dict[str, Any] = json.loads(body)
    job, progress = answer.get("job"), answer.get("progress")
    return wire.JobAnswer(
        state=answer.get("state"),
        error=answer.get("error"),
        job=job and _job(job),
        progress=progress
        and wire.ProgressWire(
            completion=progress.get("completion"),
            print_time=progress.get("printTime"),
            print_time_left=progress.get("printTimeLeft"),
            print_time_left_origin=progress.get("printTimeLeftOrigin"),
        ),
    )


def _job(job: dict[str, Any]) -> wire.JobWire:
    file, filament = job.get("file"), job.get("filament")
    return wire.JobWire(
        file=file
        and wire.FileWire(
            name=file.get("name"),
            path=file.get("path"),
            display=file.get("display"),
            size=file.get("size"),
            date=file.get("date"),
        ),
        user=job.get("user"),
        estimated_print_time=job.get("estimatedPrintTime"),
        filament=filament
        and {
            name: wire.FilamentWire(length=entry.get("length"), volume=entry.get("volume"))
            if isinstance(entry, dict)
            else entry
            for name, entry in filament.items()
        },
    )


def printer_by_hand(body: bytes) -> wire.PrinterAnswer:
    """The answer of /api/printer."""
    answer: dict[str, Any] = json.loads(body)
    state, temperature = answer.get("state"), answer.get("temperature")
    return wire.PrinterAnswer(
        state=state
        and wire.StateWire(
            text=state.get("text"), error=state.get("error"), flags=state.get("flags") and _flags(state["flags"])
        ),
        temperature=temperature and {name: _heater(entry) for name, entry in temperature.items()},
    )


def _flags(flags: dict[str, Any]) -> wire.FlagsWire:
    return wire.FlagsWire(
        operational=flags.get("operational"),
        printing=flags.get("printing"),
        paused=flags.get("paused"),
        ready=flags.get("ready"),
        error=flags.get("error"),
        closed_or_error=flags.get("closedOrError"),
        pausing=flags.get("pausing"),
        resuming=flags.get("resuming"),
        cancelling=flags.get("cancelling"),
        finishing=flags.get("finishing"),
    )


def _heater(entry: Any) -> wire.HeaterWire | list[wire.HistoryWire] | None:
    if isinstance(entry, dict):
        return wire.HeaterWire(actual=entry.get("actual"), target=entry.get("target"))
    return entry and [wire.HistoryWire(time=point.get("time")) for point in entry]


def _decoders(endpoint: str, decode: Callable[[bytes], Any], by_hand: Callable[[bytes], Any]) -> dict[str, Any]:
    body = recorded(SITUATION, endpoint)[1]
    if decode(body) != by_hand(body):
        raise AssertionError(f"the decoders of {endpoint} disagree")
    return {
        "msgspec to structs": lambda: decode(body),
        "json.loads": lambda: json.loads(body),
        "json.loads, structs by hand": lambda: by_hand(body),
    }


DECODERS: dict[str, dict[str, Callable[[], object]]] = {
    "/api/job": _decoders("job", wire.JOB.decode, job_by_hand),
    "/api/printer": _decoders("printer_history", wire.PRINTER.decode, printer_by_hand),
}
