"""Sessions that subscribe, without a server: what they ask is called, what they are told is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from datetime import UTC, datetime
from typing import Any, cast

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User

from edge_agent.sinks.opcua.monitoring.publishing import Publisher, PublishRequest
from edge_agent.sinks.opcua.monitoring.subscriptions import Subscriptions
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.space.address_space import MACHINES, AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.sight import Sight
from edge_agent.sinks.opcua.space.wire import key, node_id, status
from tests import virtual_time
from tests.opcua_space import of_machine

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Codes = ua.StatusCodes
Reporting, Sampling, Disabled = ua.MonitoringMode.Reporting, ua.MonitoringMode.Sampling, ua.MonitoringMode.Disabled
TEMPERATURE = of_machine("Monitoring/Process/BedTemperature/AnalogSignal")
TEXT = of_machine("Source/State")


def service(
    space: AddressSpace, *, most: int = 128, limits: Limits | None = None, users: Collection[str] = ()
) -> Subscriptions:
    """All subscriptions on an address space."""

    def supertypes(node: ua.NodeId) -> Any:
        return map(node_id, space.nodeset.supertypes(key(node))[1:])

    return Subscriptions(
        space, supertypes=supertypes, limits=limits or Limits(), most=lambda: most, users=lambda: users
    )


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run in virtual time."""
    virtual_time.run(main, start=AT)


def now_s() -> float:
    """The loop's clock."""
    return asyncio.get_running_loop().time()


def sees_everything(_: Key) -> bool:
    return True


class Session:
    """A session that keeps what it is told, and when."""

    def __init__(
        self,
        of: Subscriptions,
        space: AddressSpace,
        *,
        user: str = "mes-1",
        uri: str = "urn:client",
        encrypted: bool = True,
        sees: Callable[[Key], bool] = sees_everything,
    ) -> None:
        self.of = of
        self.session_id = ua.NodeId(cast("ua.Int32", id(self) % 2**31), cast("ua.Int16", 1))
        self.user = User(name=user)
        self.application_uri = uri
        self.encrypted = encrypted
        self.publisher = Publisher()
        self.is_closed = False
        self.sight = Sight(space, sees)
        self.told: list[ua.PublishResult] = []
        self.at: list[float] = []
        self.refused: list[str] = []
        self.gone = False

    def sees_machine(self, machine_id: str) -> bool:
        return self.sight.sees(Key(MACHINES, machine_id))

    def begin(
        self, interval_ms: float = 100, *, lifetime: int = 300, keep_alive: int = 100, requests: int = 0, **more: Any
    ) -> int:
        """Create a subscription, and send so many Publish requests."""
        asked = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=cast("ua.Duration", interval_ms),
            RequestedLifetimeCount=cast("ua.Counter", lifetime),
            RequestedMaxKeepAliveCount=cast("ua.Counter", keep_alive),
            **more,
        )
        made = int(self.of.create(self, asked).SubscriptionId)
        for _ in range(requests):
            self.publish()
        return made

    def publish(self, *acknowledged: tuple[int, int], expires_s: float | None = None, handle: int = 0) -> None:
        """Send a Publish request."""
        acks = [
            ua.SubscriptionAcknowledgement(cast("ua.IntegerId", one), cast("ua.Counter", number))
            for one, number in acknowledged
        ]
        request = PublishRequest(
            answer=self._answer,
            refuse=lambda code: self.refused.append(name(code)),
            is_gone=lambda: self.gone,
            expires_s=expires_s,
            handle=handle,
        )
        self.of.publish(self, acks, request)

    def _answer(self, result: ua.PublishResult) -> None:
        self.told.append(result)
        self.at.append(now_s())

    def watch(
        self,
        subscription: int,
        node: Key,
        *,
        wanted: Any = None,
        attribute: int = ua.AttributeIds.Value,
        mode: ua.MonitoringMode = Reporting,
        stamps: ua.TimestampsToReturn = ua.TimestampsToReturn.Both,
        index_range: str | None = None,
        encoding: str | None = None,
        **parameters: Any,
    ) -> ua.MonitoredItemCreateResult:
        """Create an item."""
        item = ua.MonitoredItemCreateRequest(
            ua.ReadValueId(
                node_id(node),
                cast("ua.AttributeIds", attribute),
                cast("ua.String", index_range),
                ua.QualifiedName(cast("ua.String", encoding)),
            ),
            mode,
            monitoring(wanted, **parameters),
        )
        params = ua.CreateMonitoredItemsParameters(cast("ua.IntegerId", subscription), stamps, [item])
        (result,) = self.of.items.create(self, params)
        return result

    def rewatch(
        self,
        subscription: int,
        item: int,
        *,
        wanted: Any = None,
        stamps: ua.TimestampsToReturn = ua.TimestampsToReturn.Both,
        **parameters: Any,
    ) -> ua.MonitoredItemModifyResult:
        """Modify an item."""
        change = ua.MonitoredItemModifyRequest(cast("ua.IntegerId", item), monitoring(wanted, **parameters))
        params = ua.ModifyMonitoredItemsParameters(cast("ua.IntegerId", subscription), stamps, [change])
        (result,) = self.of.items.modify(self, params)
        return result

    def set_mode(self, subscription: int, mode: ua.MonitoringMode, *items: int) -> list[str]:
        params = ua.SetMonitoringModeParameters(cast("ua.IntegerId", subscription), mode, cast("Any", list(items)))
        return names(self.of.items.set_mode(self, params))

    def transfer(self, *ids: int, initial_values: bool = False) -> list[ua.TransferResult]:
        params = ua.TransferSubscriptionsParameters(cast("Any", list(ids)), cast("ua.Boolean", initial_values))
        return self.of.transfer(self, params)

    # --- what it was told ---

    @property
    def values(self) -> list[Any]:
        """The values it was told, in order."""
        return [told.Value.Value.Value for told in self.notifications]

    @property
    def notifications(self) -> list[Any]:
        return [item for part in self._parts(ua.DataChangeNotification) for item in part.MonitoredItems]

    @property
    def events(self) -> list[tuple[int, list[Any]]]:
        """The events' fields, each with the client's handle."""
        return [
            (event.ClientHandle, [field.Value for field in event.EventFields])
            for part in self._parts(ua.EventNotificationList)
            for event in part.Events
        ]

    @property
    def statuses(self) -> list[tuple[int, str]]:
        """What it was told of subscriptions that are no longer its own."""
        return [
            (int(result.SubscriptionId), part.Status.name)
            for result in self.told
            for part in cast("Any", result.NotificationMessage.NotificationData)
            if isinstance(part, ua.StatusChangeNotification)
        ]

    @property
    def keep_alives(self) -> list[float]:
        """When it was told nothing."""
        return [
            at for at, result in zip(self.at, self.told, strict=True) if not result.NotificationMessage.NotificationData
        ]

    def _parts(self, kind: type) -> list[Any]:
        return [
            part
            for result in self.told
            for part in cast("Any", result.NotificationMessage.NotificationData)
            if isinstance(part, kind)
        ]


def monitoring(
    wanted: Any = None, *, handle: int = 1, sampling_ms: float = 0.0, queue: int = 1, discard_oldest: bool = True
) -> ua.MonitoringParameters:
    return ua.MonitoringParameters(
        cast("ua.IntegerId", handle),
        cast("ua.Duration", sampling_ms),
        ua.ExtensionObject() if wanted is None else wanted,
        cast("ua.Counter", queue),
        cast("ua.Boolean", discard_oldest),
    )


async def write(space: AddressSpace, *values: Any, node: Key = TEMPERATURE, code: int = 0, at: Any = AT) -> None:
    """Have a variable change, once for each value."""
    for value in values:
        kind: Any = ua.VariantType.Double if isinstance(value, float) else None
        held = ua.DataValue(ua.Variant(value, kind), status(code), SourceTimestamp=at)
        await space.write(node, held)


def name(code: int) -> str:
    return str(status(code).name)


def names(codes: list[ua.StatusCode]) -> list[str]:
    return [code.name for code in codes]


def fault(ask: Callable[[], object]) -> str:
    """The status code of a request that is refused as a whole."""
    try:
        ask()
    except ServiceError as error:
        return name(error.code)
    return "Good"
