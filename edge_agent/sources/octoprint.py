"""OctoPrint, from 1.3 to the 2.0 release candidates.

Datasheet (measured on 1.9.3, 1.10.3, 1.11.8 and 2.0.0rc7; older versions from their sources)

Permission needed: STATUS. Key in ``X-Api-Key``; ASCII only (another character makes the server fail with 500).

    /api/job          always 200; state text, error text, file, progress. Asked first: alone it tells a fault
                      ("Offline after error" and ``error``) from a printer that is merely disconnected
    /api/printer      flags and temperatures; 409 while the printer is not operational, so asked only when
                      /api/job's text says it is. ``history=true&limit=1`` adds the printer's own time
    /api/version      who answers; Moonraker and PrusaLink answer these paths too, with numbers that mean other things
    /api/connection   the printer profile's name; 6 ms and a look at every serial port, so asked once a minute
    /api/currentuser  (>= 1.4) whose key this is; asked at start, and on a 403 to say why

Sentinels and traps

- Every 403 has the same text. /api/currentuser: name null = unknown key; STATUS missing = no permission; STATUS
  listed = the user is deactivated. Up to 1.9 it is 403 itself for an unknown key; before 1.4 the status is 401.
- ``printing`` stays true while pausing, resuming, cancelling and finishing: those flags are looked at first. Before
  1.3.9 they are missing and the text tells. A fault's ``Error`` lasts milliseconds, then it is "Offline after error".
- ``error`` of /api/job: missing or null when fine; 2.0 release candidates lose the text of a firmware fault.
- completion: percent; null before the first print and after a cancel, stays 100 after success. SD prints: int 100.
- temperature: ``{}`` for two seconds after connecting, ``actual`` null before the first report; keys tool0..n, bed,
  chamber and whatever else the firmware reports (A, P, mcu). A sensor that stopped keeps its last value.
- display (>= 1.3.6) is the file's name as uploaded, null on SD cards; filament and estimatedPrintTime need an analysis.
- Two requests are no snapshot: right after a fault /api/job can still say Printing while /api/printer is 409 already.
  /api/job is then asked again. 2.0 says Operational a moment before /api/printer agrees.
- Up to 1.9 each answer closes the connection unannounced (see `edge_agent.session.HttpHost`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Struct, field

from ..errors import (
    DeactivatedUser,
    NoPermission,
    ServerFault,
    SourceError,
    Starting,
    UnexpectedAnswer,
    Unreachable,
    WrongKey,
    WrongTarget,
)
from ..model import Job, MachineState, Snapshot, Temperature
from ..secret import Secret
from ..session import Answer, HttpHost, Tls

IDENTIFY_EVERY_S = 60.0
PRINTER_PATH = "/api/printer?history=true&limit=1"
GLOBAL_KEY_USER = "_api"
MAX_FILE_BYTES = 1 << 63


class OctoPrintOptions(Struct, frozen=True, kw_only=True):
    """How to reach one OctoPrint. ``url`` has no trailing slash and no credentials in it."""

    url: str
    api_key: Secret
    tls: Tls = field(default_factory=Tls)


# --- wire structs: the answers as they come; every field optional, unknown keys ignored ---


class FileWire(Struct):
    name: str | None = None
    path: str | None = None
    display: str | None = None  # >= 1.3.6; null for files on the printer's SD card
    size: int | float | None = None
    date: float | None = None  # unix seconds of the upload or the last change; null on SD cards


class FilamentWire(Struct):
    length: float | None = None
    volume: float | None = None


class JobWire(Struct, rename="camel"):
    file: FileWire | None = None
    user: str | None = None  # >= 1.3.9
    estimated_print_time: float | None = None
    filament: dict[str, FilamentWire | float | None] | None = None


class ProgressWire(Struct, rename="camel"):
    completion: float | None = None
    print_time: float | None = None
    print_time_left: float | None = None
    print_time_left_origin: str | None = None


class JobAnswer(Struct):
    state: str | None = None
    error: str | None = None  # >= 1.6; 2.0 always sends it
    job: JobWire | None = None
    progress: ProgressWire | None = None


class FlagsWire(Struct, rename="camel"):
    operational: bool | None = None
    printing: bool | None = None
    paused: bool | None = None
    ready: bool | None = None
    error: bool | None = None
    closed_or_error: bool | None = None
    pausing: bool | None = None  # this and the next three: >= 1.3.9
    resuming: bool | None = None
    cancelling: bool | None = None
    finishing: bool | None = None


class StateWire(Struct):
    text: str | None = None
    flags: FlagsWire | None = None
    error: str | None = None


class HeaterWire(Struct):
    actual: float | None = None
    target: float | None = None


class HistoryWire(Struct):
    time: float | None = None  # unix seconds of the printer's host


class PrinterAnswer(Struct):
    state: StateWire | None = None
    temperature: dict[str, HeaterWire | list[HistoryWire] | None] | None = None


class VersionAnswer(Struct):
    server: str | None = None
    text: str | None = None  # "OctoPrint 1.11.8"


class ProfileWire(Struct):
    id: str | None = None
    name: str | None = None


class ConnectionCurrentWire(Struct, rename="camel"):
    printer_profile: str | None = None  # 2.0: null while offline


class ConnectionOptionsWire(Struct, rename="camel"):
    printer_profiles: list[ProfileWire] | None = None
    printer_profile_preference: str | None = None


class ConnectionAnswer(Struct):
    current: ConnectionCurrentWire | None = None
    options: ConnectionOptionsWire | None = None


class UserAnswer(Struct):
    name: str | None = None
    permissions: list[str] | None = None


_JOB = msgspec.json.Decoder(JobAnswer)
_PRINTER = msgspec.json.Decoder(PrinterAnswer)
_VERSION = msgspec.json.Decoder(VersionAnswer)
_CONNECTION = msgspec.json.Decoder(ConnectionAnswer)
_USER = msgspec.json.Decoder(UserAnswer)


class Identity(Struct, frozen=True, kw_only=True):
    """What changes rarely: who answers, and whose key we hold."""

    version: str
    profile_name: str | None = None
    user: str | None = None


# --- meaning: pure functions from wire structs to our words ---

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
    text = job.state or ""
    error = job.error or ""
    progress = job.progress or ProgressWire()
    heaters, temperatures_at = _temperatures(printer.temperature or {} if printer else {})
    if printer is None:
        state = state_without_printer(text, error)
    else:
        wire = printer.state or StateWire()
        text, error = wire.text or text, wire.error or error
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
    return dict(sorted(heaters.items())), _instant(max(times, default=None))


def _job(wire: JobWire, progress: ProgressWire) -> Job:
    file = wire.file or FileWire()
    completion = _finite(progress.completion)
    remaining_s = _duration(progress.print_time_left)
    filament = [entry for entry in (wire.filament or {}).values() if isinstance(entry, FilamentWire)]
    return Job(
        file_name=file.display or file.name,
        file_path=file.path or file.name,
        file_size_bytes=int(file.size) if file.size is not None and 0 <= file.size < MAX_FILE_BYTES else None,
        file_date=_instant(file.date),
        user=wire.user,
        progress_ratio=None if completion is None else min(max(completion / 100.0, 0.0), 1.0),
        elapsed_s=_duration(progress.print_time),
        remaining_s=remaining_s,
        # "linear" is sent also while there is no estimate yet.
        remaining_origin=None if remaining_s is None else progress.print_time_left_origin,
        estimated_s=_duration(wire.estimated_print_time),
        filament_length_mm=_total(entry.length for entry in filament),
        filament_volume_cm3=_total(entry.volume for entry in filament),
    )


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return sum(known) if known else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _duration(seconds: float | None) -> float | None:
    return seconds if seconds is not None and math.isfinite(seconds) and seconds >= 0 else None


def _instant(unix_s: float | None) -> datetime | None:
    try:
        return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC)
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
            return profile.name or None
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


# --- the source ---

Wire = TypeVar("Wire", bound=Struct)


class OctoPrint:
    """One OctoPrint: `fetch` costs 2 requests while the printer is operational and 1 while it is not.

    About once a minute, and after any failure, 2 more ask who answers.
    """

    def __init__(
        self,
        options: OctoPrintOptions,
        *,
        session: aiohttp.ClientSession,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        headers = {"X-Api-Key": options.api_key.reveal()}
        self._host = HttpHost(session, url=options.url, headers=headers, tls=options.tls)
        self._url = options.url
        self._now = now
        self._monotonic = monotonic
        self._user: str | None = None
        self._user_known = False
        self._identity: Identity | None = None
        self._identified_at = -math.inf

    async def fetch(self) -> Snapshot:
        """One cycle.

        Raises:
            SourceError: see the family; a fault of the printer and a printer that is off are snapshots, not errors.
        """
        try:
            identity = await self._identify()
            answer, job = await self._job()
            printer = None
            if is_operational(job.state or ""):
                printer = await self._printer()
                if printer is None:
                    answer, job = await self._job()
        except BaseException:
            self._identified_at = -math.inf  # whoever answers next may be another version
            self._host.forget_habits()
            raise
        return to_snapshot(job, printer, identity, observed_at=self._now(), response_time_s=answer.elapsed_s)

    async def identify(self) -> Identity:
        """Who answers, whose key we hold; for a probe. Raises as `fetch` does."""
        self._identified_at = -math.inf
        return await self._identify()

    async def _identify(self) -> Identity:
        if self._identity is not None and self._monotonic() - self._identified_at < IDENTIFY_EVERY_S:
            return self._identity
        version = _decode(_VERSION, await self._get("/api/version"), "/api/version")
        reason = lookalike(version)
        if reason:
            raise WrongTarget(f"{self._url}: {reason}; use the address of an OctoPrint, or remove this machine")
        name = (version.text or f"OctoPrint {version.server}").strip()
        if self._identity is not None and self._identity.version != name:
            self._host.forget_habits()
        if not self._user_known:
            self._user = (await self._whose_key()).name
            self._user_known = True
        self._identity = Identity(version=name, profile_name=await self._profile_name(), user=self._user)
        self._identified_at = self._monotonic()
        return self._identity

    async def _profile_name(self) -> str | None:
        answer = await self._host.get("/api/connection")
        try:
            return profile_name(_decode(_CONNECTION, answer, "/api/connection")) if answer.status == 200 else None
        except UnexpectedAnswer:
            return None  # a name is not worth a machine's status

    async def _whose_key(self) -> UserAnswer:
        answer = await self._host.get("/api/currentuser")
        known = answer.status == 200 and answer.is_json
        return _decode(_USER, answer, "/api/currentuser") if known else UserAnswer()

    async def _job(self) -> tuple[Answer, JobAnswer]:
        answer = await self._get("/api/job")
        job = _decode(_JOB, answer, "/api/job")
        if job.state is None:
            raise UnexpectedAnswer(f"{self._url}: /api/job tells no state, which every OctoPrint does; check url")
        return answer, job

    async def _printer(self) -> PrinterAnswer | None:
        answer = await self._get(PRINTER_PATH, also=409)
        return None if answer.status == 409 else _decode(_PRINTER, answer, "/api/printer")

    async def _get(self, path: str, *, also: int = 200) -> Answer:
        """GET a path that every OctoPrint has; ``also`` is one more status that is an answer here."""
        answer = await self._host.get(path)
        if answer.status == 200 and not answer.is_json:
            raise self._not_json(answer)
        if answer.status in {200, also}:
            return answer
        if answer.status in {401, 403}:
            self._user_known = False
            raise await self._refusal(answer)
        raise self._wrong_status(answer, path)

    def _not_json(self, answer: Answer) -> SourceError:
        if b"still starting" in answer.body:
            return Starting(f"{self._url}: OctoPrint is still starting; it will be asked again")
        return WrongTarget(f"{self._url}: a web page answers where OctoPrint's API should; check url and its path")

    def _wrong_status(self, answer: Answer, path: str) -> SourceError:
        status, url = answer.status, self._url
        if 300 <= status < 400:
            return WrongTarget(f"{url}: redirects elsewhere, which is not followed; put the final address in url")
        if status == 404:
            return WrongTarget(f"{url}: has no {path.partition('?')[0]}; check that url is OctoPrint's, with its path")
        if status == 429:
            return Unreachable(f"{url}: asks us to slow down (429); it will be asked again later")
        if status >= 500:
            return ServerFault(f"{url}: OctoPrint answers {status}, an error of its own; see octoprint.log there")
        return UnexpectedAnswer(f"{url}: answers {status} to {path.partition('?')[0]}, which no OctoPrint does")

    async def _refusal(self, refused: Answer) -> SourceError:
        """A 403 has one text for all reasons: ask /api/currentuser for the reason."""
        wrong_key = WrongKey(f"{self._url}: OctoPrint does not know the API key; put a valid one in the secret file")
        if refused.status == 401:
            return wrong_key
        user = await self._whose_key()
        if user.name is None:
            return wrong_key
        if {"STATUS", "ADMIN"}.intersection(user.permissions or ()):
            return DeactivatedUser(
                f"{self._url}: the key's user {user.name!r} is deactivated; activate it in OctoPrint's access control"
            )
        return NoPermission(
            f"{self._url}: the key's user {user.name!r} lacks the STATUS permission; grant it in OctoPrint's "
            "access control"
        )


def _decode(decoder: msgspec.json.Decoder[Wire], answer: Answer, path: str) -> Wire:
    try:
        return decoder.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        detail = str(error) if isinstance(error, msgspec.ValidationError) else "it is not valid JSON"
        raise UnexpectedAnswer(f"{path}: unexpected answer: {detail}; the agent may need an update") from error
