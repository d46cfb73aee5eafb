"""An address space as plain JSON values: what two servers, or a server and a table, are compared by.

A NodeId is `ns:123` or `ns:=text`, a reference `TYPE>TARGET` or `TYPE<TARGET`, and values have the forms that
edge_agent/sinks/opcua/models/README.md lists, which leave out what has its default. An attribute that is null is left
out as well, except the Value of a Variable, which is None then.
"""

import base64
import dataclasses
import enum
import uuid
from datetime import datetime
from typing import Any

import msgspec
from asyncua import ua

Json = Any


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A node: its attributes by their names in OPC 10000-4, and its references in both directions."""

    attributes: dict[str, Json]
    references: frozenset[str]


Dump = dict[str, Entry]
"""Nodes by NodeId."""


def id_text(node_id: ua.NodeId) -> str:
    """`ns:123` or `ns:=text`."""
    if isinstance(node_id.Identifier, int):
        return f"{node_id.NamespaceIndex}:{node_id.Identifier}"
    return f"{node_id.NamespaceIndex}:={node_id.Identifier!s}"


def reference_text(reference: ua.ReferenceDescription) -> str:
    """`TYPE>TARGET` or `TYPE<TARGET`."""
    kind = reference.ReferenceTypeId
    shown = str(kind.Identifier) if kind.NamespaceIndex == 0 else id_text(kind)
    return f"{shown}{'>' if reference.IsForward else '<'}{id_text(reference.NodeId)}"


def attribute(attribute_id: ua.AttributeIds, variant: ua.Variant | None) -> Json:
    """The value of an attribute; None if it is null."""
    if variant is None or variant.Value is None:
        return None
    if attribute_id is ua.AttributeIds.Value:
        return value(variant)
    return plain(variant.Value) or (None if isinstance(variant.Value, ua.LocalizedText | list) else variant.Value)


def value(variant: ua.Variant) -> Json:
    """A Variant with its type."""
    found: dict[str, Json] = {"type": int(variant.VariantType)}
    if isinstance(variant.Value, list):
        found["array"] = True
    if variant.Dimensions and len(variant.Dimensions) > 1:
        found["dims"] = list(variant.Dimensions)
    found["value"] = _flat(plain(variant.Value)) if "dims" in found else plain(variant.Value)
    return found


def plain(held: object) -> Json:  # noqa: C901, PLR0912 -- one line a type
    """Any value of OPC UA as JSON."""
    match held:
        case enum.Enum():
            return held.value
        case None | bool() | int() | float() | str():
            return held
        case list():
            return [plain(item) for item in held]
        case bytes():
            return base64.b64encode(held).decode()
        case datetime():
            return held.strftime("%Y-%m-%dT%H:%M:%SZ")
        case uuid.UUID():
            return str(held)
        case ua.NodeId():
            return id_text(held)
        case ua.QualifiedName():
            return f"{held.NamespaceIndex}:{held.Name}"
        case ua.LocalizedText():
            return [held.Text or "", held.Locale] if held.Locale else held.Text or ""
        case ua.StatusCode():
            return held.name
        case ua.Variant():
            return None if held.Value is None else value(held)
        case ua.EnumDefinition():
            return {"enum": [_enum_field(field) for field in held.Fields]}
        case ua.StructureDefinition():
            return _structure_definition(held)
    return _structure(held)


def _enum_field(field: ua.EnumField) -> Json:
    shown = plain(field.DisplayName)
    return [field.Name, field.Value, *([shown] if shown not in ("", field.Name) else [])]


def _structure_definition(held: ua.StructureDefinition) -> Json:
    found = {
        "struct": [_field(field) for field in held.Fields],
        "kind": int(held.StructureType),
        "base": id_text(held.BaseDataType),
    }
    encoding = id_text(held.DefaultEncodingId)
    return found if encoding == "0:0" else {**found, "encoding": encoding}


def _field(field: ua.StructureField) -> Json:
    found = {"name": field.Name, "data_type": id_text(field.DataType)}
    if field.ValueRank != -1:
        found["rank"] = field.ValueRank
    if field.ArrayDimensions:
        found["dims"] = list(field.ArrayDimensions)
    if field.IsOptional:
        found["optional"] = True
    if field.MaxStringLength:
        found["max_length"] = field.MaxStringLength
    return found


def _structure(held: object) -> Json:
    """A structure; its fields' Descriptions are prose, except a unit's, which is its name."""
    if not dataclasses.is_dataclass(held):
        raise TypeError(f"a value is a {type(held).__name__}")
    found = {field.name: plain(getattr(held, field.name)) for field in dataclasses.fields(held)}
    if not isinstance(held, ua.EUInformation):
        found.pop("Description", None)
    shown = {name: item for name, item in found.items() if item not in (None, 0, "", [], "0:0")}
    return {"struct": type(held).__name__, **shown}


def _flat(items: Json) -> Json:
    return [each for item in items for each in _flat(item)] if isinstance(items, list) else [items]
