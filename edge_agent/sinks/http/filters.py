"""Which of many machines are shown: by what they do, and by a text. The query is the page's address: it can be kept."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

from msgspec import Struct

from ...model import MachineState, Quality
from .report import MachineReport

LONGEST_TEXT = 100


class Group(enum.StrEnum):
    """What a person looks for."""

    ALL = "all"
    ATTENTION = "attention"
    """Somebody should look: a fault, a pause, out of reach."""
    WORKING = "working"
    READY = "ready"
    OFF = "off"


class Filter(Struct, frozen=True, kw_only=True):
    """What is asked for. ``text`` is looked for in names, ids, places and files."""

    group: Group = Group.ALL
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """From an address; what means nothing is as if it were not there."""
        asked = query.get("show", "")
        group = Group(asked) if asked in set(Group) else Group.ALL
        return cls(group=group, text=query.get("q", "").strip()[:LONGEST_TEXT])

    @property
    def shows_all(self) -> bool:
        """Nothing is left out."""
        return self == Filter()

    def of_all(self, machines: Iterable[MachineReport]) -> list[MachineReport]:
        """Those that are asked for, in the same order."""
        return [each for each in machines if self.group in {Group.ALL, group_of(each)} and self._names(each)]

    def _names(self, machine: MachineReport) -> bool:
        file_name = machine.print.file_name if machine.print else None
        told = (machine.name, machine.id, machine.location, file_name or "")
        wanted = self.text.casefold()
        return any(wanted in text.casefold() for text in told)


def group_of(machine: MachineReport) -> Group:
    """What a person would look for to find it."""
    if not machine.quality.usable:
        # One that is waited for is no trouble yet, unless it is known why.
        return Group.OFF if machine.quality is Quality.WAITING and not machine.reason else Group.ATTENTION
    match machine.state:
        case MachineState.FAULT | MachineState.PAUSED:
            return Group.ATTENTION
        case MachineState.READY | MachineState.DONE:
            return Group.READY
        case MachineState.OFF | MachineState.CONNECTING | None:
            return Group.OFF
        case _:
            return Group.WORKING
