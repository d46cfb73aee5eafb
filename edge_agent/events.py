"""What happens to a machine apart from its prints, and one name for all events."""

from __future__ import annotations

import enum
from datetime import datetime

from msgspec import Struct, field

from .jobs import JobEvent, new_event_id
from .model import MachineState, Quality, Snapshot


class MachineEventKind(enum.StrEnum):
    """What happened to a machine."""

    FAULT = "fault"
    RECOVERED = "recovered"
    """It is in a fault no longer."""
    CONNECTION_LOST = "connection lost"
    """Its values cannot be used any more: it has been silent for too long, or lets us in no longer."""
    CONNECTION_REGAINED = "connection regained"


class MachineEvent(Struct, frozen=True, kw_only=True):
    """Something happened to a machine; ``at`` is when the agent saw it, in UTC, ``text`` what there is to say of it.

    ``id`` stays with the event: it is the same live, in the journal, and in what a client is told of the past.
    """

    kind: MachineEventKind
    at: datetime
    machine_id: str
    text: str = ""
    id: str = field(default_factory=new_event_id)


Event = JobEvent | MachineEvent


class Incidents:
    """One machine's faults and outages. What it is found in is no event: only what becomes of it is."""

    def __init__(self, machine_id: str, *, reached: bool | None = None, faulty: bool | None = None) -> None:
        """Begin with what is known of the machine; ``None`` for what is not."""
        self._machine_id = machine_id
        self._reached = reached
        self._faulty = faulty

    def answered(self, snapshot: Snapshot, at: datetime) -> list[MachineEvent]:
        """What happened, by a usable answer."""
        events = []
        if self._reached is False:
            events.append(self._event(MachineEventKind.CONNECTION_REGAINED, at, ""))
        faulty = snapshot.state is MachineState.FAULT
        if faulty and self._faulty is False:
            events.append(self._event(MachineEventKind.FAULT, at, snapshot.error or snapshot.state_text))
        elif self._faulty and not faulty:
            events.append(self._event(MachineEventKind.RECOVERED, at, snapshot.state_text))
        self._reached, self._faulty = True, faulty
        return events

    def unanswered(self, quality: Quality, why: str, at: datetime) -> list[MachineEvent]:
        """What happened, by the quality of its values while it does not answer."""
        if quality.usable or quality is Quality.WAITING or not self._reached:
            return []
        self._reached = False
        return [self._event(MachineEventKind.CONNECTION_LOST, at, why)]

    def _event(self, kind: MachineEventKind, at: datetime, text: str) -> MachineEvent:
        return MachineEvent(kind=kind, at=at, machine_id=self._machine_id, text=text)
