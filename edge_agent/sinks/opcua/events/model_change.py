"""What tells a client that the address space is no longer the one it browsed (OPC 10000-3, 9.32)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from asyncua import ua

from ..space.nodeset import Key
from ..space.wire import node_id
from .base_event import SERVER, base_fields
from .event_filter import Occurrence

EVENT_TYPE = Key(0, 2133)  # GeneralModelChangeEventType
_INFORMATION = 100


class Change(NamedTuple):
    """One node that came, went, or has other references than before."""

    node: Key
    type_definition: Key
    verb: ua.ModelChangeStructureVerbMask


def occurrence(changes: Iterable[Change], message: str) -> Occurrence:
    """The event; its source is the server, as the specification asks."""
    structures = [
        ua.ModelChangeStructureDataType(
            Affected=node_id(change.node), AffectedType=node_id(change.type_definition), Verb=int(change.verb)
        )
        for change in changes
    ]
    fields = base_fields(
        event_id=uuid.uuid4().bytes,
        event_type=EVENT_TYPE,
        source=SERVER,
        source_name="Server",
        at=datetime.now(UTC),
        message=message,
        severity=_INFORMATION,
    )
    told = ua.Variant(structures, ua.VariantType.ExtensionObject, is_array=True)
    return Occurrence(event_type=node_id(EVENT_TYPE), fields={**fields, ((0, "Changes"),): told})
