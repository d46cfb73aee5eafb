"""The data items: every value that leaves the agent, named, typed and with its unit, in one table.

A sink walks `ITEMS` (the same for every machine) and `heater_items` (one pair per heater a machine reports);
one more value is one more row here. `read` answers what a value is now and how far to trust it, in our words; what
that means in OPC UA or Prometheus is the sink's business.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from .jobs import JobRun
from .model import Job, Quality, Snapshot, StackLight
from .observation import Observation
from .units import BYTE, CELSIUS, CUBIC_CENTIMETRE, MILLIMETRE, MILLISECOND, PERCENT, SECOND, Unit

Value = str | bool | int | float | datetime | tuple[int, ...]


class Kind(enum.Enum):
    """The type of an item's values, as Python gives them."""

    TEXT = str
    FLAG = bool
    COUNT = int
    NUMBER = float
    TIME = datetime
    NUMBERS = tuple


class Scope(enum.Enum):
    """Where a value comes from, and so what can make it untrustworthy."""

    AGENT = enum.auto()
    """Known by the agent itself: good, also while the machine cannot be reached."""
    MACHINE = enum.auto()
    """Told by the machine: as good as the last answer is fresh."""
    SENSOR = enum.auto()
    """Measured by the printer: as `MACHINE`, and only while the printer itself is connected."""


class DataItem(Struct, frozen=True, kw_only=True):
    """One value of a machine.

    ``id`` is its path below the machine. ``read`` gets it from an observation whose snapshot may be missing only when
    ``scope`` is `Scope.AGENT`; ``None`` means the machine does not say. Numbers are in ``unit`` already.
    ``span`` is the range values are expected in, in the same unit.
    """

    id: str
    kind: Kind
    sentence: str
    read: Callable[[Observation], Value | None]
    scope: Scope = Scope.MACHINE
    unit: Unit | None = None
    span: tuple[float, float] | None = None


class Reading(Struct, frozen=True):
    """An item's value now; ``None`` exactly when ``quality`` is not usable. ``at`` is the source's time."""

    value: Value | None
    quality: Quality
    at: datetime | None


def read(item: DataItem, observation: Observation) -> Reading:
    """Read one item, applying the quality table."""
    snapshot = observation.snapshot
    if item.scope is Scope.AGENT:
        at, quality = observation.last_seen, Quality.GOOD
    else:
        at, quality = _observed(item, snapshot), _quality(item, observation)
    if not quality.usable:
        return Reading(None, quality, at)
    value = item.read(observation)
    if value is None:
        return Reading(None, Quality.NO_DATA, at)
    return Reading(value, quality, at)


def _quality(item: DataItem, observation: Observation) -> Quality:
    if observation.snapshot is None or not observation.quality.usable:
        return observation.quality
    if item.scope is not Scope.SENSOR:
        return observation.quality
    if not observation.snapshot.state.connected:
        return Quality.NOT_CONNECTED
    return observation.temperature_quality


def _observed(item: DataItem, snapshot: Snapshot | None) -> datetime | None:
    if snapshot is None:
        return None
    if item.scope is Scope.SENSOR:
        return snapshot.temperatures_at or snapshot.observed_at
    return snapshot.observed_at


def _of_job(read_job: Callable[[Job], Value | None]) -> Callable[[Observation], Value | None]:
    return lambda observation: read_job(observation.snapshot.job) if observation.snapshot else None


def _of_snapshot(read_snapshot: Callable[[Snapshot], Value | None]) -> Callable[[Observation], Value | None]:
    return lambda observation: read_snapshot(observation.snapshot) if observation.snapshot else None


def _of_run(read_run: Callable[[JobRun], Value | None]) -> Callable[[Observation], Value | None]:
    return lambda observation: read_run(observation.run) if observation.run else None


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else ratio * 100.0


def _error(observation: Observation) -> str:
    """Why it cannot be reached, else what is wrong with it; empty when all is well."""
    if observation.error or observation.snapshot is None:
        return observation.error
    return observation.snapshot.error


def _light(*colours: StackLight) -> Callable[[Observation], bool]:
    return lambda observation: observation.stack_light in colours


def _response_ms(snapshot: Snapshot) -> float:
    return round(snapshot.response_time_s * 1000.0, 1)


ITEMS: tuple[DataItem, ...] = (
    DataItem(
        id="MesStatus",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Idle, Running, Offline or Stopped: the state in the four words of an MES.",
        read=lambda observation: observation.mes_status.value,
    ),
    DataItem(
        id="MesIds",
        kind=Kind.NUMBERS,
        scope=Scope.AGENT,
        sentence="The MES instances that this machine belongs to.",
        read=lambda observation: observation.machine.mes_ids,
    ),
    DataItem(
        id="Monitoring/Stacklight/Red",
        kind=Kind.FLAG,
        scope=Scope.AGENT,
        sentence="The machine is stopped by a fault.",
        read=_light(StackLight.RED),
    ),
    DataItem(
        id="Monitoring/Stacklight/Yellow",
        kind=Kind.FLAG,
        scope=Scope.AGENT,
        sentence="The machine waits for a person.",
        read=_light(StackLight.YELLOW),
    ),
    DataItem(
        id="Monitoring/Stacklight/Green",
        kind=Kind.FLAG,
        scope=Scope.AGENT,
        sentence="The machine is ready or working.",
        read=_light(StackLight.GREEN, StackLight.GREEN_BLINKING),
    ),
    DataItem(
        id="Job/Id",
        kind=Kind.TEXT,
        sentence="The print that goes on, else the last one: an id of its own that survives restarts.",
        read=_of_run(lambda run: run.id),
    ),
    DataItem(
        id="Job/StartTime",
        kind=Kind.TIME,
        sentence="When this print began.",
        read=_of_run(lambda run: run.started_at),
    ),
    DataItem(
        id="Job/EndTime",
        kind=Kind.TIME,
        sentence="When this print ended; of a lost one, when it was last seen.",
        read=_of_run(lambda run: run.ended_at),
    ),
    DataItem(
        id="Job/Outcome",
        kind=Kind.TEXT,
        sentence="How this print ended: completed, cancelled, failed or lost.",
        read=_of_run(lambda run: run.outcome.value if run.outcome else None),
    ),
    DataItem(
        id="Job/OutcomeReason",
        kind=Kind.TEXT,
        sentence="Why this print failed or was lost; empty if there is nothing to say.",
        read=_of_run(lambda run: None if run.is_open else run.reason),
    ),
    DataItem(
        id="Job/FileName",
        kind=Kind.TEXT,
        sentence="The selected file, without its folder.",
        read=_of_job(lambda job: job.file_name),
    ),
    DataItem(
        id="Job/FilePath",
        kind=Kind.TEXT,
        sentence="The selected file with its folder, as the printer's server names it.",
        read=_of_job(lambda job: job.file_path),
    ),
    DataItem(
        id="Job/FileSize",
        kind=Kind.COUNT,
        unit=BYTE,
        sentence="Size of the selected file.",
        read=_of_job(lambda job: job.file_size_bytes),
    ),
    DataItem(
        id="Job/User",
        kind=Kind.TEXT,
        sentence="Who started the print.",
        read=_of_job(lambda job: job.user),
    ),
    DataItem(
        id="Job/Progress",
        kind=Kind.NUMBER,
        unit=PERCENT,
        span=(0.0, 100.0),
        sentence="Share of the file that has been printed.",
        read=_of_job(lambda job: _percent(job.progress_ratio)),
    ),
    DataItem(
        id="Job/ElapsedTime",
        kind=Kind.NUMBER,
        unit=SECOND,
        sentence="Printing time so far.",
        read=_of_job(lambda job: job.elapsed_s),
    ),
    DataItem(
        id="Job/RemainingTime",
        kind=Kind.NUMBER,
        unit=SECOND,
        sentence="Estimated printing time left.",
        read=_of_job(lambda job: job.remaining_s),
    ),
    DataItem(
        id="Job/RemainingTimeOrigin",
        kind=Kind.TEXT,
        sentence="How the remaining time was estimated (linear, analysis, estimate, average, ...).",
        read=_of_job(lambda job: job.remaining_origin),
    ),
    DataItem(
        id="Job/EstimatedTime",
        kind=Kind.NUMBER,
        unit=SECOND,
        sentence="Printing time of the whole file, estimated before the print.",
        read=_of_job(lambda job: job.estimated_s),
    ),
    DataItem(
        id="Job/FilamentLength",
        kind=Kind.NUMBER,
        unit=MILLIMETRE,
        sentence="Filament the file needs, all tools together.",
        read=_of_job(lambda job: job.filament_length_mm),
    ),
    DataItem(
        id="Job/FilamentVolume",
        kind=Kind.NUMBER,
        unit=CUBIC_CENTIMETRE,
        sentence="Volume of the filament the file needs, all tools together.",
        read=_of_job(lambda job: job.filament_volume_cm3),
    ),
    DataItem(
        id="Source/Kind",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="The kind of API the machine is asked through.",
        read=lambda observation: observation.machine.kind,
    ),
    DataItem(
        id="Source/Url",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Where the machine is asked; it has no credentials in it.",
        read=lambda observation: observation.machine.url,
    ),
    DataItem(
        id="Source/Version",
        kind=Kind.TEXT,
        sentence="What the printer's server calls itself.",
        read=_of_snapshot(lambda snapshot: snapshot.software_version),
    ),
    DataItem(
        id="Source/State",
        kind=Kind.TEXT,
        sentence="The printer's own text for its state.",
        read=_of_snapshot(lambda snapshot: snapshot.state_text),
    ),
    DataItem(
        id="Source/Error",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Why the machine cannot be reached, else the text of its fault; empty when all is well.",
        read=_error,
    ),
    DataItem(
        id="Source/Reachable",
        kind=Kind.FLAG,
        scope=Scope.AGENT,
        sentence="The last request was answered usably.",
        read=lambda observation: observation.reachable,
    ),
    DataItem(
        id="Source/LastSeen",
        kind=Kind.TIME,
        scope=Scope.AGENT,
        sentence="Time of the last usable answer.",
        read=lambda observation: observation.last_seen,
    ),
    DataItem(
        id="Source/ResponseTime",
        kind=Kind.NUMBER,
        unit=MILLISECOND,
        sentence="How long the printer's server took for its last answer.",
        read=_of_snapshot(_response_ms),
    ),
    DataItem(
        id="Source/PollInterval",
        kind=Kind.NUMBER,
        scope=Scope.AGENT,
        unit=SECOND,
        sentence="Time between two cycles now; longer for a printer that is off, or a server that struggles.",
        read=lambda observation: observation.poll_interval_s,
    ),
)

# What a heater of this kind can reach; the upper end of EURange and of a gauge's dial, not a limit that is enforced.
_HEATER_SPANS = {"tool": (0.0, 300.0), "bed": (0.0, 120.0), "chamber": (0.0, 80.0)}
_OTHER_SPAN = (0.0, 300.0)
_HEATER = re.compile(r"[A-Za-z0-9_-]{1,32}")


def heater_items(heater: str) -> tuple[DataItem, DataItem]:
    """The temperature and set point of one heater, as `ITEMS` rows; ``heater`` is the printer's name (``tool0``)."""
    name = _heater_name(heater)
    span = _HEATER_SPANS.get(heater.rstrip("0123456789"), _OTHER_SPAN)

    def actual(observation: Observation) -> float | None:
        found = observation.snapshot.temperatures.get(heater) if observation.snapshot else None
        return found.actual_celsius if found else None

    def target(observation: Observation) -> float | None:
        found = observation.snapshot.temperatures.get(heater) if observation.snapshot else None
        return found.target_celsius if found else None

    return (
        DataItem(
            id=f"Monitoring/Process/{name}Temperature",
            kind=Kind.NUMBER,
            scope=Scope.SENSOR,
            unit=CELSIUS,
            span=span,
            sentence=f"Temperature of {heater}.",
            read=actual,
        ),
        DataItem(
            id=f"Monitoring/Process/{name}Setpoint",
            kind=Kind.NUMBER,
            scope=Scope.SENSOR,
            unit=CELSIUS,
            span=span,
            sentence=f"Set point of {heater}; 0 is off.",
            read=target,
        ),
    )


def heaters(snapshot: Snapshot | None) -> tuple[str, ...]:
    """The heaters a machine reports now, in the printer's order.

    What cannot be part of an item's id, or would give two heaters one id, is left out: names come from firmware.
    """
    found: dict[str, str] = {}
    for heater in snapshot.temperatures if snapshot else ():
        if _HEATER.fullmatch(heater):
            found.setdefault(_heater_name(heater), heater)
    return tuple(found.values())


def _heater_name(heater: str) -> str:
    return heater[:1].upper() + heater[1:]
