"""The nodes of OPC 40540 from a table of facts: its NodeSet is in no package registry."""

import json
from pathlib import Path
from typing import Any

from .namespaces import ADDITIVE
from .node import (
    DATA_TYPE,
    HAS_MODELLING_RULE,
    METHOD,
    OBJECT,
    OBJECT_TYPE,
    VARIABLE,
    Definition,
    Field,
    Json,
    Node,
    NodeId,
    Reference,
    Space,
    Value,
)

TABLE = Path(__file__).with_name("additive-manufacturing.jsonl")
PREFIXES = {
    "0": 0, "DI": 2, "Machinery": 4, "JobControl": 5, "Jobs": 6, "PV": 9, "MachineTool": 10, "AM": ADDITIVE.index,
}  # fmt: skip
CLASSES = {
    "Object": OBJECT, "Variable": VARIABLE, "Method": METHOD, "ObjectType": OBJECT_TYPE, "DataType": DATA_TYPE,
}  # fmt: skip
REFERENCES = {
    "HasEncoding": 38, "HasDescription": 39, "HasTypeDefinition": 40, "HasSubtype": 45, "HasProperty": 46,
    "HasComponent": 47, "HasAddIn": 17604,
}  # fmt: skip
RULES = {"Mandatory": 78, "Optional": 80, "OptionalPlaceholder": 11508, "MandatoryPlaceholder": 11510}
SCALARS = {"Boolean": 1, "Int32": 6, "String": 12, "DateTime": 13}

Row = dict[str, Any]


def read(table: Path = TABLE) -> Space:
    """Every node of the table and the references that it states."""
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    nodes = {node.id: node for node in map(_node, rows)}
    if len(nodes) != len(rows):
        raise ValueError(f"{table.name}: two rows have the same nodeid")
    stated = {node.name: node.value.value for node in nodes.values() if node.value is not None}
    return Space(
        version=stated["0:NamespaceVersion"],
        published=stated["0:NamespacePublicationDate"],
        nodes=nodes,
        references=frozenset(reference for row in rows for reference in _references(row)),
    )


def _name(text: str) -> str:
    prefix, _, name = text.partition(":")
    return f"{PREFIXES[prefix]}:{name}"


def _id(text: str) -> NodeId:
    return NodeId.parse(_name(text))


def _references(row: Row) -> list[tuple[NodeId, Reference]]:
    node_id = NodeId(ADDITIVE.index, row["nodeid"])
    found = [
        (node_id, Reference(NodeId(0, REFERENCES[kind]), direction == "fwd", _id(target)))
        for kind, direction, target in row["references"]
    ]
    if rule := row.get("modellingrule"):
        found.append((node_id, Reference(HAS_MODELLING_RULE, True, NodeId(0, RULES[rule]))))
    return found


def _node(row: Row) -> Node:
    return Node(
        id=NodeId(ADDITIVE.index, row["nodeid"]),
        node_class=CLASSES[row["nodeclass"]],
        name=_name(row["browsename"]),
        data_type=str(_id(row.get("datatype", "0:24"))),
        rank=row.get("valuerank", -1),
        dims=tuple(row["arraydimensions"]) if "arraydimensions" in row else None,
        access=row.get("accesslevel", 1),
        abstract=row.get("isabstract", False),
        value=_value(row["value"]) if "value" in row else None,
        definition=_definition(row["definition"]) if "definition" in row else None,
    )


def _definition(fields: list[Row]) -> Definition:
    """Own fields only; no base, no encoding."""
    if "value" in fields[0]:
        return Definition(enum=tuple((field["name"], field["value"]) for field in fields))
    own = tuple(
        Field(
            name=field["name"], data_type=str(_id(field["type"])), rank=field["valuerank"], optional=field["optional"]
        )
        for field in fields
    )
    return Definition(struct=own, kind=int(any(field.optional for field in own)))


def _value(stated: Row) -> Value:
    kind, array = stated["type"].removeprefix("ListOf"), stated["type"].startswith("ListOf")
    if kind == "Argument":
        return Value(type=22, array=array, value=[_argument(item) for item in stated["value"]])
    if kind == "EnumValueType":
        return Value(type=22, array=array, value=[_enum_value(item) for item in stated["value"]])
    return Value(type=SCALARS[kind], array=array, value=stated["value"])


def _argument(item: Row) -> Json:
    found = {
        "struct": "Argument",
        "Name": item["name"],
        "DataType": str(_id(item["datatype"])),
        "ValueRank": item["valuerank"],
        "ArrayDimensions": item["arraydimensions"],
    }
    return {name: value for name, value in found.items() if value}


def _enum_value(item: Row) -> Json:
    found = {"struct": "EnumValueType", "Value": item["value"], "DisplayName": item["displayname"]}
    return {name: value for name, value in found.items() if value}
