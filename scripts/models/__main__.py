"""`python -m scripts.models NODESETS FOLDER`: compile the models from the NodeSets into a folder."""

import sys
from pathlib import Path

from . import check, definitions, facts, left_out, merge, write
from .namespaces import ADDITIVE, MODELS, Model
from .node import Node, NodeId, Reference, Space
from .nodeset_xml import NodeSet


def main(nodesets: Path, folder: Path) -> None:
    """Write the compiled file of every model."""
    spaces = {model: space(model, nodesets) for model in MODELS}
    nodes, references = joined(spaces)
    for model, stated in spaces.items():
        own = [(nodes[node_id], references[node_id]) for node_id in stated.nodes if node_id in nodes]
        (folder / f"{model.file}.jsonl").write_bytes(write.lines(model, stated, own))


def space(model: Model, nodesets: Path) -> Space:
    """What the source of a model states."""
    return facts.read() if model is ADDITIVE else NodeSet(nodesets / model.nodeset, model).read()


def joined(spaces: dict[Model, Space]) -> tuple[dict[NodeId, Node], dict[NodeId, set[Reference]]]:
    """All nodes that are not left out, with complete definitions and references in both directions; checked."""
    nodes = {node_id: node for stated in spaces.values() for node_id, node in stated.nodes.items()}
    references = merge.both_ways(reference for stated in spaces.values() for reference in stated.references)
    check.check(nodes, references)
    nodes, references = left_out.prune(nodes, references)
    check.check(nodes, references)
    return definitions.complete(nodes, references), references


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
