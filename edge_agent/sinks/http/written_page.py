"""The guide's pages for what is in config.json: the overview, a machine, its removal, the state table, the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

import msgspec

from ...model import DEFAULT_STATE_TABLE, Aftermath, Choice, MachineState, StateRow, UnreachableRow
from .fields import alarm, button, complaint_text, field, form
from .guide_page import ADD, MACHINE, OVERVIEW, PAIR, REMOVE, STATES, Reader, guide_page, link
from .html import escaped, foreign
from .setting_up import Complaint, MachineForm, Pairing, Written

_FIELDS = ("url", "custom_name", "mes_id", "location", "manufacturer", "model", "serial_number")
UNREACHABLE = "unreachable"


def name_of(machine: MachineForm) -> str:
    """What a person calls it."""
    return machine.custom_name or machine.id or machine.url


def overview_page(reader: Reader, written: Written) -> str:
    """All machines, and what is wrong with the file."""
    guide = reader.guide
    rows = "".join(
        f'<li class="tile"><h3>{foreign(name_of(machine))}</h3><p>{foreign(machine.url)}</p>'
        f"<p>{link(MACHINE, guide.edit, id=machine.id)} &middot; {link(REMOVE, guide.remove, id=machine.id)}</p></li>"
        for machine in written.machines
    )
    listed = f'<ul class="found">{rows}</ul>' if rows else f"<p>{escaped(guide.none_yet)}</p>"
    content = f"""{alarm(guide.problems, written.problems)}<section><h2>{escaped(guide.machines)}</h2>{listed}
<p><a class="go" href="{ADD}">{escaped(guide.add.title)}</a></p></section>"""
    return guide_page(reader, guide.title, content)


def machine_page(
    reader: Reader, typed: MachineForm, *, pairing: Pairing | None = None, complaints: Sequence[Complaint] = ()
) -> str:
    """One machine's entry as a form; ``typed`` is what stands in it, ``pairing`` whose key it gets."""
    guide = reader.guide
    wrong = _by_field(complaints)
    lines = "".join(
        field(name, label, text=getattr(typed, name), hint=hint, complaints=_beside(wrong, name), autocomplete="off")
        for name, (label, hint) in ((name, guide.fields[name]) for name in _FIELDS)
    )
    whose = (
        "" if pairing is None else f"<p>{escaped(guide.key_of).format(user=foreign(pairing.user or pairing.url))}</p>"
    )
    hidden = {"id": typed.id, "pairing": typed.pairing}
    content = (
        _rest(reader, wrong) + whose + form(MACHINE, lines + button(guide.save), token=reader.token, hidden=hidden)
    )
    if typed.id and pairing is None:
        ask = {"url": typed.url, "key": "", "machine": typed.id}
        content += form(PAIR, button(guide.new_key, quiet=True), token=reader.token, hidden=ask)
    title = guide.machine_title.format(name=name_of(typed)) if typed.id else guide.new_machine_title
    return guide_page(reader, title, f'<div class="narrow">{content}</div>')


def remove_page(reader: Reader, machine: MachineForm, *, complaints: Sequence[Complaint] = ()) -> str:
    """Asks whether that is meant."""
    guide = reader.guide
    yes = form(REMOVE, button(guide.remove_yes), token=reader.token, hidden={"id": machine.id})
    content = f"""{_rest(reader, _by_field(complaints))}<p>{escaped(guide.remove_why)}</p>{yes}
<p>{link(OVERVIEW, guide.remove_no)}</p>"""
    return guide_page(reader, guide.remove_title.format(name=name_of(machine)), f'<div class="narrow">{content}</div>')


def written_page(reader: Reader, written: Written, *, saved: bool) -> str:
    """The file as it is, without what is secret in it."""
    guide = reader.guide
    said = f'<p role="status"><strong>{escaped(guide.saved)}</strong> {escaped(guide.reloads)}</p>' if saved else ""
    if not written.exists:
        return guide_page(
            reader, guide.written, f"<p>{escaped(guide.not_written)}</p><p>{link(ADD, guide.add.title)}</p>"
        )
    before = f"<p>{escaped(guide.previous)} <code>{escaped(written.previous)}</code></p>" if written.previous else ""
    content = f"""{said}{alarm(guide.problems, written.problems)}<p><code>{escaped(written.path)}</code></p>
<pre tabindex="0"><code>{escaped(written.text)}</code></pre><p>{escaped(guide.hidden)}</p>{before}
<p>{link("/", guide.to_the_page)} &middot; {link(ADD, guide.add_another)}</p>"""
    return guide_page(reader, guide.written, content)


def states_page(reader: Reader, cells: Mapping[str, Mapping[str, str]], *, complaints: Sequence[Complaint] = ()) -> str:
    """The state table as a form; ``cells`` are the overrides."""
    guide = reader.guide
    wrong = _by_field(complaints)
    heads = "".join(f'<th scope="col">{escaped(guide.columns[name])}</th>' for name in StateRow.__struct_fields__)
    rows = "".join(_row(reader, row, cells.get(row, {}), wrong) for row in ROWS)
    table = f"""<div class="wide" tabindex="0" role="region" aria-label="{escaped(guide.states)}"><table class="cells">
<thead><tr><th scope="col">{escaped(guide.state)}</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"""
    content = form(STATES, table + button(guide.save), token=reader.token)
    return guide_page(reader, guide.states, f"{_rest(reader, wrong)}<p>{escaped(guide.states_why)}</p>{content}")


ROWS = (*(situation.value for situation in (*MachineState, *Aftermath)), UNREACHABLE)
"""The rows of the table, as config.json names them."""


def columns_of(row: str) -> tuple[str, ...]:
    """Which cells a row has."""
    return (UnreachableRow if row == UNREACHABLE else StateRow).__struct_fields__


def choices(column: str) -> list[str]:
    """What a cell may say, as config.json writes it."""
    kinds = {cell.name: cell.type for cell in msgspec.structs.fields(StateRow)}
    return [_written(member) for member in kinds[column]]


def _row(reader: Reader, row: str, cells: Mapping[str, str], wrong: dict[str, list[Complaint]]) -> str:
    name = _row_name(reader, row)
    tds = [
        _cell(reader, row, column, cells.get(column, ""), _beside(wrong, f"{row}.{column}"))
        if column in columns_of(row)
        else "<td></td>"
        for column in StateRow.__struct_fields__
    ]
    return f'<tr><th scope="row">{escaped(name)}</th>{"".join(tds)}</tr>'


def _cell(reader: Reader, row: str, column: str, chosen: str, wrong: list[str]) -> str:
    name = f"{row}.{column}"
    head = reader.guide.columns[column]
    options = "".join(
        f'<option value="{escaped(text)}"{" selected" if text == chosen else ""}>'
        f"{escaped(text or _own(reader, row, column))}</option>"
        for text in ("", *choices(column))
    )
    more = f' aria-label="{escaped(_row_name(reader, row))}: {escaped(head)}"'
    told = ""
    if wrong:
        more += f' aria-invalid="true" aria-describedby="{name}-wrong"'
        told = f'<span class="wrong" id="{name}-wrong">{"<br>".join(map(foreign, wrong))}</span>'
    return f'<td data-label="{escaped(head)}"><select name="{name}"{more}>{options}</select>{told}</td>'


def _row_name(reader: Reader, row: str) -> str:
    """In the reader's words where there are some, with the file's own name."""
    if row == UNREACHABLE:
        return reader.guide.unreachable
    states: dict[str, str] = {state.value: text for state, text in reader.words.states.items()}
    return reader.guide.aftermaths.get(row) or states.get(row, row)


def _own(reader: Reader, row: str, column: str) -> str:
    """What the agent says where the file does not."""
    if row == UNREACHABLE:
        value = getattr(DEFAULT_STATE_TABLE.unreachable, column)
    else:
        situation = next(one for one in DEFAULT_STATE_TABLE.rows if one.value == row)
        value = getattr(DEFAULT_STATE_TABLE.rows[situation], column)
        if isinstance(situation, Aftermath):
            base = getattr(DEFAULT_STATE_TABLE.rows[situation.of], column)
            if base == value:  # what the file says of the state holds here as well
                return reader.guide.as_state.format(state=_row_name(reader, situation.of.value))
    return reader.guide.as_default.format(value=_written(value))


def _written(member: Enum) -> str:
    return member.label if isinstance(member, Choice) else str(member.value)


def _by_field(complaints: Iterable[Complaint]) -> dict[str, list[Complaint]]:
    found: dict[str, list[Complaint]] = {}
    for complaint in complaints:
        found.setdefault(complaint.field, []).append(complaint)
    return found


def _beside(wrong: dict[str, list[Complaint]], name: str) -> list[str]:
    """The complaints of one field, which are told beside it: no line of a file is needed to find it."""
    return [complaint.text for complaint in wrong.pop(name, ())]


def _rest(reader: Reader, wrong: Mapping[str, list[Complaint]]) -> str:
    """Complaints that stand beside no field, above all."""
    return alarm(reader.guide.complaints, [complaint_text(one) for several in wrong.values() for one in several])
