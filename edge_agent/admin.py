"""The password of whoever changes something on the status page: ``admin.json`` in the state folder.

It is set once: by the first who asks in the quarter of an hour after the agent's start, or by ``edge-agent
credentials --admin``, which also replaces it at any time. Only its slow hash is kept. A file that is damaged counts as
a password that nobody knows, so that breaking it opens nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from .errors import EdgeAgentError, UnavailableError
from .files import write_private
from .passwords import hash_password, is_hash, make_password, matches
from .secret import Secret

FILE = "admin.json"
FIRST_USE_S = 15 * 60.0
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
_FILE_BYTES = 4096
_NOBODYS = f"scrypt$14$8$1${'00' * 16}${'00' * 32}"
"""No password's hash: what is compared with while there is none, which takes as long."""


class AdminRefused(EdgeAgentError):
    """The password is not set."""


class AlreadySet(AdminRefused):
    """There is one: whoever set it, was first."""


class TooLate(AdminRefused):
    """The time for the first use is over."""


class Unfit(AdminRefused):
    """The new password is too short or too long."""


class _File(Struct, frozen=True):
    """``admin.json``."""

    hash: str


class Admin:
    """The file of one state folder.

    Args:
        folder: the state folder.
        monotonic: seconds, for all that has to do with this password; the time for the first use begins when this is
            made.
    """

    def __init__(self, folder: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._file = folder / FILE
        self.monotonic = monotonic
        self._until = monotonic() + FIRST_USE_S
        self._seen: tuple[int, int, int] | None = None
        self._kept = ""

    @property
    def proof(self) -> str:
        """The same as long as the password is; empty while there is none. Read again when the file has changed.

        Raises:
            UnavailableError: the file cannot be read.
        """
        try:
            about = self._file.stat()
            seen = (about.st_mtime_ns, about.st_size, about.st_ino)
            if seen != self._seen:
                self._kept = self._read()
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._kept = None, ""
        except OSError as error:
            raise self._trouble(error) from error
        return self._kept

    @property
    def first_use_s(self) -> float:
        """How long the password may still be set without knowing one; 0 if it is set, or the time is over.

        Raises:
            UnavailableError: the file cannot be read.
        """
        return 0.0 if self.proof else max(0.0, self._until - self.monotonic())

    def knows(self, password: Secret) -> bool:
        """Is it this one. Takes its time, the same for every answer: not for the event loop.

        Raises:
            UnavailableError: the file cannot be read.
        """
        kept = self.proof
        usable = is_hash(kept)
        right = matches(password.reveal()[:LONGEST_PASSWORD], kept if usable else _NOBODYS)
        return right and usable and len(password.reveal()) <= LONGEST_PASSWORD

    def set_first(self, password: Secret) -> str:
        """Set it if there is none, and it is time; the result is its `proof`. Takes its time.

        Raises:
            AdminRefused: it is not done, and the text says why.
            UnavailableError: the file cannot be read or written.
        """
        check(password)
        hashed = hash_password(password)
        with self._alone():
            if self.proof:
                raise AlreadySet("the password is set already; log in with it")
            if not self.first_use_s:
                raise TooLate(
                    "the time to set it is over; restart the agent, or run: sudo edge-agent credentials --admin"
                )
            self._write(hashed)
        return hashed

    def change(self, password: Secret, *, proof: str) -> str:
        """Replace it; the result is the new `proof`. Takes its time.

        Args:
            password: the new one.
            proof: of the old one, as whoever changes it knew it.

        Raises:
            AdminRefused: it is not done, and the text says why.
            UnavailableError: the file cannot be read or written.
        """
        check(password)
        hashed = hash_password(password)
        with self._alone():
            if self.proof != proof:
                raise AlreadySet("somebody else has just changed the password; log in with the new one")
            self._write(hashed)
        return hashed

    def make(self) -> Secret:
        """Make a new one, whatever there was, and hand it out this once. Takes its time.

        Raises:
            UnavailableError: the file cannot be written.
        """
        password = make_password()
        hashed = hash_password(password)
        with self._alone():
            self._write(hashed)
        return password

    def _read(self) -> str:
        with self._file.open("rb") as opened:
            raw = opened.read(_FILE_BYTES)
        try:
            kept = msgspec.json.decode(raw, type=_File).hash
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return "damaged"
        return kept if is_hash(kept) else "damaged"

    def _write(self, hashed: str) -> None:
        try:
            write_private(self._file, msgspec.json.encode(_File(hashed)) + b"\n")
        except OSError as error:
            raise self._trouble(error) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The agent and a command may both want to write."""
        try:
            number = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._trouble(error) from error
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)

    def _trouble(self, error: OSError) -> UnavailableError:
        if isinstance(error, PermissionError):
            return UnavailableError(f"{self._file} is for the agent's user and root only; use sudo")
        return UnavailableError(f"{self._file}: {error.strerror}; is --state-dir right, and the disk not full?")


def check(password: Secret) -> None:
    """May it be one.

    Raises:
        Unfit: it may not.
    """
    if len(password.reveal()) < SHORTEST_PASSWORD:
        raise Unfit(f"a password of fewer than {SHORTEST_PASSWORD} letters can be guessed; take a longer one")
    if len(password.reveal()) > LONGEST_PASSWORD:
        raise Unfit(f"a password may have {LONGEST_PASSWORD} letters at most")
