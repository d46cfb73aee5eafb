"""The compiled information models: rows of facts, read from the disk when somebody asks for them.

``models/*.jsonl`` holds one node a line (see the README there). What stays in memory is an index of the lines; a row is
read when it is asked for, which the system's page cache makes cheap. Every namespace has a fixed index, so identifiers
are final.
"""

from __future__ import annotations

import os
import re
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

MODELS = {
    0: "ua",
    2: "di",
    3: "ia",
    4: "machinery",
    5: "isa95-jobcontrol",
    6: "machinery-jobs",
    7: "irdi",
    8: "padim",
    9: "process-values",
    10: "machine-tool",
    11: "additive-manufacturing",
}
"""File names by namespace index; 1 is the application's own namespace."""

FOLDER = Path(__file__).parents[1] / "models"
_KEPT_ROWS = 256
_LINE = re.compile(rb'^\{"id":(?:(\d+)|"((?:[^"\\]|\\.)*)")', re.MULTILINE)


class Key(NamedTuple):
    """A NodeId as plain Python: small, hashable, and no wire type."""

    namespace: int
    identifier: int | str


class Reference(NamedTuple):
    """One reference of a node."""

    type: Key
    forward: bool
    target: Key


class Value(Struct, frozen=True):
    """A value in its JSON form; ``type`` is the number of the built-in type."""

    type: int
    value: Any
    array: bool = False
    dims: list[int] | None = None


class StructureField(Struct, frozen=True):
    """One field of a structure."""

    name: str
    data_type: str
    rank: int = -1
    dims: list[int] | None = None
    optional: bool = False
    max_length: int = 0


class Definition(Struct, frozen=True):
    """What values of a DataType are: an enumeration's (name, number, text if it is not the name), or a structure."""

    enum: list[tuple[Any, ...]] | None = None
    struct: list[StructureField] | None = None
    kind: int = 0
    base: str = "0:0"
    encoding: str = "0:0"


class Row(Struct, frozen=True, rename={"node_class": "class"}):
    """One node of a model, as its line says it; see the README beside the files for each key."""

    id: int | str
    node_class: int
    name: str
    display: str | tuple[str, str] | None = None
    description: str | None = None
    refs: tuple[str, ...] = ()
    data_type: str = "0:24"
    rank: int = -1
    dims: tuple[int, ...] | None = None
    access: int = 1
    sampling: float = 0.0
    historizing: bool = False
    abstract: bool = False
    symmetric: bool = False
    inverse: str | None = None
    notifier: int = 0
    executable: bool = True
    value: Value | None = None
    definition: Definition | None = None

    @property
    def references(self) -> Iterator[Reference]:
        """The row's references, both directions, in the order of the file."""
        for text in self.refs:
            kind, way, target = _REFERENCE.fullmatch(text).groups()  # type: ignore[union-attr] # compiled, not typed
            yield Reference(Key(0, int(kind)) if kind.isdigit() else key(kind), way == ">", key(target))


_REFERENCE = re.compile(r"([0-9:]+)([<>])(.*)", re.DOTALL)
_decode_row = msgspec.json.Decoder(Row).decode


class Header(Struct, frozen=True):
    """The first line of a file: which model this is."""

    namespace: int
    uri: str
    version: str
    published: str


class _Model:
    """One open file and where its lines begin."""

    def __init__(self, path: Path) -> None:
        # Read by position, not mapped: pages of a mapped file count as this process's memory, and stay.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        lines = path.read_bytes()
        self.header = msgspec.json.decode(lines[: lines.find(b"\n")], type=Header)
        self.numbers = array("L")
        self._starts = array("L")
        self.texts: dict[str, int] = {}
        for match in _LINE.finditer(lines):
            if match[1] is not None:
                self.numbers.append(int(match[1]))  # ascending, by the compiler's promise
            else:
                self.texts[msgspec.json.decode(b'"' + match[2] + b'"', type=str)] = len(self._starts)
            self._starts.append(match.start())
        self._starts.append(len(lines))

    def line(self, identifier: int | str) -> int | None:
        """The number of a node's line among the nodes, ``None`` if there is no such node."""
        if isinstance(identifier, str):
            return self.texts.get(identifier)
        index = bisect_left(self.numbers, identifier)
        return index if index < len(self.numbers) and self.numbers[index] == identifier else None

    def row(self, line: int) -> Row:
        start = self._starts[line]
        return _decode_row(os.pread(self._file, self._starts[line + 1] - start, start))


class Nodeset:
    """All models. Rows are decoded on demand, and the last few kept."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._models = {index: _Model(folder / f"{name}.jsonl") for index, name in MODELS.items()}
        self.find = lru_cache(maxsize=_KEPT_ROWS)(self._find)
        self.supertypes = lru_cache(maxsize=_KEPT_ROWS)(self._supertypes)

    def _find(self, node: Key) -> Row | None:
        """The node's row, ``None`` if no model has such a node."""
        model = self._models.get(node.namespace)
        line = model.line(node.identifier) if model else None
        return None if model is None or line is None else model.row(line)

    def __getitem__(self, node: Key) -> Row:
        """The row of a node that is known to be there."""
        row = self.find(node)
        if row is None:
            raise KeyError(text(node))
        return row

    def __contains__(self, node: object) -> bool:
        if not isinstance(node, Key):
            return False
        model = self._models.get(node.namespace)
        return model is not None and model.line(node.identifier) is not None

    def __iter__(self) -> Iterator[Key]:
        for namespace, model in self._models.items():
            for identifier in model.numbers:
                yield Key(namespace, identifier)
            for name in model.texts:
                yield Key(namespace, name)

    @property
    def headers(self) -> tuple[Header, ...]:
        """What models these are, by namespace index."""
        return tuple(model.header for model in self._models.values())

    def _supertypes(self, node: Key) -> tuple[Key, ...]:
        """The type itself and what it derives from, nearest first."""
        line = [node]
        while (row := self.find(line[-1])) is not None:
            above = next((ref.target for ref in row.references if ref.type == HAS_SUBTYPE and not ref.forward), None)
            if above is None:
                break
            line.append(above)
        return tuple(line)

    def is_subtype(self, node: Key, ancestor: Key) -> bool:
        """True also of the type itself."""
        return ancestor in self.supertypes(node)


def key(text_: str) -> Key:
    """A NodeId from the text that the files use: ``ns:123``, or ``ns:=name``."""
    namespace, _, identifier = text_.partition(":")
    return Key(int(namespace), identifier[1:] if identifier.startswith("=") else int(identifier))


def text(node: Key) -> str:
    """The text that the files use; the opposite of `key`."""
    is_text = isinstance(node.identifier, str)
    return f"{node.namespace}:{'=' if is_text else ''}{node.identifier}"


ORGANIZES = Key(0, 35)
HAS_MODELLING_RULE = Key(0, 37)
HAS_TYPE_DEFINITION = Key(0, 40)
HAS_SUBTYPE = Key(0, 45)
HAS_PROPERTY = Key(0, 46)
HAS_COMPONENT = Key(0, 47)
HAS_NOTIFIER = Key(0, 48)
HAS_ORDERED_COMPONENT = Key(0, 49)
HAS_INTERFACE = Key(0, 17603)
HAS_ADD_IN = Key(0, 17604)
