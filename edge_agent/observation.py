"""What the agent says: of a machine, and of itself.

Frozen structs, no I/O. An `Observation` is a snapshot and what only the agent knows of it: may it be trusted
now, when did the machine last answer, what does it mean to an MES, which print is this, how much has it worked.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from .counters import Counters
from .errors import Failure
from .jobs import JobRun, Outcome
from .model import (
    Aftermath,
    Machine,
    MachineState,
    MesStatus,
    Quality,
    Situation,
    Snapshot,
    StackLight,
    StateRow,
)


class Polls(Struct, frozen=True, kw_only=True):
    """How often a machine was asked since its poller began, how often in vain, and how long the last time took."""

    cycles: int = 0
    failures: int = 0
    duration_s: float | None = None


class Observation(Struct, frozen=True, kw_only=True):
    """What the agent says of one machine now: the last snapshot, and how far to trust it.

    ``error`` says why the machine cannot be reached, empty while it answers; ``failure`` says it in a word. ``quality``
    applies to every live value; ``temperature_quality`` can be worse (a printer that fell silent behind an OctoPrint
    that did not).
    ``last_seen`` is the last usable answer, and ``meaning`` the state table's row for it: as trustworthy as the live
    values, while ``mes_status`` and ``stack_light`` always hold. ``run`` is the print that goes on, else the last one
    that ended. ``recent`` are the last runs, the newest first, an open one included; the same tuple until one of them
    changes in more than what passes with time (see `JobRun.tells_more_than`).
    """

    machine: Machine
    quality: Quality
    temperature_quality: Quality
    reachable: bool
    mes_status: MesStatus
    stack_light: StackLight
    poll_interval_s: float
    error: str = ""
    failure: Failure | None = None
    snapshot: Snapshot | None = None
    meaning: StateRow | None = None
    run: JobRun | None = None
    recent: tuple[JobRun, ...] = ()
    counters: Counters = Counters()
    polls: Polls = Polls()
    last_seen: datetime | None = None

    @property
    def display_name(self) -> str:
        """The file's name, else the printer profile's, else the address."""
        profile = self.snapshot.profile_name if self.snapshot else None
        return self.machine.name or profile or self.machine.address


class AgentStatus(Struct, frozen=True, kw_only=True):
    """What the agent says of itself.

    ``config_status`` is one sentence on the configuration in force, ``config_refused`` that a newer one cannot be used,
    ``last_restart`` one sentence on why it was started.
    """

    version: str
    started_at: datetime
    config_status: str
    config_refused: bool = False
    last_restart: str = ""


def situation(snapshot: Snapshot, run: JobRun | None, *, before: Situation | None) -> Situation:
    """Which row of the state table holds.

    Args:
        snapshot: the last usable answer.
        run: the print that goes on, else the last one that ended.
        before: what held at the usable answer before this one, ``None`` if this is the first.
    """
    if snapshot.state is MachineState.FAULT:
        return Aftermath.FAILED if _ended_a_print(run, before) else snapshot.state
    job = snapshot.job
    if snapshot.state is MachineState.READY and run is not None and run.outcome is Outcome.CANCELLED:
        return Aftermath.CANCELLED if job.has_file and run.may_be_of(job) else snapshot.state
    return snapshot.state


def _ended_a_print(run: JobRun | None, before: Situation | None) -> bool:
    """A fault ended a print; one found at the start is the fault that the last run failed of, as far as is known."""
    if before is Aftermath.FAILED:
        return True
    was_busy = before is None or (isinstance(before, MachineState) and before.busy)
    return was_busy and run is not None and run.outcome in {None, Outcome.FAILED}
