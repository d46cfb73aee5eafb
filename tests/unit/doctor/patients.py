"""Made-up patients: what a check is given, with one thing or another wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_agent import __version__
from edge_agent.cli.check import ProbeResult
from edge_agent.cli.doctor.commands import Said
from edge_agent.cli.doctor.finding import Finding, Level
from edge_agent.cli.doctor.patient import Patient, Reading, read
from edge_agent.computer import Computer
from edge_agent.config import MachineConfig
from edge_agent.sinks.http.report import AgentReport, EndpointReport, JournalReport

NOW = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)
KEY = "0123456789ABCDEF0123456789ABCDEF"
PI = Computer(
    model="Raspberry Pi 4 Model B Rev 1.5",
    os="Debian GNU/Linux 13 (trixie)",
    python="3.13.5",
    temperature_celsius=51.2,
    under_voltage_now=False,
    under_voltage_since_boot=None,
    throttled=False,
    clock_synchronised=True,
    memory_total_bytes=4 << 30,
    memory_available_bytes=3 << 30,
    uptime_s=1000.0,
)
UNIT = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "Result": "success",
    "StatusText": "1 of 1 machines reachable, OPC UA on :4840",
    "NRestarts": "0",
    "WatchdogUSec": "30s",
    "ExecMainStatus": "0",
    "NeedDaemonReload": "no",
    "ActiveEnterTimestamp": "Thu 2026-12-24 17:00:00 UTC",
}


class Programs:
    """Programs of the system that say what a test wants; all others are missing."""

    def __init__(self, **said: str) -> None:
        self._said = said
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, program: str, *arguments: str, **_: float) -> Said | None:
        self.asked.append((program, *arguments))
        found = [text for word, text in self._said.items() if any(word in part for part in (program, *arguments))]
        return Said(0, found[0]) if found else None


async def well(_: MachineConfig) -> ProbeResult:
    """A probe of a printer that is well."""
    return ProbeResult(
        reachable=True,
        kind_ok=True,
        key_ok=True,
        permission_ok=True,
        server_version="OctoPrint 1.11.8",
        latency_s=0.012,
    )


def agent(**more: Any) -> AgentReport:
    """What an agent says that is well."""
    told: dict[str, Any] = {
        "version": __version__,
        "time": NOW,
        "started_at": NOW,
        "config_status": "1 machines",
        "config_refused": False,
        "last_restart": "operator: stopped by SIGTERM",
        "warnings": (),
        "complaints": (),
        "endpoint": EndpointReport(urls=("opc.tcp://pi:4840",), open=True, anonymous=False, certificate_sha256=None),
        "journal": JournalReport(durable=True, reason="", waiting=0),
        "machines": 1,
        "machines_reachable": 1,
    }
    fields = {name: value for name, value in (told | more).items() if name in AgentReport.__struct_fields__}
    return AgentReport(**fields)


def patient(folder: Path, **more: Any) -> Patient:
    """Somebody in whom nothing is wrong; config.json and the state are in ``folder``, if they are there."""
    path = more.get("config_path", folder / "config.json")
    usual: dict[str, Any] = {
        "config_path": path,
        "state_dir": folder / "state",
        "default_config": False,
        "reading": read(path, folder / "state") if path.exists() else Reading(missing=True),
        "computer": PI,
        "unit": UNIT,
        "agent": agent(),
        "silence": "",
        "probe": well,
        "ask": Programs(),
        "now": NOW,
        "root": False,
    }
    return Patient(**(usual | more))


def levels(findings: Iterable[Finding]) -> list[Level]:
    """How bad each is."""
    return [finding.level for finding in findings]


def only(findings: Iterable[Finding]) -> Finding:
    """The one finding there is."""
    (found,) = findings
    return found


def one(findings: Iterable[Finding], level: Level) -> Finding:
    """The one finding of that level."""
    (found,) = (finding for finding in findings if finding.level is level)
    return found
