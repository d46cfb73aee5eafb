"""Runs as job orders and job responses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary, variant_to_binary
from msgspec.structs import replace

from edge_agent.jobs import JobRun, Outcome
from edge_agent.sinks.opcua.objects.job_orders import (
    ReturnStatus,
    job_lists,
    order,
    order_and_state,
    reason,
    response,
    response_by_id,
    responses_by_state,
    states,
)
from edge_agent.sinks.opcua.space import structures
from edge_agent.sinks.opcua.space.structures import ISA95ParameterDataType, ISA95StateDataType, RunInfoDataType

STARTED = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RUN = JobRun(
    id="mk3-20261122T080000Z",
    machine_id="mk3",
    file_name="Gehäuse.gcode",
    file_path="kunde/Gehäuse.gcode",
    file_size_bytes=5_000_000_000,
    file_date=STARTED - timedelta(days=1),
    user="anna",
    started_at=STARTED,
    updated_at=STARTED + timedelta(minutes=30),
    pauses=2,
    paused_s=90.0,
    elapsed_s=1710.0,
    estimated_s=3600.0,
    progress_ratio=0.475,
    filament_length_mm=1234.5,
    filament_volume_cm3=3.25,
)
PAUSED = replace(RUN, paused=True)


def ended(outcome: Outcome, reason: str = "") -> JobRun:
    return replace(RUN, outcome=outcome, reason=reason, ended_at=STARTED + timedelta(hours=1))


COMPLETED = ended(Outcome.COMPLETED)
CANCELLED = ended(Outcome.CANCELLED)
FAILED = ended(Outcome.FAILED, "Thermal runaway")
LOST = ended(Outcome.LOST)
EVERY = [RUN, PAUSED, COMPLETED, CANCELLED, FAILED, LOST]


def told(state: ISA95StateDataType) -> tuple[str, str | None, int]:
    path = "/".join(
        f"{element.TargetName.NamespaceIndex}:{element.TargetName.Name}" for element in state.BrowsePath.Elements
    )
    return path, state.StateText.Text, state.StateNumber


def values(parameters: list[ISA95ParameterDataType] | None) -> dict[str, Any]:
    return {parameter.ID: parameter.Value.Value for parameter in parameters or ()}


def units(parameters: list[ISA95ParameterDataType] | None) -> dict[str, int]:
    return {
        parameter.ID: parameter.EngineeringUnits.UnitId
        for parameter in parameters or ()
        if parameter.EngineeringUnits is not None
    }


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (RUN, [("", "Running", 3)]),
        (PAUSED, [("", "Interrupted", 4), ("5:InterruptedSubstates", "Suspended", 2)]),
        (COMPLETED, [("", "Ended", 5), ("5:EndedSubstates", "Completed", 1)]),
        (CANCELLED, [("", "Aborted", 6)]),
        (FAILED, [("", "Aborted", 6)]),
        (LOST, [("", "Aborted", 6)]),
    ],
)
def test_states(run: JobRun, expected: list[tuple[str, str, int]]) -> None:
    assert [told(state) for state in states(run)] == expected


@pytest.mark.parametrize(
    ("run", "result", "why"),
    [
        (RUN, 0, ""),
        (PAUSED, 0, ""),
        (COMPLETED, 1, ""),
        (CANCELLED, 2, "cancelled"),
        (FAILED, 2, "failed: Thermal runaway"),
        (LOST, 0, "lost"),
    ],
)
def test_result_and_reason(run: JobRun, result: int, why: str) -> None:
    given = values(response(run).JobResponseData)
    assert given["JobResult"] == result
    assert reason(run) == why
    assert given.get("ReasonForStateChange") == (ua.LocalizedText(why, "en") if why else None)


def test_an_order_says_what_was_asked_for() -> None:
    made = order(RUN)
    assert made.JobOrderID == RUN.id
    assert made.Description == [ua.LocalizedText("Gehäuse.gcode")]
    assert made.StartTime is None
    assert values(made.JobOrderParameters) == {
        "JobName": [ua.LocalizedText("Gehäuse.gcode")],
        "PlannedProductionTime": 3600.0,
        "RunsPlanned": 1,
    }
    assert units(made.JobOrderParameters) == {"PlannedProductionTime": 5457219}
    assert made.WorkMasterID is not None
    assert made.WorkMasterID[0].ID == "kunde/Gehäuse.gcode"
    assert values(made.WorkMasterID[0].Parameters) == {
        "FileSize": 5_000_000_000,
        "FileDate": STARTED - timedelta(days=1),
    }


def test_filament_is_one_material_in_two_measures() -> None:
    made = order(RUN).MaterialRequirements
    assert made is not None
    (material,) = made
    assert (material.MaterialClassID, material.Quantity) == ("Filament", "1234.5")
    assert material.EngineeringUnits is not None
    assert material.EngineeringUnits.UnitId == 5066068
    assert material.Properties is not None
    (volume,) = material.Properties
    assert volume.EngineeringUnits is not None
    assert (volume.ID, volume.Value.Value, volume.EngineeringUnits.UnitId) == ("Volume", 3.25, 4410705)


def test_filament_by_volume_alone() -> None:
    made = order(replace(RUN, filament_length_mm=None)).MaterialRequirements
    assert made is not None
    assert made[0].EngineeringUnits is not None
    assert (made[0].Quantity, made[0].EngineeringUnits.UnitId, made[0].Properties) == ("3.25", 4410705, None)


@pytest.mark.parametrize(("length", "quantity"), [(1e-7, "0.0000001"), (1e16, "10000000000000000"), (12.0, "12.0")])
def test_quantities_are_decimal_strings(length: float, quantity: str) -> None:
    """OPC 10000-3, 8.61 knows no exponent."""
    made = order(replace(RUN, filament_length_mm=length)).MaterialRequirements
    assert made is not None
    assert made[0].Quantity == quantity


def test_a_response_says_what_became_of_it() -> None:
    made = response(COMPLETED)
    assert (made.JobResponseID, made.JobOrderID) == (RUN.id, RUN.id)
    assert (made.StartTime, made.EndTime) == (STARTED, STARTED + timedelta(hours=1))
    assert made.PersonnelActuals is not None
    assert [person.ID for person in made.PersonnelActuals] == ["anna"]
    given = values(made.JobResponseData)
    (info,) = given.pop("Runs")
    assert info == RunInfoDataType(Identifier=RUN.id, State=states(COMPLETED)[0])
    assert given == {
        "JobName": [ua.LocalizedText("Gehäuse.gcode")],
        "JobResult": 1,
        "PauseCount": 2,
        "ActualProductionTime": 1710.0,
        "PausedTime": 90.0,
        "Progress": 47.5,
    }
    assert units(made.JobResponseData) == {"ActualProductionTime": 5457219, "PausedTime": 5457219, "Progress": 20529}


def test_of_an_unknown_file_nothing_is_invented() -> None:
    bare = JobRun(id="a", machine_id="m", started_at=STARTED, updated_at=STARTED)
    made = order(bare)
    assert (made.Description, made.WorkMasterID, made.MaterialRequirements) == (None, None, None)
    assert values(made.JobOrderParameters) == {"RunsPlanned": 1}
    assert (response(bare).Description, response(bare).EndTime, response(bare).PersonnelActuals) == (None, None, None)
    assert set(values(response(bare).JobResponseData)) == {"Runs", "JobResult", "PauseCount"}


def test_an_open_run_is_told_the_same_until_its_state_changes() -> None:
    later = replace(
        RUN, updated_at=STARTED + timedelta(minutes=50), elapsed_s=2900.0, progress_ratio=0.8, paused_s=100.0
    )
    assert (order_and_state(later), response(later)) == (order_and_state(RUN), response(RUN))
    assert response(PAUSED) != response(RUN)


def test_the_lists_are_of_the_newest_twenty_and_agree() -> None:
    runs = tuple(replace(EVERY[number % 6], id=f"run-{number}") for number in range(25))
    orders, responses = job_lists(runs)
    assert [entry.JobOrder.JobOrderID for entry in orders] == [f"run-{number}" for number in range(20)]
    assert [entry.JobOrderID for entry in responses] == [entry.JobOrder.JobOrderID for entry in orders]
    assert [entry.JobState for entry in responses] == [entry.State for entry in orders]
    assert job_lists(()) == ([], [])


@pytest.mark.parametrize("run", EVERY)
def test_what_is_made_can_be_sent(run: JobRun) -> None:
    structures.register()
    for made in (order_and_state(run), response(run)):
        sent = ua.Variant([made], ua.VariantType.ExtensionObject, is_array=True)
        assert variant_from_binary(Buffer(variant_to_binary(sent))).Value == [made]


def test_a_response_by_its_id() -> None:
    runs = [PAUSED, replace(COMPLETED, id="older")]
    assert response_by_id(runs, "older") == response(runs[1])
    assert response_by_id(runs, "never") == ReturnStatus.UNKNOWN_JOB_ORDER_ID
    assert response_by_id(runs, "") == ReturnStatus.INVALID_REQUEST
    assert response_by_id(runs, None) == ReturnStatus.INVALID_REQUEST


def asked(number: int, *path: str) -> ISA95StateDataType:
    """As another client would ask: its own reference type, no text."""
    steps = [ua.RelativePathElement(TargetName=ua.QualifiedName(name, 5)) for name in path]
    return ISA95StateDataType(BrowsePath=ua.RelativePath(steps), StateText=ua.LocalizedText(), StateNumber=number)


def test_responses_by_state() -> None:
    runs = [replace(run, id=f"run-{number}") for number, run in enumerate(EVERY)]

    def found(*wanted: ISA95StateDataType) -> list[str]:
        made = responses_by_state(runs, wanted)
        assert isinstance(made, list)
        return [entry.JobOrderID for entry in made]

    assert found(asked(3)) == ["run-0"]
    assert found(asked(6)) == ["run-3", "run-4", "run-5"]
    assert found(asked(4)) == found(asked(4), asked(2, "InterruptedSubstates")) == ["run-1"]
    assert found(asked(4), asked(1, "InterruptedSubstates")) == []
    assert found(asked(1)) == []


def test_states_that_make_no_question() -> None:
    assert responses_by_state(EVERY, []) == ReturnStatus.INVALID_REQUEST
    assert responses_by_state(EVERY, None) == ReturnStatus.INVALID_REQUEST
    assert responses_by_state(EVERY, [asked(1, "EndedSubstates")]) == ReturnStatus.INVALID_REQUEST
    assert responses_by_state(EVERY, [asked(7)]) == ReturnStatus.INVALID_JOB_ORDER_STATUS
    assert responses_by_state(EVERY, [asked(5), asked(3, "EndedSubstates")]) == ReturnStatus.INVALID_JOB_ORDER_STATUS


def test_return_status_bits_are_the_standards() -> None:
    assert {status.name: int(status) for status in ReturnStatus} == {
        "NO_ERROR": 1,
        "UNKNOWN_JOB_ORDER_ID": 2,
        "INVALID_JOB_ORDER_STATUS": 8,
        "INVALID_REQUEST": 4294967296,
    }
