"""The server says that it stops: how well it serves, when it is back, how many seconds are left; then it ends all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from asyncua import ua

from edge_agent.sinks.opcua.sessions.shutdown import GRACE_S, RESTART_S, expected_back
from tests.endpoint import Bench
from tests.observations import AT, observation
from tests.opcua_wire import EndedError, WireClient, connected

SERVICE_LEVEL, RETURN_TIME, STATE, SECONDS, REASON, STATUS = 2267, 12885, 2259, 2992, 2993, 2256
NEVER = datetime(1601, 1, 1, tzinfo=UTC)
WATCHED = (SERVICE_LEVEL, RETURN_TIME, STATE, SECONDS)
BEFORE = [(SERVICE_LEVEL, 255), (RETURN_TIME, NEVER), (STATE, ua.ServerState.Running), (SECONDS, 0)]


class Scene:
    """A client that has subscribed, and the end of the server."""

    def __init__(self, client: WireClient, running: AsyncExitStack) -> None:
        self.client = client
        self._running = running

    def stop(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._running.aclose())

    async def ask_to_publish(self) -> None:
        await self.client.send(self.client.message(ua.PublishRequest()))

    async def watch(self, interval_ms: float) -> None:
        subscribe = ua.CreateSubscriptionRequest()
        subscribe.Parameters.RequestedPublishingInterval = cast("ua.Duration", interval_ms)
        subscribe.Parameters.PublishingEnabled = cast("ua.Boolean", True)
        made = (await self.client.ask(subscribe)).Parameters.SubscriptionId
        items = ua.CreateMonitoredItemsRequest()
        items.Parameters.SubscriptionId = made
        items.Parameters.ItemsToCreate = [item(number) for number in WATCHED]
        await self.client.ask(items)


def item(number: int) -> ua.MonitoredItemCreateRequest:
    wanted: Any = number
    return ua.MonitoredItemCreateRequest(
        ua.ReadValueId(ua.NodeId(wanted), ua.AttributeIds.Value),
        ua.MonitoringMode.Reporting,
        ua.MonitoringParameters(wanted, QueueSize=cast("ua.Counter", 10)),
    )


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    bench = Bench(tmp_path, anonymous=True)
    bench.store.publish(observation())
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(AsyncExitStack())
        await running.enter_async_context(bench.running())
        stack.push_async_callback(asyncio.sleep, 0)  # for the socket to be closed
        client = await stack.enter_async_context(connected(bench.sink.port))
        await client.log_in()
        yield Scene(client, running)


async def told_until_the_end(scene: Scene) -> tuple[list[tuple[int, Any]], list[str]]:
    """The values, by node, and what became of the subscription; a client asks again when it is answered."""
    values: list[tuple[int, Any]] = []
    ends: list[str] = []
    while not ends:
        response = await scene.client.answer()
        for part in response.Parameters.NotificationMessage.NotificationData:
            if isinstance(part, ua.StatusChangeNotification):
                ends.append(part.Status.name)
            else:
                values += [(each.ClientHandle, each.Value.Value.Value) for each in part.MonitoredItems]
        await scene.ask_to_publish()
    return values, ends


@pytest.mark.parametrize("interval_ms", [100, 60_000])
async def test_who_subscribes_is_told_in_order_however_seldom_it_wants_to_hear(
    scene: Scene, interval_ms: float
) -> None:
    await scene.watch(interval_ms)
    await scene.ask_to_publish()
    if interval_ms < 1000:  # the first values of the other come with the end
        await scene.client.answer()
        await scene.ask_to_publish()
    began = datetime.now(UTC)
    stopping = scene.stop()
    values, ends = await told_until_the_end(scene)
    assert ends == ["BadShutdown"]
    new = [each for each in values if each not in BEFORE]
    assert [number for number, _ in new[:4]] == [SERVICE_LEVEL, RETURN_TIME, STATE, SECONDS]
    found = dict(new[:4])
    assert (found[SERVICE_LEVEL], found[STATE], found[SECONDS]) == (0, ua.ServerState.Shutdown, GRACE_S)
    assert found[RETURN_TIME] > began + timedelta(seconds=GRACE_S + RESTART_S)
    assert found[RETURN_TIME] < began + timedelta(seconds=GRACE_S + RESTART_S + 30)
    assert [value for number, value in values if number == SECONDS and value] == list(range(GRACE_S, 0, -1))
    await stopping


async def test_who_reads_finds_it_and_the_connection_ends_last(scene: Scene) -> None:
    client = scene.client
    assert (await client.read(SERVICE_LEVEL), await client.read(RETURN_TIME)) == (255, NEVER)
    began_s = asyncio.get_running_loop().time()
    stopping = scene.stop()
    while await client.read(SERVICE_LEVEL):
        pass
    assert await client.read(STATE) == ua.ServerState.Shutdown
    assert await client.read(RETURN_TIME) > datetime.now(UTC)
    assert "stops" in (await client.read(REASON)).Text
    left: list[tuple[int, int]] = []

    async def look() -> None:
        while True:
            status = await client.read(STATUS)
            assert status.State == ua.ServerState.Shutdown
            left.append((status.SecondsTillShutdown, await client.read(SECONDS)))
            await asyncio.sleep(0.05)

    with pytest.raises(EndedError, match="BadShutdown"):
        await look()
    assert sorted({single for _, single in left}) == list(range(1, GRACE_S + 1))
    assert left == sorted(left, reverse=True)
    assert GRACE_S - 0.1 < asyncio.get_running_loop().time() - began_s < GRACE_S + 1
    await stopping


async def test_a_request_that_waits_when_nothing_more_comes_is_answered(scene: Scene) -> None:
    await scene.watch(60_000)
    for _ in range(6):
        await scene.ask_to_publish()
    stopping = scene.stop()
    codes: list[str] = []

    async def listen() -> None:
        while True:
            codes.append((await scene.client.answer()).ResponseHeader.ServiceResult.name)

    with pytest.raises(EndedError, match="BadShutdown"):
        await listen()
    assert codes == ["Good"] * (GRACE_S + 1) + ["BadServerHalted"] * (6 - GRACE_S - 1)
    await stopping


@pytest.mark.parametrize(("started_in_s", "seconds"), [(0.5, 12.5), (8.0, 20.0), (3600.0, 42.0)])
def test_it_is_back_as_soon_as_it_last_was_unless_that_start_waited_for_the_clock(
    started_in_s: float, seconds: float
) -> None:
    assert expected_back(AT, started_in_s=started_in_s) == AT + timedelta(seconds=seconds)


async def test_nobody_is_waited_for_if_nobody_has_a_session(tmp_path: Path) -> None:
    bench = Bench(tmp_path, anonymous=True)
    async with bench.running():
        began_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began_s < GRACE_S
