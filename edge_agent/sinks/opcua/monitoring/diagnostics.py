"""What has become of a subscription, as a client may ask: SubscriptionDiagnosticsDataType (OPC 10000-5, 12.15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncua import ua
from msgspec import Struct

if TYPE_CHECKING:
    from .subscription import Subscription

COUNTER_WRAPS = 2**32
"""At 1,000 values a second that is after seven weeks."""


class SubscriptionCounts(Struct, kw_only=True):
    """What is counted as it happens; once a cycle, a message or a request, never once a value."""

    modified: int = 0
    enabled: int = 0
    disabled: int = 0
    republish_requests: int = 0
    republished: int = 0
    transfer_requests: int = 0
    to_other_client: int = 0
    to_same_client: int = 0
    messages: int = 0
    values: int = 0
    events: int = 0
    late: int = 0
    kept_alive: int = 0
    discarded: int = 0
    overflows: int = 0
    event_overflows: int = 0
    """The last two of items that are gone; those that are there count for themselves."""


def diagnostics(subscription: Subscription) -> ua.SubscriptionDiagnosticsDataType:
    """All that there is to say of one; that of a session that has ended belongs to none."""
    counts, terms, owner = subscription.counts, subscription.terms, subscription.owner
    items = subscription.items.values()
    told: dict[str, Any] = {
        "Priority": terms.priority,
        "MaxKeepAliveCount": terms.keep_alive,
        "MaxLifetimeCount": terms.lifetime,
        "MaxNotificationsPerPublish": terms.per_message,
        "ModifyCount": counts.modified,
        "EnableCount": counts.enabled,
        "DisableCount": counts.disabled,
        "RepublishRequestCount": counts.republish_requests,
        "RepublishMessageRequestCount": counts.republish_requests,  # one message a request
        "RepublishMessageCount": counts.republished,
        "TransferRequestCount": counts.transfer_requests,
        "TransferredToAltClientCount": counts.to_other_client,
        "TransferredToSameClientCount": counts.to_same_client,
        "PublishRequestCount": counts.messages,
        "DataChangeNotificationsCount": counts.values,
        "EventNotificationsCount": counts.events,
        "NotificationsCount": counts.values + counts.events,
        "LatePublishRequestCount": counts.late,
        "CurrentKeepAliveCount": counts.kept_alive,
        "CurrentLifetimeCount": subscription.silent_cycles,
        "UnacknowledgedMessageCount": len(subscription.available()),
        "DiscardedMessageCount": counts.discarded,
        "MonitoredItemCount": len(items),
        "DisabledMonitoredItemCount": sum(item.mode == ua.MonitoringMode.Disabled for item in items),
        "MonitoringQueueOverflowCount": counts.overflows + sum(item.overflows for item in items),
        "NextSequenceNumber": subscription.next_sequence_number,
        "EventQueueOverflowCount": counts.event_overflows + sum(item.event_overflows for item in items),
    }
    wrapped: dict[str, Any] = {name: count % COUNTER_WRAPS for name, count in told.items()}
    shown: Any = {
        "SessionId": ua.NodeId() if owner.is_closed else owner.session_id,
        "SubscriptionId": subscription.id,
        "PublishingInterval": terms.interval_s * 1000.0,
        "PublishingEnabled": subscription.enabled,
    }
    return ua.SubscriptionDiagnosticsDataType(**shown, **wrapped)
