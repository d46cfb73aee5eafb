"""What the companion specifications want to know of any machine: its state, its program, its counters."""

from __future__ import annotations

from collections.abc import Callable

from ..counters import Counters
from ..model import Choice, ItemState, OperationMode, ProgramState, StackLight, StateRow, ToolMode
from ..observation import Observation
from ..units import SECOND
from .item import DataItem, Kind, Scope, Value


def _of_meaning(read_row: Callable[[StateRow], Choice]) -> Callable[[Observation], Value | None]:
    return lambda observation: read_row(observation.meaning) if observation.meaning else None


def _of_counters(read_counters: Callable[[Counters], Value]) -> Callable[[Observation], Value]:
    return lambda observation: read_counters(observation.counters)


def _light(*colours: StackLight) -> Callable[[Observation], bool]:
    return lambda observation: observation.stack_light in colours


def _program_name(observation: Observation) -> str | None:
    selected = observation.snapshot.job.file_name if observation.snapshot else None
    return selected or (observation.run.file_name if observation.run else None)


def _program_job(observation: Observation) -> str | None:
    """The last run's id goes when another file is selected, of which there is none yet."""
    run, snapshot = observation.run, observation.snapshot
    if run is None or snapshot is None:
        return None
    return run.id if run.is_open or run.may_be_of(snapshot.job) else None


MACHINERY: tuple[DataItem, ...] = (
    DataItem(
        id="MachineryBuildingBlocks/MachineryItemState",
        kind=Kind.CHOICE,
        choices=ItemState,
        sentence="May the machine be used, and is it at work.",
        read=_of_meaning(lambda row: row.item_state),
    ),
    DataItem(
        id="MachineryBuildingBlocks/MachineryOperationMode",
        kind=Kind.CHOICE,
        choices=OperationMode,
        sentence="What the machine is used for now.",
        read=_of_meaning(lambda row: row.operation_mode),
    ),
    DataItem(
        id="MachineryBuildingBlocks/OperationCounters/PowerOnDuration",
        kind=Kind.NUMBER,
        scope=Scope.AGENT,
        unit=SECOND,
        sentence="How long the agent has seen the printer switched on and connected.",
        read=_of_counters(lambda counters: counters.power_on_s),
    ),
    DataItem(
        id="MachineryBuildingBlocks/OperationCounters/OperationDuration",
        kind=Kind.NUMBER,
        scope=Scope.AGENT,
        unit=SECOND,
        sentence="How long the agent has seen the printer printing, pauses left out.",
        read=_of_counters(lambda counters: counters.operation_s),
    ),
    DataItem(
        id="MachineryBuildingBlocks/OperationCounters/OperationCycleCounter",
        kind=Kind.COUNT,
        scope=Scope.AGENT,
        sentence="How many prints the agent has known completed.",
        read=_of_counters(lambda counters: counters.completed),
    ),
    DataItem(
        id="Monitoring/MachineTool/OperationMode",
        kind=Kind.CHOICE,
        choices=ToolMode,
        sentence="Who has the say now: the print's program, a person, or neither.",
        read=_of_meaning(lambda row: row.tool_mode),
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
        id="Production/ActiveProgram/Name",
        kind=Kind.TEXT,
        sentence="The selected file, without its folder; without one that of the last print.",
        read=_program_name,
    ),
    DataItem(
        id="Production/ActiveProgram/NumberInList",
        kind=Kind.COUNT,
        sentence="The program's place among those to come; always 0, since the printer has one at a time.",
        read=lambda _: 0,
    ),
    DataItem(
        id="Production/ActiveProgram/State",
        kind=Kind.CHOICE,
        choices=ProgramState,
        sentence="How far the print of the selected file has got.",
        read=_of_meaning(lambda row: row.program_state),
    ),
    DataItem(
        id="Production/ActiveProgram/JobIdentifier",
        kind=Kind.TEXT,
        sentence="The print of this program that goes on, else the last one: the same as Job/Id.",
        read=_program_job,
    ),
)
