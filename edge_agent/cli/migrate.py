"""``edge-agent migrate``: config.json in the newest form, with its secrets in files of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from ..config import Config, ConfigFileError, load
from ..config.load import read_document
from ..config.newest import Newest, content_of, newest, pretty, redacted
from ..errors import EdgeAgentError, ExitCode, UnavailableError
from ..files import give, owner_of, write_private

_PERMISSIONS = 0o777


def migrate(*, config_path: Path, state_dir: Path, write: bool, out: TextIO) -> ExitCode:
    """Print or write the newest form.

    Args:
        config_path: config.json; with ``write`` it is replaced and a backup is kept beside it.
        state_dir: where machine ids are remembered; only read unless ``write``.
        write: without it nothing touches the disk, and no secret is printed.
        out: takes the new file (without ``write``) and what was or would be done, as comments.

    Returns:
        CONFIG if the file cannot be used as it is, else OK.

    Raises:
        UnavailableError: a file cannot be written; config.json is as it was.
    """
    try:
        # A state directory that root made here could not be written by the agent later.
        config = load(config_path, state_dir=state_dir, remember=write and state_dir.is_dir())
    except ConfigFileError as error:
        print(error, file=out)
        return ExitCode.CONFIG
    value = read_document(config_path).value
    new = newest(value, config, config_path.absolute().parent)
    if new.value == value:
        print(f"// {config_path} is in the newest form already; nothing to do", file=out)
    elif write:
        try:
            _write(config_path, state_dir, config, new, out)
        except OSError as error:
            reason = f"{error.filename or config_path} cannot be written: {error.strerror}"
            raise UnavailableError(f"{reason}; {config_path} is as it was") from error
    else:
        _preview(config_path, new, out)
    return ExitCode.OK


def _preview(config_path: Path, new: Newest, out: TextIO) -> None:
    print(f"// {config_path} in the newest form. Nothing was written; with --write:", file=out)
    for line in _moves(new):
        print(f"//   {line}", file=out)
    print("//   the file as it is now is kept as a backup; comments stay only there", file=out)
    print(pretty(redacted(new.value)).decode(), end="", file=out)


def _moves(new: Newest) -> Iterator[str]:
    for path, secret in new.secrets.items():
        yield f"a secret (fingerprint {secret.fingerprint}) goes to {path}, mode 0600"


def _write(config_path: Path, state_dir: Path, config: Config, new: Newest, out: TextIO) -> None:
    """Secrets first, then proof that the new file means the same, then the backup, and the file itself last."""
    target = config_path.resolve()
    before = target.read_bytes()
    folder = config_path.absolute().parent
    _write_secrets(folder, new, owner_of(state_dir) if state_dir.is_dir() else owner_of(target))
    _prove(folder, state_dir, config, pretty(new.value))
    backup = _backup_path(target)
    write_private(backup, before, owner=owner_of(target))
    write_private(target, pretty(new.value), mode=target.stat().st_mode & _PERMISSIONS, owner=owner_of(target))
    for line in _moves(new):
        print(f"// {line}", file=out)
    print(f"// {config_path} is written; the old one is {backup}", file=out)


def _write_secrets(folder: Path, new: Newest, owner: tuple[int, int]) -> None:
    """Their owner is the agent's user, who has to read them."""
    for path, secret in new.secrets.items():
        file = folder / path
        if not file.parent.exists():
            file.parent.mkdir(mode=0o700)
            give(file.parent, owner)
        write_private(file, content_of(secret), owner=owner)


def _prove(folder: Path, state_dir: Path, config: Config, content: bytes) -> None:
    """Load the new file from beside the old one before it takes its place."""
    trial = folder / ".config.json.trial"
    write_private(trial, content)
    try:
        if load(trial, state_dir=state_dir, remember=False) != config:
            raise EdgeAgentError("the new form does not mean the same; config.json is as it was; please report this")
    finally:
        trial.unlink()


def _backup_path(target: Path) -> Path:
    name = f"{target.name}.{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    path, number = target.with_name(f"{name}.bak"), 1
    while path.exists():
        number += 1
        path = target.with_name(f"{name}-{number}.bak")
    return path
