"""``edge-agent credentials``: the OPC UA users that the agent makes, with their passwords, and the page's admin."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import msgspec
from msgspec import Struct

from ..admin import Admin
from ..config import ConfigFileError, load
from ..errors import ExitCode
from ..sinks.opcua.security.credentials import Credentials
from ..sinks.opcua.security.names import mes_user

_NONE = "no passwords yet: the agent makes one for every mes_id when it runs"
_ADMIN = "admin"
_ADMIN_SET = "status page: its admin password is set, and kept only as a hash; --admin makes a new one"
_ADMIN_NOT_SET = (
    "status page: its admin password is not set; set it there within 15 minutes of the agent's start, or make one with "
    "--admin"
)


class Line(Struct, frozen=True, kw_only=True):
    """One user. ``password`` is ``None`` if it is kept nowhere any more, ``in_use`` if config.json cannot be read."""

    user: str
    password: str | None
    in_use: bool | None


def credentials(
    *, config_path: Path, state_dir: Path, rotate: str | None, admin: bool, as_json: bool, out: TextIO
) -> ExitCode:
    """Print the users, or make a new password for one of them first; a running agent takes it over.

    Args:
        config_path: config.json; only for which users are in use.
        state_dir: where they are kept.
        rotate: this user gets a new password.
        admin: the status page's admin gets a new password, which is printed this once.
        as_json: a list of objects instead of lines.
        out: takes the report.

    Raises:
        UnavailableError: the files may not be read or written, or there is no such user.
    """
    if admin:
        made = Admin(state_dir).make()
        return _print([Line(user=_ADMIN, password=made.reveal(), in_use=None)], as_json=as_json, out=out)
    kept = Credentials(state_dir)
    if rotate is not None:
        kept.rotate(rotate)
    lines = _lines(kept, _users_in_use(config_path, state_dir))
    if rotate is not None:
        return _print([line for line in lines if line.user == rotate], as_json=as_json, out=out)
    _print(lines, as_json=as_json, out=out)
    if not as_json:
        if not lines:
            print(_NONE, file=out)
        print(_ADMIN_SET if Admin(state_dir).proof else _ADMIN_NOT_SET, file=out)
    return ExitCode.OK


def _print(lines: list[Line], *, as_json: bool, out: TextIO) -> ExitCode:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(lines), indent=2).decode(), file=out)
        return ExitCode.OK
    width = max((len(line.user) for line in lines), default=0)
    for line in lines:
        note = "  (no machine has this mes_id: refused)" if line.in_use is False else ""
        print(f"{line.user:<{width}}  {line.password or '-'}{note}", file=out)
    if any(line.password is None for line in lines):
        print("-: kept nowhere in the clear; --rotate makes a new one", file=out)
    return ExitCode.OK


def _lines(kept: Credentials, in_use: frozenset[str] | None) -> list[Line]:
    passwords = kept.passwords()
    return [
        Line(
            user=name,
            password=passwords[name].reveal() if name in passwords else None,
            in_use=None if in_use is None else name in in_use,
        )
        for name in sorted(kept.hashes())
    ]


def _users_in_use(config_path: Path, state_dir: Path) -> frozenset[str] | None:
    try:
        config = load(config_path, state_dir=state_dir, remember=False)
    except ConfigFileError:
        return None
    return frozenset(map(mes_user, config.opcua.mes_ids))
