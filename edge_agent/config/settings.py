"""What stands beside ``machines``: the OPC UA endpoint, the status page, polling, the state table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

from ..model import DEFAULT_STATE_TABLE, Aftermath, Choice, Situation, StateRow, StateTable, UnreachableRow
from ..poller import Polling
from ..secret import Secret
from ..sinks.http.options import HttpOptions, HttpUser
from ..sinks.opcua.options import OPEN_TO_ALL, Limits, OpcUaOptions, OpcUaUser
from .aggregator import Draft
from .entries import HttpEntry, OpcUaEntry, PollingEntry, UserEntry
from .problem import JsonPath
from .report import Report
from .secrets import Secrets

SHORTEST_PASSWORD = 12

R = TypeVar("R", StateRow, UnreachableRow)


def read_opcua(report: Report, entry: OpcUaEntry | None, drafts: Sequence[Draft], secrets: Secrets) -> OpcUaOptions:
    """The endpoint's options; port hints of the machines count where ``opcua.port`` is not given."""
    entry = entry or OpcUaEntry()
    port, or_next, extra = _ports(report, entry, drafts)
    users = tuple(
        OpcUaUser(name=name, password=password)
        for name, password in _users(report, "opcua", entry.users or (), secrets).items()
    )
    mes_ids = frozenset(mes_id for draft in drafts for mes_id in draft.mes_ids)
    if not report.failed and not (entry.anonymous or users or mes_ids):
        report.warning(("opcua",), 'no client can log in; add a user to opcua.users, or set "anonymous": true')
    if entry.anonymous:
        report.warning(
            ("opcua", "anonymous"), f"{OPEN_TO_ALL}; set it to false, and let clients log in with a password"
        )
    limits = Limits(**_given(entry.limits, Limits.__struct_fields__)) if entry.limits else Limits()
    given = _given(entry, ("bind", "hostname", "anonymous", "client_certificates"))
    return OpcUaOptions(
        port=port, port_or_next=or_next, extra_ports=extra, users=users, mes_ids=mes_ids, limits=limits, **given
    )


def read_http(report: Report, entry: HttpEntry | None, opcua: OpcUaOptions, secrets: Secrets) -> HttpOptions:
    """The status page's options; its port must not be the endpoint's."""
    entry = entry or HttpEntry()
    users = _users(report, "http", entry.users or (), secrets)
    for index, user in enumerate(entry.users or ()):
        if user.name is not None and ":" in user.name:
            report.error(("http", "users", index, "name"), "HTTP allows no colon in a user name; choose another")
    options = HttpOptions(
        hostnames=tuple(name.lower() for name in entry.hostnames or ()),
        users=tuple(HttpUser(name=name, password=password) for name, password in users.items()),
        **_given(entry, ("port", "bind", "enabled")),
    )
    if options.enabled and options.port in {opcua.port, *opcua.extra_ports}:
        report.error(("http", "port"), f"{options.port} is also the OPC UA port; choose another")
    return options


def read_polling(report: Report, entry: PollingEntry | None) -> Polling:
    """How often machines are asked."""
    polling = Polling(**_given(entry or PollingEntry(), ("interval_s", "idle_interval_s", "timeout_s")))
    if polling.idle_interval_s < polling.interval_s:
        report.warning(
            ("polling",),
            f"idle_interval_s ({polling.idle_interval_s:g}) is shorter than interval_s ({polling.interval_s:g}); "
            "an idle machine needs no more questions than a printing one",
        )
    return polling


def read_states(entry: Any) -> StateTable:  # noqa: ANN401 - its struct is made from the table's own
    """The default state table with the cells of the file put over it.

    What the file says of a state holds for its aftermaths as well, unless it says something else of these.
    """
    if entry is None:
        return DEFAULT_STATE_TABLE
    rows: dict[Situation, StateRow] = {}
    for situation, row in DEFAULT_STATE_TABLE.rows.items():
        if isinstance(situation, Aftermath):
            row = _row(row, getattr(entry, situation.of.value))  # noqa: PLW2901 - the row this one begins with
        rows[situation] = _row(row, getattr(entry, situation.value))
    return StateTable(rows=rows, unreachable=_row(DEFAULT_STATE_TABLE.unreachable, entry.unreachable))


def _row(row: R, cells: Struct | None) -> R:
    given = {} if cells is None else _given(cells, row.__struct_fields__)
    return replace(row, **{name: _cell(row, name, text) for name, text in given.items()})


def _cell(row: Struct, name: str, text: str) -> object:
    """A cell of the file as the row's own type; numbered names stand in the file by their labels."""
    kind = type(getattr(row, name))
    if issubclass(kind, Choice):
        return next(member for member in kind if member.label == text)
    return kind(text)


def _given(entry: Any, names: Iterable[str]) -> dict[str, Any]:  # noqa: ANN401 - any entry
    """The fields of an entry that the file gives; the others keep the default of the options they go to."""
    return {name: value for name, value in asdict(entry).items() if name in set(names) and value is not None}


def split_port(value: int | str) -> tuple[int, bool]:
    """``4840``, ``"4840"`` and ``"4840+"`` as a number, and whether the next free one will do; 0 if out of range."""
    text = str(value)
    number = int(text.removesuffix("+"))
    return (number if number <= 65535 else 0), text.endswith("+")


def _ports(report: Report, entry: OpcUaEntry, drafts: Sequence[Draft]) -> tuple[int, bool, tuple[int, ...]]:
    """Port, whether the next free one will do, and the further ports."""
    hints = _hints(report, drafts)
    extra = tuple(entry.extra_ports or ())
    if entry.port is not None:
        port, or_next = split_port(entry.port)
        if not port:
            report.error(("opcua", "port"), "a port is a number from 1 to 65535")
        for number, (path, _) in hints.items():
            if number not in {port, *extra}:
                report.warning(path, f"opcua.port ({port}) is used and {number} is not; delete umati_server_port")
        return port, or_next, _without(extra, port)
    if not hints:
        return OpcUaOptions().port, False, _without(extra, OpcUaOptions().port)
    port = next(iter(hints))
    for number, (path, _) in hints.items():
        if number != port:
            report.warning(
                path, f"{number} becomes a second port of the one endpoint on {port}; both show all machines"
            )
    return port, hints[port][1], _without((*hints, *extra), port)


def _without(ports: Iterable[int], port: int) -> tuple[int, ...]:
    return tuple(number for number in dict.fromkeys(ports) if number != port)


def _hints(report: Report, drafts: Sequence[Draft]) -> dict[int, tuple[JsonPath, bool]]:
    """The distinct ports that machines ask for, in file order: where first, and whether the next free one will do."""
    hints: dict[int, tuple[JsonPath, bool]] = {}
    for draft in drafts:
        if draft.umati_port is None:
            continue
        path = (*draft.path, "umati_server_port")
        port, or_next = split_port(draft.umati_port)
        if not port:
            report.error(path, "a port is a number from 1 to 65535")
            continue
        first, earlier = hints.get(port, (path, False))
        hints[port] = (first, or_next or earlier)
    return hints


def _users(report: Report, section: str, entries: Sequence[UserEntry], secrets: Secrets) -> dict[str, Secret]:
    """Names and passwords of those who may log in to the ``section``'s listener."""
    users: dict[str, Secret] = {}
    for index, entry in enumerate(entries):
        path = (section, "users", index)
        password = _password(report, entry, path, secrets)
        if entry.name is None:
            continue
        if password is not None and len(password.reveal()) < SHORTEST_PASSWORD:
            text = f"this password is short enough to be guessed; take one of {SHORTEST_PASSWORD} letters or more"
            report.warning(path, text)
        if section == "opcua" and re.fullmatch(r"mes-[0-9-]+", entry.name):
            report.error((*path, "name"), f'"{entry.name}" is made by the agent for an MES instance; choose another')
        elif entry.name in users:
            report.error((*path, "name"), f'"{entry.name}" stands twice in {section}.users; delete one')
        users[entry.name] = password or Secret("")
    return users


def _password(report: Report, entry: UserEntry, path: JsonPath, secrets: Secrets) -> Secret | None:
    """The user's password; ``None`` if something is wrong with it and was reported."""
    here, there = (*path, "password"), (*path, "password_file")
    if report.given(here) and report.given(there):
        report.error(here, "stands beside password_file; delete one of them")
    elif not report.given(here) and not report.given(there):
        report.error(there, "is missing; name the file that holds the password")
    elif entry.password_file is not None:
        return secrets.password(entry.password_file, there)
    elif entry.password is not None:
        report.warning(here, "a password in this file is seen by all who read it; use password_file")
        return secrets.inline_password(entry.password, here)
    return None
