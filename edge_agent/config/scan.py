"""Walk through JSON with comments once: where every value stands, and what a person got wrong.

It does not build values (msgspec does); it finds comments and trailing commas, remembers the offset of every key and
value, and turns the mistakes people make by hand into sentences. It keeps its own stack, so no nesting can exhaust
Python's. No text of a value is ever repeated in an error: it may be a key.
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

import msgspec

from .problem import JsonPath

DEPTH_LIMIT = 32
"""Levels of nesting; the deepest documented configuration has five."""

_NUMBER_LENGTH_LIMIT = 40

_SPACE = re.compile(r"[ \t\r\n]+")
_TEXT = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_TEXT_START = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_BARE = re.compile(r"[^\s,:\[\]{}\"'/]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS = frozenset({"true", "false", "null"})
_WRITTEN_IN_JSON = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false", "None": "null", "NULL": "null"}
_NOT_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity", "+Infinity", "nan", "inf", "-inf"})
_CLOSES = {"{": "}", "[": "]"}
_NAMES = {"{": "object", "[": "list"}


class ScanError(Exception):
    """The text is not JSON; ``offset`` is the character where that shows."""

    def __init__(self, offset: int, text: str) -> None:
        super().__init__(text)
        self.offset = offset
        self.text = text


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What the walk found: offsets are in characters from the start of the text.

    ``spaces`` are the ranges to blank out; ``duplicates`` the second and later keys of the same name in an object.
    """

    values: dict[JsonPath, int]
    keys: dict[JsonPath, int]
    spaces: list[tuple[int, int]]
    duplicates: list[JsonPath]


class _Frame:
    """An object or list that is still open."""

    __slots__ = ("index", "names", "offset", "path", "sign")

    def __init__(self, sign: str, offset: int, path: JsonPath) -> None:
        self.sign = sign
        self.offset = offset
        self.path = path
        self.index = 0
        self.names: set[str] = set()


class _Scanner:
    """The walk itself: ``_at`` is the next character, ``_open`` the stack, ``_path`` the value expected next."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[_Frame] = []
        self.scan = Scan(values={}, keys={}, spaces=[], duplicates=[])

    def run(self) -> Scan:
        self._skip_space()
        if self._at == len(self._text):
            raise ScanError(0, 'is empty; put a machine object or a list of them in it, or {"machines": []}')
        self._value(())
        while self._open:
            self._member(self._open[-1])
        self._skip_space()
        if self._at < len(self._text):
            self._refuse_rest()
        return self.scan

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        """Pass white space and comments; remember the comments."""
        while True:
            if found := _SPACE.match(self._text, self._at):
                self._at = found.end()
            elif self._text.startswith("//", self._at):
                end = self._text.find("\n", self._at)
                self._blank(self._at, len(self._text) if end < 0 else end)
            elif self._text.startswith("/*", self._at):
                end = self._text.find("*/", self._at + 2)
                if end < 0:
                    raise ScanError(self._at, "this comment is not closed; put */ at its end")
                self._blank(self._at, end + 2)
            else:
                return

    def _blank(self, start: int, end: int) -> None:
        self.scan.spaces.append((start, end))
        self._at = end

    def _member(self, frame: _Frame) -> None:
        """Pass one member of the innermost open object or list, or its closing sign."""
        self._skip_space()
        first = not (frame.index or frame.names)
        comma = None
        if not first and self._peek() == ",":
            comma = self._at
            self._at += 1
            self._skip_space()
        if self._peek() == _CLOSES[frame.sign]:
            if comma is not None:
                self.scan.spaces.append((comma, comma + 1))
            self._at += 1
            self._open.pop()
            return
        if not first and comma is None:
            self._refuse_next(frame)
        if frame.sign == "{":
            self._value((*frame.path, self._key(frame)))
        else:
            frame.index += 1
            self._value((*frame.path, frame.index - 1))

    def _refuse_next(self, frame: _Frame) -> NoReturn:
        """Something stands where a comma or the closing sign had to."""
        self._refuse_end()
        close = _CLOSES[frame.sign]
        if self._peek() in "]}":
            raise ScanError(self._at, f"expected {close} to close the {self._opened(frame)}, got {self._peek()}")
        self._refuse_odd_sign()
        raise ScanError(self._at, f"expected a comma or {close} before this; is a comma missing?")

    def _refuse_end(self) -> None:
        if self._at < len(self._text) or not self._open:
            return
        frame = self._open[-1]
        close = _CLOSES[frame.sign]
        raise ScanError(self._at, f"ends inside the {self._opened(frame)}; the file is cut off or {close} is missing")

    def _refuse_odd_sign(self) -> None:
        sign = self._peek()
        if sign == "#":
            raise ScanError(self._at, "a comment begins with //, not with #")
        if sign in {"'", "“", "”", "„", "‘", "’", "«", "»"}:  # noqa: RUF001 - these are the ones people paste
            raise ScanError(self._at, 'a text stands in straight double quotes: "')
        if sign == "/":
            raise ScanError(self._at, "a comment begins with // or /*")

    def _refuse_rest(self) -> NoReturn:
        if self._peek() in {"{", ","}:
            raise ScanError(self._at, "expected one value in the file; put several machines in a list: [{...}, {...}]")
        self._refuse_odd_sign()
        raise ScanError(self._at, "expected the end of the file; delete what follows the closing sign")

    def _opened(self, frame: _Frame) -> str:
        position = Lines(self._text).position(frame.offset)
        return f"{_NAMES[frame.sign]} opened at {position[0]}:{position[1]}"

    def _key(self, frame: _Frame) -> str:
        """Pass a key and its colon."""
        self._refuse_end()
        start = self._at
        if self._peek() != '"':
            self._refuse_odd_sign()
            raise ScanError(start, 'expected a key in double quotes, like "url"')
        name = self._string()
        path = (*frame.path, name)
        self.scan.keys[path] = start
        if name in frame.names:
            self.scan.duplicates.append(path)
        frame.names.add(name)
        self._skip_space()
        self._refuse_end()
        if self._peek() != ":":
            raise ScanError(self._at, "expected a colon between the key and its value")
        self._at += 1
        return name

    def _value(self, path: JsonPath) -> None:
        """Pass a scalar, or the opening sign of an object or list."""
        self._skip_space()
        self._refuse_end()
        self.scan.values[path] = self._at
        sign = self._peek()
        if sign in _CLOSES:
            if len(self._open) == DEPTH_LIMIT:
                raise ScanError(self._at, f"is nested deeper than {DEPTH_LIMIT} levels; no configuration needs that")
            self._open.append(_Frame(sign, self._at, path))
            self._at += 1
        elif sign == '"':
            self._string()
        else:
            self._bare()

    def _string(self) -> str:
        """Pass a text in quotes and decode it."""
        start = self._at
        found = _TEXT.match(self._text, start)
        if not found:
            self._refuse_string(start)
        self._at = found.end()
        try:
            return msgspec.json.decode(found[0].encode(), type=str)
        except msgspec.DecodeError:
            raise ScanError(
                start, "this text has half a character in a \\u escape; write the character itself"
            ) from None

    def _refuse_string(self, start: int) -> NoReturn:
        found = _TEXT_START.match(self._text, start)
        end = found.end() if found else start
        sign = self._text[end : end + 1]
        if sign == "\\":
            raise ScanError(end, "a backslash inside a text is written twice: \\\\")
        if sign in {"", "\n", "\r"}:
            raise ScanError(start, 'this text is not closed on its line; put " at its end')
        raise ScanError(end, "a tab or another control character stands inside a text; delete it")

    def _bare(self) -> None:
        """Pass a number, ``true``, ``false`` or ``null``."""
        found = _BARE.match(self._text, self._at)
        if not found:
            self._refuse_odd_sign()
            raise ScanError(self._at, f"expected a value, got {self._peek()}")
        token = found[0]
        if token not in _LITERALS:
            self._check_number(token)
        self._at = found.end()

    def _check_number(self, token: str) -> None:
        if token in _WRITTEN_IN_JSON:
            raise ScanError(self._at, f"in JSON {token} is written {_WRITTEN_IN_JSON[token]}")
        if token in _NOT_NUMBERS:
            raise ScanError(self._at, f"{token} is no number in JSON; write a number")
        if re.fullmatch(r"[0-9]{1,5}\+", token):
            raise ScanError(self._at, f'put "{token}" in quotes')
        if not _NUMBER.fullmatch(token):
            self._refuse_odd_sign()
            raise ScanError(self._at, "expected a value; a text stands in double quotes, a number is like 1 or 0.5")
        if len(token) > _NUMBER_LENGTH_LIMIT or not math.isfinite(float(token)):
            raise ScanError(self._at, "this number is too large")


class Lines:
    """Offsets of one text as lines and columns."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= offset else (low, middle)
        return low + 1, offset - self._starts[low] + 1


def scan(text: str) -> Scan:
    """Find every value of a JSON text.

    Raises:
        ScanError: it is not JSON, or is nested too deeply.
    """
    return _Scanner(text).run()
