"""From the files' JSON to what asyncua sends: values, definitions and attributes of a row.

The JSON forms are listed in ``models/README.md``. asyncua's annotations ask for wrapper types (``ua.Int32``, ...) that
its code does not need; the casts for them are kept here.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from asyncua import ua

from . import nodeset
from .nodeset import Definition, Key, Row, Value

_READ_ONLY = ua.AccessLevel.CurrentRead.mask
ENUMERATION = Key(0, 29)


def node_id(node: Key) -> ua.NodeId:
    """A key as asyncua's NodeId."""
    return ua.NodeId(cast("ua.Int32", node.identifier), cast("ua.Int16", node.namespace))


def key(node: ua.NodeId) -> Key:
    """A NodeId as a key; identifiers of kinds that no node has (GUIDs, bytes, null) become one that no node has."""
    identifier: object = node.Identifier
    return Key(int(node.NamespaceIndex), identifier if isinstance(identifier, int | str) else "")


def qualified_name(text: str) -> ua.QualifiedName:
    """A BrowseName from ``ns:Name``."""
    namespace, _, name = text.partition(":")
    return ua.QualifiedName(cast("ua.String", name), cast("ua.UInt16", int(namespace)))


def localized(text: str | tuple[str, str] | list[str] | None) -> ua.LocalizedText:
    """A text, or text and locale."""
    if isinstance(text, tuple | list):
        return ua.LocalizedText(Text=cast("ua.String", text[0]), Locale=cast("ua.String", text[1]))
    return ua.LocalizedText(cast("ua.String", text))


def display_name(row: Row) -> ua.LocalizedText:
    """The DisplayName; the files leave it out where it is the BrowseName."""
    return localized(row.display if row.display is not None else row.name.partition(":")[2])


def status(code: int) -> ua.StatusCode:
    """A status code by its number."""
    return ua.StatusCode(cast("ua.UInt32", code))


# What the fields of the structures that occur in the models hold; every other field is as JSON has it.
_FIELDS: dict[str, Callable[[Any], Any]] = {
    "DataType": lambda text: node_id(nodeset.key(text)),
    "DisplayName": localized,
    "Description": localized,
}


def _structure(fields: dict[str, Any]) -> object:
    values = {name: _FIELDS.get(name, lambda same: same)(value) for name, value in fields.items() if name != "struct"}
    return getattr(ua, fields["struct"])(**values)


_SCALARS: dict[int, Callable[[Any], Any]] = {
    ua.VariantType.Float.value: float,
    ua.VariantType.Double.value: float,
    ua.VariantType.DateTime.value: datetime.fromisoformat,
    ua.VariantType.Guid.value: uuid.UUID,
    ua.VariantType.ByteString.value: base64.b64decode,
    ua.VariantType.NodeId.value: lambda text: node_id(nodeset.key(text)),
    ua.VariantType.QualifiedName.value: qualified_name,
    ua.VariantType.LocalizedText.value: localized,
    ua.VariantType.ExtensionObject.value: _structure,
}


def variant(value: Value | None) -> ua.Variant:
    """A row's value; Null where the model gives none."""
    if value is None:
        return ua.Variant(None, ua.VariantType.Null)
    scalar = _SCALARS.get(value.type, lambda same: same)
    is_array = value.array or value.dims is not None
    return ua.Variant(
        [scalar(item) for item in value.value] if is_array else scalar(value.value),
        ua.VariantType(value.type),
        Dimensions=cast("list[ua.Int32] | None", value.dims),
        is_array=is_array,
    )


def definition(found: Definition) -> ua.StructureDefinition | ua.EnumDefinition:
    """A DataType's definition."""
    if found.enum is not None:
        fields = [ua.EnumField(Name=name, Value=value, DisplayName=localized(display[0] if display else name))
                  for name, value, *display in found.enum]  # fmt: skip
        return ua.EnumDefinition(Fields=fields)
    return ua.StructureDefinition(
        DefaultEncodingId=node_id(nodeset.key(found.encoding)),
        BaseDataType=node_id(nodeset.key(found.base)),
        StructureType=ua.StructureType(found.kind),
        Fields=[
            ua.StructureField(
                Name=cast("ua.String", field.name),
                DataType=node_id(nodeset.key(field.data_type)),
                ValueRank=cast("ua.Int32", field.rank),
                ArrayDimensions=cast("list[ua.UInt32]", field.dims or []),
                MaxStringLength=cast("ua.UInt32", field.max_length),
                IsOptional=cast("ua.Boolean", field.optional),
            )
            for field in found.struct or ()
        ],
    )


_Read = Callable[[Row], ua.Variant]
_TYPES = {ua.NodeClass.ObjectType, ua.NodeClass.VariableType, ua.NodeClass.ReferenceType, ua.NodeClass.DataType}
_VALUED = {ua.NodeClass.Variable, ua.NodeClass.VariableType}
_EVERY = set(ua.NodeClass) - {ua.NodeClass.Unspecified}


def _plain(kind: ua.VariantType, read: Callable[[Row], object]) -> _Read:
    return lambda row: ua.Variant(read(row), kind)


_A, _T, _C = ua.AttributeIds, ua.VariantType, ua.NodeClass
_ATTRIBUTES: dict[int, tuple[set[ua.NodeClass], _Read]] = {
    _A.NodeClass: (_EVERY, _plain(_T.Int32, lambda row: row.node_class)),
    _A.BrowseName: (_EVERY, _plain(_T.QualifiedName, lambda row: qualified_name(row.name))),
    _A.DisplayName: (_EVERY, _plain(_T.LocalizedText, display_name)),
    _A.WriteMask: (_EVERY, _plain(_T.UInt32, lambda _: 0)),
    _A.UserWriteMask: (_EVERY, _plain(_T.UInt32, lambda _: 0)),
    _A.IsAbstract: (_TYPES, _plain(_T.Boolean, lambda row: row.abstract)),
    _A.Symmetric: ({_C.ReferenceType}, _plain(_T.Boolean, lambda row: row.symmetric)),
    _A.EventNotifier: ({_C.Object, _C.View}, _plain(_T.Byte, lambda row: row.notifier)),
    _A.ContainsNoLoops: ({_C.View}, _plain(_T.Boolean, lambda _: True)),
    _A.Value: (_VALUED, lambda row: variant(row.value)),
    _A.DataType: (_VALUED, _plain(_T.NodeId, lambda row: node_id(nodeset.key(row.data_type)))),
    _A.ValueRank: (_VALUED, _plain(_T.Int32, lambda row: row.rank)),
    _A.ArrayDimensions: (_VALUED, lambda row: ua.Variant(list(row.dims or ()), _T.UInt32, is_array=True)),
    _A.AccessLevel: ({_C.Variable}, _plain(_T.Byte, lambda row: row.access)),
    _A.UserAccessLevel: ({_C.Variable}, _plain(_T.Byte, lambda row: row.access & _READ_ONLY)),
    _A.MinimumSamplingInterval: ({_C.Variable}, _plain(_T.Double, lambda row: row.sampling)),
    _A.Historizing: ({_C.Variable}, _plain(_T.Boolean, lambda row: row.historizing)),
    _A.Executable: ({_C.Method}, _plain(_T.Boolean, lambda row: row.executable)),
    _A.UserExecutable: ({_C.Method}, _plain(_T.Boolean, lambda row: row.executable)),
}


def attribute(node: Key, row: Row, which: int) -> ua.Variant | None:
    """One attribute of a row; ``None`` if nodes of its class do not have it, or it does not."""
    if which == _A.NodeId:
        return ua.Variant(node_id(node), _T.NodeId)
    if which == _A.Description:
        return None if row.description is None else ua.Variant(localized(row.description), _T.LocalizedText)
    if which == _A.InverseName:
        return None if row.inverse is None else ua.Variant(localized(row.inverse), _T.LocalizedText)
    if which == _A.DataTypeDefinition:
        return None if row.definition is None else ua.Variant(definition(row.definition), _T.ExtensionObject)
    classes, read = _ATTRIBUTES.get(which, (_NONE, _absent))
    return read(row) if ua.NodeClass(row.node_class) in classes else None


_NONE: set[ua.NodeClass] = set()


def _absent(_: Row) -> ua.Variant:
    raise AssertionError


_LAST_BUILT_IN = 25


def built_in(models: nodeset.Nodeset, data_type: Key) -> ua.VariantType:
    """The type on the wire of a DataType: Duration is a Double, an enumeration an Int32.

    Raises:
        ValueError: it is abstract, and could be several.
    """
    for ancestor in models.supertypes(data_type):
        if ancestor == ENUMERATION:
            return ua.VariantType.Int32
        if ancestor.namespace == 0 and 1 <= int(ancestor.identifier) < _LAST_BUILT_IN:
            return ua.VariantType(int(ancestor.identifier))
    raise ValueError(f"{nodeset.text(data_type)} is abstract")
