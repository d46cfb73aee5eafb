"""``edge-agent check``: everything that is wrong with the configuration, and what it means if nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec
from msgspec import Struct

from ..config import Config, ConfigFileError, MachineConfig, Problem, Severity, load
from ..errors import EdgeAgentError, ExitCode

PROBE_TIMEOUT_S = 30.0
"""Longer than any probe that works; one that hangs must not keep the others' answers back."""


class ProbeResult(Struct, frozen=True, kw_only=True):
    """What one machine answered; ``None`` where the question did not come up.

    ``kind_ok``: it is what ``type`` says. ``key_ok``: it knows the key. ``permission_ok``: the key's user may read the
    status. ``latency_s`` is one request's. ``problem`` is one line, what to do included; empty if all is well.
    ``advice`` is what should be changed although it works.
    """

    reachable: bool
    kind_ok: bool | None = None
    key_ok: bool | None = None
    permission_ok: bool | None = None
    server_version: str | None = None
    user: str | None = None
    latency_s: float | None = None
    problem: str = ""
    advice: str = ""

    @property
    def good(self) -> bool:
        """Nothing is wrong with the machine, as far as it was asked."""
        return self.reachable and not self.problem and False not in {self.kind_ok, self.key_ok, self.permission_ok}


Probe = Callable[[MachineConfig], Awaitable[ProbeResult]]


def check(*, config_path: Path, state_dir: Path, probe: Probe | None, as_json: bool, out: TextIO) -> ExitCode:
    """Report all problems, then the machines; nothing is written.

    Args:
        config_path: config.json.
        state_dir: where machine ids are remembered; only read.
        probe: asks one machine; ``None`` for a check without the network.
        as_json: one JSON object instead of lines.
        out: takes the report.

    Returns:
        CONFIG if the file cannot be used, UNAVAILABLE if it can and a probe failed, else OK.
    """
    try:
        config = load(config_path, state_dir=state_dir, remember=False)
    except ConfigFileError as error:
        _write(out, config_path, error.problems, None, {}, as_json=as_json)
        return ExitCode.CONFIG
    answers = asyncio.run(_probe_all(probe, config)) if probe else {}
    _write(out, config_path, config.warnings, config, answers, as_json=as_json)
    return ExitCode.OK if all(answer.good for answer in answers.values()) else ExitCode.UNAVAILABLE


async def _probe_all(probe: Probe, config: Config) -> dict[str, ProbeResult]:
    """Ask all machines at the same time; answers by machine id."""
    answers = await asyncio.gather(*(_probe_one(probe, machine) for machine in config.machines))
    return {machine.machine.id: answer for machine, answer in zip(config.machines, answers, strict=True)}


async def _probe_one(probe: Probe, machine: MachineConfig) -> ProbeResult:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            answer = await probe(machine)
    except TimeoutError:
        return ProbeResult(reachable=False, problem=f"no answer in {PROBE_TIMEOUT_S:g} s; is it switched on?")
    except EdgeAgentError as error:
        return ProbeResult(reachable=False, problem=str(error))
    return answer


def _write(
    out: TextIO,
    config_path: Path,
    problems: Sequence[Problem],
    config: Config | None,
    answers: dict[str, ProbeResult],
    *,
    as_json: bool,
) -> None:
    machines = config.machines if config else ()
    if as_json:
        report = _as_json(config_path, problems, config, answers)
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode(), file=out)
        return
    for problem in problems:
        print(problem, file=out)
    print(f"{config_path}: {_summary(problems, len(machines))}", file=out)
    for line in _table([_HEAD, *map(_row, machines)]) if machines else ():
        print(line, file=out)
    for machine in machines:
        if machine.machine.id in answers:
            print(f"{machine.machine.id}: {_told(answers[machine.machine.id])}", file=out)


def _summary(problems: Iterable[Problem], machines: int) -> str:
    severities = [problem.severity for problem in problems]
    errors, warnings = severities.count(Severity.ERROR), severities.count(Severity.WARNING)
    parts = [_counted(errors, "error"), _counted(warnings, "warning")]
    if not errors:
        parts = ["good", _counted(machines, "machine"), *([parts[1]] if warnings else [])]
    return ", ".join(parts)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


_HEAD = ("id", "name", "url", "Aggregator version", "mes_id", "key")


def _row(config: MachineConfig) -> tuple[str, ...]:
    machine = config.machine
    mes_ids = ",".join(map(str, machine.mes_ids)) or "-"
    key = config.key.fingerprint if config.key else "-"
    return machine.id, machine.name or "-", machine.url, config.dialect, mes_ids, key


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]


def _told(answer: ProbeResult) -> str:
    """One machine's answer as a line."""
    if not answer.reachable:
        return answer.problem or "not reachable"
    parts = [
        "reachable" if answer.latency_s is None else f"reachable in {answer.latency_s * 1000:.0f} ms",
        answer.server_version or "",
        _yes_no(answer.kind_ok, "is what type says", "is not what type says"),
        _yes_no(answer.key_ok, "key valid", "key refused"),
        _yes_no(answer.permission_ok, "may read the status", "may not read the status"),
        f"user {answer.user}" if answer.user else "",
    ]
    return "; ".join(part for part in (", ".join(filter(None, parts)), answer.problem, answer.advice) if part)


def _yes_no(value: bool | None, yes: str, no: str) -> str:
    return "" if value is None else yes if value else no


def _as_json(
    config_path: Path,
    problems: Sequence[Problem],
    config: Config | None,
    answers: dict[str, ProbeResult],
) -> dict[str, Any]:
    machines = config.machines if config else ()
    return {
        "config": str(config_path),
        "ok": all(problem.severity is not Severity.ERROR for problem in problems),
        "files": [str(file) for file in config.watched_files] if config else [],
        "ports": _ports(config) if config else [],
        "opcua_port": config.opcua.port if config else None,
        "http_port": config.http.port if config and config.http.enabled else None,
        "problems": [_problem_as_json(problem) for problem in problems],
        "machines": [{**_machine_as_json(machine), "probe": answers.get(machine.machine.id)} for machine in machines],
    }


def _ports(config: Config) -> list[int]:
    """The ports that nobody else may have; ``"4840+"`` is content with another, and a page can wait for its own."""
    endpoint = () if config.opcua.port_or_next else (config.opcua.port,)
    return [*endpoint, *config.opcua.extra_ports]


def _problem_as_json(problem: Problem) -> dict[str, Any]:
    where = problem.position
    return {
        "severity": problem.severity,
        "file": problem.file,
        "line": where.line if where else None,
        "column": where.column if where else None,
        "path": problem.path,
        "text": problem.text,
    }


def _machine_as_json(config: MachineConfig) -> dict[str, Any]:
    return {
        "id": config.machine.id,
        "name": config.machine.name,
        "url": config.machine.url,
        "aggregator_version": config.dialect,
        "mes_ids": config.machine.mes_ids,
        "key_fingerprint": config.key.fingerprint if config.key else None,
        "line": config.position.line,
    }
