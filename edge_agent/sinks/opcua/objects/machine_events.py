"""Events as OPC UA tells them, live and from history alike.

What happens to a print is an ISA95JobOrderStatusEventType (OPC 10031-4), what happens to a machine is a
NotificationEventType (OPC 40501-1). Both types are abstract, as every event type of those specifications: that is said
of objects in the address space, of which events are none (OPC 10000-3, 4.7.2).

An event's fields depend on nothing but the event, so that a client finds in history what it was told.
"""

from __future__ import annotations

from asyncua import ua

from ....events import Event, MachineEvent, MachineEventKind
from ....jobs import JobEvent, JobEventKind
from ..events import base_event
from ..events.base_event import base_fields
from ..events.event_filter import Occurrence, Path
from ..space.address_space import MACHINES
from ..space.nodeset import Key
from ..space.structures import JOB_CONTROL
from ..space.wire import node_id
from .job_orders import order, response, states
from .machine_type import JOB_RESULTS, MESSAGES

MACHINE_TOOL = 10
"""Index of the namespace of OPC 40501-1."""
SERVER = base_event.SERVER
JOB_EVENT_TYPE = Key(JOB_CONTROL, 1006)
MACHINE_EVENT_TYPE = Key(MACHINE_TOOL, 35)

_INFORMATION, _INTERRUPTED, _UNKNOWN, _FAILED = 100, 300, 500, 700
SEVERITIES: dict[JobEventKind | MachineEventKind, int] = {
    JobEventKind.STARTED: _INFORMATION,
    JobEventKind.PAUSED: _INTERRUPTED,
    JobEventKind.RESUMED: _INFORMATION,
    JobEventKind.FINISHED: _INFORMATION,
    JobEventKind.CANCELLED: _INTERRUPTED,
    JobEventKind.FAILED: _FAILED,
    JobEventKind.LOST: _UNKNOWN,
    MachineEventKind.FAULT: _FAILED,
    MachineEventKind.RECOVERED: _INFORMATION,
    MachineEventKind.CONNECTION_LOST: _UNKNOWN,
    MachineEventKind.CONNECTION_REGAINED: _INFORMATION,
}
IDENTIFIERS = {
    MachineEventKind.FAULT: "Fault",
    MachineEventKind.RECOVERED: "Recovered",
    MachineEventKind.CONNECTION_LOST: "ConnectionLost",
    MachineEventKind.CONNECTION_REGAINED: "ConnectionRegained",
}
"""What the notification is, for programs: the property `Identifier`."""


def notifiers(event: Event) -> tuple[ua.NodeId, ...]:
    """The nodes whose subscribers are told, each once: the server, the machine, and what of it the event is about.

    Who watches only the job results hears of the machine too, so that one subscription tells why a print stands still.
    """
    places = [JOB_RESULTS] if isinstance(event, JobEvent) else [JOB_RESULTS, MESSAGES]
    below = (Key(MACHINES, f"{event.machine_id}/{place}") for place in places)
    return tuple(node_id(key) for key in (SERVER, Key(MACHINES, event.machine_id), *below))


def occurrence(event: Event, *, source_name: str) -> Occurrence:
    """The event with all its fields; ``source_name`` is what people call the machine."""
    return (
        _job_occurrence(event, source_name) if isinstance(event, JobEvent) else _machine_occurrence(event, source_name)
    )


def message(event: Event) -> str:
    """What happened, in a sentence for people."""
    subject = [event.run.file_name or "a print"] if isinstance(event, JobEvent) else []
    return ": ".join([*subject, event.kind, *([event.text] if event.text else [])])


def _job_occurrence(event: JobEvent, source_name: str) -> Occurrence:
    source = Key(MACHINES, f"{event.machine_id}/{JOB_RESULTS}")
    structure = ua.VariantType.ExtensionObject
    return Occurrence(
        event_type=node_id(JOB_EVENT_TYPE),
        fields={
            **_base(event, JOB_EVENT_TYPE, source, source_name),
            ((JOB_CONTROL, "JobOrder"),): ua.Variant(order(event.run), structure),
            ((JOB_CONTROL, "JobState"),): ua.Variant(list(states(event.run)), structure, is_array=True),
            ((JOB_CONTROL, "JobResponse"),): ua.Variant(response(event.run), structure),
        },
    )


def _machine_occurrence(event: MachineEvent, source_name: str) -> Occurrence:
    source = Key(MACHINES, event.machine_id)
    return Occurrence(
        event_type=node_id(MACHINE_EVENT_TYPE),
        fields={
            **_base(event, MACHINE_EVENT_TYPE, source, source_name),
            ((MACHINE_TOOL, "Identifier"),): ua.Variant(IDENTIFIERS[event.kind], ua.VariantType.String),
        },
    )


def _base(event: Event, event_type: Key, source: Key, source_name: str) -> dict[Path, ua.Variant]:
    return base_fields(
        event_id=bytes.fromhex(event.id),
        event_type=event_type,
        source=source,
        source_name=source_name,
        at=event.at,
        message=message(event),
        severity=SEVERITIES[event.kind],
    )
