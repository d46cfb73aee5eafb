"""Events on their way to subscribers: asyncua's subscriptions, with items for events that do what OPC 10000-4 says.

What is wrong with asyncua's own (2.1.0), each with a test:

* an event reaches only who watches the one node it is triggered on, not its notifiers
  (https://github.com/FreeOpcUa/opcua-asyncio/issues/105);
* its where clauses know no subtypes and no null (https://github.com/FreeOpcUa/opcua-asyncio/issues/1568);
* a field that is a structure arrives as null, and one of another namespace is taken for its namesake;
* an item that is disabled is told all the same (for data changes it was
  https://github.com/FreeOpcUa/opcua-asyncio/issues/1913);
* an item without a filter or with the wrong kind of filter, and one to modify that is not there, fail the whole
  request with an internal error;
* a modified item keeps the where clause and the client handle it had;
* nobody is told that a queue ran over.

The oldest event is left out of a full queue, also where a client would rather miss the newest.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from asyncua import ua
from asyncua.common.events import Event as TheirEvent
from asyncua.server.address_space import AddressSpace as TheirAddressSpace
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemData, MonitoredItemService
from asyncua.server.subscription_service import SubscriptionService

from .base_event import SERVER, base_fields
from .event_filter import Checked, Occurrence, Supertypes, check, passes, select
from .nodeset import Key
from .wire import node_id, status

log = logging.getLogger(__name__)

OVERFLOW_TYPE = Key(0, ua.ObjectIds.EventQueueOverflowEventType)
OVERFLOW_SEVERITY = 500
LEAST_QUEUE = 100
"""Events kept for an item between two publishes, however few it asked for: they come in bursts."""

_Result = TypeVar("_Result", ua.MonitoredItemCreateResult, ua.MonitoredItemModifyResult)

MaySee = Callable[[ua.NodeId, str], bool]
"""May the session with this id know of the machine with this id."""


class EventSubscriptions(SubscriptionService):
    """asyncua's subscription service, whose items for events are `EventItems`."""

    def __init__(
        self, space: TheirAddressSpace, server: InternalServer | None, *, supertypes: Supertypes, may_see: MaySee
    ) -> None:
        super().__init__(space, server)
        self._supertypes = supertypes
        self._may_see = may_see

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        session_id: ua.NodeId,
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        """As asyncua does; nothing is monitored yet when the items' service is replaced."""
        result = await super().create_subscription(params, callback, session_id, request_callback)
        subscription = self.subscriptions[result.SubscriptionId]
        subscription.monitored_item_srv = EventItems(subscription, self.aspace, self._supertypes)
        return result

    async def report(self, occurrence: Occurrence, notifiers: Iterable[ua.NodeId], *, machine_id: str) -> None:
        """Tell every subscriber of any of these nodes who may see the machine; one that fails keeps no other waiting.

        An item watches one node, so it is told once if each node is named once.
        """
        notifiers = tuple(notifiers)
        for subscription in list(self.subscriptions.values()):
            items = subscription.monitored_item_srv
            if isinstance(items, EventItems) and self._may_see(subscription.session_id, machine_id):
                try:
                    await items.report(occurrence, notifiers)
                except Exception:
                    log.exception("%s could not be told of an event", subscription)


class EventItems(MonitoredItemService):
    """The monitored items of one subscription."""

    def __init__(self, subscription: InternalSubscription, space: TheirAddressSpace, supertypes: Supertypes) -> None:
        super().__init__(subscription, space)
        self._supertypes = supertypes
        self._overflows: dict[int, ua.EventFieldList] = {}

    async def report(self, occurrence: Occurrence, notifiers: Iterable[ua.NodeId], only: int | None = None) -> bool:
        """Queue the event for the items of these nodes whose filters it passes; true if any node is watched."""
        watching = [item for node in notifiers for item in self._monitored_events.get(node, ())]
        for item_id in watching:
            item = self._monitored_items.get(item_id)  # it may be deleted while another is told
            if item is not None and only in {None, item_id}:
                await self._report(occurrence, item_id, item)
        return bool(watching)

    async def trigger_event(self, event: TheirEvent, mid: int | None = None) -> bool:
        """Report an event made by asyncua itself, on the one node it names."""
        fields = {
            tuple((0, name) for name in path.split("/")): ua.Variant(value, event.data_types[path])
            for path, value in vars(event).items()
            if path in event.data_types and value is not None
        }
        occurrence = Occurrence(event_type=fields[((0, "EventType"),)].Value, fields=fields)
        return await self.report(occurrence, (event.emitting_node,), mid)

    async def _report(self, occurrence: Occurrence, item_id: int, item: MonitoredItemData) -> None:
        if item.mode != ua.MonitoringMode.Reporting or not passes(
            occurrence, item.filter.WhereClause, self._supertypes
        ):
            return
        self._make_room(item_id, item)
        await self.isub.enqueue_event(item_id, self._fields(occurrence, item), 0)

    def _fields(self, occurrence: Occurrence, item: MonitoredItemData) -> ua.EventFieldList:
        return ua.EventFieldList(item.client_handle, select(occurrence, item.filter.SelectClauses, self._supertypes))

    def _make_room(self, item_id: int, item: MonitoredItemData) -> None:
        """Leave out the oldest event of a full queue, and say so before the others (OPC 10000-4, 5.13.1.5)."""
        queue = self.isub._triggered_events.get(item_id, [])  # noqa: SLF001 - asyncua has no other way to it
        if len(queue) < item.queue_size:
            return
        if queue[0] is self._overflows.get(item_id):
            del queue[1]
        else:
            queue[0] = self._overflows[item_id] = self._fields(_overflow(), item)

    def _create_events_monitored_item(self, params: ua.MonitoredItemCreateRequest) -> ua.MonitoredItemCreateResult:
        node = params.ItemToMonitor.NodeId
        checked = self._check_node(node) or check(params.RequestedParameters.Filter, self._supertypes)
        if not checked.status.is_good():
            return _told(ua.MonitoredItemCreateResult(StatusCode=checked.status), checked)
        result, item = self._make_monitored_item_common(params)
        result.RevisedQueueSize = item.queue_size = max(item.queue_size, LEAST_QUEUE)
        self._commit_monitored_item(result, item)
        self._monitored_events.setdefault(node, []).append(result.MonitoredItemId)
        return _told(result, checked)

    async def _create_data_change_monitored_item(
        self, params: ua.MonitoredItemCreateRequest
    ) -> ua.MonitoredItemCreateResult:
        checked = _check_for_values(params.RequestedParameters.Filter)
        if not checked.status.is_good():
            return ua.MonitoredItemCreateResult(StatusCode=checked.status)
        return await super()._create_data_change_monitored_item(params)

    def _modify_monitored_item(self, params: ua.MonitoredItemModifyRequest) -> ua.MonitoredItemModifyResult:
        item = self._monitored_items.get(params.MonitoredItemId)
        if item is None:
            return ua.MonitoredItemModifyResult(StatusCode=status(ua.StatusCodes.BadMonitoredItemIdInvalid))
        asked = params.RequestedParameters
        is_of_events = any(params.MonitoredItemId in items for items in self._monitored_events.values())
        checked = check(asked.Filter, self._supertypes) if is_of_events else _check_for_values(asked.Filter)
        if not checked.status.is_good():
            return _told(ua.MonitoredItemModifyResult(StatusCode=checked.status), checked)
        item.filter = asked.Filter
        item.client_handle = asked.ClientHandle
        item.queue_size = max(self._revise_queue_size(asked.QueueSize), LEAST_QUEUE if is_of_events else 1)
        result = ua.MonitoredItemModifyResult(
            RevisedSamplingInterval=self.isub.data.RevisedPublishingInterval, RevisedQueueSize=item.queue_size
        )
        return _told(result, checked)

    def _delete_monitored_items(self, mid: int) -> ua.StatusCode:
        self._overflows.pop(mid, None)
        return super()._delete_monitored_items(mid)

    def _check_node(self, node: ua.NodeId) -> Checked | None:
        """Why events cannot be had from a node, ``None`` if they can."""
        read = self.aspace.read_attribute_value(node, ua.AttributeIds.EventNotifier)
        if read.StatusCode is not None and not read.StatusCode.is_good():
            return Checked(status=read.StatusCode)
        bits = read.Value.Value if read.Value else 0
        if not bits & ua.EventNotifier.SubscribeToEvents.mask:
            return Checked(status=status(ua.StatusCodes.BadNotSupported))
        return None


def _overflow() -> Occurrence:
    """That events were left out: not filtered, and in no history, since it is of one item."""
    fields = base_fields(
        event_id=uuid.uuid4().bytes,
        event_type=OVERFLOW_TYPE,
        source=SERVER,
        source_name="Server",
        at=datetime.now(UTC),
        message="more happened than the queue holds; the oldest events are left out",
        severity=OVERFLOW_SEVERITY,
    )
    return Occurrence(event_type=node_id(OVERFLOW_TYPE), fields=fields)


def _check_for_values(wanted: object) -> Checked:
    """May a value be watched with this filter."""
    fits = not wanted or isinstance(wanted, ua.DataChangeFilter)  # a null structure is false
    return Checked(status=status(ua.StatusCodes.Good if fits else ua.StatusCodes.BadMonitoredItemFilterUnsupported))


def _told(result: _Result, checked: Checked) -> _Result:
    if checked.result is not None:
        result.FilterResult = checked.result
    return result
