"""In which call the event loop stands still: a traceback, in a file, taken from outside of it.

Python's faulthandler writes it from a thread of its own that needs no interpreter, when nobody has called `Freeze.turn`
for a while, and when systemd ends us with SIGABRT. It has files, lines and names of functions, and no values. The two
have a file each: a process that was stopped as a whole and goes on writes both at the same moment.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import re
import threading
from pathlib import Path

from .files import write_private

log = logging.getLogger(__name__)

_FILE = "traceback.txt"
_END_FILE = "traceback-at-end.txt"
_OLD_FILE = "traceback-before.txt"
_WENT_ON = "--- went on ---"
_LARGEST_BYTES = 256 * 1024
_LONGEST_READ = 4 * _LARGEST_BYTES
_HEADER = re.compile(r"^main thread (0x[0-9a-f]+)$", re.MULTILINE)
_FRAME = re.compile(r'^  File "([^"]*)", line (\d+) in (.*)$', re.MULTILINE)
_IDLE = ("asyncio/runners.py", "selectors.py", "asyncio/base_events.py")


class Freeze:
    """Takes the tracebacks of one process; its files are in ``state_dir``.

    Attributes:
        before: what stood still when the last process ended, in words, and in which call; empty if nothing did.
    """

    def __init__(self, state_dir: Path, *, silent_s: float) -> None:
        self._path = state_dir / _FILE
        self._end_path = state_dir / _END_FILE
        self._silent_s = silent_s
        self._main_thread = f"0x{threading.main_thread().ident:016x}"
        self._seen = 0
        self._number: int | None = None
        self._end_number: int | None = None
        self.before = ""
        try:
            self.before = self._set_aside()
            self._number = _begun(self._path, self._header)
            self._seen = len(self._header)
            self._end_number = _begun(self._end_path, self._header)
        except OSError as error:
            log.warning(
                "%s cannot be written (%s): there will be no traceback of a freeze",
                error.filename or self._path, error.strerror,
            )  # fmt: skip
            return
        faulthandler.enable(file=self._end_number)

    def turn(self) -> None:
        """The event loop goes round. Call it more often than every ``silent_s`` seconds."""
        if self._number is None:
            return
        faulthandler.dump_traceback_later(self._silent_s, file=self._number)
        try:
            self._look()
        except OSError:  # a full disk must not be what stops us
            self._seen = 0

    def close(self) -> None:
        """Take no more tracebacks."""
        if self._number is None:
            return
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        for number in (self._number, self._end_number):
            if number is not None:
                os.close(number)
        self._number = self._end_number = None

    def _look(self) -> None:
        assert self._number is not None  # noqa: S101 - `turn` has looked
        size = os.fstat(self._number).st_size
        if size <= self._seen:
            return
        what = _standing_still(_read(self._path)) or "the event loop stood still"
        log.warning("%s, for more than %g s; %s has the traceback", what, self._silent_s, self._path)
        os.write(self._number, f"{_WENT_ON}\n".encode())
        if size > _LARGEST_BYTES:
            os.ftruncate(self._number, 0)
            os.write(self._number, self._header)
        self._seen = os.fstat(self._number).st_size

    @property
    def _header(self) -> bytes:
        return f"main thread {self._main_thread}\n".encode()

    def _set_aside(self) -> str:
        """Keep what the last process left, if there is a traceback in it."""
        left, at_end = _read(self._path), _read(self._end_path)
        if _FRAME.search(left + at_end):
            write_private(self._path.with_name(_OLD_FILE), (left + at_end).encode())
        return _standing_still(at_end) or _standing_still(left)


def _begun(path: Path, header: bytes) -> int:
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.write(number, header)
    return number


def _read(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            return opened.read(_LONGEST_READ).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _standing_still(text: str) -> str:
    """What the main thread was in when the last traceback was taken; empty if it went on after that."""
    header = _HEADER.search(text)
    last = text.rpartition(_WENT_ON)[2]
    _, found, stack = last.rpartition(f"hread {header[1]}" if header else "Current thread")
    frames = _FRAME.findall(stack.split("\n\n")[0].partition("\nThread ")[0]) if found else []
    if not frames:
        return ""
    path, line, function = frames[0]
    if path.endswith(_IDLE):
        return "the process as a whole stood still"
    call = f"the event loop stood still in {_short(path)}:{line} {function}"
    ours = next((frame for frame in frames if "/edge_agent/" in frame[0]), None)
    return call if ours is None or ours == frames[0] else f"{call}, called by {_short(ours[0])}:{ours[1]} {ours[2]}"


def _short(path: str) -> str:
    parts = Path(path).parts
    start = len(parts) - 1 - parts[::-1].index("edge_agent") if "edge_agent" in parts else -2
    return "/".join(parts[start:])
