"""What others tell of themselves here. A sink knows no other sink: who composes both makes one of these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from ...admin import Admin
from ...computer import Computer, Disk
from ...health import Health
from ...items import DataItem
from ...journal import Journal
from .setting_up import SetUp

NodeId = Callable[[str, DataItem | None], str]
"""The node of a machine's item, or of the machine itself, by the machine's id: ``nsu=...;s=...``."""


def no_node_id(_machine_id: str, _item: DataItem | None) -> str:
    """Where there is no endpoint."""
    return ""


class Endpoint(Struct, frozen=True, kw_only=True):
    """The OPC UA endpoint. ``fingerprint`` is its certificate's SHA-256 in hex; ``warning`` is loud, or empty.

    ``waits_for`` says why it is not open, empty when it is.
    """

    urls: tuple[str, ...]
    hostname: str
    waits_for: str = ""
    fingerprint: str | None = None
    anonymous: bool = False
    warning: str = ""


class MesUser(Struct, frozen=True, kw_only=True):
    """Who may log in to the endpoint. `mes_ids` are those whose machines it sees; null sees all."""

    name: str
    mes_ids: tuple[int, ...] | None = None


class OpcUaSession(Struct, frozen=True, kw_only=True):
    """A client of the endpoint. What `client` and `session` say, it says of itself; `user` is empty for an anonymous.

    `address` is the host that it came from.
    """

    client: str
    session: str
    user: str
    address: str
    encrypted: bool
    since: datetime | None
    subscriptions: int
    monitored_items: int


class ConfigProblem(Struct, frozen=True, kw_only=True):
    """Something to put right in a configuration file. `refused`: in one that is not in force for that.

    `path` is like `machines[0].url`; it, `line` and `column` (from 1) may be unknown.
    """

    file: str
    line: int | None
    column: int | None
    path: str
    text: str
    refused: bool


class PastStart(Struct, frozen=True, kw_only=True):
    """A start of the agent, and why it was one. `at` is by the clock of that moment, which may have been wrong."""

    at: datetime
    reason: str


class About(Struct, frozen=True, kw_only=True):
    """Where to ask what the store does not hold; what is left out is not told.

    ``admin`` has the password of whoever changes something; without ``set_up`` there is nothing to change.
    """

    endpoint: Callable[[], Endpoint]
    health: Health
    journal: Journal | None = None
    node_id: NodeId = no_node_id
    mes_users: Callable[[], tuple[MesUser, ...]] = tuple
    sessions: Callable[[], tuple[OpcUaSession, ...]] = tuple
    config_problems: Callable[[], tuple[ConfigProblem, ...]] = tuple
    starts: Callable[[], tuple[PastStart, ...]] = tuple
    computer: Callable[[], Computer | None] = lambda: None
    disks: Callable[[], tuple[Disk, ...]] = tuple
    admin: Admin | None = None
    set_up: SetUp | None = None

    def complaints(self) -> list[str]:
        """Why the agent does not do its work now; empty when it does."""
        late = [str(late) for late in self.health.late()]
        waits_for = self.endpoint().waits_for
        return [f"OPC UA endpoint not open: {waits_for}", *late] if waits_for else late
