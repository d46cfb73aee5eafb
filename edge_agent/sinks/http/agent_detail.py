"""The agent as it tells of itself when asked: what `report` tells of it all the time, and what one looks up."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from ...computer import Computer, Disk
from ...store import Store
from .about import About, ConfigProblem, MesUser, OpcUaSession, PastStart
from .process import this_process
from .report import AgentReport, agent_report


class ProcessReport(Struct, frozen=True, kw_only=True):
    """The agent's own process: its processor time, resident memory, and open files."""

    cpu_s: float
    resident_bytes: int
    open_files: int


class AgentDetail(AgentReport, frozen=True, kw_only=True):
    """The agent, its computer, who may log in to its endpoint and who has, and what is wrong in config.json.

    `computer` and `process` are null where they cannot be asked. `starts` are the last ones, the newest first.
    """

    computer: Computer | None
    disks: tuple[Disk, ...]
    process: ProcessReport | None
    users: tuple[MesUser, ...]
    sessions: tuple[OpcUaSession, ...]
    config_problems: tuple[ConfigProblem, ...]
    starts: tuple[PastStart, ...]


def agent_detail(store: Store, about: About, *, now: datetime) -> AgentDetail:
    """As it is now."""
    return AgentDetail(
        **asdict(agent_report(store, about, now=now)),
        computer=about.computer(),
        disks=about.disks(),
        process=_process(),
        users=about.mes_users(),
        sessions=about.sessions(),
        config_problems=about.config_problems(),
        starts=about.starts(),
    )


def _process() -> ProcessReport | None:
    found = this_process()
    if found is None:
        return None
    return ProcessReport(cpu_s=found.cpu_s, resident_bytes=found.resident_bytes, open_files=found.open_files)
