"""What must be true of the compiled models."""

from collections.abc import Iterator, Mapping

from .node import (
    DATA_TYPE,
    HAS_SUBTYPE,
    HAS_TYPE_DEFINITION,
    OBJECT,
    OBJECT_TYPE,
    REFERENCE_TYPE,
    VARIABLE,
    VARIABLE_TYPE,
    Node,
    NodeId,
    Reference,
)

ROOTS = {NodeId(0, number) for number in (24, 31, 58, 62)}
"""BaseDataType, References, BaseObjectType, BaseVariableType."""
TYPES = {OBJECT_TYPE, VARIABLE_TYPE, REFERENCE_TYPE, DATA_TYPE}


def check(nodes: Mapping[NodeId, Node], references: Mapping[NodeId, set[Reference]]) -> None:
    """Raise ValueError, naming the first faults, unless the models hang together."""
    faults = [*_dangling(nodes, references), *_typing(nodes, references), *_inheritance(nodes, references)]
    if faults:
        raise ValueError("\n".join(faults[:20]))


def _dangling(nodes: Mapping[NodeId, Node], references: Mapping[NodeId, set[Reference]]) -> Iterator[str]:
    for node_id, found in references.items():
        named = {node_id} | {r.target for r in found} | {r.type for r in found}
        for other in named - nodes.keys():
            yield f"{node_id}: a reference needs {other}, which is not there"
    for node_id, node in nodes.items():
        if NodeId.parse(node.data_type) not in nodes:
            yield f"{node_id}: its data type {node.data_type} is not there"


def _typing(nodes: Mapping[NodeId, Node], references: Mapping[NodeId, set[Reference]]) -> Iterator[str]:
    wanted = {OBJECT: OBJECT_TYPE, VARIABLE: VARIABLE_TYPE}
    for node_id, node in nodes.items():
        found = [r.target for r in references.get(node_id, ()) if r.type == HAS_TYPE_DEFINITION]
        if node.node_class not in wanted:
            if found:
                yield f"{node_id}: has a type definition, its class has none"
        elif len(found) != 1 or nodes[found[0]].node_class != wanted[node.node_class]:
            yield f"{node_id}: has {len(found)} type definitions, or one of the wrong class"


def _inheritance(nodes: Mapping[NodeId, Node], references: Mapping[NodeId, set[Reference]]) -> Iterator[str]:
    for node_id, node in nodes.items():
        if node.node_class not in TYPES:
            continue
        found = [r.target for r in references[node_id] if r.type == HAS_SUBTYPE and not r.forward]
        if len(found) != (node_id not in ROOTS) or any(nodes[other].node_class != node.node_class for other in found):
            yield f"{node_id}: has {len(found)} supertypes, or one of another class"
