"""The JSON Schema of config.json, derived from the entries that the loader reads, so that both agree for ever."""

from __future__ import annotations

from typing import Any

import msgspec

from .aggregator import KIND
from .entries import MachineEntry, SettingsEntry

_REFERENCE = "#/$defs/{name}"


def config_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the three forms of config.json, as plain JSON values."""
    _, definitions = msgspec.json.schema_components((MachineEntry, SettingsEntry), ref_template=_REFERENCE)
    for definition in definitions.values():
        _tidy(definition)
    machine, settings = definitions["MachineEntry"], definitions.pop("SettingsEntry")
    machine["properties"]["type"] |= {"pattern": _any_case(KIND)}
    _one_of_two(machine, "api_key", "authentication_file_path")
    _one_of_two(definitions["UserEntry"], "password", "password_file")
    definitions["OtherMachine"] = _other_machine()
    machines = {"type": "array", "items": {"anyOf": [_refer("MachineEntry"), _refer("OtherMachine")]}}
    definitions["File"] = settings | {
        "title": "File",
        "properties": {"machines": machines, **settings["properties"]},
        "required": ["machines"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.json of edge-agent",
        "anyOf": [_refer("File"), machines, _refer("MachineEntry"), _refer("OtherMachine")],
        "$defs": definitions,
    }


def _refer(name: str) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=name)}


def _tidy(definition: dict[str, Any]) -> None:
    """A field that must be there must not be null; ``null`` in the structs stands for "reported" there."""
    for name in definition.get("required", ()):
        found = definition["properties"][name]
        choices = [choice for choice in found["anyOf"] if choice != {"type": "null"}]
        definition["properties"][name] = choices[0] if len(choices) == 1 else {"anyOf": choices}


def _one_of_two(definition: dict[str, Any], *names: str) -> None:
    definition["oneOf"] = [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in names]


def _any_case(word: str) -> str:
    """A pattern for a word in any letter case: patterns have no flag for that."""
    letters = "".join(f"[{letter.upper()}{letter.lower()}]" for letter in word)
    return rf"^\s*{letters}\s*$"


def _other_machine() -> dict[str, Any]:
    """A machine of a type that is skipped: anything may be in it."""
    return {
        "title": "OtherMachine",
        "description": "A machine of another type: skipped with a warning.",
        "type": "object",
        "properties": {"type": {"type": "string", "not": {"pattern": _any_case(KIND)}}},
        "required": ["type"],
    }
