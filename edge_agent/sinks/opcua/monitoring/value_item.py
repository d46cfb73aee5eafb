"""An item that watches an attribute.

asyncua's take every change at any rate, copy each value deeply for each of them, and know neither a sampling interval
(it tells the publishing interval, whatever was asked for) nor the timestamps a client wants, nor the newest end of a
queue as the one to discard, and they say nothing of a queue that ran over.

A value is looked at when it changes, not more often than the sampling interval: the first change after a pause is taken
at once, and what changes within the interval after it is one change at its end. A value that is made when it is read
tells nobody that it changed: an item looks at it once in each interval, which is a second at least.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any, cast

from asyncua import ua
from asyncua.common.utils import ServiceError

from ..space import wire
from ..space.address_space import AddressSpace
from ..space.attributes import bad, read_one, stamps
from ..space.index_range import IndexRange
from ..space.nodeset import Key
from ..space.sight import Readable, Sight
from .change_filter import change_filter
from .monitored_item import MonitoredItem

MOST_QUEUED = 100
"""Values kept for an item; with it the memory of 5,000 of them is bounded."""
MOST_SAMPLING_S = 3600.0
LEAST_MADE_SAMPLING_S = 1.0
"""Of a value that is made for each who looks at it."""
_OVERFLOW = 0x480  # InfoType DataValue, and its bit Overflow (OPC 10000-4, 7.39.1)
_REFUSED = {
    ua.StatusCodes.BadNodeIdUnknown, ua.StatusCodes.BadAttributeIdInvalid, ua.StatusCodes.BadDataEncodingInvalid,
    ua.StatusCodes.BadDataEncodingUnsupported, ua.StatusCodes.BadIndexRangeInvalid,
}  # fmt: skip


class ValueItem(MonitoredItem[ua.DataValue, ua.MonitoredItemNotification]):
    """Watches one attribute of one node."""

    __slots__ = (
        "_filter", "_handle", "_known", "_latest", "_next_s", "_range", "_sight", "_space", "_stamp", "_timer",
        "_watched", "is_made", "sampling_s",
    )  # fmt: skip

    def __init__(
        self,
        item_id: int,
        request: ua.MonitoredItemCreateRequest,
        notice: Callable[[Any], None],
        *,
        space: AddressSpace,
        sight: Readable,
        timestamps: ua.TimestampsToReturn,
        publishing_s: float,
    ) -> None:
        """Make it; `start` has it watch.

        Raises:
            ServiceError: it cannot be.
        """
        super().__init__(item_id, request, notice)
        self._watched = request.ItemToMonitor
        self.is_made = space.is_made(wire.key(self._watched.NodeId), self._watched.AttributeId)
        if self.is_made:
            self.size = 1  # each is the whole of what there is to know, and long
        self._space, self._sight = space, sight
        self._handle = 0
        self._known: ua.DataValue | None = None
        self._latest: ua.DataValue | None = None
        self._next_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        there = sight.unmade() if isinstance(sight, Sight) else sight
        found = read_one(self._watched, there).StatusCode
        if found is not None and found.value in _REFUSED:
            raise ServiceError(found.value)
        self._range = IndexRange.parse(self._watched.IndexRange) if self._watched.IndexRange else None
        self._take_over(request.RequestedParameters, timestamps, publishing_s)

    def set_mode(self, mode: ua.MonitoringMode) -> None:
        """Watch more, or less; whoever begins to watch is told the value there is."""
        was = self.mode
        super().set_mode(mode)
        if mode == ua.MonitoringMode.Disabled:
            self._unwatch()
        elif was == ua.MonitoringMode.Disabled:
            self._watch()

    def end(self) -> None:
        """Watch no longer."""
        super().end()
        self._unwatch()

    def modify(self, asked: ua.MonitoringParameters, timestamps: ua.TimestampsToReturn, publishing_s: float) -> None:
        """Watch otherwise.

        Raises:
            ServiceError: that cannot be; nothing has changed.
        """
        self._take_over(asked, timestamps, publishing_s)
        self.client_handle = int(asked.ClientHandle)
        size = 1 if self.is_made else self.revise_size(int(asked.QueueSize))
        self.resize(size, discards_oldest=bool(asked.DiscardOldest))

    def repeat(self) -> None:
        """Tell the value once more, unless one waits to be told."""
        if self._known is not None and not self.queue:
            self.put(self._known)
            self._notice(self)

    def look_as(self, sight: Readable) -> None:
        """Go over to another session: what was made for the former one is not for it."""
        self._sight = sight
        if self.is_made and self.mode != ua.MonitoringMode.Disabled:
            self._unwatch()
            self.queue.clear()
            self._watch()

    def told(self, entry: ua.DataValue) -> ua.MonitoredItemNotification:
        """The value with the timestamps that were asked for."""
        return ua.MonitoredItemNotification(cast("ua.IntegerId", self.client_handle), self._stamp(entry))

    def put(self, entry: ua.DataValue) -> None:
        """Queue a value."""
        queue = self.queue
        if len(queue) < self.size:
            queue.append(entry)
        elif self.size == 1:
            queue[0] = entry
        elif self.discards_oldest:
            self.overflows += 1
            del queue[0]
            queue.append(entry)
            queue[0] = _overflown(queue[0])
        else:
            self.overflows += 1
            queue[-1] = _overflown(entry)

    @classmethod
    def revise_size(cls, asked: int) -> int:
        """Room for at least one value."""
        return min(max(asked, 1), MOST_QUEUED)

    @property
    def node(self) -> Key:
        """What it watches."""
        return wire.key(self._watched.NodeId)

    def _take_over(
        self, asked: ua.MonitoringParameters, timestamps: ua.TimestampsToReturn, publishing_s: float
    ) -> None:
        node = wire.key(self._watched.NodeId)
        self._filter = change_filter(asked.Filter, sight=self._sight, node=node, attribute=self._watched.AttributeId)
        self._stamp = stamps(timestamps)
        asked_s = float(asked.SamplingInterval) / 1000.0
        self.sampling_s = min(asked_s, MOST_SAMPLING_S) if asked_s >= 0 else publishing_s  # NaN is not >= 0
        if self.is_made:
            self.sampling_s = max(self.sampling_s, LEAST_MADE_SAMPLING_S)

    def _watch(self) -> None:
        watched = self._watched
        self._known, self._next_s = None, 0.0
        if not self.is_made:
            _, self._handle = self._space.add_datachange_callback(watched.NodeId, watched.AttributeId, self._changed)
            self._latest = self._sight.read(wire.key(watched.NodeId), watched.AttributeId)
        self._sample()

    def _unwatch(self) -> None:
        self._space.delete_datachange_callback(self._handle)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _changed(self, _handle: int, value: ua.DataValue) -> None:
        """The address space says that the value is another one."""
        self._latest = value
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if self.sampling_s and loop.time() < self._next_s:
            self._timer = loop.call_at(self._next_s, self._sample)
        else:
            self._sample()

    def _sample(self) -> None:
        """Look at the value, and queue it if it differs as the filter asks."""
        loop = asyncio.get_running_loop()
        self._timer = None
        self._next_s = loop.time() + self.sampling_s
        if self.is_made:
            self._timer = loop.call_at(self._next_s, self._sample)
            self._latest = self._sight.read(wire.key(self._watched.NodeId), self._watched.AttributeId)
        value = self._latest
        if value is None:
            return
        if isinstance(self._sight, Sight) and not self._sight.sees(wire.key(self._watched.NodeId)):
            value = bad(ua.StatusCodes.BadNodeIdUnknown)  # it may have been given to another MES meanwhile
        if self._range is not None:
            value = self._range.part_of(value)
        if self._known is None or self._filter.passes(self._known, value):
            self._known = value
            self.put(value)
            self._notice(self)


def _overflown(value: ua.DataValue) -> ua.DataValue:
    code = value.StatusCode.value if value.StatusCode else 0
    return dataclasses.replace(value, StatusCode=wire.status(code | _OVERFLOW))
