"""What the server says of itself: the variables of the Server object hold what is true of this one.

asyncua leaves most of them Null; clients are known that stumble over a Null MaxBrowseContinuationPoints. A limit that
is told is one that is in force. What the server has not is not in the models at all: `scripts/models/left_out.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from asyncua import ua

from ..events import content_filter, event_filter
from ..monitoring import value_item
from ..objects import history
from ..sessions.inner import InnerServer
from ..space import continuation, limits
from ..space.address_space import AddressSpace
from ..space.nodeset import Key
from .diagnostics import Diagnostics

_SERVER_OBJECT = Key(0, 2253)
_UNSUPPORTED = (11193, 11196, 11197, 11198, 11199, 11200, 11275, 11281, 11282, 11283, 11502, 19091)
"""HistoryServerCapabilities: values have no history, and nobody changes that of events."""

_NO_DATE = datetime(1601, 1, 1, tzinfo=UTC)
"""Null, on the wire."""

_T = ua.VariantType
_Facts = Mapping[int, tuple[_T, object]]


def _facts() -> _Facts:
    """What is true of any of these servers, by the identifier in namespace 0."""
    return {
        2269: (_T.String, []),  # ServerProfileArray: none was certified
        2271: (_T.String, ["en"]),  # LocaleIdArray
        2272: (_T.Double, 0.0),  # MinSupportedSampleRate: by exception
        2735: (_T.UInt16, continuation.PER_SESSION),  # MaxBrowseContinuationPoints
        2736: (_T.UInt16, 0),  # MaxQueryContinuationPoints
        2992: (_T.UInt32, 0),  # SecondsTillShutdown
        2993: (_T.LocalizedText, ua.LocalizedText()),  # ShutdownReason
        2994: (_T.Boolean, True),  # Auditing
        3704: (_T.ExtensionObject, []),  # SoftwareCertificates
        3709: (_T.Int32, ua.RedundancySupport.None_.value),
        11705: (_T.UInt32, limits.NODES_PER_READ),
        11707: (_T.UInt32, limits.NODES_PER_WRITE),
        11709: (_T.UInt32, limits.METHODS_PER_CALL),
        11710: (_T.UInt32, limits.NODES_PER_BROWSE),
        11712: (_T.UInt32, limits.PATHS_PER_TRANSLATE),
        11714: (_T.UInt32, limits.ITEMS_PER_CALL),
        12166: (_T.UInt32, history.MOST_NODES),
        12885: (_T.DateTime, _NO_DATE),  # EstimatedReturnTime: null while the server runs
        24099: (_T.UInt32, event_filter.MAX_SELECT_CLAUSES),
        24100: (_T.UInt32, content_filter.MAX_ELEMENTS),
        **dict.fromkeys(_UNSUPPORTED, (_T.Boolean, False)),
        11273: (_T.UInt32, 0),  # MaxReturnDataValues
    }


def _facts_of(iserver: InnerServer) -> _Facts:
    """What depends on how the server is set up."""
    remembers = iserver.served.history is not None
    return {
        24095: (_T.UInt32, iserver.max_connections),  # MaxSessions
        24096: (_T.UInt32, iserver.max_subscriptions),
        24097: (_T.UInt32, iserver.events.most_items),
        24098: (_T.UInt32, min(iserver.events.per_session, iserver.max_subscriptions)),
        24104: (_T.UInt32, min(iserver.events.items_per_session, iserver.events.most_items)),
        31916: (_T.UInt32, value_item.MOST_QUEUED),  # of events a burst more is kept
        2737: (_T.UInt16, continuation.PER_SESSION if remembers else 0),  # MaxHistoryContinuationPoints
        11242: (_T.Boolean, remembers),  # AccessHistoryEventsCapability
        11274: (_T.UInt32, history.MOST_EVENTS if remembers else 0),  # MaxReturnEventValues
    }


def describe(space: AddressSpace, iserver: InnerServer, namespaces: list[str]) -> None:
    """Fill in the Server object; asyncua's own start then keeps the clock and the state."""
    uri = namespaces[1]
    facts: dict[int, tuple[_T, object]] = {
        **_facts(),
        **_facts_of(iserver),
        2254: (_T.String, [uri]),  # ServerArray
        2255: (_T.String, namespaces),
    }
    for number, (kind, value) in facts.items():
        space.state(Key(0, number), ua.Variant(value, kind, is_array=isinstance(value, list)))
    Diagnostics(iserver).show(space)
    # Clients that want every machine's events ask the server, for those missed too.
    notifies = ua.EventNotifier.SubscribeToEvents.mask
    if iserver.served.history is not None:
        notifies |= ua.EventNotifier.HistoryRead.mask
    shown = ua.DataValue(ua.Variant(int(notifies), _T.Byte))
    space.hold(_SERVER_OBJECT, shown, ua.AttributeIds.EventNotifier)
