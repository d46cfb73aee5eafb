"""Machines and the types they need, as a client sees them: nodes with attributes and references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from asyncua import Client, ua
from msgspec import Struct
from msgspec.structs import replace


class Id(NamedTuple):
    """A NodeId."""

    namespace: int
    identifier: int | str

    def __str__(self) -> str:
        kind = "i" if isinstance(self.identifier, int) else "s"
        return f"ns={self.namespace};{kind}={self.identifier}"


class Link(NamedTuple):
    """A reference."""

    type: Id
    forward: bool
    target: Id


class Node(Struct, frozen=True):
    """A node; an attribute that it does not have is missing."""

    id: Id
    links: tuple[Link, ...]
    attributes: dict[ua.AttributeIds, ua.DataValue]

    def get(self, attribute: ua.AttributeIds) -> Any:
        """An attribute's value, ``None`` if it has none."""
        found = self.attributes.get(attribute)
        return None if found is None or found.Value is None else found.Value.Value

    @property
    def name(self) -> str:
        """The BrowseName, ``ns:Name``."""
        name = self.get(ua.AttributeIds.BrowseName)
        return f"{name.NamespaceIndex}:{name.Name}"

    @property
    def node_class(self) -> ua.NodeClass:
        """The NodeClass."""
        return ua.NodeClass(self.get(ua.AttributeIds.NodeClass))

    @property
    def data_type(self) -> Id:
        """The DataType of a variable or variable type."""
        return id_of(self.get(ua.AttributeIds.DataType))


class Tree(dict[Id, Node]):
    """Nodes by NodeId, and what their references say."""

    def targets(self, node: Id, kind: Id) -> list[Id]:
        """Where the forward references of exactly this type lead."""
        return [link.target for link in self[node].links if link.forward and link.type == kind]

    def supertypes(self, node: Id) -> Iterator[Id]:
        """The type itself and what it derives from, nearest first."""
        above: Id | None = node
        while above is not None:
            yield above
            links = self[above].links if above in self else ()
            above = next((link.target for link in links if link.type == HAS_SUBTYPE and not link.forward), None)

    def is_a(self, node: Id, ancestor: Id) -> bool:
        """True also of the type itself."""
        return ancestor in self.supertypes(node)

    def without(self, gone: Id) -> Tree:
        """The same without a node and every reference to it."""
        return Tree(
            (node, replace(seen, links=tuple(link for link in seen.links if link.target != gone)))
            for node, seen in self.items()
            if node != gone
        )

    def changed(self, node: Id, attribute: ua.AttributeIds, value: ua.DataValue) -> Tree:
        """The same with another attribute."""
        attributes = {**self[node].attributes, attribute: value}
        return Tree({**self, node: replace(self[node], attributes=attributes)})

    def linked(self, node: Id, links: Iterable[Link]) -> Tree:
        """The same with other references of a node."""
        return Tree({**self, node: replace(self[node], links=tuple(links))})


HAS_SUBTYPE = Id(0, 45)
ROOTS_OF_REFERENCES = Id(0, 31)
ATTRIBUTES = (
    ua.AttributeIds.NodeClass,
    ua.AttributeIds.BrowseName,
    ua.AttributeIds.DisplayName,
    ua.AttributeIds.IsAbstract,
    ua.AttributeIds.DataType,
    ua.AttributeIds.ValueRank,
    ua.AttributeIds.ArrayDimensions,
    ua.AttributeIds.Value,
    ua.AttributeIds.DataTypeDefinition,
)
_BATCH = 300


def id_of(node: ua.NodeId) -> Id:
    """A NodeId as a plain tuple."""
    return Id(int(node.NamespaceIndex), cast("int | str", node.Identifier))


def node_id(node: Id) -> ua.NodeId:
    """The opposite."""
    return ua.NodeId(cast("ua.Int32", node.identifier), cast("ua.Int16", node.namespace))


async def crawl(client: Client, *roots: Id) -> Tree:
    """Everything below these nodes, and the types, supertypes, declarations and DataTypes of all that is found."""
    found = Tree()
    edge = list(roots)
    while edge:
        beyond: dict[Id, None] = {}
        for start in range(0, len(edge), _BATCH):
            for node in await _look(client, edge[start : start + _BATCH]):
                found[node.id] = node
                beyond |= dict.fromkeys(_onward(node))
        edge = [node for node in beyond if node not in found]
    return found


def _onward(node: Node) -> Iterator[Id]:
    for link in node.links:
        yield link.type
        if link.forward and link.type != HAS_SUBTYPE:
            yield link.target
        if not link.forward and link.type == HAS_SUBTYPE:
            yield link.target
    if (data_type := node.get(ua.AttributeIds.DataType)) is not None:
        yield id_of(data_type)


async def _look(client: Client, nodes: list[Id]) -> list[Node]:
    wanted = [ua.ReadValueId(node_id(node), attribute) for node in nodes for attribute in ATTRIBUTES]
    question = ua.ReadParameters(TimestampsToReturn=ua.TimestampsToReturn.Both, NodesToRead=wanted)
    values = iter(await client.uaclient.read(question))
    browsed = await client.uaclient.browse(ua.BrowseParameters(NodesToBrowse=[_everything(node) for node in nodes]))
    return [
        Node(
            node,
            tuple(
                Link(id_of(ref.ReferenceTypeId), bool(ref.IsForward), id_of(ref.NodeId)) for ref in result.References
            ),
            _there(dict(zip(ATTRIBUTES, values, strict=False))),
        )
        for node, result in zip(nodes, browsed, strict=True)
    ]


def _everything(node: Id) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node_id(node),
        BrowseDirection=ua.BrowseDirection.Both,
        ReferenceTypeId=node_id(ROOTS_OF_REFERENCES),
        IncludeSubtypes=cast("ua.Boolean", True),
        ResultMask=cast("ua.UInt32", ua.BrowseResultMask.All),
    )


def _there(attributes: dict[ua.AttributeIds, ua.DataValue]) -> dict[ua.AttributeIds, ua.DataValue]:
    absent = ua.StatusCodes.BadAttributeIdInvalid
    return {
        attribute: value
        for attribute, value in attributes.items()
        if value.StatusCode is None or value.StatusCode.value != absent
    }
