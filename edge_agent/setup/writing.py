"""config.json, changed as a person would change it who never makes a mistake.

Every change starts from the file as it is on the disk, in the newest form (as ``edge-agent migrate`` makes it), and
keeps what it does not know. The new text is loaded beside the old one before it takes its place. Keys go first,
config.json by one rename, keys that nobody names any more go last: the power may fail at any instant.

Everything here blocks; a running agent does it in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from ..config import Config, ConfigFileError, Problem, jsonc, load
from ..config.aggregator import is_our_type
from ..config.ids import IdsFile
from ..config.newest import content_of, newest, pretty
from ..errors import EdgeAgentError
from ..files import PRIVATE, give, owner_of, write_private
from ..secret import Secret
from ..sinks.http.setting_up import Complaint, Outcome
from .edit import FORM_FIELDS, key_files, ours, place_of

_TRIAL = ".config.json.trial"
_NEW_MODE = 0o640
_PERMISSIONS = 0o777
_TRIES = 3


class Current(Struct, frozen=True, kw_only=True):
    """The file as it is on the disk.

    Attributes:
        raw: its bytes; ``None`` if there is none.
        value: it in the newest form.
        secrets: that have to be written for that form, by path relative to its folder.
        config: what it means; ``None`` if it cannot be used.
        problems: why it cannot.
    """

    raw: bytes | None
    value: dict[str, Any]
    secrets: dict[str, Secret] = field(default_factory=dict)
    config: Config | None = None
    problems: tuple[Problem, ...] = ()


class Change(Struct, frozen=True, kw_only=True):
    """The file as it shall be. ``machine_id`` is of the machine that it is about, empty if it is about none."""

    value: dict[str, Any]
    secrets: dict[str, Secret]
    machine_id: str = ""


Edit = Callable[[Current], "Change | tuple[Complaint, ...]"]


class ConfigFile:
    """config.json, to be changed.

    Args:
        path: where it is, or will be.
        state_dir: where machine ids are remembered; only read. Whoever owns it owns the keys.
    """

    def __init__(self, path: Path, *, state_dir: Path) -> None:
        self.path = path
        self.folder = path.absolute().parent
        self._state_dir = state_dir

    @property
    def previous(self) -> Path:
        """The file as it was before the last change."""
        return self._target.with_name(f"{self._target.name}.previous")

    @property
    def _target(self) -> Path:
        """The file itself, where ``path`` is a link."""
        return self.path.resolve()

    def remembered_ids(self) -> IdsFile:
        """Every machine id ever given out."""
        return IdsFile(self._state_dir)

    def change(self, edit: Edit) -> Outcome:
        """Change the file, if nothing is wrong with what comes out.

        Args:
            edit: makes the new file of the one there is; asked again if somebody else changed that meanwhile.
        """
        try:
            with self._alone():
                for _ in range(_TRIES):
                    outcome = self._changed(edit)
                    if outcome is not None:
                        return outcome
        except OSError as error:
            return Outcome(complaints=(_not_writable(error, self.path),))
        return _refused("somebody else is changing config.json all the time; try again")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time, also of several processes; the lock ends with whoever holds it."""
        number = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)

    def _changed(self, edit: Edit) -> Outcome | None:
        """What became of it; ``None`` if the file was changed by somebody else meanwhile."""
        try:
            current = self.read()
        except _ChangedMeanwhileError:
            return None
        except ConfigFileError as error:
            return Outcome(complaints=_complaints_of_file(error.problems))
        change = edit(current)
        if isinstance(change, tuple):
            return Outcome(complaints=change)
        made = self._write_secrets(change.secrets)
        keep = False
        try:
            complaints = self._wrong(current, change)
            if complaints:
                return Outcome(complaints=complaints)
            if self._bytes() != current.raw:
                return None
            self._replace(current, pretty(change.value))
            keep = True
        finally:
            if not keep:
                for file in made:
                    file.unlink(missing_ok=True)
        self._remove_unnamed(current, change)
        return Outcome(machine_id=change.machine_id)

    # Reading

    def read(self) -> Current:
        """The file as it is.

        Raises:
            ConfigFileError: it cannot be read, or not be understood far enough to be changed.
            OSError: its folder cannot be looked into.
        """
        raw = self._bytes()
        if raw is None:
            return Current(raw=None, value={"machines": []}, config=None)
        try:
            config = load(self.path, state_dir=self._state_dir, remember=False)
        except ConfigFileError as error:
            return self._broken(raw, error)
        if self._bytes() != raw:
            raise _ChangedMeanwhileError
        new = newest(jsonc.parse(raw).value, config, self.folder)
        return Current(raw=raw, value=new.value, secrets=new.secrets, config=config)

    def _broken(self, raw: bytes, error: ConfigFileError) -> Current:
        """A file in the newest form can be mended from here even while something is wrong with it."""
        try:
            value: Any = jsonc.parse(raw).value
        except jsonc.JsonError:
            raise error from None
        if not _is_newest(value):
            raise error
        return Current(raw=raw, value=value, problems=error.problems)

    def _bytes(self) -> bytes | None:
        try:
            return jsonc.read_limited(self.path, jsonc.SIZE_LIMIT_BYTES)
        except jsonc.JsonError as error:
            if not self.path.is_symlink() and not self.path.exists():
                return None
            raise ConfigFileError([Problem(file=str(self.path), text=error.text)]) from None

    # Trying

    def _wrong(self, current: Current, change: Change) -> tuple[Complaint, ...]:
        """Load the new file from beside the old one."""
        trial = self.folder / _TRIAL
        write_private(trial, pretty(change.value), owner=self._owner())
        try:
            config = load(trial, state_dir=self._state_dir, remember=False)
        except ConfigFileError as error:
            return _complaints(error, current, change)
        finally:
            trial.unlink(missing_ok=True)
        if current.config is not None:
            _prove(current.config, config, change)
        return ()

    # Writing

    def _owner(self) -> tuple[int, int]:
        """The agent's user, who has to read keys: it owns its state."""
        return owner_of(self._state_dir if self._state_dir.is_dir() else self.folder)

    def _write_secrets(self, secrets: dict[str, Secret]) -> list[Path]:
        """Write those that are not there yet; the files that were made."""
        made = []
        for name, secret in secrets.items():
            file = self.folder / name
            if not file.parent.exists():
                file.parent.mkdir(mode=0o700)
                give(file.parent, self._owner())
            if not file.exists():
                write_private(file, content_of(secret), owner=self._owner())
                made.append(file)
        return made

    def _replace(self, current: Current, content: bytes) -> None:
        target = self._target
        if current.raw is None:
            write_private(target, content, mode=_NEW_MODE)
            return
        about = target.stat()
        owner = (about.st_uid, about.st_gid)
        if _is_by_hand(current.raw):
            # The next change replaces ``previous``: a person's comments must outlive that.
            write_private(_backup_path(target), current.raw, mode=PRIVATE, owner=owner)
        write_private(self.previous, current.raw, mode=PRIVATE, owner=owner)
        write_private(target, content, mode=about.st_mode & _PERMISSIONS, owner=owner)

    def _remove_unnamed(self, current: Current, change: Change) -> None:
        """A key that was ours to write, and that no machine names any more, has no use but to be found."""
        before = key_files(ours(current.value)) - set(current.secrets)
        for name in before - key_files(change.value["machines"]):
            if re.fullmatch(r"secrets/[a-z0-9-]+\.key", name):
                with contextlib.suppress(OSError):
                    (self.folder / name).unlink()


class _ChangedMeanwhileError(Exception):
    """Somebody else wrote the file while it was read."""


def _is_newest(value: object) -> bool:
    """Good enough to be changed without knowing what it means: every machine of ours says its id and its key file."""
    if not isinstance(value, dict) or not isinstance(value.get("machines"), list):
        return False
    for machine in value["machines"]:
        if not isinstance(machine, dict) or not isinstance(machine.get("type"), str):
            return False
        if is_our_type(machine["type"]) and not (isinstance(machine.get("id"), str) and "api_key" not in machine):
            return False
    return True


def _is_by_hand(raw: bytes) -> bool:
    try:
        return pretty(jsonc.parse(raw).value) != raw
    except jsonc.JsonError:
        return True


def _backup_path(target: Path) -> Path:
    """As ``migrate`` calls its backups."""
    name = f"{target.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    path, number = target.with_name(f"{name}.bak"), 1
    while path.exists():
        number += 1
        path = target.with_name(f"{name}-{number}.bak")
    return path


def _prove(old: Config, new: Config, change: Change) -> None:
    """Nothing has changed but what should: a fault of ours must not take another machine from the MES."""
    kept = {entry.machine.id: entry for entry in new.machines}
    others = all(kept.get(entry.machine.id) == entry for entry in old.machines if entry.machine.id != change.machine_id)
    same = (
        replace(new.opcua, mes_ids=frozenset()) == replace(old.opcua, mes_ids=frozenset())
        and (new.http, new.polling) == (old.http, old.polling)
        and (not change.machine_id or new.states == old.states)
    )
    if not (others and same):
        raise EdgeAgentError("the new config.json would change more than was asked for; it is as it was; report this")


# Words


def _refused(text: str) -> Outcome:
    return Outcome(complaints=(Complaint(field="", text=text),))


def _not_writable(error: OSError, path: Path) -> Complaint:
    reason = error.strerror or type(error).__name__
    remedy = {
        errno.EROFS: "its unit keeps the agent from writing there; see ReadOnlyPaths= in: systemctl cat edge-agent",
        errno.EACCES: f"the agent may not write there; run: sudo chgrp edge-agent {path.parent}; "
        f"sudo chmod 770 {path.parent}",
        errno.EPERM: "the agent may not write there; look at the owner and mode of the folder",
        errno.ENOSPC: "the disk is full; make room",
        errno.ENOENT: "make the folder",
    }.get(error.errno or 0, "look at the disk")
    return Complaint(field="", text=f"{error.filename or path} cannot be written: {reason}; {remedy}")


def _complaints_of_file(problems: tuple[Problem, ...]) -> tuple[Complaint, ...]:
    """What is wrong with the file that is there: nothing is changed before that is put right."""
    return tuple(
        Complaint(
            field="",
            text=f"{problem.path}: {problem.text}" if problem.path else problem.text,
            line=problem.position.line if problem.position else None,
            column=problem.position.column if problem.position else None,
        )
        for problem in problems
        if problem.severity == "error"
    )


def _complaints(error: ConfigFileError, current: Current, change: Change) -> tuple[Complaint, ...]:
    """What is wrong with the new file: of the form by its fields, of the rest as it stands in the old file."""
    place = place_of(change.value, change.machine_id)
    mine = f"machines[{place}]"
    found = [_complaint(problem, mine) for problem in error.problems if problem.severity == "error"]
    if current.config is not None:
        return tuple(found)  # the old file was good, so all of it comes from the form
    others = tuple(problem for problem in current.problems if not problem.path.startswith(mine))
    return (*(complaint for complaint in found if complaint.field), *_complaints_of_file(others)) or tuple(found)


def _complaint(problem: Problem, mine: str) -> Complaint:
    """A problem in the words of a form: whatever field it is, the form has it once."""
    text = re.sub(r"stands also at [0-9:]+", "is another machine's already", problem.text)
    states = re.fullmatch(r"states\.(\w+\.\w+)", problem.path)
    if states:
        return Complaint(field=states[1], text=text)
    name = problem.path.removeprefix(f"{mine}.").rpartition(".")[2]
    if name == "authentication_file_path" and problem.path.startswith(mine):
        return Complaint(field="pairing", text=text)
    if name in FORM_FIELDS:
        return Complaint(field=name, text=text)
    return Complaint(field="", text=f"{problem.path}: {text}" if problem.path else text)
