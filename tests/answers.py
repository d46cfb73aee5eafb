"""Answers of OctoPrint, recorded and made up, read as the source reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from edge_agent.model import Snapshot
from edge_agent.sources.octoprint import Identity, JobAnswer, PrinterAnswer, is_operational, to_snapshot
from tests.double import recorded

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
IDENTITY = Identity(version="OctoPrint 1.11.8", profile_name="Bench 1", user="agent")


def read(job: bytes, printer: bytes | None, identity: Identity = IDENTITY) -> Snapshot:
    """What two bodies mean; without the second the printer is not operational."""
    return to_snapshot(
        msgspec.json.decode(job, type=JobAnswer),
        None if printer is None else msgspec.json.decode(printer, type=PrinterAnswer),
        identity,
        observed_at=NOW,
        response_time_s=0.02,
    )


def snapshot_of(situation: str) -> Snapshot:
    """What a recorded situation means. Where nobody recorded the printer, it is an idle one."""
    _, job = recorded(situation, "job")
    try:
        status, printer = recorded(situation, "printer")
    except KeyError:
        status, printer = recorded("05_idle_file_selected", "printer")
    operational = is_operational(json.loads(job)["state"])
    return read(job, printer if operational and status == 200 else None)


def made(job: dict[str, Any], printer: dict[str, Any] | None = None) -> Snapshot:
    """What made-up answers of /api/job and /api/printer mean."""
    return read(json.dumps(job).encode(), None if printer is None else json.dumps(printer).encode())


def operational(*flags: str, text: str = "Operational", **temperature: Any) -> dict[str, Any]:
    """An answer of /api/printer with these flags set."""
    return {
        "state": {"text": text, "flags": dict.fromkeys(("operational", *flags), True)},
        "temperature": temperature,
    }
