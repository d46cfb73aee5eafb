"""Observations made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from edge_agent.model import DEFAULT_STATE_TABLE, Job, Machine, MachineState, Quality, Snapshot, Temperature
from edge_agent.observation import Observation

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SENSED_AT = datetime(2026, 3, 4, 5, 6, 5, tzinfo=UTC)

MACHINE = Machine(
    id="mark-one",
    name="Mark One",
    address="printer.local:80",
    url="http://printer.local",
    kind="OCTOPRINT",
    mes_ids=(1, 2),
)
PRINTING = Snapshot(
    state=MachineState.PRINTING,
    state_text="Printing",
    observed_at=AT,
    response_time_s=0.0125,
    job=Job(file_name="gear.gcode", file_path="parts/gear.gcode", file_size_bytes=2050, progress_ratio=0.25),
    temperatures={"bed": Temperature(59.5, 60.0), "tool0": Temperature(204.8, 205.0)},
    temperatures_at=SENSED_AT,
    software_version="OctoPrint 1.11.8",
)


def observation(snapshot: Snapshot | None = PRINTING, quality: Quality = Quality.GOOD, **more: Any) -> Observation:
    """One of `MACHINE`, as the poller would publish it."""
    meaning = None if snapshot is None else DEFAULT_STATE_TABLE.rows[snapshot.state]
    row = meaning or DEFAULT_STATE_TABLE.unreachable
    made = Observation(
        machine=MACHINE,
        quality=quality,
        temperature_quality=quality,
        reachable=quality is Quality.GOOD,
        mes_status=row.mes_status,
        stack_light=row.stack_light,
        poll_interval_s=1.0,
        snapshot=snapshot,
        meaning=meaning,
        last_seen=None if snapshot is None else snapshot.observed_at,
    )
    return replace(made, **more)
