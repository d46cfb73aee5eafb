"""The MonitoredItem service set (OPC 10000-4, 5.13); every item of a request has a status of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

from asyncua import ua
from asyncua.common.utils import ServiceError

from ..events.event_filter import Supertypes
from ..space.address_space import AddressSpace
from ..space.attributes import stamps
from ..space.nodeset import Key
from ..space.sight import Readable
from ..space.wire import key, status
from .event_item import EventItem, FilterRefusedError
from .subscription import Item, Owner, Subscription
from .value_item import ValueItem

MOST_MADE_ITEMS = 2
"""Of a session, that watch the same value which is made for it: each costs something even while nothing happens."""
_C = ua.StatusCodes
_Entry = TypeVar("_Entry")
_Result = TypeVar("_Result", ua.MonitoredItemCreateResult, ua.MonitoredItemModifyResult)


class ItemServices:
    """The services, on the subscriptions of whoever asks."""

    def __init__(
        self,
        space: AddressSpace,
        *,
        supertypes: Supertypes,
        find: Callable[[Owner, int], Subscription],
        room: Callable[[Owner, int], int],
        made: Callable[[Owner, Key], int],
    ) -> None:
        """Make them.

        Args:
            space: what is watched.
            supertypes: of a type, for event filters.
            find: a session's subscription by its id.
            room: how many more items a session may have that wants so many.
            made: how many it has that watch a value which is made for it.
        """
        self._space = space
        self._supertypes = supertypes
        self._find = find
        self._room = room
        self._made = made

    def create(self, owner: Owner, params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        """Watch."""
        subscription = self._find(owner, params.SubscriptionId)
        timestamps = _wanted(params.TimestampsToReturn)
        requests = some(params.ItemsToCreate)
        room, sight = self._room(owner, len(requests)), owner.sight
        results = []
        for request in requests:
            results.append(self._create(subscription, request, sight, timestamps, has_room=room > 0))
            room -= results[-1].StatusCode.is_good()
        return results

    def modify(self, owner: Owner, params: ua.ModifyMonitoredItemsParameters) -> list[ua.MonitoredItemModifyResult]:
        """Watch otherwise."""
        subscription = self._find(owner, params.SubscriptionId)
        timestamps = _wanted(params.TimestampsToReturn)
        return [_modify(subscription, change, timestamps) for change in some(params.ItemsToModify)]

    def set_mode(self, owner: Owner, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Watch more, or less."""
        subscription = self._find(owner, params.SubscriptionId)
        items = [subscription.items.get(item_id) for item_id in some(params.MonitoredItemIds)]
        for item in items:
            if item is not None:
                subscription.set_mode(item, params.MonitoringMode)
        return _found(item is not None for item in items)

    def link(self, owner: Owner, params: ua.SetTriggeringParameters) -> ua.SetTriggeringResult:
        """Have items that only sample speak when another has something to tell."""
        subscription = self._find(owner, params.SubscriptionId)
        item = subscription.items.get(params.TriggeringItemId)
        if item is None:
            raise ServiceError(_C.BadMonitoredItemIdInvalid)
        add, remove = params.LinksToAdd or [], params.LinksToRemove or []
        some([*add, *remove])
        added, removed = subscription.link(item, add=add, remove=remove)
        return ua.SetTriggeringResult(AddResults=_found(added), RemoveResults=_found(removed))

    def delete(self, owner: Owner, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Watch no longer."""
        subscription = self._find(owner, params.SubscriptionId)
        return _found(subscription.remove(item_id) for item_id in some(params.MonitoredItemIds))

    def _create(
        self,
        subscription: Subscription,
        request: ua.MonitoredItemCreateRequest,
        sight: Readable,
        timestamps: ua.TimestampsToReturn,
        *,
        has_room: bool,
    ) -> ua.MonitoredItemCreateResult:
        node, attribute = key(request.ItemToMonitor.NodeId), request.ItemToMonitor.AttributeId
        is_made = self._space.is_made(node, attribute)
        if not has_room or (is_made and self._made(subscription.owner, node) >= MOST_MADE_ITEMS):
            return ua.MonitoredItemCreateResult(StatusCode=status(_C.BadTooManyMonitoredItems))
        try:
            item = self._make(subscription, request, sight, timestamps)
        except ServiceError as error:
            return _refused(ua.MonitoredItemCreateResult(), error)
        subscription.add(item, request.MonitoringMode)
        return _accepted(ua.MonitoredItemCreateResult(MonitoredItemId=cast("ua.IntegerId", item.id)), item)

    def _make(
        self,
        subscription: Subscription,
        request: ua.MonitoredItemCreateRequest,
        sight: Readable,
        timestamps: ua.TimestampsToReturn,
    ) -> Item:
        item_id = subscription.next_item_id()
        if request.ItemToMonitor.AttributeId == ua.AttributeIds.EventNotifier:
            return EventItem(item_id, request, subscription.notice, sight=sight, supertypes=self._supertypes)
        return ValueItem(
            item_id,
            request,
            subscription.notice,
            space=self._space,
            sight=sight,
            timestamps=timestamps,
            publishing_s=subscription.terms.interval_s,
        )


def some(entries: Sequence[_Entry] | None) -> Sequence[_Entry]:
    """What a request names.

    Raises:
        ServiceError: nothing.
    """
    if not entries:
        raise ServiceError(_C.BadNothingToDo)
    return entries


def _wanted(timestamps: ua.TimestampsToReturn) -> ua.TimestampsToReturn:
    stamps(timestamps)
    return timestamps


def _modify(
    subscription: Subscription, change: ua.MonitoredItemModifyRequest, timestamps: ua.TimestampsToReturn
) -> ua.MonitoredItemModifyResult:
    item = subscription.items.get(change.MonitoredItemId)
    if item is None:
        return ua.MonitoredItemModifyResult(StatusCode=status(_C.BadMonitoredItemIdInvalid))
    try:
        if isinstance(item, ValueItem):
            item.modify(change.RequestedParameters, timestamps, subscription.terms.interval_s)
        else:
            item.modify(change.RequestedParameters)
    except ServiceError as error:
        return _refused(ua.MonitoredItemModifyResult(), error)
    return _accepted(ua.MonitoredItemModifyResult(), item)


def _accepted(result: _Result, item: Item) -> _Result:
    result.RevisedQueueSize = cast("ua.Counter", item.size)
    if isinstance(item, ValueItem):
        result.RevisedSamplingInterval = cast("ua.Duration", item.sampling_s * 1000.0)
    elif item.filter_result is not None:
        result.FilterResult = cast("ua.ExtensionObject", item.filter_result)
    return result


def _refused(result: _Result, error: ServiceError) -> _Result:
    result.StatusCode = status(error.code)
    if isinstance(error, FilterRefusedError) and error.result is not None:
        result.FilterResult = cast("ua.ExtensionObject", error.result)
    return result


def _found(found: Iterable[bool]) -> list[ua.StatusCode]:
    return [status(_C.Good if there else _C.BadMonitoredItemIdInvalid) for there in found]
