"""Changes of config.json as plain JSON values. Pure: nothing is read, written or mutated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from ..config.aggregator import KIND, is_our_type
from ..config.url import UrlError, parse_url
from ..model import DEFAULT_STATE_TABLE, Aftermath, Choice, MachineState
from ..sinks.http.setting_up import Complaint, MachineForm

_TEXTS = ("custom_name", "location", "manufacturer", "model", "serial_number")
FORM_FIELDS = ("pairing", "id", "url", "mes_id", *_TEXTS)

Cells = Mapping[str, Mapping[str, str]]


def form_complaints(form: MachineForm) -> tuple[Complaint, ...]:
    """What can be said of a form before there is a file with it."""
    found = []
    if not form.url.strip():
        found.append(Complaint(field="url", text="is missing; write the printer's address as in the browser"))
    else:
        try:
            parse_url(form.url)
        except UrlError as error:
            found.append(Complaint(field="url", text=str(error)))
    if mes_ids(form.mes_id) is None:
        found.append(Complaint(field="mes_id", text="write the numbers of the MES instances, with commas between them"))
    if not (form.id or form.pairing):
        text = "the agent has no key for this printer yet; ask the printer for one, or type one, first"
        found.append(Complaint(field="pairing", text=text))
    return tuple(found)


def mes_ids(text: str) -> list[int] | None:
    """The numbers in a text like ``1, 2``; ``None`` if it holds anything else."""
    parts = [part for part in re.split(r"[\s,;]+", text.strip("[] \t")) if part]
    if not all(re.fullmatch(r"-?[0-9]{1,10}", part) for part in parts):
        return None
    numbers = list(dict.fromkeys(map(int, parts)))
    return numbers if all(-(2**31) <= number < 2**31 for number in numbers) else None


def ours(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The machines of a file in the newest form that are for us."""
    return [machine for machine in value["machines"] if is_our_type(machine["type"])]


def place_of(value: Mapping[str, Any], machine_id: str) -> int | None:
    """Where a machine of ours stands in ``machines``."""
    for index, machine in enumerate(value["machines"]):
        if is_our_type(machine["type"]) and machine.get("id") == machine_id:
            return index
    return None


def with_machine(
    value: Mapping[str, Any], form: MachineForm, *, machine_id: str, key_file: str | None
) -> dict[str, Any]:
    """A file with one machine added or changed; what the form does not know of it stays.

    Args:
        value: a file in the newest form.
        form: without complaints.
        machine_id: of the machine; a new one is put at the end.
        key_file: what the file calls its key; ``None`` for the one it has.
    """
    machines = list(value["machines"])
    place = place_of(value, machine_id)
    old = machines[place] if place is not None else {"id": machine_id, "type": KIND}
    new = old | {"url": parse_url(form.url).text, "mes_id": mes_ids(form.mes_id)}
    if key_file is not None:
        new.pop("api_key", None)
        new["authentication_file_path"] = key_file
    for name in _TEXTS:
        text = getattr(form, name).strip()
        if text:
            new[name] = text
        else:
            new.pop(name, None)
    if place is None:
        machines.append(new)
    else:
        machines[place] = new
    return {**value, "machines": machines}


def without_machine(value: Mapping[str, Any], machine_id: str) -> dict[str, Any]:
    """A file without one machine."""
    place = place_of(value, machine_id)
    return {**value, "machines": [machine for index, machine in enumerate(value["machines"]) if index != place]}


def with_states(value: Mapping[str, Any], cells: Cells) -> dict[str, Any]:
    """A file with other overrides of the state table.

    A cell that says what it says anyway is left out. What stands under ``states`` and is not of the table stays.
    """
    old = value.get("states") or {}
    states: dict[str, Any] = {}
    for row, columns in _COLUMNS.items():
        unknown = {key: cell for key, cell in (old.get(row) or {}).items() if key not in columns}
        given = {key: text.strip() for key, text in cells.get(row, {}).items() if text.strip()}
        told = {key: text for key, text in given.items() if text != _without_override(row, key, cells)}
        if told or unknown:
            states[row] = {**told, **unknown}
    states.update({key: row for key, row in old.items() if key not in _COLUMNS})
    rest = {key: item for key, item in value.items() if key != "states"}
    return {**rest, "states": states} if states else rest


def state_complaints(cells: Cells) -> tuple[Complaint, ...]:
    """Rows and columns that the table does not have."""
    return tuple(
        Complaint(field=f"{row}.{column}", text="the state table has no such cell")
        for row, columns in cells.items()
        for column in columns
        if column not in _COLUMNS.get(row, ())
    )


def overrides(value: object) -> dict[str, dict[str, str]]:
    """The cells that a file overrides, by row and column; texts only, whatever else stands there."""
    states = value.get("states") if isinstance(value, dict) else None
    found = {
        row: {key: cell for key, cell in cells.items() if key in _COLUMNS[row] and isinstance(cell, str)}
        for row, cells in (states.items() if isinstance(states, dict) else ())
        if row in _COLUMNS and isinstance(cells, dict)
    }
    return {row: cells for row, cells in found.items() if cells}


def form_of(machine: Mapping[str, Any], machine_id: str) -> MachineForm:
    """What a form about a machine shows."""
    numbers = machine.get("mes_id")
    listed = numbers if isinstance(numbers, list) else [numbers] if isinstance(numbers, int) else []
    texts = {name: machine.get(name) for name in ("url", *_TEXTS)}
    return MachineForm(
        id=machine_id,
        mes_id=", ".join(str(number) for number in listed),
        **{name: text for name, text in texts.items() if isinstance(text, str)},
    )


def key_files(machines: Iterable[Mapping[str, Any]]) -> set[str]:
    """What a file calls the keys of its machines."""
    named = (machine.get("authentication_file_path") for machine in machines)
    return {name for name in named if isinstance(name, str)}


def _columns() -> dict[str, tuple[str, ...]]:
    rows: dict[str, type[Struct]] = {situation.value: type(row) for situation, row in DEFAULT_STATE_TABLE.rows.items()}
    rows["unreachable"] = type(DEFAULT_STATE_TABLE.unreachable)
    return {row: kind.__struct_fields__ for row, kind in rows.items()}


_COLUMNS = _columns()


def _without_override(row: str, column: str, cells: Cells) -> str:
    """What a cell says if the file does not: the default, or what the file says of the state it comes of."""
    if row == "unreachable":
        return _written(getattr(DEFAULT_STATE_TABLE.unreachable, column, ""))
    own = _default(row, column)
    if row not in {aftermath.value for aftermath in Aftermath}:
        return own
    of = Aftermath(row).of.value
    inherited = cells.get(of, {}).get(column, "").strip()
    return inherited if inherited not in {"", _default(of, column)} else own


def _default(row: str, column: str) -> str:
    situation = Aftermath(row) if row in {aftermath.value for aftermath in Aftermath} else MachineState(row)
    return _written(getattr(DEFAULT_STATE_TABLE.rows[situation], column, ""))


def _written(cell: Any) -> str:  # noqa: ANN401 - a cell of either kind
    return cell.label if isinstance(cell, Choice) else str(cell)
