"""Runs, events and counters as rows, and back. A row that no agent wrote is ``None``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ..counters import Counters
from ..events import Event, MachineEvent
from ..jobs import JobEvent, JobRun

FIELDS = JobRun.__struct_fields__
UPSERT_RUN = (
    f"INSERT INTO runs ({', '.join(FIELDS)}) VALUES ({', '.join(f':{field}' for field in FIELDS)}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{field} = excluded.{field}' for field in FIELDS if field != 'id')}"
)
INSERT_EVENT = (
    "INSERT OR IGNORE INTO events (id, machine_id, kind, at, text, run_id, run) "
    "VALUES (:id, :machine_id, :kind, :at, :text, :run_id, :run)"
)
UPSERT_COUNTERS = (
    "INSERT OR REPLACE INTO counters (machine_id, power_on_s, operation_s, completed) "
    "VALUES (:machine_id, :power_on_s, :operation_s, :completed)"
)

_LARGEST_INTEGER = (1 << 63) - 1

T = TypeVar("T")


def time_text(instant: datetime) -> str:
    """Of one width, so that texts sort as the times do."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def plain_text(text: str) -> str:
    """Half a surrogate pair, which SQLite refuses, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _column(value: object) -> object:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, str):
        return plain_text(value)  # also of an Outcome, whose value it then is
    if isinstance(value, int):
        return min(value, _LARGEST_INTEGER)
    return value


def run_row(run: JobRun) -> Mapping[str, object]:
    """The columns of a run."""
    return {field: _column(getattr(run, field)) for field in FIELDS}


def event_row(event: Event) -> Mapping[str, object]:
    """The columns of an event."""
    run = event.run if isinstance(event, JobEvent) else None
    return {
        "id": event.id,
        "machine_id": plain_text(event.machine_id),
        "kind": event.kind.value,
        "at": time_text(event.at),
        "text": plain_text(event.text),
        "run_id": None if run is None else plain_text(run.id),
        "run": None if run is None else msgspec.json.encode(run_row(run)).decode(),
    }


def counters_row(machine_id: str, counters: Counters) -> Mapping[str, object]:
    """The columns of a machine's counters."""
    return {"machine_id": plain_text(machine_id)} | msgspec.structs.asdict(counters)


def read_run(row: tuple[object, ...]) -> JobRun | None:
    """A run from its columns, in the order of `FIELDS`."""
    return _made(dict(zip(FIELDS, row, strict=True)), JobRun)


def read_event(row: tuple[Any, ...]) -> Event | None:
    """An event from id, machine_id, kind, at, text and run."""
    event_id, machine_id, kind, at, text, run = row
    if run is None:
        return _made({"id": event_id, "machine_id": machine_id, "kind": kind, "at": at, "text": text}, MachineEvent)
    try:
        then = msgspec.json.decode(run, type=JobRun, strict=False)
    except msgspec.DecodeError:
        return None
    return _made({"id": event_id, "kind": kind, "at": at, "run": then}, JobEvent)


def read_job_event_1(row: tuple[Any, ...]) -> JobEvent | None:
    """An event of version 1, from kind, at, elapsed_s, progress_ratio and the run as it became; its id is made here."""
    kind, at, elapsed_s, progress_ratio, *run = row
    then = dict(zip(FIELDS, run, strict=True)) | {"elapsed_s": elapsed_s, "progress_ratio": progress_ratio}
    return _made({"kind": kind, "at": at, "run": then}, JobEvent)


def read_counters(row: tuple[object, ...] | None) -> Counters | None:
    """Counters from power_on_s, operation_s and completed; ``None`` also if there is no row."""
    return None if row is None else _made(dict(zip(Counters.__struct_fields__, row, strict=True)), Counters)


def _made(fields: dict[str, object], kind: type[T]) -> T | None:
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError:
        return None
