"""Which services there are: how each request is decoded, and who answers it. All others answer BadServiceUnsupported.

In place of asyncua's ladder of 38 comparisons, which offers RegisterServer to anybody and lets a request without the
session's token through. Here are those that a session answers by itself; `processor` has the ones of the connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from msgspec import Struct

from ..sessions.request_counts import SERVICES
from ..sessions.subscribing import SubscribingSession

READS_SMALL = 2_000
"""Values in a request that comes before a log-in, or asks for little."""
READS = 50_000
"""In one of a logged-in client, as long as `limits` allows."""
READS_OF_NODES = 100_000
READS_OF_ITEMS = 250_000
"""In one for 10,000 monitored items, with their filters."""

Asked = Any
Response = Any
"""asyncua's own structures, one for each service, which have nothing in common but their header."""
Decode = Callable[[Buffer], Asked]


class SessionService(Struct, frozen=True, kw_only=True):
    """A service of an activated session."""

    decode: Decode
    answer: Callable[[SubscribingSession, Asked], Awaitable[Response]]
    reads: int = READS_SMALL


def number_of(name: str) -> int:
    """What a request's encoding is known by in namespace 0."""
    return int(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary"))


COUNTED: Mapping[int, str] = {number_of(name): name for name in SERVICES}
"""Services that a session counts, also those that there are not here."""


def decoder(name: str) -> Decode:
    """How the parameters of a service are decoded."""
    parameters = getattr(ua, f"{name}Parameters")
    return lambda body: struct_from_binary(parameters, body)


async def _read(session: SubscribingSession, asked: Asked) -> Response:
    return ua.ReadResponse(Results=await session.read(asked))


async def _write(session: SubscribingSession, asked: Asked) -> Response:
    return ua.WriteResponse(Results=await session.write(asked))


async def _browse(session: SubscribingSession, asked: Asked) -> Response:
    return ua.BrowseResponse(Results=await session.browse(asked))


async def _browse_next(session: SubscribingSession, asked: Asked) -> Response:
    return ua.BrowseNextResponse(Parameters=ua.BrowseNextResult(Results=await session.browse_next(asked)))


async def _translate(session: SubscribingSession, asked: Asked) -> Response:
    results = await session.translate_browsepaths_to_nodeids(asked.BrowsePaths)
    return ua.TranslateBrowsePathsToNodeIdsResponse(Results=results)


async def _register(session: SubscribingSession, asked: Asked) -> Response:
    nodes = await session.register_nodes(asked.NodesToRegister)
    return ua.RegisterNodesResponse(Parameters=ua.RegisterNodesResult(RegisteredNodeIds=nodes))


async def _unregister(session: SubscribingSession, asked: Asked) -> Response:
    await session.unregister_nodes(asked.NodesToUnregister)
    return ua.UnregisterNodesResponse()


async def _call(session: SubscribingSession, asked: Asked) -> Response:
    return ua.CallResponse(Results=await session.call(asked.MethodsToCall))


async def _history_read(session: SubscribingSession, asked: Asked) -> Response:
    return ua.HistoryReadResponse(Results=await session.history_read(asked))


async def _create_subscription(session: SubscribingSession, asked: Asked) -> Response:
    return ua.CreateSubscriptionResponse(Parameters=await session.create_subscription(asked))


async def _transfer_subscriptions(session: SubscribingSession, asked: Asked) -> Response:
    results = await session.transfer_subscriptions(asked)
    return ua.TransferSubscriptionsResponse(Parameters=ua.TransferSubscriptionsResult(Results=results))


async def _set_triggering(session: SubscribingSession, asked: Asked) -> Response:
    return ua.SetTriggeringResponse(Parameters=session.set_triggering(asked))


async def _modify_subscription(session: SubscribingSession, asked: Asked) -> Response:
    return ua.ModifySubscriptionResponse(Parameters=session.modify_subscription(asked))


async def _delete_subscriptions(session: SubscribingSession, asked: Asked) -> Response:
    return ua.DeleteSubscriptionsResponse(Results=await session.delete_subscriptions(asked.SubscriptionIds))


async def _set_publishing_mode(session: SubscribingSession, asked: Asked) -> Response:
    results = await session.set_publishing_mode(asked)
    return ua.SetPublishingModeResponse(Parameters=ua.SetPublishingModeResult(Results=results))


async def _republish(session: SubscribingSession, asked: Asked) -> Response:
    return ua.RepublishResponse(NotificationMessage=session.republish(asked))


async def _create_items(session: SubscribingSession, asked: Asked) -> Response:
    return ua.CreateMonitoredItemsResponse(Results=await session.create_monitored_items(asked))


async def _modify_items(session: SubscribingSession, asked: Asked) -> Response:
    return ua.ModifyMonitoredItemsResponse(Results=await session.modify_monitored_items(asked))


async def _delete_items(session: SubscribingSession, asked: Asked) -> Response:
    return ua.DeleteMonitoredItemsResponse(Results=await session.delete_monitored_items(asked))


async def _set_monitoring_mode(session: SubscribingSession, asked: Asked) -> Response:
    results = await session.set_monitoring_mode(asked)
    return ua.SetMonitoringModeResponse(Parameters=ua.SetMonitoringModeResult(Results=results))


async def _cancel(session: SubscribingSession, asked: Asked) -> Response:
    count: Any = session.cancel(asked.RequestHandle)
    return ua.CancelResponse(Parameters=ua.CancelResult(CancelCount=count))


def _service(
    name: str, answer: Callable[[SubscribingSession, Asked], Awaitable[Response]], *, reads: int = READS
) -> tuple[int, SessionService]:
    return number_of(name), SessionService(decode=decoder(name), answer=answer, reads=reads)


SESSION_SERVICES: Mapping[int, SessionService] = dict(
    [
        _service("Cancel", _cancel, reads=READS_SMALL),
        _service("Read", _read, reads=READS_OF_NODES),
        _service("Write", _write),
        _service("HistoryRead", _history_read),
        _service("Browse", _browse),
        _service("BrowseNext", _browse_next),
        _service("TranslateBrowsePathsToNodeIds", _translate),
        _service("RegisterNodes", _register),
        _service("UnregisterNodes", _unregister),
        _service("Call", _call),
        _service("CreateSubscription", _create_subscription, reads=READS_SMALL),
        _service("TransferSubscriptions", _transfer_subscriptions, reads=READS_SMALL),
        _service("SetTriggering", _set_triggering),
        _service("ModifySubscription", _modify_subscription, reads=READS_SMALL),
        _service("DeleteSubscriptions", _delete_subscriptions, reads=READS_SMALL),
        _service("SetPublishingMode", _set_publishing_mode, reads=READS_SMALL),
        _service("Republish", _republish, reads=READS_SMALL),
        _service("CreateMonitoredItems", _create_items, reads=READS_OF_ITEMS),
        _service("ModifyMonitoredItems", _modify_items, reads=READS_OF_ITEMS),
        _service("DeleteMonitoredItems", _delete_items),
        _service("SetMonitoringMode", _set_monitoring_mode),
    ]
)
