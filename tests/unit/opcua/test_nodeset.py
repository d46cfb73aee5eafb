"""The compiled models as the server reads them: rows on demand, and nothing kept beyond the last few."""

from __future__ import annotations

import gc
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from edge_agent.sinks.opcua.space import nodeset as module
from edge_agent.sinks.opcua.space import wire
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import FOLDER, HAS_SUBTYPE, Key, Nodeset, Reference, key, text

KEPT = 256


@pytest.mark.parametrize("written", ["0:85", "13:=mark-one/Job", "8:=a:b=c", "4:1001"])
def test_a_node_ids_text_is_read_as_it_is_written(written: str) -> None:
    assert text(key(written)) == written


def test_every_line_of_the_files_is_a_node_with_its_own_id(nodeset: Nodeset) -> None:
    lines = sum(len(path.read_bytes().splitlines()) - 1 for path in FOLDER.glob("*.jsonl"))
    nodes = list(nodeset)
    assert len(nodes) == len(set(nodes)) == lines
    assert all(nodeset[node].id == node.identifier for node in nodes)


def test_a_row_says_what_its_line_says(nodeset: Nodeset) -> None:
    row = nodeset[Key(11, 1005)]
    assert row.name == "11:AdditiveManufacturingType"
    assert row.node_class == ua.NodeClass.ObjectType
    assert Reference(HAS_SUBTYPE, False, Key(10, 13)) in list(row.references)


@pytest.mark.parametrize(
    "node",
    [
        Key(0, 999_999),
        Key(0, 1),
        Key(0, "Objects"),
        Key(1, 85),
        Key(12, 1),
        Key(13, "m"),
        Key(99, 1),
        Key(4, ""),
        Key(0, -1),
    ],
)
def test_a_node_that_is_not_there_is_none_and_in_no_row(nodeset: Nodeset, node: Key) -> None:
    known = Key(0, 1) == node  # Boolean
    assert (node in nodeset) is known
    assert (nodeset.find(node) is not None) is known


def test_asking_for_a_node_that_is_not_there_by_index_names_it(nodeset: Nodeset) -> None:
    with pytest.raises(KeyError, match="4:=nothing"):
        nodeset[Key(4, "nothing")]
    assert "4:1001" not in nodeset


def test_supertypes_go_up_to_the_root(nodeset: Nodeset) -> None:
    line = [nodeset[node].name for node in nodeset.supertypes(Key(11, 1005))]
    assert line == ["11:AdditiveManufacturingType", "10:MachineToolType", "0:BaseObjectType"]
    assert nodeset.is_subtype(Key(11, 1005), Key(11, 1005))
    assert nodeset.is_subtype(Key(11, 1005), Key(0, 58))
    assert not nodeset.is_subtype(Key(0, 58), Key(11, 1005))
    assert not nodeset.is_subtype(Key(11, 1005), Key(0, 62))


def test_a_type_that_is_not_there_is_only_itself(nodeset: Nodeset) -> None:
    assert nodeset.supertypes(Key(99, 1)) == (Key(99, 1),)


def test_the_headers_name_the_models_in_the_order_of_their_indices(nodeset: Nodeset) -> None:
    assert [header.namespace for header in nodeset.headers] == [0, *range(2, 12)]
    assert all(header.version and header.published for header in nodeset.headers)


def test_of_all_rows_read_the_last_few_are_kept(nodeset: Nodeset) -> None:
    for node in nodeset:
        nodeset.find(node)
        nodeset.supertypes(node)
    assert nodeset.find.cache_info().currsize == KEPT
    assert nodeset.supertypes.cache_info().currsize == KEPT


def test_reading_every_attribute_of_every_node_leaves_nothing_behind(space: AddressSpace) -> None:
    """After a client has crawled everything, the server is as large as before, but for the few rows that are kept."""
    nodes = list(space.keys())
    gc.collect()
    before = sys.getallocatedblocks()
    for node in nodes:
        for which in ua.AttributeIds:
            space.read(node, which)
        for reference in space.references(node):
            space.row(reference.target)
    gc.collect()
    assert sys.getallocatedblocks() - before < 30 * KEPT
    assert len(nodes) > 7_500


def test_a_file_that_is_not_there_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Nodeset(tmp_path)


def test_identifiers_that_look_like_patterns_are_only_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = '{"namespace":4,"uri":"urn:x","version":"1","published":"2026-01-01T00:00:00Z"}'
    lines = [
        header,
        '{"id":7,"class":1,"name":"4:a"}',
        r'{"id":"\"q\" {\"id\":9","class":1,"name":"4:b","refs":["47>4:=x>y"]}',
    ]
    (tmp_path / "machinery.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(module, "MODELS", {4: "machinery"})
    made = Nodeset(tmp_path)
    assert list(made) == [Key(4, 7), Key(4, '"q" {"id":9')]
    row = made[Key(4, '"q" {"id":9')]
    assert row.name == "4:b"
    assert list(row.references) == [Reference(Key(0, 47), True, Key(4, "x>y"))]
    assert Key(4, 9) not in made


@pytest.mark.parametrize("identifier", [uuid.UUID(int=7), b"7", b""])
@pytest.mark.parametrize("namespace", [0, 8, 13])
def test_a_node_id_of_a_kind_that_no_node_has_becomes_one_that_no_node_has(
    nodeset: Nodeset, identifier: Any, namespace: int
) -> None:
    node = wire.key(ua.NodeId(identifier, namespace))  # type: ignore[arg-type]
    assert node == Key(namespace, "")
    assert node not in nodeset
