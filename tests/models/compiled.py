"""The compiled files as a dump: what a server that has read them answers."""

import json
import struct
from pathlib import Path
from typing import Any

from .dump import Dump, Entry, Json

FOLDER = Path(__file__).parents[2] / "edge_agent" / "sinks" / "opcua" / "models"
FLOAT = 10

Row = dict[str, Any]


def dump(folder: Path = FOLDER) -> Dump:
    """Every node of every file."""
    found: Dump = {}
    for path in folder.glob("*.jsonl"):
        header, *lines = path.read_text(encoding="utf-8").splitlines()
        namespace = json.loads(header)["namespace"]
        for row in map(json.loads, lines):
            mark = "=" if isinstance(row["id"], str) else ""
            found[f"{namespace}:{mark}{row['id']}"] = Entry(
                attributes=_attributes(row, f"{namespace}:{mark}{row['id']}"), references=frozenset(row["refs"])
            )
    return found


def _attributes(row: Row, node_id: str) -> dict[str, Json]:
    found = {
        "NodeId": node_id,
        "NodeClass": row["class"],
        "BrowseName": row["name"],
        "DisplayName": row.get("display", row["name"].partition(":")[2]),
    }
    match row["class"]:
        case 1:
            found["EventNotifier"] = row.get("notifier", 0)
        case 2:
            found |= _variable(row) | {
                "Value": _value(row),
                "AccessLevel": row.get("access", 1),
                "MinimumSamplingInterval": float(row.get("sampling", 0)),
                "Historizing": row.get("historizing", False),
            }
        case 4:
            found["Executable"] = row.get("executable", True)
        case 8:
            found["IsAbstract"] = row.get("abstract", False)
        case 16:
            found |= _variable(row) | {"IsAbstract": row.get("abstract", False), "Value": _value(row)}
        case 32:
            found |= {"IsAbstract": row.get("abstract", False), "Symmetric": row.get("symmetric", False)}
            found["InverseName"] = row.get("inverse")
        case 64:
            found |= {"IsAbstract": row.get("abstract", False), "DataTypeDefinition": row.get("definition")}
    return {name: held for name, held in found.items() if held is not None or (name == "Value" and row["class"] == 2)}


def _variable(row: Row) -> dict[str, Json]:
    return {
        "DataType": row.get("data_type", "0:24"),
        "ValueRank": row.get("rank", -1),
        "ArrayDimensions": row.get("dims"),
    }


def _value(row: Row) -> Json:
    found = row.get("value")
    if found is None or found["type"] != FLOAT:
        return found
    (rounded,) = struct.unpack("f", struct.pack("f", found["value"]))
    return {**found, "value": rounded}
