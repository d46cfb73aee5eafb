"""Our own nodes as a client sees them, in a file: one JSON object per line, first nodes, then references.

NodeIds are their OPC UA text; attribute values are the DataValue's bytes as on the wire, in hex, so that nothing of a
value is lost on its way into another server.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

import msgspec
from asyncua import ua
from asyncua.common.utils import Buffer
from msgspec import Struct, field

OWN_NAMESPACES = (1, 12, 13)


class TreeNode(Struct, tag="node", tag_field="entry"):
    """One node: ``attributes`` by AttributeId; ``parent`` stands before it in the file, or is a standard's."""

    id: str
    parent: str = ""
    parent_reference: str = ""
    attributes: dict[int, str] = field(default_factory=dict)


class Reference(Struct, tag="reference", tag_field="entry", frozen=True):
    """A reference as ``source`` has it."""

    source: str
    type: str
    forward: bool
    target: str


class Change(Struct, frozen=True, array_like=True):
    """A value that a variable took ``after_s`` the beginning of a recording."""

    after_s: float
    node: str
    value: str


def own(node_id: ua.NodeId) -> bool:
    """Is it a node of ours, and not of a standard?"""
    return node_id.NamespaceIndex in OWN_NAMESPACES


def to_text(node_id: ua.NodeId) -> str:
    """The NodeId as text."""
    return ua.NodeId(node_id.Identifier, node_id.NamespaceIndex, node_id.NodeIdType).to_string()


def to_value(encoded: str) -> ua.DataValue:
    """A DataValue from its hex."""
    return ua.ua_binary.from_binary(ua.DataValue, Buffer(bytes.fromhex(encoded)))


def write_tree(path: Path, nodes: Iterable[TreeNode], references: Iterable[Reference]) -> None:
    """Write a file anew."""
    with path.open("wb") as file:
        for entry in (*nodes, *references):
            file.write(msgspec.json.encode(entry) + b"\n")


def read_tree(path: Path) -> Iterator[TreeNode | Reference]:
    """Line by line, so that a server that is measured need not hold it all."""
    decoder = msgspec.json.Decoder(TreeNode | Reference)
    with path.open("rb") as file:
        for line in file:
            yield decoder.decode(line)


def parents_first(
    nodes: Iterable[TreeNode], references: Iterable[Reference], *, hierarchical: Container[str]
) -> Iterator[TreeNode]:
    """Give each node a parent and put it behind that.

    Raises:
        ValueError: some nodes hang on nothing.
    """
    pending = {node.id: node for node in nodes}
    parents: dict[str, list[Reference]] = {}
    for reference in references:
        if reference.source in pending and not reference.forward and reference.type in hierarchical:
            parents.setdefault(reference.source, []).append(reference)
    while pending:
        placed = 0
        for node in list(pending.values()):
            found = next((parent for parent in parents.get(node.id, ()) if parent.target not in pending), None)
            if found is not None:
                node.parent, node.parent_reference = found.target, found.type
                placed += 1
                yield pending.pop(node.id)
        if not placed:
            raise ValueError(f"no parent is there for {sorted(pending)[:10]}")


def variables(path: Path) -> list[str]:
    """The NodeIds of all variables."""
    return [
        entry.id
        for entry in read_tree(path)
        if isinstance(entry, TreeNode) and node_class(entry) is ua.NodeClass.Variable
    ]


def node_class(node: TreeNode) -> ua.NodeClass:
    """Its NodeClass."""
    value = to_value(node.attributes[ua.AttributeIds.NodeClass]).Value
    assert value is not None
    return ua.NodeClass(value.Value)


def write_changes(path: Path, changes: Iterable[Change]) -> None:
    """Write a recording anew."""
    path.write_bytes(b"".join(msgspec.json.encode(change) + b"\n" for change in changes))


def read_changes(path: Path) -> list[Change]:
    """A recording."""
    decoder = msgspec.json.Decoder(Change)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]
