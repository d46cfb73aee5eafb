"""The agent that runs now, as it sees itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ... import __version__
from ...restarts import Cause
from .finding import Finding, Level, bad, look, ok, parted, unseen
from .patient import Patient

_WORTH_A_LOOK = (Cause.WATCHDOG, Cause.CRASH, Cause.OUT_OF_MEMORY, Cause.KILLED, Cause.POWER_LOSS)
_RECENT = timedelta(hours=24)
_UNREACHABLE = "see what is said of each printer"


def running(patient: Patient) -> Iterator[Finding]:
    """What ``edge-agent status`` ends with 1 for, and why there was a restart."""
    agent = patient.agent
    if agent is None:
        yield _silence(patient)
        return
    for complaint in agent.complaints:
        yield bad(complaint, "the watchdog restarts it if it stays so; see: journalctl -u edge-agent -n 50")
    for warning in agent.warnings:
        # Somebody wanted it so: told every time, and no reason to look again.
        yield Finding(level=Level.OK, text=warning, remedy='"anonymous": false in config.json closes it')
    if agent.config_refused:
        yield bad(
            "config.json is refused, the one before it is in force", "put right what is said of the configuration"
        )
    if agent.journal is not None and not agent.journal.durable:
        yield bad(
            f"the print journal cannot be written: {agent.journal.reason}",
            "see what is said of the disk and the journal",
        )
    if agent.version != __version__:
        yield look(
            f"version {agent.version} runs, and this is {__version__}",
            "sudo systemctl restart edge-agent starts the new one",
        )
    recent = agent.started_at is not None and agent.time - agent.started_at < _RECENT
    if recent and agent.last_restart.startswith(tuple(f"{cause}:" for cause in _WORTH_A_LOOK)):
        yield look(f"it was restarted within a day: {agent.last_restart}", "docs/supervision.md tells what that means")
    reachable = f"{agent.machines_reachable} of {agent.machines} machines reachable"
    if agent.machines_reachable < agent.machines:
        yield look(reachable, _UNREACHABLE)
    else:
        yield ok(f"version {agent.version}, {reachable}")


def _silence(patient: Patient) -> Finding:
    text, remedy = parted(patient.silence)
    config = patient.reading.config
    told_by_the_unit = patient.unit.get("LoadState") == "loaded" and not patient.runs
    not_for_us = "only users" in text or (config is not None and not config.http.enabled)
    return (unseen if told_by_the_unit or not_for_us else look)(text, remedy)
