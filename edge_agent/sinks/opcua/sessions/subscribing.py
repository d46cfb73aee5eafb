"""Where a client's subscription services meet the subscriptions: its session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from asyncua import ua
from asyncua.server.internal_session import SessionState

from ..monitoring.publishing import Publisher, PublishRequest
from ..monitoring.subscription_methods import SubscriptionMethods
from ..monitoring.subscriptions import Subscriptions
from ..space.methods import Method
from ..space.sight import Readable
from .session_life import LivingSession


class SubscribingSession(LivingSession):
    """A session that asks for itself: asyncua leaves out whose subscriptions are meant."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - asyncua's signature
        super().__init__(*args, **named)
        self.publisher = Publisher()

    @property
    def is_closed(self) -> bool:
        """It has ended."""
        return self.state == SessionState.Closed

    @property
    def sight(self) -> Readable:
        """What there is for the session's user."""
        raise NotImplementedError

    def sees_machine(self, machine_id: str) -> bool:
        """Is this machine one of the user's."""
        raise NotImplementedError

    @property
    def subscriptions(self) -> Subscriptions:
        """Ours, under asyncua's name for its own."""
        return cast("Subscriptions", self.subscription_service)

    async def create_session(
        self, params: ua.CreateSessionParameters, sockname: tuple[str, int] | None = None
    ) -> ua.CreateSessionResult:
        """Remember whose session it is."""
        self.application_uri = params.ClientDescription.ApplicationUri or ""
        return await super().create_session(params, sockname)

    async def close_session(self, delete_subs: bool = True) -> None:
        """End, and answer what is still asked; who was only away too long may take its subscriptions over again."""
        delete_subs = delete_subs and asyncio.current_task() is not self._timeout_task
        await super().close_session(delete_subs=False)
        self.subscriptions.leave(self, delete=delete_subs)

    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any] | None = None,  # noqa: ARG002 - asyncua's signature
        request_callback: Callable[..., Any] | None = None,  # noqa: ARG002
    ) -> ua.CreateSubscriptionResult:
        """Begin a subscription; it answers the session's Publish requests, whatever connection they come by."""
        return self.subscriptions.create(self, params)

    def modify_subscription(self, params: ua.ModifySubscriptionParameters) -> ua.ModifySubscriptionResult:
        """Go on with other terms."""
        return self.subscriptions.modify(self, params)

    async def delete_subscriptions(self, ids: list[int]) -> list[ua.StatusCode]:
        """End some."""
        return self.subscriptions.delete(self, ids)

    async def set_publishing_mode(self, params: ua.SetPublishingModeParameters) -> list[ua.StatusCode]:
        """Hear them, or not."""
        return self.subscriptions.set_publishing_mode(self, params)

    def republish(self, params: ua.RepublishParameters) -> ua.NotificationMessage:
        """Have a message sent again."""
        return self.subscriptions.republish(self, params)

    async def transfer_subscriptions(
        self,
        params: ua.TransferSubscriptionsParameters,
        callback: Callable[..., Any] | None = None,  # noqa: ARG002 - asyncua's signature
    ) -> list[ua.TransferResult]:
        """Take over those of another session."""
        return self.subscriptions.transfer(self, params)

    @property
    def own_methods(self) -> Mapping[str, Method]:
        """What methods do that concern the session's subscriptions, by BrowseName."""
        return SubscriptionMethods(partial(self.subscriptions.called, self)).methods

    async def create_monitored_items(
        self, params: ua.CreateMonitoredItemsParameters
    ) -> list[ua.MonitoredItemCreateResult]:
        """Watch."""
        return self.subscriptions.items.create(self, params)

    async def modify_monitored_items(
        self, params: ua.ModifyMonitoredItemsParameters
    ) -> list[ua.MonitoredItemModifyResult]:
        """Watch otherwise."""
        return self.subscriptions.items.modify(self, params)

    async def set_monitoring_mode(self, params: ua.SetMonitoringModeParameters) -> list[ua.StatusCode]:
        """Watch more, or less."""
        return self.subscriptions.items.set_mode(self, params)

    async def delete_monitored_items(self, params: ua.DeleteMonitoredItemsParameters) -> list[ua.StatusCode]:
        """Watch no longer."""
        return self.subscriptions.items.delete(self, params)

    def set_triggering(self, params: ua.SetTriggeringParameters) -> ua.SetTriggeringResult:
        """Have items that only sample speak when another has something to tell."""
        return self.subscriptions.items.link(self, params)

    def cancel(self, handle: int) -> int:
        """Have requests answered that wait; only those of Publish do. How many there were."""
        return self.publisher.cancel(handle)

    def take_publish_request(self, params: ua.PublishParameters, request: PublishRequest) -> None:
        """Publish: answered when there is something to tell.

        Raises:
            ServiceError: the session has no subscription.
        """
        self.subscriptions.publish(self, params.SubscriptionAcknowledgements or [], request)
