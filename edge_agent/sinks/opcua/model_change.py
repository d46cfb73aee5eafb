"""What tells a client that the address space is no longer the one it browsed (OPC 10000-3, 9.32)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from asyncua import ua

from .event_filter import Occurrence
from .nodeset import Key
from .wire import localized, node_id

EVENT_TYPE = Key(0, 2133)  # GeneralModelChangeEventType
_SERVER = Key(0, 2253)
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
    kind, now = ua.VariantType, datetime.now(UTC)
    fields = {
        "EventId": ua.Variant(uuid.uuid4().bytes, kind.ByteString),
        "EventType": ua.Variant(node_id(EVENT_TYPE), kind.NodeId),
        "SourceNode": ua.Variant(node_id(_SERVER), kind.NodeId),
        "SourceName": ua.Variant("Server", kind.String),
        "Time": ua.Variant(now, kind.DateTime),
        "ReceiveTime": ua.Variant(now, kind.DateTime),
        "Message": ua.Variant(localized((message, "en")), kind.LocalizedText),
        "Severity": ua.Variant(_INFORMATION, kind.UInt16),
        "Changes": ua.Variant(structures, kind.ExtensionObject, is_array=True),
    }
    return Occurrence(event_type=node_id(EVENT_TYPE), fields={((0, name),): value for name, value in fields.items()})
