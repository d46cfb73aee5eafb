"""Turn plain JSON values into entries, reporting every problem instead of the first.

Each field is converted on its own by msgspec; what fails becomes a sentence and ``None``.
"""

from __future__ import annotations

import enum
import json
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from .problem import JsonPath
from .report import Report

E = TypeVar("E", bound=Struct)

_LIKE_A_KEY = re.compile(r"[A-Za-z0-9]{16,}|(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{16,}")
_SHOWN_LENGTH = 60
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}
_WANTED: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    list: "a list",
    dict: "an object",
}


class _Choice:
    """One type a field may have: the type itself, and the words and limits that go with it."""

    def __init__(self, kind: Any) -> None:  # noqa: ANN401 - a type expression
        self.whole = kind
        self.metas: list[Meta] = []
        if get_origin(kind) is Annotated:
            kind, *metas = get_args(kind)
            self.metas = [meta for meta in metas if isinstance(meta, Meta)]
        self.kind: type = get_origin(kind) or kind
        self.items = get_args(kind)

    @property
    def is_struct(self) -> bool:
        return issubclass(self.kind, Struct)

    @property
    def secret(self) -> bool:
        return any((meta.extra or {}).get("secret") for meta in self.metas)

    @property
    def wanted(self) -> str:
        """What is expected, in words."""
        for meta in self.metas:
            if words := (meta.extra or {}).get("wanted"):
                return str(words)
        if issubclass(self.kind, enum.Enum):
            return "one of " + ", ".join(f'"{member.value}"' for member in self.kind)
        if self.is_struct:
            return "an object"
        return _WANTED.get(self.kind, "another value") + self._limits()

    def _limits(self) -> str:
        for meta in self.metas:
            if meta.ge is not None and meta.le is not None:
                return f" from {meta.ge} to {meta.le}"
        return ""


def collect(report: Report, value: object, kind: type[E], path: JsonPath, *, also: tuple[str, ...] = ()) -> E | None:
    """Read an object into an entry; report what is wrong, missing or unknown in it.

    Args:
        report: takes the problems.
        value: the plain JSON value.
        kind: the entry's struct.
        path: where ``value`` stands.
        also: further keys that somebody else reads.

    Returns:
        The entry, with ``None`` in every field that is missing or wrong; ``None`` if ``value`` is no object.
    """
    if not isinstance(value, dict):
        report.error(path, f"expected an object in {{ }}, got {show(value)}")
        return None
    fields = msgspec.structs.fields(kind)
    names = {field.encode_name for field in fields}
    for key in value.keys() - names - set(also):
        report.unknown_key((*path, key), names)
    return kind(**{field.name: _field(report, value, field, path) for field in fields})


def show(value: object) -> str:
    """A value for an error text, unless it could be a secret: long texts, key-like ones, credentials."""
    if isinstance(value, dict | list):
        return _KINDS[type(value)]
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _SHOWN_LENGTH and "@" not in text and not _LIKE_A_KEY.search(text):
        return text
    return f"a text of {len(value)} characters" if isinstance(value, str) else _KINDS[type(value)]


def _field(report: Report, value: dict[str, Any], field: msgspec.structs.FieldInfo, path: JsonPath) -> object:
    here = (*path, field.encode_name)
    found = value.get(field.encode_name)
    if found is not None:
        return _convert(report, found, field.type, here)
    if field.required:
        got = "is null" if field.encode_name in value else "is missing"
        report.error(here, f"{got}; put {_words(field.type)} here")
    return None


def _convert(report: Report, value: object, kind: Any, path: JsonPath) -> object:  # noqa: ANN401 - a type expression
    choices = [_Choice(each) for each in _alternatives(kind)]
    for choice in choices:
        if choice.is_struct and isinstance(value, dict):
            return collect(report, value, choice.kind, path)
        if choice.kind is list and isinstance(value, list):
            return _items(report, value, choice.items[0], path)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        report.error(path, _complaint(value, choices))
        return None


def _items(report: Report, values: list[Any], kind: Any, path: JsonPath) -> list[Any] | None:  # noqa: ANN401 - as above
    """Each item converted; ``None`` if one of a plain type is wrong, so that half a list is never taken for a whole."""
    items = [_convert(report, value, kind, (*path, index)) for index, value in enumerate(values)]
    return None if None in items and not issubclass(_Choice(kind).kind, Struct) else items


def _alternatives(kind: Any) -> Iterator[Any]:  # noqa: ANN401 - a type expression
    """The types of a union without ``None``."""
    if get_origin(kind) in {Union, types.UnionType}:
        yield from (each for each in get_args(kind) if each is not types.NoneType)
    else:
        yield kind


def _words(kind: Any) -> str:  # noqa: ANN401 - a type expression
    return _wanted([_Choice(each) for each in _alternatives(kind)])


def _wanted(choices: list[_Choice]) -> str:
    special = [choice.wanted for choice in choices if any((meta.extra or {}).get("wanted") for meta in choice.metas)]
    return special[0] if special else " or ".join(choice.wanted for choice in choices)


def _complaint(value: object, choices: list[_Choice]) -> str:
    """Expected, got, and what to do where that is plain."""
    got = _KINDS[type(value)] if any(choice.secret for choice in choices) else show(value)
    return f"expected {_wanted(choices)}, got {got}{_remedy(value, choices)}"


def _remedy(value: object, choices: list[_Choice]) -> str:
    kinds = {choice.kind for choice in choices}
    if isinstance(value, str) and kinds & {int, float, bool} and str not in kinds:
        plain = value.strip().lower() in {"true", "false"} or re.fullmatch(r"[+-]?[0-9.]+", value.strip())
        return "; remove the quotes" if plain else ""
    if type(value) in {int, float} and kinds == {str}:
        return "; put it in quotes"
    return ""
