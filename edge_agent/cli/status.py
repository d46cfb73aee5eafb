"""``edge-agent status``: what the running agent says of itself and each machine, asked through its status page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO, TypeVar

import msgspec
from msgspec import Struct

from ..config import ConfigFileError, HttpOptions, load
from ..errors import ExitCode, UnavailableError
from ..model import MesStatus, Quality
from ..sinks.http.report import AgentReport, MachineList, MachineReport
from .asking import Asked, get, this_computers
from .grid import BOLD, FAINT, GREEN, RED, YELLOW, Cell, Column, age, fit, line_of, plain, progress, time_left

_COLUMNS = (
    Column("MACHINE", 8, 8),
    Column("STATE", 10),
    Column("MES", 7),
    Column("FILE", 8, 8),
    Column("%", 4),
    Column("LEFT", 5),
    Column("REMARK", 6, 20),
)

T = TypeVar("T", bound=Struct)


class Told(Struct, frozen=True, kw_only=True):
    """Both answers, as ``--json`` prints them."""

    agent: AgentReport
    machines: tuple[MachineReport, ...]


def status(*, config_path: Path, state_dir: Path, url: str | None, as_json: bool, out: TextIO) -> ExitCode:
    """Print how the agent is.

    Args:
        config_path: config.json, for the port; what cannot be read is as if it said nothing of the page.
        state_dir: the agent's.
        url: the page's address, instead.
        as_json: one object instead of a table.
        out: takes the report.

    Returns:
        `ExitCode.ATTENTION` if there is something to look at.

    Raises:
        UnavailableError: no agent answers.
    """
    asked = Asked(url.rstrip("/")) if url else _this_computer(config_path, state_dir)
    agent = _ask(asked, "/api/v1/agent", AgentReport)
    machines = _ask(asked, "/api/v1/machines", MachineList).machines
    if as_json:
        print(
            msgspec.json.format(msgspec.json.encode(Told(agent=agent, machines=machines)), indent=2).decode(), file=out
        )
    else:
        terminal = out.isatty()
        width = shutil.get_terminal_size((100, 24)).columns if terminal else 1000
        for line in _lines(agent, machines, width=width, colour=terminal):
            print(line, file=out)
    attention = any((*_troubles(agent), *(_is_trouble(machine) for machine in machines)))
    return ExitCode.ATTENTION if attention else ExitCode.OK


def _this_computer(config_path: Path, state_dir: Path) -> Asked:
    try:
        options = load(config_path, state_dir=state_dir, remember=False).http
    except ConfigFileError:
        options = HttpOptions()  # not there, not ours to read, or refused: the running agent may be well all the same
    return this_computers(options)


def _ask(asked: Asked, path: str, kind: type[T]) -> T:
    """One answer.

    Raises:
        UnavailableError: there is none, or it is not an agent's.
    """
    status, body = get(asked, path)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise UnavailableError(
            f"{asked.url}: what answers there is no agent of this version (HTTP {status}); check http.port"
        ) from error


def _troubles(agent: AgentReport) -> Iterator[str]:
    """What of the agent itself somebody should look at."""
    yield from agent.complaints
    if agent.journal is not None and not agent.journal.durable:
        yield f"the journal cannot be written: {agent.journal.reason}"
    if agent.config_refused:
        yield "config.json is refused, the one before it is in force; see: edge-agent check"


def _is_trouble(machine: MachineReport) -> bool:
    waited_for = machine.quality is Quality.WAITING and not machine.reason
    return machine.mes_status is MesStatus.STOPPED or not (machine.reachable or waited_for)


def _lines(agent: AgentReport, machines: tuple[MachineReport, ...], *, width: int, colour: bool) -> Iterator[str]:
    def loud(text: str) -> str:
        return f"\x1b[{BOLD};{RED}m{text}\x1b[0m" if colour else text

    since = f", for {age(agent.started_at, agent.time)}" if agent.started_at else ""
    yield f"edge-agent {plain(agent.version)}{since}"
    for url in agent.endpoint.urls:
        yield f"OPC UA        {plain(url)}{'' if agent.endpoint.open else '  (not open yet)'}"
    if agent.endpoint.certificate_sha256:
        yield f"Certificate   {plain(agent.endpoint.certificate_sha256)}"
    yield f"Config        {plain(agent.config_status)}"
    if agent.last_restart:
        yield f"Last restart  {plain(agent.last_restart)}"
    yield f"Machines      {agent.machines_reachable} of {agent.machines} reachable"
    for text in agent.warnings:
        yield loud(f"WARNING       {plain(text)}")
    for text in _troubles(agent):
        yield loud(f"PROBLEM       {plain(text)}")
    yield ""
    rows = [_cells(machine, agent.time) for machine in machines]
    widths = fit(_COLUMNS, rows, width)
    for cells in ([Cell(column.title, BOLD) for column in _COLUMNS], *rows):
        yield line_of(cells, widths, width=width, colour=colour)
    if not rows:
        yield "no machines yet"


def _cells(machine: MachineReport, now: datetime) -> list[Cell]:
    state = machine.state.value if machine.state else "-"
    job = machine.print
    return [
        Cell(plain(machine.name)),
        Cell(state if machine.quality is Quality.GOOD else f"({state})", _style(machine)),
        Cell(machine.mes_status.value),
        Cell(plain(job.file_name or "") if job else ""),
        Cell(progress(job.progress_ratio, bar=False) if job else ""),
        Cell(time_left(job.remaining_s) if job else ""),
        Cell(_remark(machine, now), YELLOW),
    ]


def _style(machine: MachineReport) -> str:
    if machine.mes_status is MesStatus.STOPPED:
        return RED
    return GREEN if machine.quality is Quality.GOOD and machine.mes_status is not MesStatus.OFFLINE else FAINT


def _remark(machine: MachineReport, now: datetime) -> str:
    words = [] if machine.quality is Quality.GOOD else [machine.quality.value]
    if not machine.reachable and machine.last_seen is not None:
        words.append(f"last answer {age(machine.last_seen, now)} ago")
    return "; ".join([*words, *(plain(text) for text in (machine.reason, machine.advice) if text)])
