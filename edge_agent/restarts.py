"""Why the agent was started: what the run before said of its end, and what systemd saw of it.

A run leaves two files in the state folder. ``last-words.json`` is ours, written in one step when a run begins, when a
part is late, and when it ends. ``last-end`` is systemd's ``$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS``, written by the
unit (ExecStopPost=) after every end. Who is killed has no last words; a host that lost its power has neither.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import re
import threading
import traceback
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from .errors import EdgeAgentError, ExitCode
from .files import write_private

log = logging.getLogger(__name__)

WORDS_FILE = "last-words.json"
END_FILE = "last-end"
_LONGEST = 300
KEEP_STARTS = 20
_CRASHING = {"ABRT", "SEGV", "BUS", "ILL", "FPE", "SYS", "TRAP"}
# Keys, tokens, digests: nothing that a person would call something else than "a long row of letters and digits".
_KEY_LIKE = re.compile(r"(?=[\w+=-]*\d)[\w+=-]{16,}")
_USER_INFO = re.compile(r"//[^/\s@]+@")


class Cause(enum.StrEnum):
    """Why there was a restart, in one or two words."""

    FIRST_START = "first start"
    OPERATOR = "operator"
    UPDATE = "update"
    REBOOT = "reboot"
    POWER_LOSS = "power loss"
    WATCHDOG = "watchdog"
    CRASH = "crash"
    OUT_OF_MEMORY = "out of memory"
    KILLED = "killed"
    CONFIGURATION = "configuration"
    UNAVAILABLE = "unavailable"


_OF_EXIT_CODE = {ExitCode.CONFIG: Cause.CONFIGURATION, ExitCode.UNAVAILABLE: Cause.UNAVAILABLE}


class Start(Struct, frozen=True):
    """A start, and why it was one, for everybody. ``at`` is by the clock of that moment, which may have been wrong."""

    at: datetime
    reason: str


class Words(Struct, frozen=True, kw_only=True):
    """What a run says of itself.

    ``end`` is ``None`` while it runs: found so at a start, it was killed. ``late`` says which part made no progress
    when it last spoke, ``late_for_everybody`` the same without naming a machine. ``restart`` is why this run began;
    ``starts`` are this one and those before, the newest first.
    """

    version: str
    boot_id: str
    pid: int
    restart: str = ""
    end: Cause | None = None
    text: str = ""
    late: str = ""
    late_for_everybody: str = ""
    starts: tuple[Start, ...] = ()


class End(Struct, frozen=True):
    """What systemd saw of an end: the variables of systemd.exec(5)."""

    result: str
    code: str = ""
    status: str = ""


class Restart(Struct, frozen=True):
    """Why the agent was started. ``for_everybody`` names no machine, for those who see only their own."""

    cause: Cause
    text: str
    for_everybody: str = ""

    def __str__(self) -> str:
        return f"{self.cause}: {self.text}"

    @property
    def told(self) -> str:
        """What every client may read."""
        return f"{self.cause}: {self.for_everybody or self.text}"


def why(words: Words | None, end: End | None, *, version: str, boot_id: str, frozen: str = "") -> Restart:
    """Why a run begins.

    Args:
        words: the last run's; ``None`` if there was none.
        end: how systemd saw it end; ``None`` if it did not, or there is no systemd.
        version: ours now.
        boot_id: the kernel's now.
        frozen: what stood still when the last run ended (see `freeze`).
    """
    if words is None:
        return Restart(Cause.FIRST_START, "nothing is known of a run before this one")
    if words.end is not None and words.end is not Cause.OPERATOR:
        return Restart(words.end, words.text)
    if words.end is Cause.OPERATOR and (end is None or end.result == "success"):
        if words.version != version:
            return Restart(Cause.UPDATE, f"from {words.version} to {version}")
        if words.boot_id != boot_id:
            return Restart(Cause.REBOOT, f"{words.text}, and the host started anew")
        return Restart(Cause.OPERATOR, words.text)
    if end is not None:
        return _as_systemd_saw_it(words, end, frozen)
    if words.boot_id != boot_id:
        return Restart(Cause.POWER_LOSS, "the host started anew, and the agent had not been stopped")
    if words.late or frozen:
        return _watchdog(words, frozen)
    return Restart(Cause.KILLED, "it ended without a word: by kill -9, or for want of memory")


def _as_systemd_saw_it(words: Words, end: End, frozen: str) -> Restart:
    match end.result:
        case "oom-kill":
            return Restart(Cause.OUT_OF_MEMORY, "the kernel ended it for want of memory")
        case "watchdog":
            return _watchdog(words, frozen)
        case "success":
            return Restart(Cause.OPERATOR, "stopped")
        case "timeout":
            return Restart(Cause.KILLED, "it took too long to start, reload or stop")
        case "signal" | "core-dump":
            where = f": {frozen}" if frozen else ""
            cause = Cause.CRASH if end.status in _CRASHING else Cause.KILLED
            return Restart(cause, f"by signal {end.status}{where}")
        case _:
            return Restart(Cause.CRASH, f"it ended without a word ({end.result}, {end.code} {end.status})")


def _watchdog(words: Words, frozen: str) -> Restart:
    if words.late:
        return Restart(Cause.WATCHDOG, words.late, words.late_for_everybody)
    if frozen:
        return Restart(Cause.WATCHDOG, frozen)
    return Restart(Cause.WATCHDOG, "it stood still, and nobody knows in which call")


def last_line(error: BaseException, secrets: Collection[str] = ()) -> str:
    """What an exception says and where it was raised, with no secret in it.

    Our own errors never have one in their text. Others may quote what was sent or configured: ``secrets`` are left out,
    and whatever looks like a key.
    """
    text = str(error).strip().splitlines()
    said = text[0] if text else ""
    if not isinstance(error, EdgeAgentError):
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            said = said.replace(secret, "...")
        said = _USER_INFO.sub("//...@", _KEY_LIKE.sub("...", said))
    place = next((frame for frame in reversed(traceback.extract_tb(error.__traceback__))), None)
    where = f" ({Path(place.filename).name}:{place.lineno} {place.name})" if place else ""
    if isinstance(error, EdgeAgentError):
        return said[:_LONGEST]
    return f"{type(error).__name__}: {said[:_LONGEST]}{where}"


class LastWords:
    """This run's words, kept in ``state_dir`` for the next. A folder that cannot be written costs them, nothing else.

    Attributes:
        restart: why this run began.
        starts: this one and the last ones before, the newest first.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        version: str,
        boot_id: str | None = None,
        frozen: str = "",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = state_dir / WORDS_FILE
        self._lock = threading.Lock()
        boot_id = _boot_id() if boot_id is None else boot_id
        before, end = _words(self._path), _end(state_dir / END_FILE)
        self.restart = why(before, end, version=version, boot_id=boot_id, frozen=frozen)
        with contextlib.suppress(OSError):
            (state_dir / END_FILE).unlink(missing_ok=True)  # made durable by what is written next
        earlier = before.starts if before is not None else ()
        self.starts = (Start(now(), self.restart.told), *earlier[: KEEP_STARTS - 1])
        self._words = Words(
            version=version, boot_id=boot_id, pid=os.getpid(), restart=str(self.restart), starts=self.starts
        )
        self._write()

    def late(self, text: str, for_everybody: str) -> None:
        """A part made no progress, and systemd will end us; empty texts: it made some. May be called from a thread."""
        with self._lock:
            if self._words.end is None:
                self._words = replace(self._words, late=text, late_for_everybody=for_everybody)
                self._write()

    def stopped(self, by: str) -> None:
        """Somebody wanted the end."""
        self._end_of(Cause.OPERATOR, by)

    def failed(self, error: BaseException, secrets: Collection[str] = ()) -> None:
        """An exception ends the run."""
        code = error.exit_code if isinstance(error, EdgeAgentError) else ExitCode.BUG
        self._end_of(_OF_EXIT_CODE.get(code, Cause.CRASH), last_line(error, secrets))

    def _end_of(self, cause: Cause, text: str) -> None:
        with self._lock:
            self._words = replace(self._words, end=cause, text=text)
            self._write()

    def _write(self) -> None:
        try:
            write_private(self._path, msgspec.json.encode(self._words))
        except OSError as error:
            log.warning(
                "%s cannot be written (%s): the next start will not know of this end", self._path, error.strerror
            )


def _words(path: Path) -> Words | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Words)
    except (OSError, msgspec.MsgspecError):
        return None


def _end(path: Path) -> End | None:
    try:
        result, *more = path.read_text(encoding="ascii", errors="replace").split()[:3]
    except (OSError, ValueError):
        return None
    return End(result, *more)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
