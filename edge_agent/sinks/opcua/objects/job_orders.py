"""Runs as job orders and job responses (OPC 10031-4), with the keys that OPC 40001-3 and OPC 40540 name.

A run is one order and one response, both with the run's id: whoever is shown the lists finds for each order its
response. A file that is selected but not printed is no run: it has no id that would still be true once somebody
presses *print*, so it is in no list.

State of a run          top level            sub state        JobResult
printing                Running 3            -                Unknown 0
paused                  Interrupted 4        Suspended 2      Unknown 0
completed               Ended 5              Completed 1      Successful 1
cancelled, failed       Aborted 6            -                Unsuccessful 2
lost                    Aborted 6            -                Unknown 0

Nothing here changes while the state does not, except by what the printer learns of the file: times and progress are
told when the run has ended (before, they are variables of their own), so that the lists are not rewritten at every
poll. Keys of our own: `PauseCount`, `PausedTime` (s), `Progress` (%), `FileSize` (bytes), `FileDate`, `Volume` (cm³).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import cast

from asyncua import ua

from ....jobs import JobRun, Outcome
from ....units import BYTE, CUBIC_CENTIMETRE, MILLIMETRE, PERCENT, SECOND, Unit
from ..space.nodeset import HAS_COMPONENT
from ..space.structures import (
    JOB_CONTROL,
    ISA95JobOrderAndStateDataType,
    ISA95JobOrderDataType,
    ISA95JobResponseDataType,
    ISA95MaterialDataType,
    ISA95ParameterDataType,
    ISA95PersonnelDataType,
    ISA95PropertyDataType,
    ISA95StateDataType,
    ISA95WorkMasterDataType,
    RunInfoDataType,
)
from ..space.values import engineering_units
from ..space.wire import node_id

LISTED = 20
"""How many of a machine's newest runs its lists hold."""


class JobState(enum.IntEnum):
    """Top-level states of a job, by the numbers of OPC 10031-4."""

    NOT_ALLOWED_TO_START = 1
    ALLOWED_TO_START = 2
    RUNNING = 3
    INTERRUPTED = 4
    ENDED = 5
    ABORTED = 6


class JobResult(enum.IntEnum):
    """How a job went, by the numbers of OPC 40001-3."""

    UNKNOWN = 0
    SUCCESSFUL = 1
    UNSUCCESSFUL = 2


class ReturnStatus(enum.IntFlag):
    """What a job method answers: the bits of OPC 10031-4, annex B.2."""

    NO_ERROR = 1 << 0
    UNKNOWN_JOB_ORDER_ID = 1 << 1
    INVALID_JOB_ORDER_STATUS = 1 << 3
    INVALID_REQUEST = 1 << 32


_STATE_TEXTS = {
    JobState.NOT_ALLOWED_TO_START: "NotAllowedToStart",
    JobState.ALLOWED_TO_START: "AllowedToStart",
    JobState.RUNNING: "Running",
    JobState.INTERRUPTED: "Interrupted",
    JobState.ENDED: "Ended",
    JobState.ABORTED: "Aborted",
}
_RESULTS = {
    Outcome.COMPLETED: JobResult.SUCCESSFUL,
    Outcome.CANCELLED: JobResult.UNSUCCESSFUL,
    Outcome.FAILED: JobResult.UNSUCCESSFUL,
    Outcome.LOST: JobResult.UNKNOWN,
}


def job_lists(
    recent: Iterable[JobRun],
) -> tuple[list[ISA95JobOrderAndStateDataType], list[ISA95JobResponseDataType]]:
    """A machine's job order list and its job response list: the newest runs, newest first as they come."""
    runs = list(recent)[:LISTED]
    return [order_and_state(run) for run in runs], [response(run) for run in runs]


def order_and_state(run: JobRun) -> ISA95JobOrderAndStateDataType:
    """An entry of the job order list."""
    return ISA95JobOrderAndStateDataType(JobOrder=order(run), State=states(run))


def order(run: JobRun) -> ISA95JobOrderDataType:
    """What was asked of the machine. Nobody planned its times, so it has none."""
    return ISA95JobOrderDataType(
        JobOrderID=run.id,
        Description=None if run.file_name is None else [ua.LocalizedText(run.file_name)],
        WorkMasterID=_work_masters(run),
        JobOrderParameters=_known(
            _name(run),
            _number("PlannedProductionTime", run.estimated_s, SECOND),
            _parameter("RunsPlanned", ua.Variant(1, ua.VariantType.UInt32)),
        ),
        MaterialRequirements=_filament(run),
    )


def response(run: JobRun) -> ISA95JobResponseDataType:
    """What became of it, so far."""
    return ISA95JobResponseDataType(
        JobResponseID=run.id,
        Description=None if run.file_name is None else ua.LocalizedText(run.file_name),
        JobOrderID=run.id,
        StartTime=run.started_at,
        EndTime=run.ended_at,
        JobState=states(run),
        JobResponseData=[*_facts(run), *(() if run.is_open else _totals(run))],
        PersonnelActuals=None if run.user is None else [ISA95PersonnelDataType(ID=run.user)],
    )


def states(run: JobRun) -> list[ISA95StateDataType]:
    """A run's states, the top-level one first."""
    match run.outcome:
        case None if run.paused:
            return [_top(JobState.INTERRUPTED), _sub("InterruptedSubstates", "Suspended", 2)]
        case None:
            return [_top(JobState.RUNNING)]
        case Outcome.COMPLETED:
            return [_top(JobState.ENDED), _sub("EndedSubstates", "Completed", 1)]
        case _:
            return [_top(JobState.ABORTED)]


def reason(run: JobRun) -> str:
    """Why a run ended other than by being done, empty otherwise."""
    if run.outcome in {None, Outcome.COMPLETED}:
        return ""
    return f"{run.outcome}: {run.reason}" if run.reason else str(run.outcome)


def response_by_id(runs: Iterable[JobRun], job_order_id: str | None) -> ISA95JobResponseDataType | ReturnStatus:
    """What RequestJobResponseByJobOrderID is asked for, or why there is none."""
    if not job_order_id:
        return ReturnStatus.INVALID_REQUEST
    found = next((run for run in runs if run.id == job_order_id), None)
    return ReturnStatus.UNKNOWN_JOB_ORDER_ID if found is None else response(found)


def responses_by_state(
    runs: Iterable[JobRun], wanted: Iterable[ISA95StateDataType] | None
) -> list[ISA95JobResponseDataType] | ReturnStatus:
    """What RequestJobResponseByJobOrderState is asked for, which may be nothing; or why the question makes no sense.

    A run is meant if it is in every one of the states asked for, of which one is a top-level state. Numbers count,
    texts do not: they are for people, in their language.
    """
    asked = {_place(state) for state in wanted or ()}
    if not any(path == () for path, _ in asked):
        return ReturnStatus.INVALID_REQUEST
    if not asked <= _EVERY_STATE:
        return ReturnStatus.INVALID_JOB_ORDER_STATUS
    return [response(run) for run in runs if asked <= {_place(state) for state in states(run)}]


_SUB_STATES = {
    "NotAllowedToStartSubstates": 3,
    "AllowedToStartSubstates": 3,
    "InterruptedSubstates": 2,
    "EndedSubstates": 2,
}
_EVERY_STATE = {((), int(state)) for state in JobState} | {
    (((JOB_CONTROL, machine),), number) for machine, count in _SUB_STATES.items() for number in range(1, count + 1)
}


def _place(state: ISA95StateDataType) -> tuple[tuple[tuple[int, str | None], ...], int]:
    """Where a state is: the names on the way to its state machine, and its number there."""
    names = (element.TargetName for element in state.BrowsePath.Elements or ())
    return tuple((name.NamespaceIndex, name.Name) for name in names), state.StateNumber


def _top(state: JobState) -> ISA95StateDataType:
    return ISA95StateDataType(
        BrowsePath=ua.RelativePath(), StateText=ua.LocalizedText(_STATE_TEXTS[state], "en"), StateNumber=state.value
    )


def _sub(state_machine: str, text: str, number: int) -> ISA95StateDataType:
    step = ua.RelativePathElement(
        ReferenceTypeId=node_id(HAS_COMPONENT),
        IsInverse=cast("ua.Boolean", False),
        IncludeSubtypes=cast("ua.Boolean", True),
        TargetName=ua.QualifiedName(state_machine, JOB_CONTROL),
    )
    return ISA95StateDataType(
        BrowsePath=ua.RelativePath([step]), StateText=ua.LocalizedText(text, "en"), StateNumber=number
    )


def _work_masters(run: JobRun) -> list[ISA95WorkMasterDataType] | None:
    """The file is the recipe: its path names it."""
    path = run.file_path or run.file_name
    if path is None:
        return None
    facts = _known(
        _number("FileSize", run.file_size_bytes, BYTE, ua.VariantType.UInt64),
        _time("FileDate", run.file_date),
    )
    description = None if run.file_name is None else ua.LocalizedText(run.file_name)
    return [ISA95WorkMasterDataType(ID=path, Description=description, Parameters=facts or None)]


def _filament(run: JobRun) -> list[ISA95MaterialDataType] | None:
    """What the file needs: one material, measured by length and volume."""
    length, volume = run.filament_length_mm, run.filament_volume_cm3
    if length is None and volume is None:
        return None
    measured, unit = (length, MILLIMETRE) if length is not None else (volume, CUBIC_CENTIMETRE)
    properties = None
    if length is not None and volume is not None:
        properties = [
            ISA95PropertyDataType(
                ID="Volume",
                Value=ua.Variant(float(volume), ua.VariantType.Double),
                EngineeringUnits=engineering_units(CUBIC_CENTIMETRE),
            )
        ]
    return [
        ISA95MaterialDataType(
            MaterialClassID="Filament",
            MaterialUse="Consumed",
            Quantity=format(Decimal(str(measured)), "f"),
            EngineeringUnits=engineering_units(unit),
            Properties=properties,
        )
    ]


def _facts(run: JobRun) -> list[ISA95ParameterDataType]:
    """What is known of a run at every time."""
    info = RunInfoDataType(Identifier=run.id, State=states(run)[0])
    result = JobResult.UNKNOWN if run.outcome is None else _RESULTS[run.outcome]
    why = reason(run)
    return _known(
        _name(run),
        _parameter("Runs", ua.Variant([info], ua.VariantType.ExtensionObject, is_array=True)),
        _parameter("JobResult", ua.Variant(result.value, ua.VariantType.Int32)),
        _parameter("ReasonForStateChange", ua.Variant(ua.LocalizedText(why, "en"))) if why else None,
        _parameter("PauseCount", ua.Variant(run.pauses, ua.VariantType.UInt32)),
    )


def _totals(run: JobRun) -> list[ISA95ParameterDataType]:
    """What can be said of a run that has ended."""
    percent = None if run.progress_ratio is None else run.progress_ratio * 100
    return _known(
        _number("ActualProductionTime", run.elapsed_s, SECOND),
        _number("PausedTime", run.paused_s, SECOND),
        _number("Progress", percent, PERCENT),
    )


def _name(run: JobRun) -> ISA95ParameterDataType | None:
    if run.file_name is None:
        return None
    names = [ua.LocalizedText(run.file_name)]
    return _parameter("JobName", ua.Variant(names, ua.VariantType.LocalizedText, is_array=True))


def _number(
    key: str, value: float | None, unit: Unit, kind: ua.VariantType = ua.VariantType.Double
) -> ISA95ParameterDataType | None:
    if value is None:
        return None
    number = float(value) if kind is ua.VariantType.Double else value
    return _parameter(key, ua.Variant(number, kind), unit)


def _time(key: str, value: datetime | None) -> ISA95ParameterDataType | None:
    return None if value is None else _parameter(key, ua.Variant(value, ua.VariantType.DateTime))


def _parameter(key: str, value: ua.Variant, unit: Unit | None = None) -> ISA95ParameterDataType:
    return ISA95ParameterDataType(
        ID=key, Value=value, EngineeringUnits=None if unit is None else engineering_units(unit)
    )


def _known(*parameters: ISA95ParameterDataType | None) -> list[ISA95ParameterDataType]:
    return [parameter for parameter in parameters if parameter is not None]
