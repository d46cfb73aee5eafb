"""``edge-agent support-bundle``: one archive for whoever helps, with no secret in it."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from ... import __version__
from ...errors import ExitCode, UnavailableError
from ...files import write_private
from ..doctor.commands import Ask, ask
from ..doctor.patient import Patient, admit
from ..doctor.prints import Unreadable, copy
from ..probe import probe
from .archive import Member, archive
from .contents import Sources, collect
from .known import known_secrets
from .redactor import Redactor

_NAME = "edge-agent-support-{:%Y%m%dT%H%M%SZ}"


def support_bundle(
    *,
    config_path: Path,
    state_dir: Path,
    default_config: bool,
    output: Path | None,
    with_names: bool,
    out: TextIO,
    ask: Ask = ask,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ExitCode:
    """Write the archive, and print what is in it.

    Args:
        config_path: config.json.
        state_dir: the agent's.
        default_config: nobody has named the file, so it may be missing.
        output: the archive; by default a new file here, named for the time.
        with_names: keep the names of printed files and of who printed them.
        out: takes the list.
        ask: runs a program of the system.
        now: the wall clock.

    Raises:
        UnavailableError: it cannot be written.
    """
    patient = admit(
        config_path=config_path, state_dir=state_dir, default_config=default_config, probe=probe, ask=ask, now=now
    )
    known = known_secrets(config_path=config_path, state_dir=state_dir, configured=patient.secrets)
    redactor = Redactor(known, names=_names(patient), salt=secrets.token_bytes(16), with_names=with_names)
    members = list(collect(Sources(patient, redactor)))
    readme = Member(name="README.txt", about="this list", text=redactor.text(_readme(members, with_names=with_names)))
    folder = _NAME.format(patient.now)
    file = (output or Path(f"{folder}.tar.gz")).absolute()
    content = archive(folder, [readme, *members], mtime=int(patient.now.timestamp()))
    try:
        write_private(file, content)
    except OSError as error:
        raise UnavailableError(f"{file}: {error.strerror}; name another file: -o FILE") from error
    print(_readme([readme, *members], with_names=with_names), file=out, end="")
    print(f"\n{file} ({len(content) // 1024 + 1} KiB). Look into it before you send it: tar -xzf {file.name}", file=out)
    return ExitCode.OK


def _readme(members: list[Member], *, with_names: bool) -> str:
    width = max(len(member.name) for member in members)
    listed = [f"  {member.name:<{width}}  {len(member.content):>8} bytes  {member.about}" for member in members]
    names = "are as they were" if with_names else "are replaced by short hashes; --with-names leaves them"
    return "\n".join(
        [
            f"A support bundle of edge-agent {__version__}.",
            "",
            *listed,
            "",
            "Keys, passwords and what looks like one are taken out. Private keys, hashes of passwords and the files of",
            f"secrets are not in it. Names of printed files and of who printed them {names}.",
            "Names and addresses of printers and of this computer are in it.",
            "",
        ]
    )


def _names(patient: Patient) -> set[str]:
    """Every name of a file in the journal, whole and without its ending, for where a text quotes it."""
    try:
        with copy(patient.state_dir) as journal:
            rows = journal.execute("SELECT DISTINCT file_name, file_path FROM runs").fetchall()
    except (OSError, sqlite3.Error, Unreadable):
        return set()
    names = {os.fsdecode(name) for row in rows for name in row if isinstance(name, str)}
    return names | {name.rpartition("/")[2] for name in names}
