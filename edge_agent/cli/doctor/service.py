"""The unit: does systemd run the agent, will it after the next start of the computer, and did it have to restart it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from .finding import Finding, bad, look, ok, unseen
from .patient import UNIT, Patient

_SYSTEMD = Path("/run/systemd/system")
_ENABLED = {"enabled", "enabled-runtime", "static", "alias"}
_LOG = "journalctl -u edge-agent -n 50"


def service(patient: Patient) -> Iterator[Finding]:
    """What systemd says of it."""
    unit = patient.unit
    if not unit:
        here = "systemd does not answer" if _SYSTEMD.is_dir() else "there is no systemd here"
        yield unseen(f"{here}: nobody restarts the agent when it ends, unless something else does")
        return
    if unit.get("LoadState") != "loaded":
        text = f"there is no {UNIT} (systemd says: {unit.get('LoadState', 'nothing')})"
        remedy = "install.sh or the Debian package brings it: docs/install.md"
        # From a checkout, or in a container, the agent runs without it.
        yield unseen(text, remedy) if unit.get("LoadState") == "not-found" else bad(text, remedy)
        return
    yield _activity(unit)
    if unit.get("UnitFileState", "enabled") not in _ENABLED:
        yield look(
            f"it is {unit['UnitFileState']}: it will not start with the computer", f"sudo systemctl enable {UNIT}"
        )
    if int(unit.get("NRestarts") or 0):
        yield look(
            f"systemd restarted it {unit['NRestarts']} times since it was last started by hand or at boot",
            f"see: {_LOG}; docs/supervision.md",
        )
    if unit.get("NeedDaemonReload") == "yes":
        yield look("its files were changed, and systemd has not read them", "sudo systemctl daemon-reload")
    # Systemd tells it of a unit that runs only.
    if unit.get("ActiveState") == "active" and unit.get("WatchdogUSec", "0") in {"0", "infinity"}:
        yield look("systemd does not watch it (WatchdogSec=0)", f"see: systemctl cat {UNIT}")


def _activity(unit: Mapping[str, str]) -> Finding:
    state = unit.get("ActiveState", "")
    said = unit.get("StatusText", "")
    if state == "active":
        since = unit.get("ActiveEnterTimestamp", "")
        return ok(f"running since {since}" + (f": {said}" if said else ""))
    if state in {"activating", "reloading"}:
        return look(f"it is {state} ({unit.get('SubState', '')})" + (f": {said}" if said else ""), f"see: {_LOG}")
    result = unit.get("Result", "")
    ended = f", exit code {unit['ExecMainStatus']}" if unit.get("ExecMainStatus", "0") != "0" else ""
    why = f" ({result}{ended})" if result not in {"", "success"} else ""
    if unit.get("ExecMainStatus") == "78":
        remedy = f"put right what is said of the configuration, then: sudo systemctl start {UNIT}"
    else:
        remedy = f"sudo systemctl start {UNIT}; see: {_LOG}"
    return bad(f"it does not run: {state}{why}" + (f"; it said: {said}" if said else ""), remedy)
