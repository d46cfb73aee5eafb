"""The nodes of namespace 0 as asyncua has them, which are those of the official NodeSet and of the service types."""

import base64
import datetime
from collections.abc import Iterator

from asyncua import ua
from asyncua.server.address_space import AddressSpace, NodeData
from asyncua.server.internal_server import InternalServer

from .node import DICTIONARY_TYPE, HAS_TYPE_DEFINITION, Json, Node, NodeId, Reference, Text, Value, display_of


async def read() -> tuple[dict[NodeId, Node], frozenset[tuple[NodeId, Reference]]]:
    """Every node of namespace 0 and every reference, without DataTypeDefinitions, of which asyncua has none there."""
    server = InternalServer()
    await server.load_standard_address_space()
    nodes = {_id(node_id): data for node_id, data in _stored(server.aspace)}
    references = {
        (node_id, Reference(_id(r.ReferenceTypeId), r.IsForward, _id(r.NodeId)))
        for node_id, data in nodes.items()
        for r in data.references
    }
    dictionaries = {
        node_id for node_id, r in references if r.type == HAS_TYPE_DEFINITION and r.target == DICTIONARY_TYPE
    }
    return (
        {node_id: _node(node_id, data, node_id in dictionaries) for node_id, data in nodes.items()},
        frozenset(references),
    )


def _stored(space: AddressSpace) -> Iterator[tuple[ua.NodeId, NodeData]]:
    """An AddressSpace has no public way to list its nodes."""
    yield from space._nodes.items()  # noqa: SLF001


def _id(node_id: ua.NodeId) -> NodeId:
    return NodeId(node_id.NamespaceIndex, node_id.Identifier)


def _name(name: ua.QualifiedName) -> str:
    return f"{name.NamespaceIndex}:{name.Name}"


def _node(node_id: NodeId, stored: NodeData, dictionary: bool) -> Node:
    found = {
        attribute.name: held.value.Value.Value
        for attribute, held in stored.attributes.items()
        if held.value is not None and held.value.Value is not None
    }
    value = stored.attributes.get(ua.AttributeIds.Value)
    name = _name(found["BrowseName"])
    inverse = found.get("InverseName")
    return Node(
        id=node_id,
        node_class=int(found["NodeClass"]),
        name=name,
        display=display_of(name, found["DisplayName"].Text, found["DisplayName"].Locale),
        data_type=str(_id(found["DataType"])) if "DataType" in found else "0:24",
        rank=int(found.get("ValueRank", -1)),
        dims=tuple(found.get("ArrayDimensions") or ()) or None,
        access=int(found.get("AccessLevel", 1)),
        sampling=found.get("MinimumSamplingInterval") or 0,
        historizing=bool(found.get("Historizing", False)),
        abstract=bool(found.get("IsAbstract", False)),
        symmetric=bool(found.get("Symmetric", False)),
        inverse=inverse.Text if inverse is not None else None,
        notifier=int(found.get("EventNotifier", 0)),
        executable=bool(found.get("Executable", True)),
        value=None if value is None or value.value is None or dictionary else _value(value.value.Value),
    )


def _value(variant: ua.Variant | None) -> Value | None:
    if variant is None or variant.Value is None:
        return None
    if isinstance(variant.Value, list):
        return Value(type=int(variant.VariantType), array=True, value=[_json(item) for item in variant.Value])
    return Value(type=int(variant.VariantType), value=_json(variant.Value))


def _json(value: object) -> Json:
    match value:
        case bool() | int() | float() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case datetime.datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case ua.LocalizedText():
            return _text(value)
        case ua.Argument() | ua.EnumValueType() | ua.EUInformation():
            return _structure(value)
    raise TypeError(f"no value of a model used here is a {type(value).__name__}")


def _text(text: ua.LocalizedText) -> Text:
    return (text.Text or "", text.Locale) if text.Locale else text.Text or ""


def _structure(value: ua.Argument | ua.EnumValueType | ua.EUInformation) -> Json:
    found: dict[str, Json]
    match value:
        case ua.Argument():
            found = {
                "Name": value.Name,
                "DataType": str(_id(value.DataType)),
                "ValueRank": value.ValueRank,
                "ArrayDimensions": list(value.ArrayDimensions or ()),
            }
        case ua.EnumValueType():
            found = {"Value": value.Value, "DisplayName": _text(value.DisplayName)}
        case ua.EUInformation():
            found = {
                "NamespaceUri": value.NamespaceUri,
                "UnitId": value.UnitId,
                "DisplayName": _text(value.DisplayName),
                "Description": _text(value.Description),
            }
    return {"struct": type(value).__name__, **{name: held for name, held in found.items() if held}}
