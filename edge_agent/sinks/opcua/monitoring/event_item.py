"""An item that watches events.

What is wrong with asyncua's own (2.1.0), each with a test:

* an event reaches only who watches the one node it is triggered on, not its notifiers
  (https://github.com/FreeOpcUa/opcua-asyncio/issues/105);
* its where clauses know no subtypes and no null (https://github.com/FreeOpcUa/opcua-asyncio/issues/1568);
* a field that is a structure arrives as null, and one of another namespace is taken for its namesake;
* an item that is disabled is told all the same (for data changes it was
  https://github.com/FreeOpcUa/opcua-asyncio/issues/1913);
* an item without a filter or with the wrong kind of filter fails the whole request with an internal error;
* a modified item keeps the where clause and the client handle it had;
* nobody is told that a queue ran over.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from asyncua import ua
from asyncua.common.utils import ServiceError

from ..events.base_event import SERVER, base_fields
from ..events.event_filter import Occurrence, Supertypes, check, passes, select
from ..space import wire
from ..space.nodeset import Key
from ..space.sight import Readable
from ..space.wire import node_id
from .monitored_item import MonitoredItem

OVERFLOW_TYPE = Key(0, ua.ObjectIds.EventQueueOverflowEventType)
OVERFLOW_SEVERITY = 500
LEAST_QUEUED = 100
"""Events kept for an item between two publishes, however few it asked for: they come in bursts."""
MOST_QUEUED = 1000


class EventItem(MonitoredItem[ua.EventFieldList, ua.EventFieldList]):
    """Watches the events of one node."""

    __slots__ = ("_filter", "_overflow", "_supertypes", "filter_result", "node")

    def __init__(
        self,
        item_id: int,
        request: ua.MonitoredItemCreateRequest,
        notice: Callable[[Any], None],
        *,
        sight: Readable,
        supertypes: Supertypes,
    ) -> None:
        """Make it; `start` has it watch.

        Raises:
            ServiceError: the node has no events.
            FilterRefusedError: the filter cannot be used.
        """
        self.node = request.ItemToMonitor.NodeId
        self._supertypes = supertypes
        self._overflow: ua.EventFieldList | None = None
        _check_node(self.node, sight)
        self._take_over(request.RequestedParameters)
        super().__init__(item_id, request, notice)

    def report(self, occurrence: Occurrence) -> None:
        """Queue an event if it is one that was asked for."""
        if self.mode != ua.MonitoringMode.Disabled and passes(occurrence, self._filter.WhereClause, self._supertypes):
            self.put(self._fields(occurrence))
            self._notice(self)

    def modify(self, asked: ua.MonitoringParameters) -> None:
        """Watch otherwise.

        Raises:
            FilterRefusedError: that cannot be; nothing has changed.
        """
        self._take_over(asked)
        self.client_handle = int(asked.ClientHandle)
        self.resize(self.revise_size(int(asked.QueueSize)), discards_oldest=bool(asked.DiscardOldest))

    def told(self, entry: ua.EventFieldList) -> ua.EventFieldList:
        """As it was queued, with the handle the client has now."""
        entry.ClientHandle = cast("ua.IntegerId", self.client_handle)
        return entry

    def put(self, entry: ua.EventFieldList) -> None:
        """Queue an event; that some are left out is told by an event beside the queue's (OPC 10000-4, 5.13.1.5)."""
        queue = self.queue
        told_first = bool(queue) and queue[0] is self._overflow
        told_last = bool(queue) and queue[-1] is self._overflow
        if len(queue) - (told_first or told_last) < self.size:
            queue.append(entry)
            return
        self.overflows += 1
        if not self.discards_oldest:
            if not told_last:
                queue.append(self._run_over())
        elif told_first:
            del queue[1]
            queue.append(entry)
        else:
            queue[0] = self._run_over()
            queue.append(entry)

    @classmethod
    def revise_size(cls, asked: int) -> int:
        """Room for a burst."""
        return min(max(asked, LEAST_QUEUED), MOST_QUEUED)

    def _take_over(self, asked: ua.MonitoringParameters) -> None:
        checked = check(asked.Filter, self._supertypes)
        if not checked.status.is_good():
            raise FilterRefusedError(checked.status.value, checked.result)
        self._filter = cast("ua.EventFilter", asked.Filter)
        self.filter_result = checked.result

    def _run_over(self) -> ua.EventFieldList:
        self.event_overflows += 1
        self._overflow = self._fields(_overflow())
        return self._overflow

    def _fields(self, occurrence: Occurrence) -> ua.EventFieldList:
        return ua.EventFieldList(
            cast("ua.IntegerId", 0), select(occurrence, self._filter.SelectClauses, self._supertypes)
        )


class FilterRefusedError(ServiceError):
    """What is wrong with a filter, clause by clause."""

    def __init__(self, code: int, result: ua.EventFilterResult | None) -> None:
        super().__init__(code)
        self.result = result


def _check_node(node: ua.NodeId, sight: Readable) -> None:
    read = sight.read(wire.key(node), ua.AttributeIds.EventNotifier)
    if read.StatusCode is not None and not read.StatusCode.is_good():
        raise ServiceError(read.StatusCode.value)
    bits = read.Value.Value if read.Value else 0
    if not bits & ua.EventNotifier.SubscribeToEvents.mask:
        raise ServiceError(ua.StatusCodes.BadNotSupported)


def _overflow() -> Occurrence:
    """That events were left out: not filtered, and in no history, since it is of one item."""
    fields = base_fields(
        event_id=uuid.uuid4().bytes,
        event_type=OVERFLOW_TYPE,
        source=SERVER,
        source_name="Server",
        at=datetime.now(UTC),
        message="more happened than the queue holds; some events are left out",
        severity=OVERFLOW_SEVERITY,
    )
    return Occurrence(event_type=node_id(OVERFLOW_TYPE), fields=fields)
