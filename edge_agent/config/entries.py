"""What may stand in config.json, as structs: loader, warnings about unknown keys and JSON Schema read these.

A field without a default must be in the file. Any other may be left out or null, which mean the same. While a file
is read, ``None`` in a field also stands for "there, but wrong, and reported": whoever reads an entry skips those.
``extra`` carries words for people: ``wanted`` (what is expected) and ``secret`` (never show the value).
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct, defstruct, field

from ..model import Aftermath, Choice, MachineState, StateRow, UnreachableRow
from ..sinks.opcua.options import ClientCertificates

Port = Annotated[int, Meta(ge=1, le=65535)]
PortOrNext = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,5}\+?$", extra={"wanted": 'a port like 4840, or "4840+" for it or the next free one'}),
]
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
MesIds = Annotated[list[Int32], Meta(extra={"wanted": "a list of the numbers of MES instances, like [1]"})]
Interval = Annotated[float, Meta(ge=0.2, le=3600)]
Line = Annotated[
    str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$", extra={"wanted": "a text of one line"})
]
HostName = Annotated[
    str, Meta(max_length=253, pattern=r"^[A-Za-z0-9._:-]+$", extra={"wanted": "a host name or an address"})
]
MachineId = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        extra={"wanted": "up to 64 lower-case letters, digits and hyphens, a letter or digit first"},
    ),
]
Sha256Text = Annotated[
    str,
    Meta(
        pattern=r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$",
        extra={"wanted": "a SHA-256 fingerprint: 64 hex digits, with or without colons"},
    ),
]
SecretText = Annotated[str, Meta(extra={"secret": True})]
SecretObject = Annotated[dict[str, Any], Meta(extra={"secret": True})]


class TlsEntry(Struct, frozen=True):
    """How to trust the machine's https certificate."""

    ca_file: Line | None = None
    fingerprint: Sha256Text | None = None
    verify: bool | None = None


class MachineEntry(Struct, frozen=True):
    """One machine: the Aggregator's keys of every version, then ours."""

    type: Line | None
    url: str | None
    mes_id: Int32 | MesIds | None
    api_key: SecretText | None = None
    authentication_file_path: SecretText | SecretObject | None = None
    custom_name: Line | None = None
    umati_server_port: Port | PortOrNext | None = None
    id: MachineId | None = None
    manufacturer: Line | None = None
    model: Line | None = None
    serial_number: Line | None = None
    product_code: Line | None = None
    year_of_construction: Annotated[int, Meta(ge=1950, le=2200)] | None = None
    location: Line | None = None
    poll_interval_s: Interval | None = None
    tls: TlsEntry | None = None


class UserEntry(Struct, frozen=True):
    """Somebody who may log in, to the endpoint or the status page. One of ``password`` and ``password_file``."""

    name: Annotated[Line, Meta(min_length=1)] | None
    password: SecretText | None = None
    password_file: SecretText | None = None


class LimitsEntry(Struct, frozen=True):
    """How much clients may take of the endpoint.

    ``max_message_bytes`` is a request's; ``max_subscriptions`` and ``max_monitored_items`` are a session's, and
    ``max_total_monitored_items`` is of all sessions together.
    """

    max_connections: Annotated[int, Meta(ge=2, le=1000)] | None = None
    activation_timeout_s: Annotated[float, Meta(ge=1, le=60)] | None = None
    max_message_bytes: Annotated[int, Meta(ge=8192, le=16 * 1024 * 1024)] | None = None
    max_sessions_per_user: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_subscriptions: Annotated[int, Meta(ge=1, le=1000)] | None = None
    max_monitored_items: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    max_total_monitored_items: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class OpcUaEntry(Struct, frozen=True):
    """The OPC UA endpoint."""

    port: Port | PortOrNext | None = None
    extra_ports: list[Port] | None = None
    bind: HostName | None = None
    hostname: HostName | None = None
    anonymous: bool | None = None
    users: list[UserEntry] | None = None
    client_certificates: ClientCertificates | None = None
    limits: LimitsEntry | None = None


class HttpEntry(Struct, frozen=True):
    """The status page, its JSON and metrics; ``hostnames`` are further names of it, ``users`` alone may read it."""

    port: Port | None = None
    bind: HostName | None = None
    enabled: bool | None = None
    hostnames: list[HostName] | None = None
    users: list[UserEntry] | None = None


class PollingEntry(Struct, frozen=True):
    """How often machines are asked, in seconds."""

    interval_s: Interval | None = None
    idle_interval_s: Interval | None = None
    timeout_s: Annotated[float, Meta(ge=0.5, le=60)] | None = None


def _cells(row: type[Struct]) -> list[tuple[str, Any, None]]:
    """A row's columns as an entry's fields. Numbered names are written as the specifications write them."""

    def written(kind: Any) -> Any:  # noqa: ANN401 - a type
        if not issubclass(kind, Choice):
            return kind
        return enum.StrEnum(kind.__name__, [(member.name, member.label) for member in cast("type[Choice]", kind)])

    return [(cell.name, written(cell.type) | None, None) for cell in msgspec.structs.fields(row)]


# Made from the rows and the states themselves, so that they cannot drift.
StateEntry = defstruct(
    "StateEntry",
    _cells(StateRow),
    frozen=True,
    namespace={"__doc__": "What one state means; a cell left out keeps its default."},
)
UnreachableEntry = defstruct(
    "UnreachableEntry",
    _cells(UnreachableRow),
    frozen=True,
    namespace={"__doc__": "What is said of a machine that cannot be reached; a cell left out keeps its default."},
)
StatesEntry = defstruct(
    "StatesEntry",
    [
        *((situation.value, StateEntry | None, None) for situation in (*MachineState, *Aftermath)),
        ("unreachable", UnreachableEntry | None, None),
    ],
    frozen=True,
    namespace={"__doc__": "Overrides of the state table, by state."},
)


class SettingsEntry(Struct, frozen=True):
    """What may stand beside ``machines``."""

    opcua: OpcUaEntry | None = None
    http: HttpEntry | None = None
    polling: PollingEntry | None = None
    states: StatesEntry | None = None  # type: ignore[valid-type]  # a type made above
    schema: str | None = field(default=None, name="$schema")
