"""The compiled models of OPC UA: what must hold whatever the models are, and some facts that were wrong elsewhere."""

import json
import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from scripts.models.left_out import LEFT_OUT

FOLDER = Path(__file__).parents[2] / "edge_agent" / "sinks" / "opcua" / "models"
FILES = {
    "ua": 0, "di": 2, "ia": 3, "machinery": 4, "isa95-jobcontrol": 5, "machinery-jobs": 6, "irdi": 7, "padim": 8,
    "process-values": 9, "machine-tool": 10, "additive-manufacturing": 11,
}  # fmt: skip
KEYS = (
    "id", "class", "name", "display", "refs", "data_type", "rank", "dims", "access", "sampling", "historizing",
    "abstract", "symmetric", "inverse", "notifier", "executable", "value", "definition",
)  # fmt: skip
DEFAULTS = {
    "data_type": "0:24", "rank": -1, "dims": None, "access": 1, "sampling": 0, "historizing": False, "abstract": False,
    "symmetric": False, "inverse": None, "notifier": 0, "executable": True, "value": None, "definition": None,
}  # fmt: skip
OBJECT, VARIABLE, METHOD, OBJECT_TYPE, VARIABLE_TYPE, REFERENCE_TYPE, DATA_TYPE = (1 << bit for bit in range(7))
TYPES = {OBJECT_TYPE, VARIABLE_TYPE, REFERENCE_TYPE, DATA_TYPE}
ROOT_TYPES = {"0:24", "0:31", "0:58", "0:62"}
FORWARD_ONLY = {"37", "40", "41", "3065"}
DICTIONARY = "40>0:72"

Row = dict[str, Any]


@cache
def lines(file: str) -> list[str]:
    text = (FOLDER / f"{file}.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    return text[:-1].split("\n")


@cache
def rows() -> dict[str, Row]:
    """All nodes by NodeId."""
    found: dict[str, Row] = {}
    for file, namespace in FILES.items():
        for row in map(json.loads, lines(file)[1:]):
            node_id = f"{namespace}:{'=' if isinstance(row['id'], str) else ''}{row['id']}"
            assert node_id not in found
            found[node_id] = row
    return found


def references() -> Iterator[tuple[str, str, str, str]]:
    """Node, type, direction, target."""
    for node_id, row in rows().items():
        for reference in row["refs"]:
            kind, direction, target = re.split("([<>])", reference, maxsplit=1)
            yield node_id, kind, direction, target


def full(kind: str) -> str:
    return kind if ":" in kind else f"0:{kind}"


def targets(node_id: str, kind: str, direction: str) -> list[str]:
    return [r[len(kind) + 1 :] for r in rows()[node_id]["refs"] if r.startswith(kind + direction)]


def supertypes(node_id: str) -> Iterator[str]:
    while above := targets(node_id, "45", "<"):
        (node_id,) = above
        yield node_id


def node_ids(value: Row) -> Iterator[str]:
    """The NodeIds in a value."""
    items = value["value"] if value.get("array") else [value["value"]]
    if value["type"] == 17:
        yield from items
    if value["type"] == 22:
        yield from (item["DataType"] for item in items if item["struct"] == "Argument")


def structures() -> Iterator[Row]:
    """The structures in all values."""
    for row in rows().values():
        if row.get("value", {}).get("type") == 22:
            held = row["value"]["value"]
            yield from held if row["value"].get("array") else [held]


def test_there_is_a_file_for_every_model() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == FILES.keys()


@pytest.mark.parametrize("file", FILES)
def test_a_file_begins_with_what_it_is_of(file: str) -> None:
    header = json.loads(lines(file)[0])
    assert list(header) == ["namespace", "uri", "version", "published"]
    assert header["namespace"] == FILES[file]
    stated = (
        f"| `{file}.jsonl` | {header['namespace']} | `{header['uri']}` | {header['version']} | {len(lines(file)) - 1} |"
    )
    assert stated in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", FILES)
def test_lines_are_compact_and_in_order(file: str) -> None:
    found = [json.loads(line) for line in lines(file)]
    for line, row in zip(lines(file), found, strict=True):
        assert line == json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    order = [(isinstance(row["id"], str), row["id"]) for row in found[1:]]
    assert order == sorted(order)


def test_keys_are_in_order_and_defaults_left_out() -> None:
    for node_id, row in rows().items():
        assert list(row) == [key for key in KEYS if key in row], node_id
        for key in row.keys() & DEFAULTS.keys():
            assert row[key] != DEFAULTS[key], (node_id, key)
        assert row.get("display") != row["name"].partition(":")[2], node_id


def test_keys_are_those_of_the_class() -> None:
    of = {
        OBJECT: {"notifier"},
        VARIABLE: {"data_type", "rank", "dims", "access", "sampling", "historizing", "value"},
        METHOD: {"executable"},
        OBJECT_TYPE: {"abstract"},
        VARIABLE_TYPE: {"data_type", "rank", "dims", "abstract", "value"},
        REFERENCE_TYPE: {"abstract", "symmetric", "inverse"},
        DATA_TYPE: {"abstract", "definition"},
    }
    for node_id, row in rows().items():
        assert row.keys() <= {"id", "class", "name", "display", "refs"} | of[row["class"]], node_id


def test_every_name_is_in_a_known_namespace() -> None:
    names = [row["name"] for row in rows().values()]
    assert {name.partition(":")[0] for name in names} <= {str(namespace) for namespace in FILES.values()}
    assert all(name.partition(":")[2] for name in names)


def test_no_reference_dangles() -> None:
    known = rows().keys()
    assert [r for r in references() if r[3] not in known or rows()[full(r[1])]["class"] != REFERENCE_TYPE] == []


def test_references_stand_at_both_nodes() -> None:
    found = set(references())
    for node_id, kind, direction, target in found:
        if kind in FORWARD_ONLY:
            assert direction == ">", (node_id, kind, target)
        else:
            assert (target, kind, "<" if direction == ">" else ">", node_id) in found, (node_id, kind, target)


def test_references_are_sorted_and_single() -> None:
    def order(text: str) -> tuple[int, bool, int, str]:
        namespace, _, identifier = full(text).partition(":")
        is_text = identifier.startswith("=")
        return int(namespace), is_text, 0 if is_text else int(identifier), identifier if is_text else ""

    by_node: dict[str, list[Any]] = {}
    for node_id, kind, direction, target in references():
        by_node.setdefault(node_id, []).append((direction == "<", order(kind), order(target)))
    for node_id, found in by_node.items():
        assert found == sorted(set(found)), node_id


def test_every_object_and_variable_has_a_type() -> None:
    wanted = {OBJECT: OBJECT_TYPE, VARIABLE: VARIABLE_TYPE}
    for node_id, row in rows().items():
        found = [rows()[target]["class"] for target in targets(node_id, "40", ">")]
        assert found == ([wanted[row["class"]]] if row["class"] in wanted else []), node_id


def test_every_type_has_one_supertype_of_its_class() -> None:
    for node_id, row in rows().items():
        if row["class"] in TYPES:
            found = [rows()[target]["class"] for target in targets(node_id, "45", "<")]
            assert found == ([] if node_id in ROOT_TYPES else [row["class"]]), node_id


def test_every_data_type_is_one() -> None:
    for node_id, row in rows().items():
        assert rows()[row.get("data_type", "0:24")]["class"] == DATA_TYPE, node_id
        for field in row.get("definition", {}).get("struct", []):
            assert rows()[field["data_type"]]["class"] == DATA_TYPE, (node_id, field)


def test_node_ids_in_values_are_of_nodes() -> None:
    found = [(node_id, each) for node_id, row in rows().items() if "value" in row for each in node_ids(row["value"])]
    assert len(found) > 1000
    assert [pair for pair in found if pair[1] not in rows()] == []


def test_values_are_of_their_variables_rank() -> None:
    for node_id, row in rows().items():
        if (value := row.get("value")) is None:
            continue
        rank = len(value["dims"]) if "dims" in value else 1 if value.get("array") else -1
        stated = row.get("rank", -1)
        assert stated in (rank, -2) or (stated == -3 and rank <= 1), node_id
        assert len(value.get("dims", [])) != 1, node_id
        if "dims" in value:
            assert math.prod(value["dims"]) == len(value["value"]), node_id


def test_every_structure_and_enumeration_is_defined() -> None:
    for node_id, row in rows().items():
        if row["class"] != DATA_TYPE:
            continue
        above = list(supertypes(node_id))
        definition = row.get("definition", {})
        if "0:22" in above:
            assert definition["base"] == above[0], node_id
            assert ("encoding" in definition) != row.get("abstract", False), node_id
        elif "0:29" in above:
            assert definition["enum"], node_id
        elif "struct" in definition:
            pytest.fail(f"{node_id} is no structure")


def test_a_structure_begins_with_the_fields_of_its_base() -> None:
    longer = 0
    for node_id, row in rows().items():
        definition = row.get("definition", {})
        if "struct" in definition:
            inherited = rows()[definition["base"]].get("definition", {}).get("struct", [])
            assert definition["struct"][: len(inherited)] == inherited, node_id
            assert len({field["name"] for field in definition["struct"]}) == len(definition["struct"]), node_id
            longer += bool(inherited)
    assert longer > 20


def test_an_encoding_is_the_default_binary_one() -> None:
    found = {i: r["definition"]["encoding"] for i, r in rows().items() if "encoding" in r.get("definition", {})}
    for node_id, encoding in found.items():
        assert rows()[encoding]["name"] == "0:Default Binary"
        assert f"38<{node_id}" in rows()[encoding]["refs"]


def test_there_is_no_prose_and_no_schema() -> None:
    for row in rows().values():
        if DICTIONARY in row["refs"]:
            assert "value" not in row
    described = {item["struct"] for item in structures() if "Description" in item}
    assert described == {"EUInformation"}


def test_method_arguments_are_arrays_of_arguments() -> None:
    found = [r for r in rows().values() if r["name"] in ("0:InputArguments", "0:OutputArguments") and "value" in r]
    assert len(found) > 500
    for row in found:
        assert row["value"]["array"]
        assert {item["struct"] for item in row["value"]["value"]} == {"Argument"}


def test_names_in_values_are_in_the_namespace_of_their_model() -> None:
    assert rows()["4:6021"]["value"] == {"type": 20, "value": "4:MachineryItemState"}
    assert rows()["10:6063"]["value"] == {"type": 20, "value": "4:MachineryOperationMode"}
    found = {n: r["value"]["value"] for n, r in rows().items() if r.get("value", {}).get("type") == 20}
    assert len(found) == 16


def test_every_node_can_be_found_from_root() -> None:
    found, edge = {"0:84"}, ["0:84"]
    while edge:
        onward = {r.partition(">")[2] for r in rows()[edge.pop()]["refs"] if re.match("[0-9:]+>", r)} - found
        found |= onward
        edge += onward
    assert found == rows().keys()


def declarations(type_id: str) -> Iterator[tuple[str, bool]]:
    """The names of a type's children, those of its supertypes too, and whether they are mandatory."""
    for owner in (type_id, *supertypes(type_id)):
        for kind in ("46", "47"):
            for child in targets(owner, kind, ">"):
                yield rows()[child]["name"], "0:78" in targets(child, "37", ">")


def test_only_what_types_leave_open_is_left_out() -> None:
    checked, edge = 0, ["0:2253", "2:5001", "4:1001"]
    while edge:
        owner = edge.pop()
        children = [child for kind in ("35", "46", "47") for child in targets(owner, kind, ">")]
        names = {rows()[child]["name"] for child in children}
        (type_id,) = targets(owner, "40", ">") or ["0:58"]
        wanted = {name for name, is_mandatory in declarations(type_id) if is_mandatory}
        assert wanted <= names, owner
        checked += len(wanted)
        edge += [child for child in children if rows()[child]["class"] in (OBJECT, VARIABLE)]
    assert checked > 100


@pytest.mark.parametrize("listed", LEFT_OUT)
def test_what_the_server_has_not_is_left_out(listed: str) -> None:
    assert listed not in rows()


def test_a_namespace_that_lost_nodes_says_so() -> None:
    found = {
        node_id.partition(":")[0]: row["value"]["value"]
        for node_id, row in rows().items()
        if row["name"] == "0:IsNamespaceSubset" and not targets(node_id, "37", ">")
    }
    assert found == {str(namespace): namespace in (0, 2, 7) for namespace in FILES.values()}


def test_objects_for_design_tools_are_left_out() -> None:
    assert "2:73" not in rows()
    assert rows()["2:1005"]["name"] == "2:FunctionalGroupType"


def test_reference_types_are_concrete_and_directed_as_the_standard_has_them() -> None:
    symmetric = {r["name"] for r in rows().values() if r.get("symmetric")}
    assert {"0:References", "0:NonHierarchicalReferences", "2:ConnectsTo"} <= symmetric
    assert "0:HasComponent" not in symmetric
    assert "abstract" not in rows()["0:47"]
    assert rows()["0:47"]["inverse"] == "ComponentOf"
    assert rows()["0:33"]["abstract"]


def test_definitions_of_the_jobs_are_complete() -> None:
    assert rows()["11:3001"]["definition"] == {
        "struct": [
            {"name": "CurrentLayer", "data_type": "0:7", "optional": True},
            {"name": "Identifier", "data_type": "0:12"},
            {"name": "State", "data_type": "5:3006"},
            {"name": "RemainingTime", "data_type": "0:290", "optional": True},
        ],
        "kind": 1,
        "base": "0:22",
        "encoding": "11:5036",
    }
    assert rows()["6:3009"]["definition"] == {"enum": [["OrderNumber", 0], ["LotNumber", 1], ["SerialNumber", 2]]}


def test_matrices_are_kept() -> None:
    assert rows()["8:1173"]["value"] == {
        "type": 17,
        "array": True,
        "dims": [3, 1],
        "value": ["7:=0112/2///61987#ABM885#001", "7:=0112/2///61987#ABM886#001", "7:=0112/2///61987#ABI407#004"],
    }
