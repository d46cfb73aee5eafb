"""config.json and the files it names: are they right, and may the agent read them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from ...config import Severity
from .finding import Finding, bad, look, ok, parted, unseen
from .patient import Patient

_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - where nothing is written
"""Folders that the unit does not show to the agent."""
_SHOWN_BY_SYSTEMD = Path("/run/credentials")
_ACCESS_LIST = "system.posix_acl_access"


def configuration(patient: Patient) -> Iterator[Finding]:
    """Every problem of the file, as ``edge-agent check`` has it."""
    reading, path = patient.reading, patient.config_path
    if reading.missing:
        remedy = "put your config.json there (docs/config.md), or set the printers up in the browser"
        if patient.default_config:
            yield look(
                f"no configuration yet: there is no {path}", f"{remedy}; the running agent takes it over by itself"
            )
        else:
            yield bad(f"there is no {path}", "give the right name to --config")
        return
    if reading.hidden:
        yield unseen(f"{path}, or a file that it names, is not for this user to read", "run this with sudo")
        return
    for problem in reading.problems:
        text, remedy = parted(str(problem))
        make = bad if problem.severity is Severity.ERROR else look
        yield make(text, remedy or "see docs/config.md")
    if reading.config is not None:
        machines = len(reading.config.machines)
        yield ok(f"{path}: {machines} machine{'' if machines == 1 else 's'}")
    if patient.default_config and patient.root:
        yield from _readable(patient, reading.files)


def _readable(patient: Patient, files: tuple[Path, ...]) -> Iterator[Finding]:
    """Root reads everything; the agent is somebody else."""
    try:
        user = pwd.getpwnam(patient.unit.get("User", ""))
    except KeyError:
        return  # there is no unit, or it was never installed
    groups = {user.pw_gid, *(group.gr_gid for group in grp.getgrall() if user.pw_name in group.gr_mem)}
    for file in files:
        whole = Path(os.path.abspath(file))  # noqa: PTH100 - without following links, which resolve() does
        if whole.is_relative_to(_SHOWN_BY_SYSTEMD):
            continue
        if any(whole.is_relative_to(hidden) for hidden in _HIDDEN):
            yield bad(
                f"{file} is in a folder that the unit hides from the agent",
                f"move it to {patient.config_path.parent}",
            )
        elif obstacle := obstacle_for(whole, user.pw_uid, groups):
            yield bad(
                f"the agent's user {user.pw_name} may not read {file}, because of the mode of {obstacle}",
                _let_in(user.pw_name, whole, obstacle, secret=file != patient.config_path),
            )


def _let_in(user: str, file: Path, obstacle: Path, *, secret: bool) -> str:
    """As install.sh leaves them: secrets are the agent's own, config.json is root's and the agent may read it."""
    if obstacle != file:
        return f"sudo chgrp {user} {obstacle}; sudo chmod g+rx {obstacle}"
    if secret:
        return f"sudo chown {user}: {file}; sudo chmod 600 {file}"
    return f"sudo chgrp {user} {file}; sudo chmod 640 {file}"


def obstacle_for(file: Path, uid: int, groups: set[int]) -> Path | None:
    """The file or folder whose owner and mode keep a user from reading ``file``; ``None`` if nothing does.

    Something with an access list of its own is taken to be as somebody wanted it.
    """
    for place, wanted in [*((folder, 0o1) for folder in reversed(file.parents)), (file, 0o4)]:
        try:
            about = place.stat()
        except OSError:
            return None  # it is missing, which is told elsewhere
        if _has_access_list(place):
            continue
        shift = 6 if about.st_uid == uid else 3 if about.st_gid in groups else 0
        if not stat.S_IMODE(about.st_mode) >> shift & wanted:
            return place
    return None


def _has_access_list(place: Path) -> bool:
    try:
        return _ACCESS_LIST in os.listxattr(place)
    except OSError:
        return False
