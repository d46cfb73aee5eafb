"""DataTypeDefinitions as the attribute has them, from those that the NodeSets state.

A NodeSet lists a structure's own fields only. The attribute's list begins with the fields of the base type, and names
the base type and, unless the type is abstract, its binary encoding (OPC 10000-3, 8.48).
"""

from collections.abc import Mapping

import msgspec

from .node import HAS_ENCODING, HAS_SUBTYPE, Definition, Node, NodeId, Reference

STRUCTURE, UNION = NodeId(0, 22), NodeId(0, 12756)
UNION_KIND = 2


def complete(nodes: Mapping[NodeId, Node], references: Mapping[NodeId, set[Reference]]) -> dict[NodeId, Node]:
    """The nodes with complete definitions.

    Args:
        nodes: all nodes of all models.
        references: every node's references in both directions.

    Raises:
        ValueError: a structure is of no StructureType.
    """
    return {
        node_id: msgspec.structs.replace(node, definition=_complete(node_id, nodes, references))
        for node_id, node in nodes.items()
    }


def _complete(
    node_id: NodeId, nodes: Mapping[NodeId, Node], references: Mapping[NodeId, set[Reference]]
) -> Definition | None:
    own = nodes[node_id].definition
    if own is None or own.struct is None:
        return own
    types = _with_supertypes(node_id, references)
    if STRUCTURE not in types:
        return None  # the empty definition of Enumeration, which says nothing
    stated = [nodes[type_id].definition for type_id in reversed(types)]
    kinds = {definition.kind or 0 for definition in stated if definition} | ({UNION_KIND} if UNION in types else set())
    if len(kinds - {0}) > 1:
        raise ValueError(f"{node_id}: no StructureType is {sorted(kinds)} at once")
    return Definition(
        struct=tuple(field for definition in stated if definition for field in definition.struct or ()),
        kind=max(kinds),
        base=str(types[1]),
        encoding=None if nodes[node_id].abstract else _encoding(node_id, nodes, references),
    )


def _with_supertypes(node_id: NodeId, references: Mapping[NodeId, set[Reference]]) -> list[NodeId]:
    """The type, its base and so on to the root."""
    found = [node_id]
    while above := [r.target for r in references[found[-1]] if r.type == HAS_SUBTYPE and not r.forward]:
        found += above
    return found


def _encoding(node_id: NodeId, nodes: Mapping[NodeId, Node], references: Mapping[NodeId, set[Reference]]) -> str | None:
    found = (r.target for r in references[node_id] if r.type == HAS_ENCODING and r.forward)
    return next((str(target) for target in found if nodes[target].name == "0:Default Binary"), None)
