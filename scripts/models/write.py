"""Nodes to lines. The form of a line is described in `edge_agent/sinks/opcua/models/README.md`."""

from collections.abc import Iterable

import msgspec

from .namespaces import Model
from .node import Definition, Node, Reference, Space, Text, Value


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a file."""

    namespace: int
    uri: str
    version: str
    published: str


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The line of a node; what has its default is left out."""

    id: int | str
    node_class: int = msgspec.field(name="class")
    name: str
    display: Text | None = None
    refs: list[str]
    data_type: str = "0:24"
    rank: int = -1
    dims: tuple[int, ...] | None = None
    access: int = 1
    sampling: float = 0
    historizing: bool = False
    abstract: bool = False
    symmetric: bool = False
    inverse: str | None = None
    notifier: int = 0
    executable: bool = True
    value: Value | None = None
    definition: Definition | None = None


DEFAULTS = dict(zip(reversed(Row.__struct_fields__), reversed(Row.__struct_defaults__), strict=False))


def lines(model: Model, space: Space, nodes: Iterable[tuple[Node, set[Reference]]]) -> bytes:
    """The compiled file of one model: numeric ids ascending, then string ids ascending."""
    header = Header(namespace=model.index, uri=model.uri, version=space.version, published=space.published)
    rows = (_row(node, references) for node, references in sorted(nodes, key=lambda pair: pair[0].id.order))
    return b"".join(msgspec.json.encode(row) + b"\n" for row in (header, *rows))


def _row(node: Node, references: set[Reference]) -> Row:
    stated = {name: getattr(node, name) for name in Row.__struct_fields__ if name not in ("id", "refs")}
    # msgspec leaves out what is the same object as the default, not what is equal to it.
    rest = {name: value for name, value in stated.items() if value != DEFAULTS.get(name)}
    refs = [str(reference) for reference in sorted(references, key=lambda reference: reference.order)]
    return Row(id=node.id.identifier, refs=refs, **rest)
