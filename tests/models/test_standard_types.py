"""The DataTypeDefinitions of namespace 0 against the classes that asyncua was generated with, from another source."""

import dataclasses
import enum

import pytest
from asyncua import ua

from . import compiled

NOT_IN_ASYNCUA = {"NumberRange", "PortableNodeId", "Union"}
ENTRIES = {
    entry.attributes["BrowseName"].partition(":")[2]: entry
    for node_id, entry in compiled.dump().items()
    if node_id.startswith("0:") and "DataTypeDefinition" in entry.attributes
}
DEFINED = {name: entry.attributes["DataTypeDefinition"] for name, entry in ENTRIES.items()}
STRUCTURES = {name: found for name, found in DEFINED.items() if "struct" in found and name not in NOT_IN_ASYNCUA}
ENUMERATIONS = {name: found for name, found in DEFINED.items() if "enum" in found}


def class_of(name: str) -> type:
    found = getattr(ua, name.replace("3D", "ThreeD"))
    assert isinstance(found, type)
    return found


def test_all_are_compared() -> None:
    assert len(STRUCTURES) + len(ENUMERATIONS) + len(NOT_IN_ASYNCUA) == len(DEFINED) == 250


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_has_the_same_fields(name: str) -> None:
    found = class_of(name)
    assert dataclasses.is_dataclass(found)
    assert [field["name"] for field in STRUCTURES[name]["struct"]] == [f.name for f in dataclasses.fields(found)]


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_an_enumeration_has_the_same_values(name: str) -> None:
    found = class_of(name)
    assert issubclass(found, enum.IntEnum | enum.IntFlag)
    theirs = {member.removesuffix("_"): int(each) for member, each in found.__members__.items()}
    is_enumeration = "45<0:29" in ENTRIES[name].references  # and not an option set, whose values are bit numbers
    stated = {member: value if is_enumeration else 1 << value for member, value in ENUMERATIONS[name]["enum"]}
    assert theirs == stated
