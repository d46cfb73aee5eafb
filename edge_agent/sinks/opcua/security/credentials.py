"""The passwords that the agent makes for the MES instances, kept in the state folder.

``users.json`` has the hashes that log-ins are compared with. ``passwords.json`` has the passwords themselves, for
``edge-agent credentials``; whoever has copied them may delete it. Both are for the agent's user and root only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from ....errors import UnavailableError
from ....files import write_private
from ....passwords import hash_password, is_hash, make_password
from ....secret import Secret

HASHES = "users.json"
PASSWORDS = "passwords.json"
_FILE_BYTES = 1024 * 1024


class User(Struct, frozen=True, kw_only=True):
    """What is kept of one user."""

    hash: str


class UsersFile(Struct, frozen=True):
    """``users.json``."""

    users: dict[str, User]


class PasswordsFile(Struct, frozen=True):
    """``passwords.json``."""

    passwords: dict[str, str]


class Credentials:
    """The two files of one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: tuple[int, int, int] | None = None
        self._hashes: dict[str, str] = {}

    def hashes(self) -> dict[str, str]:
        """Hash by user name; the file is read again when it has changed.

        Raises:
            UnavailableError: it cannot be read, or is damaged.
        """
        file = self.folder / HASHES
        try:
            about = file.stat()
        except FileNotFoundError:
            self._seen, self._hashes = None, {}
            return self._hashes
        except OSError as error:
            raise self._trouble(error) from error
        seen = (about.st_mtime_ns, about.st_size, about.st_ino)
        if seen != self._seen:
            self._hashes = self._read_hashes()
            self._seen = seen
        return self._hashes

    def passwords(self) -> dict[str, Secret]:
        """Password by user name, of those that are still kept.

        Raises:
            UnavailableError: the file may not be read, or is damaged.
        """
        raw = self._raw(PASSWORDS)
        if raw is None:
            return {}
        try:
            found = msgspec.json.decode(raw, type=PasswordsFile)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _damaged(self.folder / PASSWORDS) from error
        return {name: Secret(text) for name, text in found.passwords.items()}

    def make_missing(self, names: Iterable[str]) -> list[str]:
        """Make the users that are not there yet, and say which. Takes its time: not for the event loop.

        Raises:
            UnavailableError: a file cannot be read or written.
        """
        with self._alone():
            made = [name for name in names if name not in self.hashes()]
            if made:
                self._write({name: make_password() for name in made})
        return made

    def rotate(self, name: str) -> Secret:
        """Give a user a new password; the old one is refused from now on. Takes its time.

        Raises:
            UnavailableError: there is no such user, or a file cannot be read or written.
        """
        with self._alone():
            known = self.hashes()
            if name not in known:
                there = ", ".join(sorted(known)) or "none yet; the agent makes them when it runs"
                raise UnavailableError(f"no generated password belongs to {name!r}; users: {there}")
            password = make_password()
            self._write({name: password})
        return password

    def _write(self, new: dict[str, Secret]) -> None:
        """The passwords first: one that is refused can be made again, one that nobody knows cannot be told."""
        passwords = {**self.passwords(), **new}
        users = {name: User(hash=kept) for name, kept in self.hashes().items()}
        users |= {name: User(hash=hash_password(password)) for name, password in new.items()}
        plain = {name: password.reveal() for name, password in sorted(passwords.items())}
        self._put(PASSWORDS, PasswordsFile(plain))
        self._put(HASHES, UsersFile(dict(sorted(users.items()))))

    def _put(self, name: str, content: Struct) -> None:
        try:
            write_private(self.folder / name, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        except OSError as error:
            raise self._trouble(error) from error

    def _read_hashes(self) -> dict[str, str]:
        raw = self._raw(HASHES)
        if raw is None:
            return {}
        try:
            users = msgspec.json.decode(raw, type=UsersFile).users
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _damaged(self.folder / HASHES) from error
        if not all(is_hash(user.hash) for user in users.values()):
            raise _damaged(self.folder / HASHES)
        return {name: user.hash for name, user in users.items()}

    def _raw(self, name: str) -> bytes | None:
        try:
            with (self.folder / name).open("rb") as opened:
                return opened.read(_FILE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._trouble(error) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The agent and a command may both want to write."""
        try:
            number = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise self._trouble(error) from error
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)

    def _trouble(self, error: OSError) -> UnavailableError:
        file = error.filename or self.folder
        if isinstance(error, PermissionError):
            return UnavailableError(f"{file} is for the agent's user and root only; use sudo")
        return UnavailableError(f"{file}: {error.strerror}; is --state-dir right, and the disk not full?")


def _damaged(file: Path) -> UnavailableError:
    return UnavailableError(
        f"{file} is damaged; restore it from a backup, or delete it and start the agent anew: it makes new passwords, "
        "which every MES has to be told"
    )
