"""A NodeSet XML (OPC 10000-6, Annex F) to nodes and references."""

from pathlib import Path
from xml.etree.ElementTree import Element, parse

from .namespaces import INDEX, Model
from .node import (
    DATA_TYPE,
    DICTIONARY_TYPE,
    HAS_TYPE_DEFINITION,
    METHOD,
    OBJECT,
    OBJECT_TYPE,
    REFERENCE_TYPE,
    VARIABLE,
    VARIABLE_TYPE,
    VIEW,
    Definition,
    Field,
    Node,
    NodeId,
    Reference,
    Space,
    display_of,
)
from .xml_value import Values

NODESET = "{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}"
CLASSES = {
    "UAObject": OBJECT, "UAVariable": VARIABLE, "UAMethod": METHOD, "UAObjectType": OBJECT_TYPE,
    "UAVariableType": VARIABLE_TYPE, "UAReferenceType": REFERENCE_TYPE, "UADataType": DATA_TYPE, "UAView": VIEW,
}  # fmt: skip


class NodeSet:
    """Reads one file."""

    def __init__(self, path: Path, model: Model) -> None:
        root = parse(path).getroot()  # noqa: S314 -- an input that is pinned by its hash
        self._root = root
        self._model = model
        self._namespaces = [
            0,
            *(INDEX[uri.text or ""] for uri in root.iterfind(f"{NODESET}NamespaceUris/{NODESET}Uri")),
        ]
        aliases = root.iterfind(f"{NODESET}Aliases/{NODESET}Alias")
        self._aliases = {alias.get("Alias", ""): alias.text or "" for alias in aliases}
        self._values = Values(node_id=lambda text: str(self._id(text)), namespaces=self._namespaces)

    def read(self) -> Space:
        """The file's nodes and references, without the objects that are there for design tools only."""
        (model,) = (
            m for m in self._root.iterfind(f"{NODESET}Models/{NODESET}Model") if m.get("ModelUri") == self._model.uri
        )
        elements = [element for element in self._root if element.get("NodeId")]
        hidden = {self._id(e.attrib["NodeId"]) for e in elements if e.get("DesignToolOnly") == "true"}
        nodes = {}
        references = set()
        for element in elements:
            node_id = self._id(element.attrib["NodeId"])
            if node_id in hidden:
                continue
            if node_id in nodes:
                raise ValueError(f"{self._model.file}: two nodes have the id {node_id}")
            own = self._references(element)
            nodes[node_id] = self._node(node_id, element, own)
            references |= {(node_id, reference) for reference in own if reference.target not in hidden}
        return Space(
            version=model.attrib["Version"],
            published=model.attrib["PublicationDate"],
            nodes=nodes,
            references=frozenset(references),
        )

    def _id(self, text: str) -> NodeId:
        text = self._aliases.get(text, text).strip()
        namespace = 0
        if text.startswith("ns="):
            index, _, text = text[3:].partition(";")
            namespace = self._namespaces[int(index)]
        kind, _, identifier = text.partition("=")
        return NodeId(namespace, {"i": int, "s": str}[kind](identifier))

    def _name(self, text: str) -> str:
        index, colon, name = text.partition(":")
        if colon and index.isdecimal():
            return f"{self._namespaces[int(index)]}:{name}"
        return f"0:{text}"

    def _references(self, element: Element) -> set[Reference]:
        found = element.iterfind(f"{NODESET}References/{NODESET}Reference")
        return {
            Reference(self._id(r.attrib["ReferenceType"]), r.get("IsForward") != "false", self._id(r.text or ""))
            for r in found
        }

    def _node(self, node_id: NodeId, element: Element, references: set[Reference]) -> Node:
        name = self._name(element.attrib["BrowseName"])
        display = element.find(f"{NODESET}DisplayName")
        dimensions = element.get("ArrayDimensions")
        inverse = element.find(f"{NODESET}InverseName")
        value = element.find(f"{NODESET}Value")
        dictionary = any(r.type == HAS_TYPE_DEFINITION and r.target == DICTIONARY_TYPE for r in references)
        definition = element.find(f"{NODESET}Definition")
        return Node(
            id=node_id,
            node_class=CLASSES[element.tag.removeprefix(NODESET)],
            name=name,
            display=None if display is None else display_of(name, display.text, display.get("Locale")),
            data_type=str(self._id(element.get("DataType", "i=24"))),
            rank=int(element.get("ValueRank", "-1")),
            dims=tuple(int(size) for size in dimensions.split(",")) if dimensions else None,
            access=int(element.get("AccessLevel", "1")),
            sampling=float(element.get("MinimumSamplingInterval", "0")),
            historizing=element.get("Historizing") == "true",
            abstract=element.get("IsAbstract") == "true",
            symmetric=element.get("Symmetric") == "true",
            inverse=None if inverse is None else inverse.text,
            notifier=int(element.get("EventNotifier", "0")),
            executable=element.get("Executable") != "false",
            value=None if value is None or dictionary or not len(value) else self._values.read(value),
            definition=None if definition is None else self._definition(definition),
        )

    def _definition(self, element: Element) -> Definition:
        """The definition as the file has it: own fields only, no base, no encoding."""
        fields = list(element.iterfind(f"{NODESET}Field"))
        if element.get("IsOptionSet") == "true" or any(field.get("Value") is not None for field in fields):
            return Definition(enum=tuple(_enum_field(field) for field in fields))
        union = element.get("IsUnion") == "true"
        subtyped = any(field.get("AllowSubTypes") == "true" for field in fields)
        optional = any(field.get("IsOptional") == "true" for field in fields)
        kind = (4 if subtyped else 2) if union else 3 if subtyped else int(optional)
        return Definition(struct=tuple(self._field(field) for field in fields), kind=kind)

    def _field(self, element: Element) -> Field:
        dimensions = element.get("ArrayDimensions")
        return Field(
            name=element.attrib["Name"],
            data_type=str(self._id(element.get("DataType", "i=24"))),
            rank=int(element.get("ValueRank", "-1")),
            dims=tuple(int(size) for size in dimensions.split(",")) if dimensions else None,
            optional="true" in (element.get("IsOptional"), element.get("AllowSubTypes")),
            max_length=int(element.get("MaxStringLength", "0")),
        )


def _enum_field(element: Element) -> tuple[str, int] | tuple[str, int, str]:
    name, value = element.attrib["Name"], int(element.attrib["Value"])
    display = element.findtext(f"{NODESET}DisplayName")
    return (name, value, display) if display not in (None, name) else (name, value)
