"""The configuration as the agent uses it: checked, complete, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..model import Machine, StateTable
from ..poller import Polling
from ..secret import Secret
from ..sinks.http.options import HttpOptions
from ..sinks.opcua.options import OpcUaOptions
from ..sources.octoprint import OctoPrintOptions
from ..sources.simulated import SimulatedOptions
from .problem import Position, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineConfig:
    """One machine: who it is, how to ask it, how often (seconds; ``None``: as all others).

    Two are equal if they poll the same machine in the same way: where it stands in the file (``position``) and in
    which of the Aggregator's versions it is written (``dialect``, words for people) do not count. A file names
    OctoPrints only; simulated machines are the demo's.
    """

    machine: Machine
    source: OctoPrintOptions | SimulatedOptions
    poll_interval_s: float | None
    dialect: str = field(compare=False)
    position: Position = field(compare=False)

    @property
    def key(self) -> Secret | None:
        """The API key, of a machine that has one."""
        return self.source.api_key if isinstance(self.source, OctoPrintOptions) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The whole file. Equal if the agent would do the same; ``warnings`` and ``watched_files`` do not count.

    ``watched_files`` are config.json and every file it led to: when one changes, the configuration may have.
    ``missing``: there is no config.json yet, and this is what the agent does until there is.
    """

    machines: tuple[MachineConfig, ...]
    opcua: OpcUaOptions
    http: HttpOptions
    polling: Polling
    states: StateTable
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    watched_files: tuple[Path, ...] = field(default=(), compare=False)
    missing: bool = field(default=False, compare=False)

    @property
    def in_words(self) -> str:
        """What an administrator sees of it."""
        if self.missing:
            return f"no configuration yet: put it in {self.watched_files[0]}"
        return f"{len(self.machines)} machines"
