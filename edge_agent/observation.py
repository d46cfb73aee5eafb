"""What the agent says: of a machine, and of itself.

Frozen structs, no I/O. An `Observation` is a snapshot and what only the agent knows of it: may it be trusted
now, when did the machine last answer, what does it mean to an MES, which print is this.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from .jobs import JobRun
from .model import Machine, MesStatus, Quality, Snapshot, StackLight


class Observation(Struct, frozen=True, kw_only=True):
    """What the agent says of one machine now: the last snapshot, and how far to trust it.

    ``error`` says why the machine cannot be reached, empty while it answers. ``quality`` applies to every live
    value; ``temperature_quality`` can be worse (a printer that fell silent behind an OctoPrint that did not).
    ``last_seen`` is the last usable answer. ``run`` is the print that goes on, else the last one that ended.
    """

    machine: Machine
    quality: Quality
    temperature_quality: Quality
    reachable: bool
    mes_status: MesStatus
    stack_light: StackLight
    poll_interval_s: float
    error: str = ""
    snapshot: Snapshot | None = None
    run: JobRun | None = None
    last_seen: datetime | None = None

    @property
    def display_name(self) -> str:
        """The file's name, else the printer profile's, else the address."""
        profile = self.snapshot.profile_name if self.snapshot else None
        return self.machine.name or profile or self.machine.address


class AgentStatus(Struct, frozen=True, kw_only=True):
    """What the agent says of itself. ``config_status`` is one sentence on the configuration in force."""

    version: str
    started_at: datetime
    config_status: str
