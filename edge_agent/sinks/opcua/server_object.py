"""What the server says of itself: the variables of the Server object hold what is true of this one.

asyncua leaves most of them Null; clients are known that stumble over a Null MaxBrowseContinuationPoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from asyncua import ua
from asyncua.server.internal_server import InternalServer

from . import wire
from .address_space import AddressSpace
from .nodeset import Key

MAX_ARRAY_LENGTH = 65_536
MAX_STRING_LENGTH = 1_000_000
MAX_NODES = 10_000
HISTORY_EVENTS = 1_000
HISTORY_CONTINUATION_POINTS = 64
SELECT_CLAUSES = 100
WHERE_ELEMENTS = 100

_PROFILE = "http://opcfoundation.org/UA-Profile/Server/MicroEmbeddedDevice2017"
_SERVER_OBJECT = Key(0, 2253)
_DIAGNOSTICS = (
    2275, 2276, 2277, 2278, 2279, 2281, 2282, 2284, 2285, 2286, 2287, 2288, 3705, 2289, 2290, 3707, 3708,
)  # fmt: skip

_T = ua.VariantType
_Facts = Mapping[int, tuple[_T, object]]


def _facts(iserver: InternalServer) -> _Facts:
    """What is true of this server, by the identifier in namespace 0."""
    limits = dict.fromkeys((11705, 11709, 11710, 11711, 11712, 11714), (_T.UInt32, MAX_NODES))
    refused = dict.fromkeys((12165, 12167, 12168, 11713), (_T.UInt32, 0))
    not_done = (11193, 11196, 11197, 11198, 11199, 11200, 11275, 11281, 11282, 11283, 11502, 19091)
    return {
        **limits,
        **refused,
        **dict.fromkeys(not_done, (_T.Boolean, False)),
        11707: (_T.UInt32, MAX_NODES),  # MaxNodesPerWrite: each of them is refused
        12166: (_T.UInt32, 100),  # MaxNodesPerHistoryReadEvents
        2267: (_T.Byte, 255),  # ServiceLevel
        2994: (_T.Boolean, False),  # Auditing
        2992: (_T.UInt32, 0),  # SecondsTillShutdown
        2993: (_T.LocalizedText, ua.LocalizedText()),  # ShutdownReason
        2269: (_T.String, [_PROFILE]),  # ServerProfileArray
        2271: (_T.String, ["en"]),  # LocaleIdArray
        2272: (_T.Double, 0.0),  # MinSupportedSampleRate: by exception
        2735: (_T.UInt16, 0),  # MaxBrowseContinuationPoints: everything comes at once
        2736: (_T.UInt16, 0),
        2737: (_T.UInt16, HISTORY_CONTINUATION_POINTS),
        3704: (_T.ExtensionObject, []),  # SoftwareCertificates
        11702: (_T.UInt32, MAX_ARRAY_LENGTH),
        11703: (_T.UInt32, MAX_STRING_LENGTH),
        12911: (_T.UInt32, MAX_STRING_LENGTH),
        24095: (_T.UInt32, iserver.max_connections),  # MaxSessions
        24096: (_T.UInt32, iserver.max_subscriptions),
        24097: (_T.UInt32, 0),  # MaxMonitoredItems: no limit of its own
        24098: (_T.UInt32, iserver.max_subscriptions),
        24099: (_T.UInt32, SELECT_CLAUSES),
        24100: (_T.UInt32, WHERE_ELEMENTS),
        24101: (_T.QualifiedName, []),  # ConformanceUnits: none is certified
        24104: (_T.UInt32, 0),
        31916: (_T.UInt32, iserver.max_monitored_item_queue_size),
        11242: (_T.Boolean, True),  # AccessHistoryEventsCapability
        11273: (_T.UInt32, 0),
        11274: (_T.UInt32, HISTORY_EVENTS),
        2294: (_T.Boolean, False),  # diagnostics are not collected
        3709: (_T.Int32, 0),  # RedundancySupport: none
    }


def describe(space: AddressSpace, iserver: InternalServer, namespaces: list[str]) -> None:
    """Fill in the Server object; asyncua's own start then keeps the clock and the state."""
    uri = namespaces[1]
    facts: dict[int, tuple[_T, object]] = {
        **_facts(iserver),
        2254: (_T.String, [uri]),  # ServerArray
        2255: (_T.String, namespaces),
    }
    for number, (kind, value) in facts.items():
        space.state(Key(0, number), ua.Variant(value, kind, is_array=isinstance(value, list)))
    for number in _DIAGNOSTICS:
        space.hold(Key(0, number), _bad(ua.StatusCodes.BadNotReadable))
    # Clients that want every machine's events ask the server, for those missed too.
    notifies = ua.EventNotifier.SubscribeToEvents.mask | ua.EventNotifier.HistoryRead.mask
    shown = ua.DataValue(ua.Variant(int(notifies), _T.Byte))
    space.hold(_SERVER_OBJECT, shown, ua.AttributeIds.EventNotifier)


def _bad(code: int) -> ua.DataValue:
    return ua.DataValue(
        ua.Variant(None, _T.Null), wire.status(code), ServerTimestamp=cast("ua.DateTime", datetime.now(UTC))
    )
