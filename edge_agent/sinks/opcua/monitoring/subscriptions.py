"""The subscriptions of all sessions, and their services (OPC 10000-4, 5.13 and 5.14).

In place of asyncua's SubscriptionService, which

* lets every session modify, delete, take over and acknowledge everybody's subscriptions, whose ids it counts up;
* ignores what ModifySubscription asks for (https://github.com/FreeOpcUa/opcua-asyncio/issues/298), and takes any
  publishing interval, lifetime and keep-alive, among them NaN and a lifetime that is over before the first keep-alive;
* says Good of an acknowledged message that never was, and answers Republish with an empty message for one;
* has no limit of subscriptions or items for one session, nor a share for each user of what all have together;
* keeps a subscription that expired waiting for requests for ever, and never says that it did
  (https://github.com/FreeOpcUa/opcua-asyncio/issues/1774).

Somebody else's subscription answers as one that does not exist.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import cast

from asyncua import ua
from asyncua.common.utils import ServiceError

from ..events.event_filter import Occurrence, Supertypes
from ..options import Limits
from ..security.names import ANONYMOUS
from ..space.address_space import AddressSpace
from ..space.nodeset import Key
from ..space.wire import status
from .item_services import ItemServices, some
from .publishing import PublishRequest
from .shares import User, room, share
from .subscription import Owner, Subscription, Terms

log = logging.getLogger(__name__)

MaySee = Callable[[ua.NodeId, str], bool]
"""May the session with this id know of the machine with this id."""

REQUESTS_BESIDE = 10
"""Publish requests that may wait beside one for each subscription."""
_C = ua.StatusCodes


class Subscriptions:
    """All of them; `subscriptions` is what asyncua looks into when a session ends or comes back."""

    def __init__(
        self,
        space: AddressSpace,
        *,
        supertypes: Supertypes,
        limits: Limits,
        most: Callable[[], int],
        users: Callable[[], Collection[User]] = tuple,
    ) -> None:
        """None yet.

        Args:
            space: what is watched.
            supertypes: of a type, for event filters.
            limits: of subscriptions, and of the items in all subscriptions, of one session; of the items of all.
            most: subscriptions of all sessions together; asked each time.
            users: the names of those who may log in, each of whom has a share; asked each time.
        """
        self.subscriptions: dict[int, Subscription] = {}
        self.ever_made = 0
        self.items = ItemServices(space, supertypes=supertypes, find=self.find, room=self._room, made=self._made)
        self.per_session = limits.max_subscriptions
        self.items_per_session = limits.max_monitored_items
        self.most_items = limits.max_total_monitored_items
        self._most = most
        self._users = users

    async def report(self, occurrence: Occurrence, notifiers: Iterable[ua.NodeId], *, machine_id: str) -> None:
        """Tell every subscriber of any of these nodes who may see the machine; one that fails keeps no other waiting.

        An item watches one node, so it is told once if each node is named once.
        """
        self.tell(occurrence, notifiers, to=lambda owner: owner.sees_machine(machine_id))

    def is_heard(self, node: ua.NodeId, *, by: Callable[[Owner], bool]) -> bool:
        """Does any of these sessions watch the events of a node."""
        return any(each.watches(node) and by(each.owner) for each in self.subscriptions.values())

    def tell(self, occurrence: Occurrence, notifiers: Iterable[ua.NodeId], *, to: Callable[[Owner], bool]) -> None:
        """Tell every subscriber of any of these nodes whose session may hear of it."""
        notifiers = tuple(notifiers)
        for subscription in list(self.subscriptions.values()):
            if to(subscription.owner):
                try:
                    subscription.report(occurrence, notifiers)
                except Exception:
                    log.exception("%s could not be told of an event", subscription)

    # --- the Subscription service set ---

    def create(self, owner: Owner, params: ua.CreateSubscriptionParameters) -> ua.CreateSubscriptionResult:
        """Begin a subscription."""
        full = len(self._of(owner)) >= self.per_session
        if full or not self._make_room(owner.user.name, 1, lambda _: 1, self._most()):
            raise ServiceError(_C.BadTooManySubscriptions)
        terms = Terms.revise(params)
        made = Subscription(self._new_id(), owner, terms, enabled=bool(params.PublishingEnabled), expired=self._expired)
        self.subscriptions[made.id] = made
        self.ever_made += 1
        return ua.CreateSubscriptionResult(cast("ua.IntegerId", made.id), *_revised(terms))

    def modify(self, owner: Owner, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        """Have a subscription go on with other terms."""
        subscription = self.find(owner, params.SubscriptionId)
        subscription.modify(Terms.revise(params))
        return ua.ModifySubscriptionResult(*_revised(subscription.terms))

    def delete(self, owner: Owner, ids: Sequence[int]) -> list[ua.StatusCode]:
        """End subscriptions; with the last one the session's Publish requests."""
        return [status(self._delete(owner, subscription_id)) for subscription_id in some(ids)]

    def set_publishing_mode(self, owner: Owner, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        """Have subscriptions tell what they hear, or keep it to themselves."""
        results = []
        for subscription_id in some(params.SubscriptionIds):
            subscription = self._get(owner, subscription_id)
            if subscription is not None:
                subscription.enable(enabled=bool(params.PublishingEnabled))
            results.append(status(_C.BadSubscriptionIdInvalid if subscription is None else _C.Good))
        return results

    def publish(
        self, owner: Owner, acknowledged: Iterable[ua.SubscriptionAcknowledgement], request: PublishRequest
    ) -> None:
        """Forget messages that arrived, and answer a Publish request when there is something to tell.

        Raises:
            ServiceError: the session has no subscription, and nothing to be told of those it had.
        """
        self.check_publish(owner)
        mine = self._of(owner)
        for subscription in mine:
            subscription.keep()
        request.results = [status(self._acknowledge(owner, each)) for each in acknowledged]
        owner.publisher.take(request, most=len(mine) + REQUESTS_BESIDE)
        self._dismiss(owner)

    def check_publish(self, owner: Owner) -> None:
        """Would there be anything to tell, ever.

        Raises:
            ServiceError: no.
        """
        if not self._of(owner) and not owner.publisher.has_notices:
            raise ServiceError(_C.BadNoSubscription)

    def republish(self, owner: Owner, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Send a message again."""
        return self.find(owner, params.SubscriptionId).sent(params.RetransmitSequenceNumber)

    def transfer(self, owner: Owner, params: ua.TransferSubscriptionsParameters) -> list[ua.TransferResult]:
        """Take over subscriptions of another session of the same user."""
        return [
            self._transfer(owner, subscription_id, initial_values=bool(params.SendInitialValues))
            for subscription_id in some(params.SubscriptionIds)
        ]

    def leave(self, owner: Owner, *, delete: bool) -> None:
        """The session ends; subscriptions that it leaves behind live until they expire or somebody takes them over."""
        for subscription in self._of(owner) if delete else ():
            self._drop(subscription)
        owner.publisher.dismiss(_C.BadSessionClosed)

    def speak(self, owner: Owner) -> None:
        """Have the session's subscriptions tell at once what they have to."""
        for subscription in self._of(owner):
            if subscription.has_more():
                owner.publisher.publish(subscription)

    def halt(self, owner: Owner) -> None:
        """The server stops: the session's subscriptions end, and it is told so."""
        for subscription in self._of(owner):
            self._drop(subscription)
            owner.publisher.notify(subscription.farewell(_C.BadShutdown))
        owner.publisher.dismiss(_C.BadServerHalted)

    # --- inside ---

    def find(self, owner: Owner, subscription_id: int) -> Subscription:
        """The session's subscription, which lives anew.

        Raises:
            ServiceError: it has none with this id.
        """
        found = self._get(owner, subscription_id)
        if found is None:
            raise ServiceError(_C.BadSubscriptionIdInvalid)
        found.keep()
        return found

    def called(self, owner: Owner, subscription_id: int) -> Subscription:
        """The session's subscription, which lives anew, for a method of Server (OPC 10000-5, 9.1).

        Raises:
            ServiceError: it is another session's of the same client, or there is none that it may know of.
        """
        other = self.subscriptions.get(subscription_id)
        if other is not None and other.owner is not owner and _same_client(owner, other.owner):
            raise ServiceError(_C.BadUserAccessDenied)
        return self.find(owner, subscription_id)

    def _of(self, owner: Owner) -> list[Subscription]:
        return [each for each in self.subscriptions.values() if each.owner is owner]

    def _get(self, owner: Owner, subscription_id: int) -> Subscription | None:
        found = self.subscriptions.get(subscription_id)
        return found if found is not None and found.owner is owner else None

    def _room(self, owner: Owner, wanted: int) -> int:
        """How many more items the session may have, if it wants so many."""
        own = self._session_room(owner)
        return min(
            own, self._make_room(owner.user.name, min(wanted, own), lambda each: len(each.items), self.most_items)
        )

    def _made(self, owner: Owner, node: Key) -> int:
        """How many of the session's items watch a node's value, which is made for it."""
        return sum(watched == node for each in self._of(owner) for watched in each.made_items.values())

    def _session_room(self, owner: Owner) -> int:
        return self.items_per_session - sum(len(each.items) for each in self._of(owner))

    def _make_room(self, user: User, wanted: int, size: Callable[[Subscription], int], most: int) -> int:
        """How much more a user may have; subscriptions whose sessions have ended give way for it, the oldest first.

        What another user has within its share is not touched: to end it would help nobody, for it is kept for that one.
        """
        users = self._users()
        each = share(most, users)
        while True:
            held: Counter[User] = Counter()
            for subscription in self.subscriptions.values():
                held[subscription.owner.user.name] += size(subscription)
            found = room(user, held=held, users=users, most=most)
            loose = {name for name, has in held.items() if name == user or has > each}
            left = (one for one in self._left_behind() if size(one) and one.owner.user.name in loose)
            if found >= wanted or (oldest := next(left, None)) is None:
                return found
            self._drop(oldest)

    def _left_behind(self) -> list[Subscription]:
        return [each for each in self.subscriptions.values() if each.owner.is_closed]

    def _new_id(self) -> int:
        """One that nobody guesses."""
        while (made := secrets.randbits(32)) in self.subscriptions or not made:
            pass
        return made

    def _drop(self, subscription: Subscription) -> None:
        del self.subscriptions[subscription.id]
        subscription.end()

    def _expired(self, subscription: Subscription) -> None:
        """Its client is gone, or asks too seldom; if it comes back it is told so."""
        log.info("%s has expired: no Publish request in its lifetime", subscription)
        owner = subscription.owner
        self._drop(subscription)
        owner.publisher.notify(subscription.farewell(_C.BadTimeout))
        self._dismiss(owner)

    def _dismiss(self, owner: Owner) -> None:
        if not self._of(owner) and not owner.publisher.has_notices:
            owner.publisher.dismiss(_C.BadNoSubscription)

    def _delete(self, owner: Owner, subscription_id: int) -> int:
        subscription = self._get(owner, subscription_id)
        if subscription is None:
            return _C.BadSubscriptionIdInvalid
        self._drop(subscription)
        self._dismiss(owner)
        return _C.Good

    def _acknowledge(self, owner: Owner, acknowledged: ua.SubscriptionAcknowledgement) -> int:
        subscription = self._get(owner, acknowledged.SubscriptionId)
        if subscription is None:
            return _C.BadSubscriptionIdInvalid
        return _C.Good if subscription.acknowledge(acknowledged.SequenceNumber) else _C.BadSequenceNumberUnknown

    def _transfer(self, owner: Owner, subscription_id: int, *, initial_values: bool) -> ua.TransferResult:
        subscription = self.subscriptions.get(subscription_id)
        code = self._refusal(owner, subscription)
        if subscription is not None:
            subscription.counts.transfer_requests += 1
        if subscription is None or code != _C.Good:
            return ua.TransferResult(StatusCode=status(code))
        before = subscription.owner
        if before is not owner:
            subscription.give(owner, initial_values=initial_values)
            before.publisher.notify(subscription.farewell(_C.GoodSubscriptionTransferred))
            self._dismiss(before)
        return ua.TransferResult(AvailableSequenceNumbers=cast("list[ua.Counter]", subscription.available()))

    def _refusal(self, owner: Owner, subscription: Subscription | None) -> int:
        """Why a subscription cannot be taken over; Good if it can."""
        if subscription is None:
            return _C.BadSubscriptionIdInvalid
        if subscription.owner is owner:
            return _C.Good
        if not _same_client(owner, subscription.owner):
            return _C.BadUserAccessDenied
        if len(self._of(owner)) >= self.per_session:
            return _C.BadTooManySubscriptions
        return _C.BadTooManyMonitoredItems if len(subscription.items) > self._session_room(owner) else _C.Good


def _revised(terms: Terms) -> tuple[ua.Duration, ua.Counter, ua.Counter]:
    return (
        cast("ua.Duration", terms.interval_s * 1000.0),
        cast("ua.Counter", terms.lifetime),
        cast("ua.Counter", terms.keep_alive),
    )


def _same_client(one: Owner, other: Owner) -> bool:
    """Do two sessions act for the same user; of anonymous ones, is it proved that it is the same application.

    OPC 10000-4, 5.14.7.1. Without security anybody may say to be any application.
    """
    names = one.user.name, other.user.name
    if names == (ANONYMOUS, ANONYMOUS):
        same = bool(one.application_uri) and one.application_uri == other.application_uri
        return same and one.encrypted and other.encrypted
    return names[0] is not None and names[0] == names[1]
