"""`python -m scripts.models NODESETS FOLDER`: compile the models from the NodeSets into a folder."""

import asyncio
import sys
from pathlib import Path

from . import check, definitions, facts, merge, standard, write
from .namespaces import ADDITIVE, COMPANIONS, UA, Model
from .node import Node, NodeId, Reference, Space
from .nodeset_xml import NodeSet


def main(nodesets: Path, folder: Path) -> None:
    """Write the compiled file of every model."""
    spaces = {model: NodeSet(nodesets / model.nodeset, model).read() for model in (UA, *COMPANIONS)}
    spaces[UA] = with_service_types(spaces[UA])
    spaces[ADDITIVE] = facts.read()
    nodes, references = joined(spaces)
    for model, space in spaces.items():
        own = [(nodes[node_id], references[node_id]) for node_id in space.nodes]
        (folder / f"{model.file}.jsonl").write_bytes(write.lines(model, space, own))


def with_service_types(official: Space) -> Space:
    """Namespace 0 with the types of the services' parameters, which asyncua has and the official NodeSet leaves out."""
    nodes, references = asyncio.run(standard.read())
    return Space(
        version=official.version,
        published=official.published,
        nodes={**nodes, **official.nodes},
        references=official.references | references,
    )


def joined(spaces: dict[Model, Space]) -> tuple[dict[NodeId, Node], dict[NodeId, set[Reference]]]:
    """All nodes, with complete definitions, and all references in both directions; checked."""
    nodes = {node_id: node for space in spaces.values() for node_id, node in space.nodes.items()}
    references = merge.both_ways(reference for space in spaces.values() for reference in space.references)
    check.check(nodes, references)
    return definitions.complete(nodes, references), references


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
