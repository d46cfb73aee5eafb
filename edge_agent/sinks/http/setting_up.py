"""What the guide needs of whoever sets the agent up. The sink knows only this; `agent` hands it somebody who does it.

Everything here is text as a person types or reads it. No secret is in any of it: a key that was granted is named by the
pairing that brought it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from msgspec import Struct

PAIRING_WAIT_S = 300.0
"""How long an OctoPrint is asked for a key before it is given up."""


class Found(Struct, frozen=True, kw_only=True):
    """An OctoPrint that announces itself by mDNS. ``configured``: config.json has it already."""

    name: str
    url: str
    version: str = ""
    model: str = ""
    configured: bool = False


class PairingState(Enum):
    """How far a pairing has come; all but the first are its end."""

    WAITING = "waiting"
    GRANTED = "granted"
    DENIED = "denied"
    EXPIRED = "expired"
    FAILED = "failed"


class Pairing(Struct, frozen=True, kw_only=True):
    """One OctoPrint being asked for a key, or one that gave it.

    Attributes:
        id: names it in forms; the key itself never leaves the agent.
        url: of the OctoPrint.
        state: how far it is.
        reason: one sentence with the remedy, if it is neither waiting nor granted.
        dialog_url: where in OctoPrint one presses Allow; empty if that is not known.
        version: OctoPrint's.
        user: whose key it is.
        name: suggested for the machine.
        permissions: what the key may do, in OctoPrint's words.
        more_than_needed: the key may do more than read the status.
    """

    id: str
    url: str
    state: PairingState
    reason: str = ""
    dialog_url: str = ""
    version: str = ""
    user: str = ""
    name: str = ""
    permissions: tuple[str, ...] = ()
    more_than_needed: bool = False


class MachineForm(Struct, frozen=True, kw_only=True):
    """A machine's entry, as texts that were typed.

    Attributes:
        pairing: id of a granted pairing whose key is to be used; empty keeps the key there is.
        id: of an existing machine; empty makes a new one.
        url: with the other fields as in config.json.
        mes_id: numbers, with commas between them.
    """

    pairing: str = ""
    id: str = ""
    url: str = ""
    custom_name: str = ""
    mes_id: str = ""
    location: str = ""
    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""


class Complaint(Struct, frozen=True, kw_only=True):
    """Why something is not written. ``field`` is one of the form's, or empty; line and column are of config.json."""

    field: str
    text: str
    line: int | None = None
    column: int | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a change: it was written if there are no complaints."""

    complaints: tuple[Complaint, ...] = ()
    machine_id: str = ""


class Written(Struct, frozen=True, kw_only=True):
    """What is in config.json now.

    Attributes:
        path: of config.json.
        exists: it is there.
        text: it, with every secret and all that could be one taken out.
        previous: path of the file as it was before the last change; empty if there is none.
        machines: in the order of the file.
        states: what the file overrides in the state table, by row and column.
        problems: of the file as it is, one in a line.
    """

    path: str
    exists: bool
    text: str
    previous: str = ""
    machines: tuple[MachineForm, ...] = ()
    states: Mapping[str, Mapping[str, str]]
    problems: tuple[str, ...] = ()


class SetUp(Protocol):
    """Looks for OctoPrints, asks them for keys, and changes config.json."""

    async def found(self) -> tuple[Found, ...]:
        """What has been found so far. The first call starts looking; it ends by itself 20 s after the last one."""
        ...

    async def pair(self, url: str, key: str = "") -> Pairing:
        """Ask an OctoPrint for a key; one that was typed is checked instead."""
        ...

    def pairing(self, id: str) -> Pairing | None:  # noqa: A002 - named as the field is
        """How far it is; ``None`` if there is no such pairing, or no longer."""
        ...

    async def forget(self, id: str) -> None:  # noqa: A002 - named as the field is
        """End a pairing, and forget its key."""
        ...

    async def written(self) -> Written:
        """What config.json says now."""
        ...

    async def save(self, form: MachineForm) -> Outcome:
        """Check and write one machine."""
        ...

    async def remove(self, machine_id: str) -> Outcome:
        """Take a machine out of config.json."""
        ...

    async def save_states(self, cells: Mapping[str, Mapping[str, str]]) -> Outcome:
        """Replace the overrides of the state table; a complaint's ``field`` is ``row.column``."""
        ...

    async def close(self) -> None:
        """Stop looking, and every pairing."""
        ...
