"""The newest form of a configuration that was read: 1.4+ keys, ids pinned, every secret in a file of its own.

Pure but for a look at which secret files exist already. ``cli/migrate`` prints or writes what comes out of here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..secret import Secret
from .aggregator import INLINE_KEYS, KIND, is_our_type
from .entries import HttpEntry, MachineEntry, OpcUaEntry, PollingEntry, SettingsEntry, StateEntry, TlsEntry, UserEntry
from .ids import slug
from .load import machine_values
from .options import Config, MachineConfig
from .secrets import looks_like_path

_NOT_SHOWN = "(not shown)"
_REFERENCES = frozenset({"authentication_file_path", "password_file"})
_SECRETS = frozenset({"api_key", "password"})
_ENTRIES = (MachineEntry, TlsEntry, UserEntry, OpcUaEntry, HttpEntry, PollingEntry, StateEntry, SettingsEntry)
_KNOWN = frozenset(field.encode_name for entry in _ENTRIES for field in msgspec.structs.fields(entry))
_SHOWN = (_KNOWN | {"machines", "unique_name"}) - _SECRETS
_REWRITTEN = frozenset(
    {"id", "type", "url", "custom_name", "api_key", "authentication_file_path", "mes_id", "umati_server_port"}
)


class Newest(Struct, frozen=True):
    """The new file as plain JSON values, and the secrets to write, by path relative to its folder."""

    value: dict[str, Any]
    secrets: dict[str, Secret]


def newest(value: Any, config: Config, folder: Path) -> Newest:  # noqa: ANN401 - plain JSON
    """Rewrite a file.

    Args:
        value: the file's plain JSON, which loads to ``config``.
        config: what it means.
        folder: where it stands.
    """
    secrets: dict[str, Secret] = {}
    ours = iter(config.machines)
    machines = [
        _machine(machine, next(ours), folder, secrets) if is_our_type(machine["type"]) else machine
        for machine in _objects(value)
    ]
    settings = {key: item for key, item in value.items() if key != "machines"} if _has_settings(value) else {}
    opcua = _opcua(settings.get("opcua"), value, config, folder, secrets)
    if opcua is not None:
        settings["opcua"] = opcua
    if settings.get("http"):
        settings["http"] = _with_password_files(settings["http"], "http", folder, secrets)
    return Newest({"machines": machines, **settings}, secrets)


def redacted(value: Any, name: str = "machines") -> Any:  # noqa: ANN401 - plain JSON
    """The same with every text taken out that is, or could be, a secret: all that stands under keys we do not know."""
    if isinstance(value, dict):
        inside = name in _SHOWN and name not in _REFERENCES
        return {key: redacted(item, key if inside else "") for key, item in value.items()}
    if isinstance(value, list):
        return [redacted(item, name) for item in value]
    if name not in _SHOWN or (isinstance(value, str) and not _may_be_shown(value, name)):
        return _NOT_SHOWN
    return value


def _may_be_shown(text: str, name: str) -> bool:
    return looks_like_path(text) if name in _REFERENCES else "@" not in text


def _objects(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - plain JSON
    return [item for _, item in machine_values(value) or () if isinstance(item, dict)]


def _has_settings(value: Any) -> bool:  # noqa: ANN401 - plain JSON
    return isinstance(value, dict) and "machines" in value


def _machine(old: dict[str, Any], config: MachineConfig, folder: Path, secrets: dict[str, Secret]) -> dict[str, Any]:
    machine = config.machine
    reference = old.get("authentication_file_path")
    if config.key and config.dialect in INLINE_KEYS:
        reference = file_for(config.key, f"{machine.id}.key", folder, secrets)
    name = {"custom_name": machine.name} if machine.name else {}
    rest = {key: item for key, item in old.items() if key not in _REWRITTEN}
    return {
        "id": machine.id,
        "type": KIND,
        "url": machine.url,
        **name,
        "authentication_file_path": reference,
        "mes_id": list(machine.mes_ids),
        **rest,
    }


def _opcua(
    old: dict[str, Any] | None, value: object, config: Config, folder: Path, secrets: dict[str, Secret]
) -> dict[str, Any] | None:
    """The endpoint's settings with the machines' port hints and the users' passwords taken care of."""
    new = dict(old or {})
    ours = [machine for machine in _objects(value) if is_our_type(machine["type"])]
    if any(machine.get("umati_server_port") is not None for machine in ours):
        new["port"] = f"{config.opcua.port}+" if config.opcua.port_or_next else config.opcua.port
        if config.opcua.extra_ports:
            new["extra_ports"] = list(config.opcua.extra_ports)
    new = _with_password_files(new, "opcua", folder, secrets)
    return new if new or old is not None else None


def _with_password_files(
    section: dict[str, Any], name: str, folder: Path, secrets: dict[str, Secret]
) -> dict[str, Any]:
    if not section.get("users"):
        return section
    return section | {"users": [_user(user, name, folder, secrets) for user in section["users"]]}


def _user(old: dict[str, Any], section: str, folder: Path, secrets: dict[str, Secret]) -> dict[str, Any]:
    if old.get("password") is None:
        return old
    file = f"{section}-{slug(old['name']) or 'user'}.password"
    rest = {key: item for key, item in old.items() if key not in {"password", "password_file"}}
    return rest | {"password_file": file_for(Secret(old["password"]), file, folder, secrets)}


def _free_for(secret: Secret, file: Path) -> bool:
    try:
        return file.read_bytes() == content_of(secret)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def file_for(secret: Secret, name: str, folder: Path, secrets: dict[str, Secret]) -> str:
    """The file a secret goes to, which is noted in ``secrets``: never one that holds another secret already.

    Args:
        secret: what it will hold.
        name: the file's, with an ending, as it should be.
        folder: of config.json.
        secrets: those that are to be written, by path relative to ``folder``.
    """
    stem, _, ending = name.rpartition(".")
    path, number = f"secrets/{name}", 1
    while secrets.get(path, secret) != secret or not _free_for(secret, folder / path):
        number += 1
        path = f"secrets/{stem}-{number}.{ending}"
    secrets[path] = secret
    return path


def content_of(secret: Secret) -> bytes:
    """What a secret's file holds."""
    return secret.reveal().encode() + b"\n"


def pretty(value: Any) -> bytes:  # noqa: ANN401 - plain JSON
    """The bytes of a file that we write."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
