"""One subscription: what it watches, when it speaks, what it keeps until that is acknowledged (OPC 10000-4, 5.14.1).

Instead of asyncua's, whose first message comes before the first cycle is over, whose number of messages kept is 500
whatever is in them, which forgets one when it is sent again, sends all notifications in one message however many there
are, and whose end is never told: it is queued for a subscription that is deleted in the same breath.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User
from msgspec import Struct

from ..events.event_filter import Occurrence
from ..space import wire
from ..space.nodeset import Key
from ..space.sight import Readable
from .diagnostics import SubscriptionCounts
from .event_item import EventItem
from .monitored_item import MonitoredItem
from .publishing import Publisher
from .value_item import ValueItem

Item = ValueItem | EventItem

LEAST_INTERVAL_S, MOST_INTERVAL_S = 0.05, 3600.0
DEFAULT_KEEP_ALIVE = 10
DEFAULT_LIFETIME_S = 60.0
MOST_LIFETIME_S = 3600.0
CYCLES_PER_LIFE = 3
MOST_PER_MESSAGE = 1000
MOST_MESSAGES = 100
MOST_KEPT = 2000
"""Notifications in the messages that are kept to be sent again."""
_LAST_SEQUENCE_NUMBER = 2**32 - 1


class Owner(Protocol):
    """The session a subscription belongs to."""

    session_id: ua.NodeId
    user: User
    application_uri: str
    publisher: Publisher

    @property
    def encrypted(self) -> bool:
        """Is its channel: does it prove which application asks."""

    @property
    def is_closed(self) -> bool:
        """It has ended and left its subscriptions behind."""

    @property
    def sight(self) -> Readable:
        """What there is for its user."""

    def sees_machine(self, machine_id: str) -> bool:
        """Is its user told of this machine's events."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a client was promised; the counts are of publishing intervals."""

    interval_s: float
    keep_alive: int
    lifetime: int
    per_message: int
    priority: int

    @classmethod
    def revise(cls, asked: ua.CreateSubscriptionParameters | ua.ModifySubscriptionParameters) -> Terms:
        """What can be promised: a lifetime of at least three keep-alives (OPC 10000-4, 5.14.2.2), and an hour at most.

        An interval so long that three of them are more than an hour lives for three.
        """
        wanted_s = float(asked.RequestedPublishingInterval) / 1000.0
        interval_s = min(wanted_s, MOST_INTERVAL_S) if wanted_s > LEAST_INTERVAL_S else LEAST_INTERVAL_S  # NaN too
        longest = max(int(MOST_LIFETIME_S / interval_s), CYCLES_PER_LIFE)
        keep_alive = min(int(asked.RequestedMaxKeepAliveCount) or DEFAULT_KEEP_ALIVE, longest // CYCLES_PER_LIFE)
        lifetime = int(asked.RequestedLifetimeCount) or int(DEFAULT_LIFETIME_S / interval_s)
        return cls(
            interval_s=interval_s,
            keep_alive=keep_alive,
            lifetime=min(max(lifetime, CYCLES_PER_LIFE * keep_alive), longest),
            per_message=min(int(asked.MaxNotificationsPerPublish) or MOST_PER_MESSAGE, MOST_PER_MESSAGE),
            priority=int(asked.Priority),
        )


class Subscription:
    """A subscription; its clock is the event loop's, and no task stands behind it."""

    def __init__(
        self,
        subscription_id: int,
        owner: Owner,
        terms: Terms,
        *,
        enabled: bool,
        expired: Callable[[Subscription], None],
    ) -> None:
        self.id = subscription_id
        self.owner = owner
        self.terms = terms
        self.enabled = enabled
        self.items: dict[int, Item] = {}
        self.made_items: dict[int, Key] = {}
        self.counts = SubscriptionCounts()
        self._expired = expired
        self._by_node: dict[ua.NodeId, dict[int, EventItem]] = {}
        self._ready: dict[int, Item] = {}
        self._triggering: dict[int, Item] = {}
        self._last_item = 0
        self._sequence = 1
        self._sent: dict[int, ua.NotificationMessage] = {}
        self._kept = 0
        self._tells_made = False
        self._keeps_alive = False
        self._life = terms.lifetime
        self._quiet = 1  # cycles until a message is due even if there is nothing to tell; the first one always is
        self._due_s = asyncio.get_running_loop().time()
        self._timer = self._schedule()

    def __str__(self) -> str:
        return f"subscription {self.id}"

    @property
    def session_id(self) -> ua.NodeId:
        """The session's, by the name that asyncua looks for."""
        return self.owner.session_id

    @property
    def priority(self) -> int:
        """The highest answers first."""
        return self.terms.priority

    @property
    def silent_cycles(self) -> int:
        """Since its client was there."""
        return self.terms.lifetime - self._life

    @property
    def next_sequence_number(self) -> int:
        """Of the next message."""
        return self._sequence

    # --- its life ---

    def enable(self, *, enabled: bool) -> None:
        """Tell what it hears, or keep it to itself."""
        self.enabled = enabled
        self.keep()
        if enabled:
            self.counts.enabled += 1
        else:
            self.counts.disabled += 1

    def keep(self) -> None:
        """The client is there: the lifetime begins anew."""
        self._life = self.terms.lifetime

    def modify(self, terms: Terms) -> None:
        """Go on with other terms; the next cycle begins now."""
        self.counts.modified += 1
        self.terms = terms
        self._quiet = min(self._quiet, terms.keep_alive)
        self._timer.cancel()
        self._due_s = asyncio.get_running_loop().time()
        self._timer = self._schedule()

    def give(self, owner: Owner, *, initial_values: bool) -> None:
        """Go over to another session, which is told all values if it wishes."""
        self.owner.publisher.forget(self)
        if owner.application_uri == self.owner.application_uri:
            self.counts.to_same_client += 1
        else:
            self.counts.to_other_client += 1
        self.owner = owner
        self.keep()
        if self._tells_made:  # what was made for one session is not sent again to another
            self.counts.discarded += len(self._sent)
            self._sent.clear()
            self._kept = 0
        for item in self.items.values():
            if isinstance(item, ValueItem):
                item.look_as(owner.sight)
        if initial_values:
            self.repeat()

    def repeat(self) -> None:
        """Tell once more what every item reports; one that has something to tell tells that."""
        for item in self.items.values():
            if isinstance(item, ValueItem) and item.mode == ua.MonitoringMode.Reporting:
                item.repeat()

    def end(self) -> None:
        """Stop, and let everything go."""
        self._timer.cancel()
        self.owner.publisher.forget(self)
        for item in self.items.values():
            item.end()
        self.items.clear()
        self.made_items.clear()
        self._by_node.clear()
        self._triggering.clear()
        self._ready.clear()
        self._sent.clear()

    def _schedule(self) -> asyncio.TimerHandle:
        """The next cycle; those that a busy loop missed are left out."""
        loop = asyncio.get_running_loop()
        missed = (loop.time() - self._due_s) // self.terms.interval_s
        self._due_s += (max(missed, 0.0) + 1) * self.terms.interval_s
        return loop.call_at(self._due_s, self._cycle)

    def _cycle(self) -> None:
        self._life -= 1
        if self._life <= 0:
            self._expired(self)
            return
        self._timer = self._schedule()
        self._quiet -= 1
        has_more = self.has_more()
        if not has_more and not self._keeps_alive:
            self._keeps_alive = True
            self.counts.kept_alive += 1
        if has_more or self._quiet <= 0:
            self.counts.late += self.owner.publisher.publish(self)

    # --- what it says ---

    def has_more(self) -> bool:
        """There is something to tell that may be told."""
        return self.enabled and bool(self._ready)

    def message(self) -> ua.PublishResult:
        """What there is to tell, as much as fits in one message; a keep-alive if that is nothing."""
        found = self._take() if self.enabled else []
        message = ua.NotificationMessage(cast("ua.Counter", self._sequence), NotificationData=cast("Any", found))
        self._quiet = self.terms.keep_alive
        self.keep()
        self.counts.messages += 1
        if found:
            self._keeps_alive = False
            self._remember(message)
        return self._result(message)

    def farewell(self, code: int) -> ua.PublishResult:
        """The last message: that it is no longer the session's, and why."""
        change = ua.StatusChangeNotification(Status=wire.status(code))
        message = ua.NotificationMessage(cast("ua.Counter", self._sequence), NotificationData=cast("Any", [change]))
        result = self._result(message)
        result.MoreNotifications = cast("ua.Boolean", False)
        return result

    def _result(self, message: ua.NotificationMessage) -> ua.PublishResult:
        return ua.PublishResult(
            SubscriptionId=cast("ua.IntegerId", self.id),
            AvailableSequenceNumbers=cast("list[ua.Counter]", self.available()),
            MoreNotifications=cast("ua.Boolean", self.has_more()),
            NotificationMessage=message,
        )

    def available(self) -> list[int]:
        """The numbers of the messages that can be sent again."""
        return list(self._sent)

    def acknowledge(self, number: int) -> bool:
        """Forget a message; false if it is not there."""
        message = self._sent.pop(number, None)
        if message is None:
            return False
        self._kept -= _count(message)
        return True

    def sent(self, number: int) -> ua.NotificationMessage:
        """A message that was sent before.

        Raises:
            ServiceError: it is not there.
        """
        self.counts.republish_requests += 1
        if number not in self._sent:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        self.counts.republished += 1
        return self._sent[number]

    def _take(self) -> list[ua.NotificationData]:
        """The notifications of the items that are ready, of each item in its order."""
        values: list[ua.MonitoredItemNotification] = []
        events: list[ua.EventFieldList] = []
        left = self.terms.per_message
        while self._ready and left:
            item = next(iter(self._ready.values()))
            if isinstance(item, ValueItem):
                taken = len(told := item.take(left))
                values += told
            else:
                taken = len(happened := item.take(left))
                events += happened
            left -= taken
            if not item.queue:
                del self._ready[item.id]
        found: list[ua.NotificationData] = []
        self.counts.values += len(values)
        self.counts.events += len(events)
        if values:
            found.append(ua.DataChangeNotification(values))
        if events:
            found.append(ua.EventNotificationList(events))
        return found

    def _remember(self, message: ua.NotificationMessage) -> None:
        self._sent[self._sequence] = message
        self._kept += _count(message)
        self._sequence = self._sequence % _LAST_SEQUENCE_NUMBER + 1
        while len(self._sent) > MOST_MESSAGES or (self._kept > MOST_KEPT and len(self._sent) > 1):
            self.counts.discarded += self.acknowledge(next(iter(self._sent)))

    # --- what it watches ---

    def next_item_id(self) -> int:
        """An id that no item of this subscription ever had."""
        self._last_item += 1
        return self._last_item

    def add(self, item: Item, mode: ua.MonitoringMode) -> None:
        """Have an item watch."""
        self.items[item.id] = item
        if isinstance(item, EventItem):
            self._by_node.setdefault(item.node, {})[item.id] = item
        elif item.is_made:
            self.made_items[item.id] = item.node
            self._tells_made = True
        item.set_mode(mode)

    def set_mode(self, item: Item, mode: ua.MonitoringMode) -> None:
        """Have an item watch more, or less; what it was triggered to tell waits again."""
        self._ready.pop(item.id, None)
        item.set_mode(mode)

    def link(self, item: Item, *, add: Iterable[int], remove: Iterable[int]) -> tuple[list[bool], list[bool]]:
        """Have others speak when an item has something to tell, or no longer; false for those that are not there."""
        removed = [item.links.pop(other, None) is not None for other in remove]
        found = {other: self.items[other] for other in add if other in self.items}
        item.links |= found
        self._triggering.pop(item.id, None)
        if item.links:
            self._triggering[item.id] = item
        return [other in found for other in add], removed

    def remove(self, item_id: int) -> bool:
        """Have an item watch no longer; false if it is not there."""
        item = self.items.pop(item_id, None)
        if item is None:
            return False
        item.end()
        self.counts.overflows += item.overflows
        self.counts.event_overflows += item.event_overflows
        self.made_items.pop(item_id, None)
        self._ready.pop(item_id, None)
        self._triggering.pop(item_id, None)
        for other in self._triggering.values():
            other.links.pop(item_id, None)
        if isinstance(item, EventItem):
            watching = self._by_node[item.node]
            del watching[item_id]
            if not watching:
                del self._by_node[item.node]
        return True

    def watches(self, node: ua.NodeId) -> bool:
        """Has it an item that is told of a node's events."""
        return node in self._by_node

    def report(self, occurrence: Occurrence, notifiers: Iterable[ua.NodeId]) -> None:
        """Tell the items of these nodes of an event."""
        for node in notifiers:
            for item in self._by_node.get(node, {}).values():
                item.report(occurrence)

    def notice(self, item: MonitoredItem[Any, Any]) -> None:
        """An item's queue has changed: it speaks if it reports, and has those speak that it is linked to."""
        if not item.queue:
            self._ready.pop(item.id, None)
            return
        if item.mode == ua.MonitoringMode.Reporting:
            self._ready[item.id] = cast("Item", item)
        for linked in item.links.values():
            if linked.queue:
                self._ready[linked.id] = cast("Item", linked)


def _count(message: ua.NotificationMessage) -> int:
    """The notifications in a message."""
    found: list[Any] = message.NotificationData
    return sum(
        len(part.MonitoredItems if isinstance(part, ua.DataChangeNotification) else part.Events) for part in found
    )
