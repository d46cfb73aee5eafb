"""A set-up that a test may fill, and that keeps what it was asked to do."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from edge_agent.errors import UnavailableError
from edge_agent.sinks.http.setting_up import (
    Complaint,
    Found,
    MachineForm,
    Outcome,
    Pairing,
    PairingState,
    Written,
)

KEY = "0123456789ABCDEF0123456789ABCDEF"
GRANTED = Pairing(
    id="p-1",
    url="http://octopi.local",
    state=PairingState.GRANTED,
    name="Mark One",
    version="1.11.2",
    user="anna",
    permissions=("STATUS",),
)


class SetUpDouble:
    """``asked`` is what changed something, in order."""

    def __init__(self) -> None:
        self.octoprints: tuple[Found, ...] = ()
        self.pairings: dict[str, Pairing] = {}
        self.next_pairing = replace(GRANTED, state=PairingState.WAITING, dialog_url="http://octopi.local/#appkeys")
        self.file = Written(path="/etc/edge-agent/config.json", exists=False, text="", states={})
        self.complaints: tuple[Complaint, ...] = ()
        self.broken = ""
        self.looked = 0
        self.asked: list[tuple[str, object]] = []

    async def found(self) -> tuple[Found, ...]:
        self.looked += 1
        return self.octoprints

    async def pair(self, url: str, key: str = "") -> Pairing:
        self.asked.append(("pair", (url, key)))
        made = replace(self.next_pairing, url=url)
        self.pairings[made.id] = made
        return made

    def pairing(self, id: str) -> Pairing | None:  # noqa: A002 - as the real one has it
        return self.pairings.get(id)

    async def forget(self, id: str) -> None:  # noqa: A002 - as the real one has it
        self.asked.append(("forget", id))
        self.pairings.pop(id, None)

    async def written(self) -> Written:
        if self.broken:
            raise UnavailableError(self.broken)
        return self.file

    async def save(self, form: MachineForm) -> Outcome:
        self.asked.append(("save", form))
        if self.complaints:
            return Outcome(complaints=self.complaints)
        saved = replace(form, id=form.id or "mark-one", pairing="")
        others = tuple(one for one in self.file.machines if one.id != saved.id)
        self.file = replace(self.file, exists=True, text='{"machines": []}', machines=(*others, saved))
        return Outcome(machine_id=saved.id)

    async def remove(self, machine_id: str) -> Outcome:
        self.asked.append(("remove", machine_id))
        if not self.complaints:
            kept = tuple(one for one in self.file.machines if one.id != machine_id)
            self.file = replace(self.file, machines=kept)
        return Outcome(complaints=self.complaints, machine_id=machine_id)

    async def save_states(self, cells: Mapping[str, Mapping[str, str]]) -> Outcome:
        self.asked.append(("save_states", cells))
        if not self.complaints:
            self.file = replace(self.file, states=cells)
        return Outcome(complaints=self.complaints)

    async def close(self) -> None:
        self.asked.append(("close", None))
