"""What every event has: the fields of BaseEventType (OPC 10000-5, 6.4.2) that are mandatory."""

from __future__ import annotations

from datetime import datetime

from asyncua import ua

from ..space.nodeset import Key
from ..space.wire import localized, node_id
from .event_filter import Path

SERVER = Key(0, ua.ObjectIds.Server)


def base_fields(
    *, event_id: bytes, event_type: Key, source: Key, source_name: str, at: datetime, message: str, severity: int
) -> dict[Path, ua.Variant]:
    """The fields by their paths. The agent itself sees what happens: an event is received when it is.

    ``severity`` is 1 to 1000. There is no LocalTime: a machine's time zone is not known.
    """
    kind = ua.VariantType
    fields = {
        "EventId": ua.Variant(event_id, kind.ByteString),
        "EventType": ua.Variant(node_id(event_type), kind.NodeId),
        "SourceNode": ua.Variant(node_id(source), kind.NodeId),
        "SourceName": ua.Variant(source_name, kind.String),
        "Time": ua.Variant(at, kind.DateTime),
        "ReceiveTime": ua.Variant(at, kind.DateTime),
        "Message": ua.Variant(localized((message, "en")), kind.LocalizedText),
        "Severity": ua.Variant(severity, kind.UInt16),
    }
    return {((0, name),): value for name, value in fields.items()}
