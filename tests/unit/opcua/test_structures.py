"""Our structures are the models': names, order, types, encodings, and the bytes that asyncua's own classes make."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.structures104 import make_structure
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import extensionobject_from_binary, extensionobject_to_binary, struct_to_binary

from edge_agent.sinks import opcua
from edge_agent.sinks.opcua.space import structures
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.structures import STRUCTURES, ISA95StateDataType, RunInfoDataType
from edge_agent.sinks.opcua.space.wire import node_id

MODELS = Path(opcua.__file__).parent / "models"
FILES = {5: "isa95-jobcontrol.jsonl", 11: "additive-manufacturing.jsonl"}
TYPES = {structure.type.__name__: structure for structure in STRUCTURES}
WHEN = datetime(2026, 11, 22, 17, 30, 0, 123000, tzinfo=UTC)
SAMPLES: dict[Any, Any] = {
    ua.String: "Gehäuse №1",
    ua.DateTime: WHEN,
    ua.Int16: -3,
    ua.UInt32: 4_000_000_000,
    ua.Double: 1234.5,
    ua.Variant: ua.Variant([1, 2, 3], ua.VariantType.UInt16, is_array=True),
    ua.LocalizedText: ua.LocalizedText("Düse", "de"),
    ua.EUInformation: ua.EUInformation("urn:units", ua.Int32(42), ua.LocalizedText("mm"), ua.LocalizedText("mm", "en")),
    ua.RelativePath: ua.RelativePath(
        [ua.RelativePathElement(node_id(Key(0, 47)), TargetName=ua.QualifiedName("Sub", 5))]
    ),
}


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    structures.register()


@pytest.fixture(scope="module")
def modelled() -> dict[str, Any]:
    """The compiled models' definitions, by name."""
    found = {}
    for namespace, file in FILES.items():
        for line in (MODELS / file).read_text(encoding="utf-8").splitlines()[1:]:
            node = json.loads(line)
            name = node["name"].partition(":")[2]
            if "struct" in node.get("definition", {}) and name in TYPES:
                found[name] = {"id": f"{namespace}:{node['id']}", **node["definition"]}
    return found


@pytest.fixture(scope="module")
def generated(modelled: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The classes that asyncua generates from the models' definitions, by name; ours are set aside meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        classes: dict[str, Any] = {}
        for name, structure in TYPES.items():
            patch.delitem(ua.extension_objects_by_datatype, structure.type.data_type)
            patch.delattr(ua, name)
        left = dict(modelled)
        while left:
            ready = {name: known for name, known in left.items() if not _needs(known) & _ids(left) - {known["id"]}}
            for name, definition in ready.items():
                data_type = parsed(definition["id"])
                classes |= make_structure(data_type, name, _attribute(definition))
                patch.setitem(ua.extension_objects_by_datatype, data_type, classes[name])
                patch.setitem(ua.typeid_by_extension_objects, classes[name], parsed(definition["encoding"]))
                del left[name]
        yield classes
        for name in TYPES:
            delattr(ua, name)


def _ids(definitions: dict[str, Any]) -> set[str]:
    return {definition["id"] for definition in definitions.values()}


def _needs(definition: dict[str, Any]) -> set[str]:
    return {field["data_type"] for field in definition["struct"]}


def parsed(text: str) -> ua.NodeId:
    namespace, _, identifier = text.partition(":")
    return node_id(Key(int(namespace), int(identifier)))


def _attribute(definition: dict[str, Any]) -> ua.StructureDefinition:
    fields = [
        ua.StructureField(
            Name=field["name"],
            DataType=parsed(field["data_type"]),
            ValueRank=field.get("rank", -1),
            IsOptional=field.get("optional", False),
        )
        for field in definition["struct"]
    ]
    return ua.StructureDefinition(StructureType=ua.StructureType(definition["kind"]), Fields=fields)


def hints(cls: type) -> dict[str, Any]:
    found = typing.get_type_hints(cls)
    return {field.name: found[field.name] for field in dataclasses.fields(cls) if field.name != "Encoding"}


def is_optional(hint: object) -> bool:
    return type(None) in typing.get_args(hint)


def sample(hint: Any, depth: int = 2) -> Any:
    """A value of that type; a structure has all its fields down to some depth."""
    if is_optional(hint):
        return sample(typing.get_args(hint)[0], depth) if depth else None
    if typing.get_origin(hint) is list:
        return [sample(typing.get_args(hint)[0], depth)] * 2
    return full(hint, depth - 1) if dataclasses.is_dataclass(hint) and hint not in SAMPLES else SAMPLES[hint]


def full(cls: Any, depth: int = 2) -> Any:
    return cls(**{name: sample(hint, depth) for name, hint in hints(cls).items()})


def least(cls: Any, also: str = "") -> Any:
    """An instance of what is not optional, and one field more."""
    wanted = {name: hint for name, hint in hints(cls).items() if name == also or not is_optional(hint)}
    return cls(**{name: sample(hint, 1) for name, hint in wanted.items()})


def translated(value: Any, generated: dict[str, Any]) -> Any:
    """The same in asyncua's classes."""
    if isinstance(value, list):
        return [translated(item, generated) for item in value]
    cls = generated.get(type(value).__name__)
    if cls is None:
        return value
    return cls(**{name: translated(getattr(value, name), generated) for name in hints(type(value))})


def test_no_structure_is_missing(modelled: dict[str, Any]) -> None:
    assert set(modelled) == set(TYPES)
    assert len(STRUCTURES) == 12


@pytest.mark.parametrize("name", TYPES)
def test_node_ids_are_the_models(modelled: dict[str, Any], name: str) -> None:
    assert parsed(modelled[name]["id"]) == TYPES[name].type.data_type
    assert parsed(modelled[name]["encoding"]) == TYPES[name].encoding


@pytest.mark.parametrize("name", TYPES)
def test_fields_are_the_models(modelled: dict[str, Any], generated: dict[str, Any], name: str) -> None:
    ours = hints(TYPES[name].type)
    fields = modelled[name]["struct"]
    assert list(ours) == [field["name"] for field in fields]
    assert [is_optional(hint) for hint in ours.values()] == [field.get("optional", False) for field in fields]
    masked = "Encoding" in {field.name for field in dataclasses.fields(typing.cast("Any", TYPES[name].type))}
    assert masked == ("Encoding" in {field.name for field in dataclasses.fields(generated[name])})


CASES = [
    (name, also) for name, structure in TYPES.items() for also in ("", *hints(typing.cast("type", structure.type)))
]


@pytest.mark.parametrize(("name", "also"), CASES)
def test_each_field_makes_the_bytes_that_asyncua_makes(generated: dict[str, Any], name: str, also: str) -> None:
    ours = least(TYPES[name].type, also)
    assert extensionobject_to_binary(ours) == extensionobject_to_binary(translated(ours, generated))


@pytest.mark.parametrize("name", TYPES)
def test_all_fields_make_the_bytes_that_asyncua_makes(generated: dict[str, Any], name: str) -> None:
    ours = full(TYPES[name].type)
    assert extensionobject_to_binary(ours) == extensionobject_to_binary(translated(ours, generated))


@pytest.mark.parametrize("name", TYPES)
def test_what_was_encoded_is_decoded_to_the_same(name: str) -> None:
    for ours in (least(TYPES[name].type), full(TYPES[name].type)):
        assert extensionobject_from_binary(Buffer(extensionobject_to_binary(ours))) == ours


def test_bytes_by_hand() -> None:
    """Without asyncua's opinion: OPC 10000-6, 5.2.6 and 5.2.7."""
    state = ISA95StateDataType(BrowsePath=ua.RelativePath(), StateText=ua.LocalizedText("Running", "en"), StateNumber=3)
    path, text, number = b"\0\0\0\0", b"\x03\x02\0\0\0en\x07\0\0\0Running", b"\x03\0\0\0"
    assert struct_to_binary(state) == path + text + number
    run = RunInfoDataType(Identifier="a", State=state, RemainingTime=1.0)
    remaining = b"\0\0\0\0\0\0\xf0\x3f"
    assert struct_to_binary(run) == b"\x02\0\0\0" + b"\x01\0\0\0a" + path + text + number + remaining


def test_registering_again_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    before = dict(ua.extension_objects_by_typeid)
    structures.register()
    assert ua.extension_objects_by_typeid == before
    assert not caplog.records
