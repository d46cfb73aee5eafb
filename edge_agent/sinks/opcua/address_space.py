"""What is always there: the namespaces in their fixed order, ``Machines`` and ``Agent``.

Every index below is part of the contract: clients that store indices instead of URIs keep working, also after the
information models arrive in namespaces that are only registered so far.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import cast

from asyncua import Server, ua
from msgspec import Struct

from ...observation import AgentStatus
from .values import node_id

_OPC = "http://opcfoundation.org/UA/"
_MODELS = (
    f"{_OPC}DI/",
    f"{_OPC}IA/",
    f"{_OPC}Machinery/",
    f"{_OPC}ISA95-JOBCONTROL_V2/",
    f"{_OPC}Machinery/Jobs/",
    f"{_OPC}Dictionary/IRDI",
    f"{_OPC}PADIM/",
    f"{_OPC}Machinery/ProcessValues/",
    f"{_OPC}MachineTool/",
    f"{_OPC}AdditiveManufacturing/",
)
TYPES_URI = "urn:edge-agent:types"
MACHINERY_URI = f"{_OPC}Machinery/"
_MACHINES_FOLDER_ID = 1001  # OPC 40001-1, the entry point of every Machinery client


def application_uri(device_uuid: str) -> str:
    """The ApplicationUri: in the certificate, and namespace 1."""
    return f"urn:edge-agent:{device_uuid}"


def namespaces(device_uuid: str) -> tuple[str, ...]:
    """All namespace URIs, by index."""
    return (
        _OPC,
        application_uri(device_uuid),
        *_MODELS,
        TYPES_URI,
        f"urn:edge-agent:{device_uuid}:machines",
    )


class AddressSpace(Struct, frozen=True, kw_only=True):
    """Where things go: namespace indices and the folders that are always there."""

    server: Server
    types: int
    machines: int
    machines_folder: ua.NodeId
    agent: ua.NodeId

    async def add(self, *items: ua.AddNodesItem) -> None:
        """Add nodes, parents first.

        Raises:
            ua.UaStatusCodeError: a node exists already, or its parent does not.
        """
        for result in await self.server.iserver.isession.add_nodes(list(items)):
            result.StatusCode.check()

    async def delete(self, nodes: list[ua.NodeId]) -> None:
        """Delete nodes, the topmost last; only to it may nodes that stay hold references.

        Subscriptions must have been told before: asyncua means to tell them here, but calls a coroutine without
        awaiting it (https://github.com/FreeOpcUa/opcua-asyncio/issues/1771), so it is left nothing to call.
        """
        aspace = self.server.iserver.aspace
        for node in nodes:
            value = aspace[node].attributes.get(ua.AttributeIds.Value)
            for handle in list(value.datachange_callbacks) if value else ():
                aspace.delete_datachange_callback(handle)
        parameters = ua.DeleteNodesParameters()
        # Looking for references to a node walks the whole address space.
        parameters.NodesToDelete = [ua.DeleteNodesItem(node, node == nodes[-1]) for node in nodes]
        await self.server.iserver.isession.delete_nodes(parameters)

    async def write(self, node: ua.NodeId, value: ua.DataValue) -> None:
        """Write a value as the server itself, which got it now; to clients every node is read-only."""
        await self.server.write_attribute_value(node, dataclasses.replace(value, ServerTimestamp=_now()))


def object_item(
    new: ua.NodeId,
    *,
    parent: ua.NodeId,
    reference: int,
    name: ua.QualifiedName,
    display_name: str,
    description: str = "",
    type_definition: int = ua.ObjectIds.BaseObjectType,
) -> ua.AddNodesItem:
    """An object node to add."""
    return ua.AddNodesItem(
        ParentNodeId=parent,
        ReferenceTypeId=node_id(reference),
        RequestedNewNodeId=new,
        BrowseName=name,
        NodeClass=ua.NodeClass.Object,
        NodeAttributes=ua.ObjectAttributes(
            DisplayName=ua.LocalizedText(display_name), Description=ua.LocalizedText(description), EventNotifier=0
        ),
        TypeDefinition=node_id(type_definition),
    )


def variable_item(
    new: ua.NodeId,
    *,
    parent: ua.NodeId,
    name: ua.QualifiedName,
    value: ua.Variant,
    data_type: int,
    description: str = "",
    reference: int = ua.ObjectIds.HasComponent,
    type_definition: int = ua.ObjectIds.BaseDataVariableType,
    is_array: bool = False,
) -> ua.AddNodesItem:
    """A variable node to add; clients may read it and nothing else."""
    return ua.AddNodesItem(
        ParentNodeId=parent,
        ReferenceTypeId=node_id(reference),
        RequestedNewNodeId=new,
        BrowseName=name,
        NodeClass=ua.NodeClass.Variable,
        NodeAttributes=ua.VariableAttributes(
            DisplayName=ua.LocalizedText(name.Name),
            Description=ua.LocalizedText(description),
            Value=value,
            DataType=node_id(data_type),
            ValueRank=ua.ValueRank.OneDimension if is_array else ua.ValueRank.Scalar,
            ArrayDimensions=[0] if is_array else [],
            AccessLevel=ua.AccessLevel.CurrentRead.mask,
            UserAccessLevel=ua.AccessLevel.CurrentRead.mask,
        ),
        TypeDefinition=node_id(type_definition),
    )


async def build(server: Server, *, device_uuid: str) -> AddressSpace:
    """Register the namespaces and add the folders."""
    expected = namespaces(device_uuid)
    for uri in expected[2:]:
        await server.register_namespace(uri)
    registered = await server.get_namespace_array()
    assert tuple(registered) == expected, registered  # noqa: S101 - the contract; nothing may have come before us
    machines = len(expected) - 1
    types = machines - 1
    space = AddressSpace(
        server=server,
        types=types,
        machines=machines,
        machines_folder=node_id(_MACHINES_FOLDER_ID, expected.index(MACHINERY_URI)),
        agent=node_id("Agent", machines),
    )
    await space.add(
        object_item(
            space.machines_folder,
            parent=node_id(ua.ObjectIds.ObjectsFolder),
            reference=ua.ObjectIds.Organizes,
            name=ua.QualifiedName("Machines", expected.index(MACHINERY_URI)),
            display_name="Machines",
            description="All machines of this agent.",
            type_definition=ua.ObjectIds.FolderType,
        ),
        object_item(
            space.agent,
            parent=node_id(ua.ObjectIds.ObjectsFolder),
            reference=ua.ObjectIds.Organizes,
            name=ua.QualifiedName("Agent", types),
            display_name="Agent",
            description="The agent itself.",
        ),
        *(_agent_variable(space, name, *row) for name, row in _AGENT_VARIABLES.items()),
    )
    return space


_AGENT_VARIABLES = {
    "Version": (ua.VariantType.String, "The agent's version."),
    "StartTime": (ua.VariantType.DateTime, "When the agent started."),
    "Machines": (ua.VariantType.UInt32, "How many machines are configured."),
    "MachinesReachable": (ua.VariantType.UInt32, "How many machines answered when last asked."),
    "ConfigStatus": (ua.VariantType.String, "The configuration in force, and why a newer file was refused."),
}


def _agent_variable(space: AddressSpace, name: str, kind: ua.VariantType, description: str) -> ua.AddNodesItem:
    return variable_item(
        node_id(f"Agent/{name}", space.machines),
        parent=space.agent,
        name=ua.QualifiedName(name, space.types),
        value=ua.Variant(None, ua.VariantType.Null),
        data_type=kind.value,
        description=description,
    )


async def write_agent(space: AddressSpace, status: AgentStatus, *, machines: int, reachable: int) -> None:
    """Write what has changed of what the agent says of itself."""
    values = {
        "Version": status.version,
        "StartTime": status.started_at,
        "Machines": machines,
        "MachinesReachable": reachable,
        "ConfigStatus": status.config_status,
    }
    for name, value in values.items():
        node = node_id(f"Agent/{name}", space.machines)
        new = ua.Variant(value, _AGENT_VARIABLES[name][0])
        if space.server.iserver.aspace.read_attribute_value(node, ua.AttributeIds.Value).Value != new:
            await space.write(node, ua.DataValue(new, SourceTimestamp=_now()))


def _now() -> ua.DateTime:
    return cast("ua.DateTime", datetime.now(UTC))
