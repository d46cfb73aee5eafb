"""What an item of a subscription is, whether it watches a value or events: a queue, a mode, and links to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from asyncua import ua

_Entry = TypeVar("_Entry")
_Told = TypeVar("_Told")


class MonitoredItem(Generic[_Entry, _Told]):
    """An item; ``_Entry`` is what its queue holds, ``_Told`` what a client is told of it (OPC 10000-4, 5.13.1).

    Attributes:
        overflows: how often something did not fit into the queue.
        event_overflows: how often it was told so by an event.
    """

    __slots__ = (
        "_notice", "client_handle", "discards_oldest", "event_overflows", "id", "links", "mode", "overflows", "queue",
        "size",
    )  # fmt: skip

    def __init__(
        self,
        item_id: int,
        request: ua.MonitoredItemCreateRequest,
        notice: Callable[[Any], None],
    ) -> None:
        asked = request.RequestedParameters
        self.id = item_id
        self.mode = ua.MonitoringMode.Disabled
        self.client_handle = int(asked.ClientHandle)
        self.discards_oldest = bool(asked.DiscardOldest)
        self.size = self.revise_size(int(asked.QueueSize))
        self.queue: list[_Entry] = []  # a deque is 600 bytes when it is empty
        self.links: dict[int, AnyItem] = {}
        self.overflows = self.event_overflows = 0
        self._notice = notice

    def start(self, mode: ua.MonitoringMode) -> None:
        """Watch; once, and nothing is queued before."""
        self.set_mode(mode)

    def set_mode(self, mode: ua.MonitoringMode) -> None:
        """Watch more, or less. What waits is kept unless the item is disabled."""
        self.mode = mode
        if mode == ua.MonitoringMode.Disabled:
            self.queue.clear()
        self._notice(self)

    def end(self) -> None:
        """Watch no longer."""
        self.queue.clear()
        self.mode = ua.MonitoringMode.Disabled

    def take(self, most: int) -> list[_Told]:
        """Take so many notifications from the queue, the oldest first."""
        taken = self.queue[:most]
        del self.queue[:most]
        return [self.told(entry) for entry in taken]

    def told(self, entry: _Entry) -> _Told:
        """A notification from what the queue held."""
        raise NotImplementedError

    def put(self, entry: _Entry) -> None:
        """Queue something; what does not fit is left out at the end that the client chose, and it is told so."""
        raise NotImplementedError

    def resize(self, size: int, *, discards_oldest: bool) -> None:
        """Another length of the queue."""
        self.size, self.discards_oldest = size, discards_oldest
        waiting, self.queue = self.queue, []
        for entry in waiting:
            self.put(entry)

    @classmethod
    def revise_size(cls, asked: int) -> int:
        """The queue's length for a wish."""
        raise NotImplementedError


AnyItem = MonitoredItem[Any, Any]
