"""Which texts must not be in a bundle: everything secret that this computer keeps for the agent, wherever it stands.

They are read so that they can be taken out of logs, and go nowhere else. Private keys and hashes of passwords are not
read at all: nothing that is collected comes from their files.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...config import jsonc
from ...config.newest import redacted
from ...config.secrets import looks_like_path
from ...errors import UnavailableError
from ...sinks.opcua.security.credentials import Credentials

_REFERENCES = {"authentication_file_path", "password_file"}
_SMALL_BYTES = 4096
_MOST_FILES = 500
_SHORTEST_UNKNOWN = 6
"""Under a key that nobody knows may stand anything: a short word is no secret, and would be taken out everywhere."""
_PAIR = re.compile(r'"([^"\n]{1,60})"\s*:\s*"([^"\n]*)"')
_PASSWORD_IN_URL = re.compile(r"//([^/\s@]*)@")


def known_secrets(*, config_path: Path, state_dir: Path, configured: Iterable[str]) -> set[str]:
    """All of them. What cannot be read cannot be in a log by our doing either.

    Args:
        config_path: config.json; its folder's other small files and older configurations count too.
        state_dir: where the MES' passwords are.
        configured: the secrets of the configuration in force.
    """
    found = set(configured)
    folder = config_path.absolute().parent
    configurations = {config_path, *_matching(folder, f"{config_path.name}*"), *_matching(folder, "*.json*")}
    for configuration in configurations:
        found.update(_of_configuration(configuration, folder))
    for file in _small_files(folder):
        found.update(_lines(file))
    with suppress(UnavailableError):
        found.update(secret.reveal() for secret in Credentials(state_dir).passwords().values())
    return {secret for secret in found if secret.strip()}


def _matching(folder: Path, pattern: str) -> list[Path]:
    with suppress(OSError):
        return [file for file in folder.glob(pattern) if file.is_file()][:_MOST_FILES]
    return []


def _of_configuration(file: Path, folder: Path) -> Iterator[str]:
    """What `redacted` would not show of a configuration, and what the files hold that it names."""
    try:
        value = jsonc.read(file).value
    except jsonc.JsonError:
        pairs = list(_pairs(file))
    else:
        pairs = list(_hidden(value, redacted(value), ""))
        pairs += [(key, text) for key, text in _texts(value, "") if key in _REFERENCES]
    for key, text in pairs:
        yield from (part for user in _PASSWORD_IN_URL.findall(text) for part in user.split(":")[1:])
        if key in _REFERENCES and looks_like_path(text):
            file = folder / text.strip()
            yield from _whole(file)
            if not file.suffix and not file.exists():
                yield text.strip()  # a key may have a slash in it
        elif key in {"api_key", "password", *_REFERENCES} or len(text) >= _SHORTEST_UNKNOWN:
            yield text.strip().strip("\"'")


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    """Keys and texts of a file that is no JSON: all of them that would not be shown."""
    with suppress(OSError, ValueError):
        for key, text in _PAIR.findall(file.read_text(encoding="utf-8", errors="replace")[: 1 << 20]):
            if redacted({key: text})[key] != text or key in _REFERENCES:
                yield key, text


def _hidden(value: Any, shown: Any, key: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - plain JSON
    """Values with their keys that differ in what is shown."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _hidden(item, shown[name], name)
    elif isinstance(value, list):
        for item, seen in zip(value, shown, strict=True):
            yield from _hidden(item, seen, key)
    elif value != shown and value is not None and not isinstance(value, bool):
        yield key, str(value)


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - plain JSON
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)
    elif isinstance(value, str):
        yield key, value


def _small_files(folder: Path) -> list[Path]:
    """Keys that nobody uses any more lie beside those in use; not deeper, for the folder may be somebody's home."""
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        if place != str(folder):
            folders.clear()
        found += [Path(place) / name for name in files if ".json" not in name]
        if len(found) > _MOST_FILES:
            break
    return [file for file in found[:_MOST_FILES] if _is_small(file)]


def _is_small(file: Path) -> bool:
    with suppress(OSError):
        about = file.stat()
        return stat.S_ISREG(about.st_mode) and about.st_size <= _SMALL_BYTES
    return False


def _whole(file: Path) -> Iterator[str]:
    """A secret file's text, as the agent takes it and as it stands there."""
    text = _read(file)
    yield text.strip()
    yield text.strip().strip("\"'").strip()


def _lines(file: Path) -> Iterator[str]:
    """Lines that could be a secret: long enough, and one word."""
    text = _read(file)
    if "-----BEGIN" in text:
        return
    for line in text.splitlines():
        word = line.strip().strip("\"'")
        if len(word) >= 2 * _SHORTEST_UNKNOWN and not re.search(r"\s", word):
            yield word


def _read(file: Path) -> str:
    with suppress(OSError, ValueError), file.open("rb") as opened:
        raw = opened.read(_SMALL_BYTES)
        wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        return raw.decode("utf-16" if wide else "utf-8-sig", errors="ignore")
    return ""
