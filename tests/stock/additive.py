"""OPC 40540 as a NodeSet XML, made from the table of facts, for importers that read nothing else."""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

TABLE = Path(__file__).parents[2] / "scripts" / "models" / "additive-manufacturing.jsonl"
URI = "http://opcfoundation.org/UA/AdditiveManufacturing/"
PREFIXES = {
    "AM": URI,
    "MachineTool": "http://opcfoundation.org/UA/MachineTool/",
    "DI": "http://opcfoundation.org/UA/DI/",
    "Machinery": "http://opcfoundation.org/UA/Machinery/",
    "JobControl": "http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/",
    "Jobs": "http://opcfoundation.org/UA/Machinery/Jobs/",
    "PV": "http://opcfoundation.org/UA/Machinery/ProcessValues/",
}
INDICES = {"0": 0, **{prefix: index for index, prefix in enumerate(PREFIXES, 1)}}
REFERENCES = {
    "HasModellingRule": 37, "HasEncoding": 38, "HasDescription": 39, "HasTypeDefinition": 40, "HasSubtype": 45,
    "HasProperty": 46, "HasComponent": 47, "HasAddIn": 17604,
}  # fmt: skip
RULES = {"Mandatory": 78, "Optional": 80, "OptionalPlaceholder": 11508, "MandatoryPlaceholder": 11510}
PARENT_BY = {"HasProperty", "HasComponent", "HasAddIn"}

Row = dict[str, Any]


def nodeset() -> str:
    """The whole file."""
    root = Element("UANodeSet", xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd")
    uris = SubElement(root, "NamespaceUris")
    for uri in PREFIXES.values():
        SubElement(uris, "Uri").text = uri
    models = SubElement(root, "Models")
    SubElement(models, "Model", ModelUri=URI, Version="1.0.0", PublicationDate="2025-02-01T00:00:00Z")
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        _node(root, json.loads(line))
    indent(root)  # asyncua's importer takes a list without white space for Null
    return tostring(root, encoding="unicode")


def _name(text: str) -> str:
    prefix, _, name = text.partition(":")
    return f"{INDICES[prefix]}:{name}"


def _id(text: str) -> str:
    namespace, _, identifier = _name(text).partition(":")
    return f"ns={namespace};i={identifier}" if namespace != "0" else f"i={identifier}"


def _node(root: Element, row: Row) -> None:
    node = SubElement(
        root, f"UA{row['nodeclass']}", NodeId=_id(f"AM:{row['nodeid']}"), BrowseName=_name(row["browsename"])
    )
    parents = [target for kind, way, target in row["references"] if kind in PARENT_BY and way == "inv"]
    if parents and parents[0].startswith("AM:"):
        node.set("ParentNodeId", _id(parents[0]))
    if row["nodeclass"] == "Variable":
        node.set("DataType", _id(row["datatype"]))
        node.set("ValueRank", str(row["valuerank"]))
        node.set("AccessLevel", str(row["accesslevel"]))
        if "arraydimensions" in row:
            node.set("ArrayDimensions", ",".join(map(str, row["arraydimensions"])))
    SubElement(node, "DisplayName").text = row["browsename"].partition(":")[2]
    _references(node, row)
    if "definition" in row:
        _definition(node, row)
    if "value" in row:
        _value(SubElement(node, "Value"), row["value"])


def _references(node: Element, row: Row) -> None:
    found = SubElement(node, "References")
    for kind, way, target in row["references"]:
        reference = SubElement(found, "Reference", ReferenceType=f"i={REFERENCES[kind]}")
        reference.text = _id(target)
        if way == "inv":
            reference.set("IsForward", "false")
    if "modellingrule" in row:
        SubElement(found, "Reference", ReferenceType="i=37").text = f"i={RULES[row['modellingrule']]}"


def _definition(node: Element, row: Row) -> None:
    definition = SubElement(node, "Definition", Name=_name(row["browsename"]))
    for field in row["definition"]:
        if "value" in field:
            SubElement(definition, "Field", Name=field["name"], Value=str(field["value"]))
            continue
        element = SubElement(definition, "Field", Name=field["name"], DataType=_id(field["type"]))
        if field["optional"]:
            element.set("IsOptional", "true")


def _value(node: Element, stated: Row) -> None:
    kind, value = stated["type"], stated["value"]
    element = "ListOfExtensionObject" if kind in ("ListOfArgument", "ListOfEnumValueType") else kind
    found = SubElement(node, element, xmlns="http://opcfoundation.org/UA/2008/02/Types.xsd")
    if kind == "ListOfArgument":
        for item in value:
            _argument(_extension(found, "i=297", "Argument"), item)
    elif kind == "ListOfEnumValueType":
        for item in value:
            body = _extension(found, "i=7616", "EnumValueType")
            SubElement(body, "Value").text = str(item["value"])
            SubElement(SubElement(body, "DisplayName"), "Text").text = item["displayname"]
    elif isinstance(value, list):
        for item in value:
            SubElement(found, kind.removeprefix("ListOf")).text = str(item)
    else:
        found.text = str(value).lower() if isinstance(value, bool) else value


def _extension(found: Element, encoding: str, name: str) -> Element:
    extension = SubElement(found, "ExtensionObject")
    SubElement(SubElement(extension, "TypeId"), "Identifier").text = encoding
    return SubElement(SubElement(extension, "Body"), name)


def _argument(body: Element, item: Row) -> None:
    SubElement(body, "Name").text = item["name"]
    SubElement(SubElement(body, "DataType"), "Identifier").text = _id(item["datatype"])
    SubElement(body, "ValueRank").text = str(item["valuerank"])
    dimensions = SubElement(body, "ArrayDimensions")
    for size in item["arraydimensions"]:
        SubElement(dimensions, "UInt32").text = str(size)
