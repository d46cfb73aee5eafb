"""JSON as people write it: comments, trailing commas and a byte order mark are tolerated, and every value has a place.

msgspec decodes; comments and trailing commas are first replaced by spaces of the same length, so that places hold.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import msgspec

from .problem import JsonPath, Position
from .scan import Lines, Scan, ScanError, scan

SIZE_LIMIT_BYTES = 1024 * 1024

_BYTE_IN_MESSAGE = re.compile(r"\s*\(byte (\d+)\)")
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


class JsonError(Exception):
    """The file is not JSON, or cannot be read at all (then without a position)."""

    def __init__(self, text: str, position: Position | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.position = position


class Document:
    """One decoded file. ``value`` is plain Python: dict, list, str, int, float, bool, None."""

    def __init__(self, value: object, text: str, found: Scan) -> None:
        self.value = value
        self._scan = found
        self._lines = Lines(text)

    def at(self, path: JsonPath) -> object:
        """The value at ``path``; ``None`` if there is none, as for null."""
        value: Any = self.value
        try:
            for step in path:
                value = value[step]
        except (LookupError, TypeError):
            return None
        return value

    def position(self, path: JsonPath) -> Position:
        """Where the value at ``path`` begins; of a value that is missing, where its nearest parent does."""
        while path and path not in self._scan.values:
            path = path[:-1]
        return self._place(self._scan.values[path])

    def key_position(self, path: JsonPath) -> Position:
        """Where the key of the value at ``path`` begins."""
        offset = self._scan.keys.get(path)
        return self.position(path) if offset is None else self._place(offset)

    @property
    def paths(self) -> list[JsonPath]:
        """Every value of the file, in file order."""
        return list(self._scan.values)

    @property
    def duplicates(self) -> list[JsonPath]:
        """Keys that stand a second time in their object."""
        return self._scan.duplicates

    def _place(self, offset: int) -> Position:
        return Position(*self._lines.position(offset))


def read(path: Path) -> Document:
    """Read and decode a file of at most 1 MiB.

    Raises:
        JsonError: it is missing, unreadable, too large, not UTF-8 or not JSON.
    """
    return parse(read_limited(path, SIZE_LIMIT_BYTES))


def read_limited(path: Path, limit_bytes: int) -> bytes:
    """Read a regular file that is no larger than ``limit_bytes``.

    Raises:
        JsonError: it cannot be read, with the reason and what to do; without a position if there is no text at all.
    """
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise JsonError("is a directory; name the file in it")
        if not stat.S_ISREG(about.st_mode):
            raise JsonError("is not a regular file; name a file")
        if about.st_size <= limit_bytes:
            with path.open("rb") as file:
                raw = file.read(limit_bytes + 1)
            if len(raw) <= limit_bytes:
                return raw
    except FileNotFoundError:
        raise JsonError("does not exist; check the name, or create it") from None
    except PermissionError:
        raise JsonError("may not be read by this user; change its owner or mode") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name is not usable"
        raise JsonError(f"cannot be read: {reason}") from None
    raise JsonError(f"is larger than {limit_bytes // 1024} KiB; this cannot be the right file", Position(1, 1))


def parse(raw: bytes) -> Document:
    """Decode the bytes of a file.

    Raises:
        JsonError: not UTF-8 or not JSON, with the position.
    """
    text = _decode(raw)
    try:
        found = scan(text)
    except ScanError as error:
        raise JsonError(error.text, Position(*Lines(text).position(error.offset))) from None
    return Document(_to_value(_blanked(text, found)), text, found)


def _decode(raw: bytes) -> str:
    for mark, name in _MARKS:
        if raw.startswith(mark):
            raise _wrong_encoding(name, Position(1, 1))
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\x00" in raw[:4]:
        raise _wrong_encoding("UTF-16", Position(1, 1))
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise _wrong_encoding("Latin-1 or Windows-1252", Position(*Lines(before).position(len(before)))) from None


def _wrong_encoding(name: str, position: Position) -> JsonError:
    return JsonError(f"is not UTF-8 (looks like {name}); save it as UTF-8", position)


def _blanked(text: str, found: Scan) -> bytes:
    """The text with spaces where comments and trailing commas were; line ends stay."""
    parts: list[str] = []
    last = 0
    for start, end in sorted(found.spaces):
        parts += (text[last:start], re.sub(r"[^\r\n]", " ", text[start:end]))
        last = end
    return "".join((*parts, text[last:])).encode()


def _to_value(raw: bytes) -> object:
    """Let msgspec decode; what it refuses beyond the scan is still told with a place."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        found = _BYTE_IN_MESSAGE.search(str(error))
        before = raw[: int(found[1])].decode(errors="ignore") if found else ""
        text = _BYTE_IN_MESSAGE.sub("", str(error))
        raise JsonError(text, Position(*Lines(before).position(len(before)))) from None
