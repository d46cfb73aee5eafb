"""The methods of Server for whoever lost track of its subscription (OPC 10000-5, 9.1 and 9.2); asyncua has neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from asyncua import ua
from asyncua.common.utils import ServiceError

from ..space.methods import Method, argument, refusal
from ..space.nodeset import Key
from .subscription import Subscription

Find = Callable[[int], Subscription]
"""The caller's subscription by its id; raises ServiceError."""


class SubscriptionMethods:
    """Of one session."""

    def __init__(self, find: Find) -> None:
        self._find = find

    @property
    def methods(self) -> Mapping[str, Method]:
        """By BrowseName."""
        return {"0:GetMonitoredItems": self.get_monitored_items, "0:ResendData": self.resend_data}

    async def get_monitored_items(self, _: Key, arguments: Sequence[ua.Variant]) -> list[ua.Variant]:
        """The ids of the subscription's items, and the client's own handles for them, in the same order."""
        items = self._subscription(arguments).items
        handles = [item.client_handle for item in items.values()]
        return [argument(list(items), ua.VariantType.UInt32), argument(handles, ua.VariantType.UInt32)]

    async def resend_data(self, _: Key, arguments: Sequence[ua.Variant]) -> list[ua.Variant]:
        """Have all that it reports told once more, in the next messages."""
        self._subscription(arguments).repeat()
        return []

    def _subscription(self, arguments: Sequence[ua.Variant]) -> Subscription:
        [wanted] = arguments
        try:
            return self._find(int(wanted.Value))
        except ServiceError as error:
            raise refusal(error.code) from error
