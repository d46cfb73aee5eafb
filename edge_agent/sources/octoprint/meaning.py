"""What answers mean: pure functions from wire structs to our words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from ...model import Job, MachineState, Snapshot, Temperature
from .wire import (
    ConnectionAnswer,
    ConnectionCurrentWire,
    ConnectionOptionsWire,
    FilamentWire,
    FileWire,
    FlagsWire,
    HeaterWire,
    HistoryWire,
    JobAnswer,
    JobWire,
    PrinterAnswer,
    ProgressWire,
    StateWire,
    VersionAnswer,
)

GLOBAL_KEY_USER = "_api"
MAX_FILE_BYTES = 1 << 63
MAX_TEXT = 1024
MAX_SENSORS = 64
# Line ends, what moves a terminal's cursor, and what makes text run backwards.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Identity(Struct, frozen=True, kw_only=True):
    """What changes rarely: who answers, whose key we hold, and what that user may do (none before OctoPrint 1.4)."""

    version: str
    profile_name: str | None = None
    user: str | None = None
    permissions: tuple[str, ...] = ()


_FAULT_TEXTS = ("Error", "Offline (Error", "Offline after error")
_CONNECTING_TEXTS = ("Opening serial", "Detecting", "Connecting")
_OFF_TEXTS = ("Offline", "Closed", "None", "Unknown")
# In this order: ``printing`` is true during the first four as well.
_BUSY_STATES = (
    MachineState.FINISHING,
    MachineState.CANCELLING,
    MachineState.PAUSING,
    MachineState.RESUMING,
    MachineState.PAUSED,
)
_BUSY_TEXTS = {state.value.capitalize(): state for state in (*_BUSY_STATES, MachineState.STARTING)}


def plain(text: str) -> str:
    """A text of the printer's as it may stand in a log, on a terminal and in a browser: one line, and not endless."""
    return _UNPRINTABLE.sub(" ", text[:MAX_TEXT])


def _told(text: str | None) -> str | None:
    return None if text is None else plain(text)


def is_operational(state_text: str) -> bool:
    """The text of /api/job promises that /api/printer will answer."""
    return bool(state_text) and not state_text.startswith((*_FAULT_TEXTS, *_CONNECTING_TEXTS, *_OFF_TEXTS))


def state_without_printer(state_text: str, error: str) -> MachineState:
    """The state while /api/printer has nothing to say."""
    if state_text.startswith(_FAULT_TEXTS) or (error and state_text.startswith(_OFF_TEXTS)):
        return MachineState.FAULT
    if state_text.startswith(_OFF_TEXTS) or not state_text:
        return MachineState.OFF
    return MachineState.CONNECTING


def state_from_flags(flags: FlagsWire, text: str, error: str, completion: float | None) -> MachineState:
    """The state of an operational printer: flags decide, the text only where a version lacks the flag."""
    if flags.error or flags.closed_or_error:
        return MachineState.FAULT if flags.error else state_without_printer(text or "Offline", error)
    for state in _BUSY_STATES:
        if getattr(flags, state.value):
            return state
    if flags.printing:
        return _BUSY_TEXTS.get(text.split(" ", 1)[0], MachineState.PRINTING)
    if completion is not None and completion >= 100.0:
        return MachineState.DONE
    return MachineState.READY


def to_snapshot(
    job: JobAnswer, printer: PrinterAnswer | None, identity: Identity, *, observed_at: datetime, response_time_s: float
) -> Snapshot:
    """One machine at one instant; ``printer`` is ``None`` while the printer is not operational."""
    text = plain(job.state or "")
    error = plain(job.error or "")
    progress = job.progress or ProgressWire()
    heaters, temperatures_at = _temperatures(printer.temperature or {} if printer else {})
    if printer is None:
        state = state_without_printer(text, error)
    else:
        wire = printer.state or StateWire()
        text, error = plain(wire.text or text), plain(wire.error or error)
        state = state_from_flags(wire.flags or FlagsWire(), text, error, progress.completion)
    return Snapshot(
        state=state,
        state_text=text,
        error=_fault_text(text, error) if state is MachineState.FAULT else "",
        observed_at=observed_at,
        response_time_s=response_time_s,
        job=_job(job.job or JobWire(), progress),
        temperatures=heaters,
        temperatures_at=temperatures_at,
        profile_name=identity.profile_name,
        software_version=identity.version,
        advice=_advice(identity),
    )


def _fault_text(text: str, error: str) -> str:
    """One line, never empty: a fault without words of its own is named by the state's text."""
    before, _, after = text.rstrip(")").partition(": ")
    said = error or (after if before in {"Error", "Offline (Error"} else text)
    return " ".join(said.split()) or "Error"


def _temperatures(
    wire: dict[str, HeaterWire | list[HistoryWire] | None],
) -> tuple[dict[str, Temperature], datetime | None]:
    heaters: dict[str, Temperature] = {}
    times: list[float] = []
    for name, value in wire.items():
        if isinstance(value, HeaterWire):
            heaters[name] = Temperature(_finite(value.actual), _finite(value.target))
        elif value is not None:
            times += [entry.time for entry in value if entry.time is not None]
    return dict(sorted(heaters.items())[:MAX_SENSORS]), _instant(max(times, default=None))


def _job(wire: JobWire, progress: ProgressWire) -> Job:
    file = wire.file or FileWire()
    completion = _finite(progress.completion)
    remaining_s = _duration(progress.print_time_left)
    filament = [entry for entry in (wire.filament or {}).values() if isinstance(entry, FilamentWire)]
    return Job(
        file_name=_told(file.display or file.name),
        file_path=_told(file.path or file.name),
        file_size_bytes=int(file.size) if file.size is not None and 0 <= file.size < MAX_FILE_BYTES else None,
        file_date=_instant(file.date),
        user=_told(wire.user),
        progress_ratio=None if completion is None else min(max(completion / 100.0, 0.0), 1.0),
        elapsed_s=_duration(progress.print_time),
        remaining_s=remaining_s,
        # "linear" is sent also while there is no estimate yet.
        remaining_origin=None if remaining_s is None else _told(progress.print_time_left_origin),
        estimated_s=_duration(wire.estimated_print_time),
        filament_length_mm=_total(entry.length for entry in filament),
        filament_volume_cm3=_total(entry.volume for entry in filament),
    )


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return _finite(sum(known)) if known else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _duration(seconds: float | None) -> float | None:
    return seconds if seconds is not None and math.isfinite(seconds) and seconds >= 0 else None


def _instant(unix_s: float | None) -> datetime | None:
    if unix_s is None or unix_s < 0:
        return None
    try:
        return datetime.fromtimestamp(unix_s, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _advice(identity: Identity) -> str:
    if identity.user != GLOBAL_KEY_USER:
        return ""
    return (
        "the key is OctoPrint's global key, which may do everything and ends with a coming release; "
        "give the agent a user of its own with only the STATUS permission"
    )


def profile_name(answer: ConnectionAnswer) -> str | None:
    """The name a person gave the printer profile in use; ``None`` for OctoPrint's own "Default"."""
    current = answer.current or ConnectionCurrentWire()
    options = answer.options or ConnectionOptionsWire()
    chosen = current.printer_profile or options.printer_profile_preference
    for profile in options.printer_profiles or []:
        if profile.id == chosen and profile.name != "Default":
            return _told(profile.name or None)
    return None


def lookalike(version: VersionAnswer) -> str | None:
    """Why an answer of /api/version is not OctoPrint's, ``None`` if it is."""
    text = (version.text or "").strip()
    if text.startswith("OctoPrint (Moonraker"):
        return "this is Moonraker's imitation of OctoPrint, which invents the job's values; it is not served"
    if text.startswith("PrusaLink"):
        return "this is PrusaLink, whose numbers mean other things than OctoPrint's; it is not served"
    if text and not text.startswith("OctoPrint"):
        return f"it calls itself {text[:40]!r}, not OctoPrint"
    return None if text or version.server else "it does not say that it is OctoPrint"
