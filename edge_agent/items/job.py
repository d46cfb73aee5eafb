"""The print that is on or selected, and the run that the agent made of it."""

from __future__ import annotations

from collections.abc import Callable

from ..jobs import JobRun
from ..model import Job
from ..observation import Observation
from ..units import BYTE, CUBIC_CENTIMETRE, MILLIMETRE, PERCENT, SECOND
from .item import DataItem, Kind, Value


def _of_job(read_job: Callable[[Job], Value | None]) -> Callable[[Observation], Value | None]:
    return lambda observation: read_job(observation.snapshot.job) if observation.snapshot else None


def _of_run(read_run: Callable[[JobRun], Value | None]) -> Callable[[Observation], Value | None]:
    return lambda observation: read_run(observation.run) if observation.run else None


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else ratio * 100.0


JOB: tuple[DataItem, ...] = (
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
        id="Job/FileDate",
        kind=Kind.TIME,
        sentence="When the selected file was last changed, by the clock of the printer's server.",
        read=_of_job(lambda job: job.file_date),
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
)
