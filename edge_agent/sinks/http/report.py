"""What is told as JSON: one struct per kind of answer, and how it is made of what the agent knows.

A field that is ``null`` is not known. Times are UTC, RFC 3339. Numbers carry their unit in their name; ratios are 0 to
1. The OpenAPI file is made of these structs and their docstrings.
"""

from __future__ import annotations

import json
from datetime import datetime
from math import isfinite

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from ...errors import Failure
from ...items import ITEMS, DataItem, Value, heater_items, heaters, read
from ...jobs import JobRun, Outcome
from ...journal import Journal
from ...model import Choice, MachineState, MesStatus, Quality, StackLight
from ...observation import AgentStatus, Observation
from ...store import Store
from .about import About, NodeId, no_node_id


class HeaterReport(Struct, frozen=True, kw_only=True):
    """A heater. `target_celsius` is 0 for one that is off, null for a sensor."""

    actual_celsius: float | None
    target_celsius: float | None


class PrintReport(Struct, frozen=True, kw_only=True):
    """The selected file and how far its print is."""

    file_name: str | None
    progress_ratio: float | None
    elapsed_s: float | None
    remaining_s: float | None
    ends_at: datetime | None
    user: str | None


class MachineReport(Struct, frozen=True, kw_only=True):
    """A machine at a glance.

    `state` is what it does, in one word; `state_text` the printer's own words; both are the last known ones while
    `quality` is not `good`. `reason` says why it cannot be reached, or what its fault is, and what to do; `failure` is
    one word for why it cannot be reached, null while it can. `url` is where it is asked; it has no credentials in it.
    `since` is when the print began or ended, or when the machine last answered. `print` and `heaters` are there only
    while they can be trusted.
    """

    id: str
    name: str
    state: MachineState | None
    state_text: str
    mes_status: MesStatus
    stack_light: StackLight
    reachable: bool
    quality: Quality
    reason: str
    advice: str
    since: datetime | None
    last_seen: datetime | None
    mes_ids: tuple[int, ...]
    location: str
    print: PrintReport | None
    heaters: dict[str, HeaterReport]
    failure: Failure | None = None
    url: str = ""


class ItemReport(Struct, frozen=True, kw_only=True):
    """A data item, as on the OPC UA endpoint. `value` is null unless `quality` is `good` or `uncertain`.

    `time` is the source's: when the value was measured or told. `node_id` is the node that has the value, with its
    namespace as a URI, since the index may be another elsewhere; empty where there is no endpoint.
    """

    value: str | bool | int | float | tuple[int, ...] | None
    unit: str | None
    quality: Quality
    time: datetime | None
    node_id: str = ""


class JobReport(Struct, frozen=True, kw_only=True):
    """A print run. `outcome` and `ended_at` are null while it goes on; `reason` says why it failed or was lost."""

    id: str
    machine_id: str
    file_name: str | None
    file_path: str | None
    user: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    reason: str
    paused: bool
    pauses: int
    paused_s: float
    elapsed_s: float | None
    estimated_s: float | None
    progress_ratio: float | None
    filament_length_mm: float | None
    filament_volume_cm3: float | None


class MachineDetail(MachineReport, frozen=True, kw_only=True):
    """A machine with all its data items, by their ids, and its last job. `node_id` is the machine's own node."""

    items: dict[str, ItemReport]
    job: JobReport | None
    node_id: str = ""


class CurveReport(Struct, frozen=True, kw_only=True):
    """A heater's temperatures and set points, the oldest first. Null is a gap: nothing was to be trusted then."""

    actual_celsius: tuple[float | None, ...]
    target_celsius: tuple[float | None, ...]


class CurvesReport(Struct, frozen=True, kw_only=True):
    """A machine's heaters over the last hour: a value every `step_s`, the last one of `ends_at`.

    Null if nothing has been sampled yet.
    """

    step_s: float
    ends_at: datetime | None
    heaters: dict[str, CurveReport]


class MachineList(Struct, frozen=True, kw_only=True):
    """All machines, in the order of the configuration."""

    machines: tuple[MachineReport, ...]


class JobList(Struct, frozen=True, kw_only=True):
    """Print runs, the newest first."""

    jobs: tuple[JobReport, ...]


class EndpointReport(Struct, frozen=True, kw_only=True):
    """The OPC UA endpoint. `certificate_sha256` is what a client shows when it asks whether to trust."""

    urls: tuple[str, ...]
    open: bool
    anonymous: bool
    certificate_sha256: str | None


class JournalReport(Struct, frozen=True, kw_only=True):
    """Is what happened safe on the disk, and if not, why; `waiting` counts the runs that are only in memory.

    `size_bytes` is the file's with all that belongs to it.
    """

    durable: bool
    reason: str
    waiting: int
    size_bytes: int | None = None


class AgentReport(Struct, frozen=True, kw_only=True):
    """The agent itself. `complaints` says which part of it does not work, `warnings` what is dangerous.

    `config_refused` is true while config.json cannot be used and the one before it is in force; `last_restart` says why
    the agent was started.
    """

    version: str
    time: datetime
    started_at: datetime | None
    config_status: str
    config_refused: bool
    last_restart: str
    warnings: tuple[str, ...]
    complaints: tuple[str, ...]
    endpoint: EndpointReport
    journal: JournalReport | None
    machines: int
    machines_reachable: int


class Removed(Struct, frozen=True, kw_only=True):
    """A machine that is in the configuration no longer."""

    id: str


class Refusal(Struct, frozen=True, kw_only=True):
    """Why there is no answer, and what to do."""

    error: str


def machine_report(observation: Observation) -> MachineReport:
    """One machine at a glance."""
    machine, snapshot = observation.machine, observation.snapshot
    usable = observation.quality.usable
    return MachineReport(
        id=machine.id,
        name=observation.display_name,
        state=snapshot.state if snapshot else None,
        state_text=snapshot.state_text if snapshot else "",
        mes_status=observation.mes_status,
        stack_light=observation.stack_light,
        reachable=observation.reachable,
        quality=observation.quality,
        reason=observation.error or (snapshot.error if snapshot else ""),
        advice=snapshot.advice if snapshot else "",
        since=since(observation),
        last_seen=observation.last_seen,
        mes_ids=machine.mes_ids,
        location=machine.identification.location or "",
        print=_print(observation) if usable else None,
        heaters=heater_reports(observation),
        failure=observation.failure,
        url=machine.url,
    )


def items_of(observation: Observation) -> tuple[DataItem, ...]:
    """The data items of a machine, those of its heaters included."""
    return (*ITEMS, *(row for heater in heaters(observation.snapshot) for row in heater_items(heater)))


def machine_detail(observation: Observation, node_id: NodeId = no_node_id) -> MachineDetail:
    """One machine, all of it."""
    machine_id = observation.machine.id
    return MachineDetail(
        **asdict(machine_report(observation)),
        items={item.id: item_report(item, observation, node_id(machine_id, item)) for item in items_of(observation)},
        job=job_report(observation.run) if observation.run else None,
        node_id=node_id(machine_id, None),
    )


def job_report(run: JobRun) -> JobReport:
    """One run."""
    return JobReport(**{name: getattr(run, name) for name in JobReport.__struct_fields__})


def agent_report(store: Store, about: About, *, now: datetime) -> AgentReport:
    """The agent itself."""
    status: AgentStatus | None = store.agent
    endpoint = about.endpoint()
    machines = store.observations()
    return AgentReport(
        version=status.version if status else "",
        time=now,
        started_at=status.started_at if status else None,
        config_status=status.config_status if status else "",
        config_refused=status.config_refused if status else False,
        last_restart=status.last_restart if status else "",
        warnings=(endpoint.warning,) if endpoint.warning else (),
        complaints=tuple(about.complaints()),
        endpoint=EndpointReport(
            urls=endpoint.urls,
            open=not endpoint.waits_for,
            anonymous=endpoint.anonymous,
            certificate_sha256=endpoint.fingerprint,
        ),
        journal=_journal(about.journal) if about.journal is not None else None,
        machines=len(machines),
        machines_reachable=sum(observation.reachable for observation in machines),
    )


def _journal(journal: Journal) -> JournalReport:
    status = journal.status
    return JournalReport(
        durable=status.durable, reason=status.reason, waiting=status.waiting, size_bytes=journal.size_bytes
    )


def encoded(report: Struct) -> bytes:
    """As JSON. Half a character, which a name in config.json may have, becomes a question mark."""
    try:
        return msgspec.json.encode(report)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(report), ensure_ascii=False)
        return text.encode("utf-8", "replace")


def since(observation: Observation) -> datetime | None:
    """When what is now began: the print, its end, or the silence; ``None`` if the agent cannot know."""
    if not observation.reachable:
        return observation.last_seen
    run, snapshot = observation.run, observation.snapshot
    if run is None or snapshot is None:
        return None
    if snapshot.state.busy:
        return run.started_at if run.is_open else None
    return run.ended_at if snapshot.state is MachineState.DONE else None


def _print(observation: Observation) -> PrintReport | None:
    snapshot = observation.snapshot
    if snapshot is None or not snapshot.job.has_file:
        return None
    job = snapshot.job
    remaining_s = _finite(job.remaining_s) if snapshot.state.busy else None
    return PrintReport(
        file_name=job.file_name or job.file_path,
        progress_ratio=_finite(job.progress_ratio),
        elapsed_s=_finite(job.elapsed_s),
        remaining_s=remaining_s,
        ends_at=_later(snapshot.observed_at, remaining_s),
        user=job.user,
    )


def _finite(value: float | None) -> float | None:
    """JSON knows no others, and no page has room for them."""
    return value if value is not None and isfinite(value) else None


def _later(at: datetime, seconds: float | None) -> datetime | None:
    """None also if a printer believes that it takes for ever."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(at.timestamp() + seconds, at.tzinfo)
    except (ValueError, OverflowError, OSError):
        return None


def heater_reports(observation: Observation) -> dict[str, HeaterReport]:
    """The heaters that a machine reports, as far as that can be trusted."""
    if observation.snapshot is None or not observation.quality.usable or not observation.temperature_quality.usable:
        return {}
    if not observation.snapshot.state.connected:
        return {}
    return {
        name: HeaterReport(
            actual_celsius=_finite(observation.snapshot.temperatures[name].actual_celsius),
            target_celsius=_finite(observation.snapshot.temperatures[name].target_celsius),
        )
        for name in heaters(observation.snapshot)
    }


def item_report(item: DataItem, observation: Observation, node_id: str = "") -> ItemReport:
    """One data item as it is now."""
    reading = read(item, observation)
    return ItemReport(
        value=_plain(reading.value),
        unit=item.unit.symbol if item.unit else None,
        quality=reading.quality,
        time=reading.at,
        node_id=node_id,
    )


def _plain(value: Value | None) -> str | bool | int | float | tuple[int, ...] | None:
    if isinstance(value, Choice):
        return value.label
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value
