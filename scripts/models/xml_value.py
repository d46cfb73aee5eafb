"""Values of a NodeSet: the `<Value>` element to its JSON form, every namespace index replaced by ours."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from .node import Json, Text, Value

TYPES = "{http://opcfoundation.org/UA/2008/02/Types.xsd}"
NUMBERS = {
    "Boolean": 1, "SByte": 2, "Byte": 3, "Int16": 4, "UInt16": 5, "Int32": 6, "UInt32": 7, "Int64": 8, "UInt64": 9,
    "Float": 10, "Double": 11, "String": 12, "DateTime": 13, "Guid": 14, "ByteString": 15, "NodeId": 17,
    "QualifiedName": 20, "LocalizedText": 21, "ExtensionObject": 22,
}  # fmt: skip

Indices = Callable[[str], str]
"""A NodeId as the file writes it (or an alias) to `ns:identifier`."""


class Values:
    """Reads the values of one NodeSet."""

    def __init__(self, *, node_id: Indices, namespaces: list[int]) -> None:
        self._node_id = node_id
        self._namespaces = namespaces

    def read(self, element: Element) -> Value:
        """The value in a `<Value>`.

        Raises:
            KeyError: it is of a type that no model used here has.
        """
        (child,) = element
        kind = _tag(child)
        if kind == "Matrix":
            return self._matrix(child)
        if kind.startswith("ListOf"):
            kind = kind.removeprefix("ListOf")
            return Value(type=NUMBERS[kind], array=True, value=[self._one(kind, item) for item in child])
        return Value(type=NUMBERS[kind], value=self._one(kind, child))

    def _matrix(self, element: Element) -> Value:
        dimensions = tuple(int(item.text or "") for item in _child(element, "Dimensions"))
        elements = list(_child(element, "Elements"))
        kind = _tag(elements[0])
        values = [self._one(kind, item) for item in elements]
        return Value(type=NUMBERS[kind], array=True, dims=dimensions, value=values)

    def _one(self, kind: str, element: Element) -> Json:
        match kind:
            case "Boolean":
                return _text(element) == "true"
            case "Float" | "Double":
                return float(_text(element))
            case "NodeId":
                return self._node_id(_text(_child(element, "Identifier")))
            case "QualifiedName":
                index = self._namespaces[int(_text(_child(element, "NamespaceIndex")))]
                return f"{index}:{_text(_child(element, 'Name'))}"
            case "LocalizedText":
                return localized(element)
            case "ExtensionObject":
                (body,) = _child(element, "Body")
                return self._structure(body)
            case "String":
                return element.text or ""
            case "DateTime" | "ByteString" | "Guid":
                return _text(element)
        if NUMBERS[kind] not in range(2, 10):
            raise KeyError(kind)
        return int(_text(element))

    def _structure(self, element: Element) -> dict[str, Json]:
        fields = {_tag(child): child for child in element}
        match _tag(element):
            case "Argument":
                found = self._argument(fields)
            case "EnumValueType":
                found = {"Value": int(_text(fields["Value"])), "DisplayName": localized(fields["DisplayName"])}
            case "EUInformation":
                found = _unit(fields)
            case "Range":
                found = {"Low": float(_text(fields["Low"])), "High": float(_text(fields["High"]))}
            case other:
                raise KeyError(other)
        return {"struct": _tag(element), **{name: value for name, value in found.items() if value}}

    def _argument(self, fields: dict[str, Element]) -> dict[str, Json]:
        return {
            "Name": _text(fields["Name"]),
            "DataType": self._node_id(_text(_child(fields["DataType"], "Identifier"))),
            "ValueRank": int(_text(fields["ValueRank"])),
            "ArrayDimensions": [int(_text(item)) for item in fields.get("ArrayDimensions", ())],
        }


def localized(element: Element) -> Text:
    """A LocalizedText; no locale and an empty one are the same."""
    text = element.findtext(TYPES + "Text") or ""
    locale = (element.findtext(TYPES + "Locale") or "").strip()
    return (text, locale) if locale else text


def _unit(fields: dict[str, Element]) -> dict[str, Json]:
    return {
        "NamespaceUri": _text(fields["NamespaceUri"]),
        "UnitId": int(_text(fields["UnitId"])),
        "DisplayName": localized(fields["DisplayName"]),
        "Description": localized(fields["Description"]) if "Description" in fields else "",
    }


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _child(element: Element, name: str) -> Element:
    child = element.find(TYPES + name)
    if child is None:
        raise KeyError(f"<{_tag(element)}> without <{name}>")
    return child


def _text(element: Element) -> str:
    return (element.text or "").strip()
