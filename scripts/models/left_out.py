"""What the models have and this server has not: a node that nothing stands behind is a promise that is broken.

Types all stay: a client may meet any of them elsewhere, and needs the whole of a model to understand a part.
"""

from collections.abc import Mapping

import msgspec

from .node import (
    DATA_TYPE,
    HAS_MODELLING_RULE,
    OBJECT_TYPE,
    REFERENCE_TYPE,
    VARIABLE_TYPE,
    Node,
    NodeId,
    Reference,
    Value,
)

References = dict[NodeId, set[Reference]]

ROOT = NodeId(0, 84)
TYPES = {OBJECT_TYPE, VARIABLE_TYPE, REFERENCE_TYPE, DATA_TYPE}
SUBSET = "0:IsNamespaceSubset"
TRUE = Value(type=1, value=True)

LEFT_OUT = {
    # Server
    "0:12637": "ServerConfiguration: certificates are not distributed over OPC UA",
    "0:14443": "PublishSubscribe: nothing is published",
    "0:19372": "ServerLog: systemd keeps the log",
    "0:24226": "Resources: network interfaces and streams are not described",
    "0:32530": "Quantities: none are defined; units are UNECE's",
    "0:32637": "DefaultHAConfiguration: values have no history",
    "0:32754": "DefaultHEConfiguration: it would have to say what the journal holds and since when, which changes",
    "0:15004": "UrisVersion: sessionless services are not there",
    "0:17634": "LocalTime: all times are UTC, and the time zone is nobody's concern here",
    "0:12749": "SetSubscriptionDurable: no subscription outlives the server",
    "0:12886": "RequestServerStateChange: systemd starts and stops the server",
    # ServerCapabilities
    "0:15606": "RoleSet: everybody who gets in may read everything, and nothing else",
    "2:6387": "MaxInactiveLockTime: nothing can be locked",
    "0:24101": "ConformanceUnits: none was tested by the tool that tests them",
    "0:11702": "MaxArrayLength: no limit of its own, which is said by its absence",
    "0:11703": "MaxStringLength: the same",
    "0:12911": "MaxByteStringLength: the same",
    # OperationLimits: one that is shown must not be 0
    "0:11711": "MaxNodesPerRegisterNodes: no limit",
    "0:11713": "MaxNodesPerNodeManagement: every change is refused",
    "0:12165": "MaxNodesPerHistoryReadData: values have no history",
    "0:12167": "MaxNodesPerHistoryUpdateData: history is not changed",
    "0:12168": "MaxNodesPerHistoryUpdateEvents: history is not changed",
    # ServerDiagnostics, ServerRedundancy
    "0:2289": "SamplingIntervalDiagnosticsArray: there are no fixed sampling intervals",
    "0:11313": "RedundantServerArray: there is one server",
    # Namespaces: there are no roles that could have permissions
    "0:16134": "DefaultRolePermissions",
    "0:16135": "DefaultUserRolePermissions",
    "0:16136": "DefaultAccessRestrictions",
    "2:15031": "DefaultRolePermissions",
    "2:15032": "DefaultUserRolePermissions",
    "2:15033": "DefaultAccessRestrictions",
    "7:1008": "DefaultRolePermissions",
    # Objects
    "0:23470": "Aliases: no alias names, and asyncua finds none",
    "0:31915": "Locations: where a machine stands is not known",
    "2:6078": "NetworkSet: no networks; OPC 10000-100 asks for it with its communication model only",
    "2:6094": "DeviceTopology: the same",
    "2:15034": "DeviceFeatures: a machine is not a Device of OPC 10000-100",
}
"""The nodes that go, each with everything that only they lead to. DeviceSet stays: empty, it says that there are no
devices, and OPC 10000-100 wants it as the one place to look for them."""


def prune(nodes: Mapping[NodeId, Node], references: References) -> tuple[dict[NodeId, Node], References]:
    """Take away what is listed, and then whatever no forward reference leads to from Root; who lost nodes, says so.

    The latter is also true of some nodes of namespace 0 as it comes: the standard properties and aggregates, which
    stand there for their NodeIds only, and two examples of types.

    Raises:
        ValueError: a listed node is not there, or a type would go.
    """
    listed = {NodeId.parse(text) for text in LEFT_OUT}
    if missing := listed - nodes.keys():
        raise ValueError(f"no model has {', '.join(map(str, sorted(missing)))}")
    kept = _reached(references, without=listed)
    if types := [node_id for node_id in nodes.keys() - kept if nodes[node_id].node_class in TYPES]:
        raise ValueError(f"types would be left out: {', '.join(map(str, sorted(types)))}")
    subsets = {node_id.namespace for node_id in nodes.keys() - kept}
    left = {node_id: node for node_id, node in nodes.items() if node_id in kept}
    for node_id, node in left.items():
        is_declaration = any(r.type == HAS_MODELLING_RULE for r in references[node_id])
        if node.name == SUBSET and node_id.namespace in subsets and not is_declaration:
            left[node_id] = msgspec.structs.replace(node, value=TRUE)
    return left, {node_id: {r for r in references[node_id] if r.target in kept} for node_id in kept}


def _reached(references: References, *, without: set[NodeId]) -> set[NodeId]:
    found, edge = {ROOT}, [ROOT]
    while edge:
        onward = {r.target for r in references[edge.pop()] if r.forward} - found - without
        found |= onward
        edge += onward
    return found
