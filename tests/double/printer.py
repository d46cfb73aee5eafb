"""The printer behind the double: a small model with verbs, and the JSON that OctoPrint makes of it."""

from __future__ import annotations

import json
from collections import UserDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from .editions import Edition
from .recordings import recorded

K = TypeVar("K")
V = TypeVar("V")

HISTORY_TIME = 9_999_999_999
"""Stands in prepared answers where each request gets the time of the temperatures: the same number of digits."""

_NOTHING_SELECTED = dict.fromkeys(("date", "display", "name", "origin", "path", "size"))
_NO_PROGRESS = dict.fromkeys(("completion", "filepos", "printTime", "printTimeLeft", "printTimeLeftOrigin"))
_PASSING = ("cancelling", "finishing", "pausing", "resuming")
_PRINT_S = 600


class Watched(UserDict[K, V]):
    """A dictionary that says when it was changed. Its values are replaced, not changed in place."""

    def __init__(self, initial: Mapping[K, V], changed: Callable[[], None]) -> None:
        self._changed = changed
        super().__init__(initial)

    def __setitem__(self, key: K, item: V) -> None:
        super().__setitem__(key, item)
        self._changed()

    def __delitem__(self, key: K) -> None:
        super().__delitem__(key)
        self._changed()


@dataclass(frozen=True)
class Heater:
    """One entry of "temperature", in degrees Celsius. ``target`` None: a sensor. ``actual`` None: no report yet."""

    actual: float | None
    target: float | None = 0.0
    offset: float = 0


def encoded(value: object) -> bytes:
    """JSON as OctoPrint writes it: indented, sorted, ASCII."""
    quick = msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2)
    if quick.isascii():
        return quick + b"\n"
    return json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"  # ten times slower, but writes \u00fc


class Printer:
    """A printer as OctoPrint sees it; at first idle, with one cold tool and a cold bed and nothing selected.

    Attributes:
        heaters: by OctoPrint's names (``tool0``, ``bed``, ...); assign, replace, delete at will.
        job: the keys beside "file" in "job" (``user``, ``filament``, ``estimatedPrintTime``, ...).
        temperatures_at: when the printer last reported temperatures; None for "just now", however late it gets.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.heaters = Watched({"tool0": Heater(21.3), "bed": Heater(21.3)}, changed)
        self.job: Watched[str, Any] = Watched({}, changed)
        self.temperatures_at: datetime | None = None
        self._file: dict[str, Any] = dict(_NOTHING_SELECTED)
        self._progress: dict[str, Any] = dict(_NO_PROGRESS)
        self._error = ""
        self._firmware = False
        self._recording: str | None = None
        self._show("Operational", "ready")
        self._deselect()

    # Verbs. Each ends what was before, recordings included.

    def idle(self) -> None:
        """Connected and doing nothing. A selected file stays selected, its progress is forgotten (as by a cancel)."""
        self._progress = dict(_NO_PROGRESS)
        self._show("Operational", "ready")

    def select(self, name: str, *, size: int = 2050, path: str | None = None, user: str | None = "admin") -> None:
        """Select the local file ``name`` (``size`` in bytes) without printing it."""
        self._file = {
            "date": 1795349375,
            "display": name,
            "name": name,
            "origin": "local",
            "path": path or name,
            "size": size,
        }
        self.job["user"] = user
        self.idle()

    def starting(self) -> None:
        """A print was ordered, the start script runs."""
        self._advance(0.0, 0, None)
        self._show("Starting", "printing")

    def print(self, progress: float = 0.0, *, elapsed_s: int | None = None, left_s: int | None = None) -> None:
        """Print the selected file (else demo.gcode) and be at the ratio ``progress`` of it.

        Without times given the whole print takes ten minutes.
        """
        elapsed = round(progress * _PRINT_S) if elapsed_s is None else elapsed_s
        left = _PRINT_S - elapsed if left_s is None and progress > 0 else left_s
        self._advance(progress, elapsed, left)
        self._show("Printing", "printing")

    def pausing(self) -> None:
        """The pause script runs; "printing" is still true."""
        self._show("Pausing", "printing", "pausing")

    def pause(self) -> None:
        """Paused where it was."""
        self._show("Paused", "paused")

    def resuming(self) -> None:
        """The resume script runs."""
        self._show("Resuming", "printing", "resuming")

    def cancelling(self) -> None:
        """The cancel script runs. `idle` ends it."""
        self._show("Cancelling", "printing", "cancelling")

    def finishing(self) -> None:
        """All lines are sent, the last ones are still being done."""
        self._advance(1.0, self._elapsed_s(), 0)
        self._show("Finishing", "printing", "finishing")

    def done(self) -> None:
        """The print succeeded: idle again, at 100 %."""
        self._advance(1.0, self._elapsed_s(), 0)
        self._show("Operational", "ready")

    def fault(self, text: str, *, firmware: bool = True) -> None:
        """The printer died with an error; OctoPrint has disconnected.

        Args:
            text: the error's.
            firmware: the firmware said it; False for a dropped line, a silent printer, M112, of which
                /api/printer/error knows nothing.
        """
        self._deselect()
        self._show("Offline after error", error=text, firmware=firmware)

    def power_off(self) -> None:
        """The printer is switched off or disconnected; OctoPrint is well."""
        self._deselect()
        self._show("Offline")

    def connecting(self, text: str = "Connecting") -> None:
        """OctoPrint opens the serial port (``text``: also "Opening serial connection", "Detecting ...")."""
        self._deselect()
        self._show(text)

    def play(self, state: str) -> None:
        """Answer with the recording of this name; what it lacks comes from the model.

        ``?history=true`` is answered with the recorded temperatures under the time of the request, because a
        recording's own times would make every sensor look stale.
        """
        recorded(state, "job")
        self._recording = state
        self._changed()

    # What OctoPrint makes of it.

    def answer(self, endpoint: str, edition: Edition) -> tuple[int, bytes]:
        """Status and body of "job", "printer", "printer_history", "printer_error" or "connection"."""
        if self._recording is not None and (played := self._played(self._recording, endpoint)):
            return played
        if endpoint == "job":
            return 200, encoded(self._job(edition))
        if endpoint == "connection":
            return 200, encoded(self._connection(edition))
        if endpoint == "printer_error":
            return 200, encoded(self._error_report(edition))
        if "operational" not in self._flags:
            text = "Printer is not operational"
            return 409, encoded({"error": text}) if edition.json_errors else text.encode()
        return 200, encoded(self._printer(edition, history=endpoint == "printer_history"))

    def _played(self, state: str, endpoint: str) -> tuple[int, bytes] | None:
        try:
            status, body = recorded(state, endpoint.removesuffix("_history"))
        except KeyError:
            return None
        if endpoint == "printer_history" and status == 200:
            answer = json.loads(body)
            answer["temperature"]["history"] = _history(answer["temperature"])
            body = encoded(answer)
        return status, body

    def _job(self, edition: Edition) -> dict[str, Any]:
        job: dict[str, Any] = dict.fromkeys(
            ("averagePrintTime", "estimatedPrintTime", "filament", "lastPrintTime", "user"),
        )
        job |= {**self.job, "file": dict(self._file)}
        answer: dict[str, Any] = {"job": job, "progress": self._progress, "state": self._wording(edition)}
        if self._error and edition.error_apart:
            answer["error"] = self._error
        if not edition.passing_flags:
            del job["user"], job["file"]["display"]
        if edition.second:
            answer["error"] = None
            del job["averagePrintTime"]
            job["file"]["upload"] = job["file"]["date"]
        return answer

    def _printer(self, edition: Edition, *, history: bool) -> dict[str, Any]:
        names = ["closedOrError", "error", "operational", "paused", "printing", "ready", "sdReady"]
        names += _PASSING if edition.passing_flags else ()
        state = {"text": self._wording(edition), "flags": {name: name in self._flags for name in names}}
        if edition.error_apart:
            state["error"] = self._error
        temperature: dict[str, Any] = {
            name: {"actual": heater.actual, "target": heater.target, "offset": heater.offset}
            for name, heater in self.heaters.items()
        }
        if history:
            temperature["history"] = _history(temperature)
        return {"sd": {"ready": True}, "state": state, "temperature": temperature}

    def _connection(self, edition: Edition) -> dict[str, Any]:
        offline = self._text in {"Offline", "Offline after error"}
        profile = {"id": "_default", "name": "Default"}
        current = {"baudrate": 115200, "port": "VIRTUAL", "printerProfile": "_default", "state": self._wording(edition)}
        if offline:
            current = dict.fromkeys(current) | {"printerProfile": "_default", "state": "Closed"}
            if edition.second:
                current |= {"printerProfile": None, "state": "Offline"}
        options: dict[str, Any] = {
            "baudratePreference": 115200,
            "baudrates": [250000, 230400, 115200, 57600, 38400, 19200, 9600],
            "portPreference": "VIRTUAL",
            "ports": ["/dev/ttyS0", "VIRTUAL"],
            "printerProfilePreference": "_default",
            "printerProfiles": [profile],
        }
        if edition.second:
            options["autoconnect"] = True
        return {"current": current, "options": options}

    def _error_report(self, edition: Edition) -> dict[str, Any]:
        if not self._firmware or edition.second:
            return {"error": "", "reason": ""}
        return {"consequence": "emergency", "error": self._error, "faq": None, "reason": "firmware"}

    def _wording(self, edition: Edition) -> str:
        if edition.error_apart or not self._error:
            return self._text
        return f"Offline (Error: {self._error})"

    # How the model changes.

    def _show(self, text: str, *flags: str, error: str = "", firmware: bool = False) -> None:
        self._text = text
        self._flags = {*flags, "operational", "sdReady"} if flags else {"closedOrError"}
        self._error = error
        self._firmware = firmware
        self._recording = None
        self._changed()

    def _deselect(self) -> None:
        self._file = dict(_NOTHING_SELECTED)
        self._progress = dict(_NO_PROGRESS)
        self.job.clear()

    def _elapsed_s(self) -> int:
        elapsed: int | None = self._progress["printTime"]
        return _PRINT_S if elapsed is None else elapsed

    def _advance(self, progress: float, elapsed_s: int, left_s: int | None) -> None:
        if self._file["name"] is None:
            self.select("demo.gcode")
        self._progress = {
            "completion": progress * 100,
            "filepos": round(progress * self._file["size"]),
            "printTime": elapsed_s,
            "printTimeLeft": left_s,
            "printTimeLeftOrigin": "linear" if 0 < progress < 1 else None,
        }


def _history(temperature: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest entry only: what ``limit=1`` asks for. Empty before the printer's first report."""
    reported = {
        name: {"actual": heater["actual"], "target": heater["target"]}
        for name, heater in temperature.items()
        if heater["actual"] is not None
    }
    return [{**reported, "time": HISTORY_TIME}] if reported else []
