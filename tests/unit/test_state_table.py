"""The state table: every row of it, and when it holds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge_agent.jobs import JobRun, Outcome
from edge_agent.model import (
    DEFAULT_STATE_TABLE,
    Aftermath,
    ItemState,
    Job,
    MachineState,
    MesStatus,
    OperationMode,
    ProgramState,
    Situation,
    Snapshot,
    StackLight,
    StateRow,
    ToolMode,
)
from edge_agent.observation import situation

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FILE = Job(file_name="gear.gcode", file_path="parts/gear.gcode", file_size_bytes=2050)
RUN = JobRun(
    id="mark-one-20260504T115000-3f9a1c",
    machine_id="mark-one",
    file_name="gear.gcode",
    file_path="parts/gear.gcode",
    file_size_bytes=2050,
    started_at=AT,
    updated_at=AT,
)
BUSY = (
    MachineState.STARTING,
    MachineState.PRINTING,
    MachineState.PAUSING,
    MachineState.RESUMING,
    MachineState.FINISHING,
    MachineState.CANCELLING,
)


def ended(outcome: Outcome) -> JobRun:
    return replace(RUN, outcome=outcome, ended_at=AT)


def found(
    state: MachineState, run: JobRun | None = None, *, job: Job = FILE, before: Situation | None = None
) -> Situation:
    snapshot = Snapshot(state=state, state_text=state.value, observed_at=AT, response_time_s=0.01, job=job)
    return situation(snapshot, run, before=before)


def row(mes: MesStatus, light: StackLight, *numbers: int) -> StateRow:
    """Item state, operation mode, tool mode and program state as the specifications number them."""
    item, mode, tool, program = numbers
    return StateRow(
        mes_status=mes,
        stack_light=light,
        item_state=ItemState(item),
        operation_mode=OperationMode(mode),
        tool_mode=ToolMode(tool),
        program_state=ProgramState(program),
    )


OFF = row(MesStatus.OFFLINE, StackLight.OFF, 0, 0, 5, 0)
RUNNING = row(MesStatus.RUNNING, StackLight.GREEN_BLINKING, 3, 3, 1, 1)
READY = row(MesStatus.IDLE, StackLight.GREEN, 2, 3, 0, 0)
CANCELLED = row(MesStatus.IDLE, StackLight.GREEN, 2, 3, 0, 4)
FAULT = row(MesStatus.STOPPED, StackLight.RED, 1, 0, 5, 0)
FAILED = row(MesStatus.STOPPED, StackLight.RED, 1, 3, 5, 4)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        pytest.param(found(MachineState.OFF), OFF, id="off"),
        pytest.param(found(MachineState.CONNECTING), OFF, id="disconnected"),
        pytest.param(found(MachineState.FAULT, before=MachineState.READY), FAULT, id="fault, idle"),
        pytest.param(
            found(MachineState.FAULT, ended(Outcome.FAILED), before=MachineState.PRINTING), FAILED, id="fault, printing"
        ),
        pytest.param(found(MachineState.READY, job=Job()), READY, id="ready, no file"),
        pytest.param(found(MachineState.READY), READY, id="ready, file selected"),
        *(pytest.param(found(state, RUN), RUNNING, id=state.value) for state in BUSY),
        pytest.param(
            found(MachineState.PAUSED, RUN), row(MesStatus.RUNNING, StackLight.YELLOW, 2, 3, 3, 3), id="paused"
        ),
        pytest.param(
            found(MachineState.DONE, ended(Outcome.COMPLETED)),
            row(MesStatus.IDLE, StackLight.GREEN, 2, 3, 0, 2),
            id="done",
        ),
        pytest.param(found(MachineState.READY, ended(Outcome.CANCELLED)), CANCELLED, id="cancelled"),
    ],
)
def test_row(at: Situation, expected: StateRow) -> None:
    assert DEFAULT_STATE_TABLE.rows[at] == expected


def test_every_situation_has_a_row() -> None:
    assert set(DEFAULT_STATE_TABLE.rows) == {*MachineState, *Aftermath}


def test_a_cancelled_print_is_forgotten_when_another_file_is_selected_or_none() -> None:
    cancelled = ended(Outcome.CANCELLED)
    assert found(MachineState.READY, cancelled, job=replace(FILE, file_path="next.gcode")) is MachineState.READY
    assert found(MachineState.READY, cancelled, job=replace(FILE, file_size_bytes=2051)) is MachineState.READY
    assert found(MachineState.READY, cancelled, job=Job()) is MachineState.READY


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.CANCELLED])
def test_only_a_cancelled_print_is_cancelled(outcome: Outcome) -> None:
    assert found(MachineState.READY, ended(outcome)) is MachineState.READY


def test_a_fault_is_told_by_what_was_going_on_when_it_came() -> None:
    failed = ended(Outcome.FAILED)
    assert found(MachineState.FAULT, failed, before=MachineState.PAUSED) is Aftermath.FAILED
    assert found(MachineState.FAULT, RUN, before=MachineState.PRINTING) is Aftermath.FAILED
    # The run failed once, but of another fault: the printer has been idle or off since.
    for before in (MachineState.READY, MachineState.OFF, Aftermath.CANCELLED, MachineState.FAULT):
        assert found(MachineState.FAULT, failed, before=before) is MachineState.FAULT
    assert found(MachineState.FAULT, failed, before=Aftermath.FAILED) is Aftermath.FAILED


def test_a_fault_that_ended_no_print_is_a_plain_one() -> None:
    assert found(MachineState.FAULT, ended(Outcome.LOST), before=MachineState.PRINTING) is MachineState.FAULT
    assert found(MachineState.FAULT, None, before=MachineState.PRINTING) is MachineState.FAULT


def test_a_fault_found_at_the_start_is_the_one_that_the_last_print_failed_of() -> None:
    assert found(MachineState.FAULT, ended(Outcome.FAILED)) is Aftermath.FAILED
    assert found(MachineState.FAULT, ended(Outcome.COMPLETED)) is MachineState.FAULT
    assert found(MachineState.FAULT) is MachineState.FAULT


@pytest.mark.parametrize(
    ("member", "label"),
    [
        (ItemState.NOT_AVAILABLE, "NotAvailable"),
        (OperationMode.NONE, "None"),
        (ToolMode.AUTO_WITH_MANUAL_INTERVENTION, "AutoWithManualIntervention"),
        (ProgramState.INITIALIZING, "Initializing"),
    ],
)
def test_a_label_is_the_specifications_name(member: ItemState | OperationMode, label: str) -> None:
    assert member.label == label


def test_the_documented_table_is_the_one_in_force() -> None:
    text = (Path(__file__).parents[2] / "docs" / "config.md").read_text()
    lines = re.findall(r"^\| `([a-z]+)` +\| (.*) \|$", text.partition("## State table")[2], re.MULTILINE)
    said = {name: [cell.strip() for cell in cells.split("|")[1:]] for name, cells in lines}
    rows = {
        situation.value: [
            cells.mes_status.value,
            cells.stack_light.value,
            *(cell.label for cell in (cells.item_state, cells.operation_mode, cells.tool_mode, cells.program_state)),
        ]
        for situation, cells in DEFAULT_STATE_TABLE.rows.items()
    }
    unreachable = DEFAULT_STATE_TABLE.unreachable
    assert said.pop("unreachable")[:2] == [unreachable.mes_status.value, unreachable.stack_light.value]
    assert said == rows
