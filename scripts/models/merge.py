"""References in both directions, across all models."""

from collections import defaultdict
from collections.abc import Iterable

from .node import NodeId, Reference

FORWARD_ONLY = {NodeId(0, number) for number in (37, 40, 41, 3065)}
"""HasModellingRule, HasTypeDefinition, GeneratesEvent, AlwaysGeneratesEvent: a server need not show their inverse, and
a client that asks for what refers to BaseDataVariableType does not want thousands of nodes."""


def both_ways(stated: Iterable[tuple[NodeId, Reference]]) -> dict[NodeId, set[Reference]]:
    """Every node's references, whichever of the two nodes the model states them at."""
    found: defaultdict[NodeId, set[Reference]] = defaultdict(set)
    for node_id, reference in stated:
        source, target = (node_id, reference.target) if reference.forward else (reference.target, node_id)
        found[source].add(Reference(reference.type, True, target))
        if reference.type not in FORWARD_ONLY:
            found[target].add(Reference(reference.type, False, source))
    return dict(found)
