"""A client that asks exactly what a test says."""

from __future__ import annotations

from typing import Any, cast

from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.wire import node_id
from tests.unit.opcua.subscriber import monitoring

PROGRESS = Key(13, "mark-one/Job/Progress")


class Raw:
    """A client that asks exactly what it is told to, and publishes only then."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def ask(self, service: str, *parameters: Any, **named: Any) -> Any:
        """A request's response, or the status code of its fault as an error."""
        request = getattr(ua, f"{service}Request")()
        if parameters or named:
            request.Parameters = getattr(ua, f"{service}Parameters")(*parameters, **named)
        body = await self.client.uaclient._send_request(request, 5)
        response = struct_from_binary(getattr(ua, f"{service}Response"), body)
        response.ResponseHeader.ServiceResult.check()
        return getattr(response, "Parameters", response)

    async def code(self, service: str, *parameters: Any, **named: Any) -> str:
        """The status code of the whole request."""
        try:
            await self.ask(service, *parameters, **named)
        except UaStatusCodeError as error:
            return str(ua.StatusCode(cast("ua.UInt32", error.code)).name)
        return "Good"

    async def begin(self, interval_ms: float = 50, lifetime: int = 6000, keep_alive: int = 100) -> int:
        params = cast("Any", (interval_ms, lifetime, keep_alive))
        return int((await self.ask("CreateSubscription", *params)).SubscriptionId)

    async def watch(self, subscription: int, node: Key = PROGRESS, **more: Any) -> int:
        mode = more.pop("mode", ua.MonitoringMode.Reporting)
        watched = ua.ReadValueId(node_id(node), ua.AttributeIds.Value)
        item = ua.MonitoredItemCreateRequest(watched, mode, monitoring(**more))
        created = await self.ask("CreateMonitoredItems", subscription, ua.TimestampsToReturn.Both, [item])
        assert created.Results[0].StatusCode.is_good()
        return int(created.Results[0].MonitoredItemId)

    async def publish(self, *acknowledged: tuple[int, int]) -> Any:
        acks = [ua.SubscriptionAcknowledgement(*cast("Any", ack)) for ack in acknowledged]
        return await self.ask("Publish", acks)
