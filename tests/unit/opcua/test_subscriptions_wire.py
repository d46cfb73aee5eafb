"""Subscriptions through the whole endpoint: what clients ask, and what they are told, byte for byte."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss
from msgspec.structs import replace

from edge_agent.model import Job
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.wire import node_id
from tests.endpoint import Bench
from tests.integration.endpoint import CLIENT_URI, client_certificate
from tests.observations import MACHINE, PRINTING, observation
from tests.unit.opcua.raw import PROGRESS, Raw
from tests.unit.opcua.subscriber import monitoring

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("opcua"), anonymous=True)
    made.store.publish(observation())
    async with made.running():
        yield made
        made.store.remove(MACHINE.id)


@pytest_asyncio.fixture(loop_scope="module")
async def one(bench: Bench) -> AsyncIterator[Raw]:
    async with bench.client() as client:
        yield Raw(client)


@pytest_asyncio.fixture(loop_scope="module")
async def other(bench: Bench) -> AsyncIterator[Raw]:
    async with bench.client() as client:
        yield Raw(client)


def values(result: Any) -> list[Any]:
    return [
        item.Value.Value.Value
        for part in result.NotificationMessage.NotificationData
        if isinstance(part, ua.DataChangeNotification)
        for item in part.MonitoredItems
    ]


def statuses(result: Any) -> list[str]:
    parts = result.NotificationMessage.NotificationData
    return [part.Status.name for part in parts if isinstance(part, ua.StatusChangeNotification)]


async def progress(bench: Bench, ratio: float) -> None:
    bench.store.publish(observation(replace(PRINTING, job=Job(progress_ratio=ratio))))
    await bench.settle()


async def test_a_value_is_told_acknowledged_and_sent_again(bench: Bench, one: Raw) -> None:
    await progress(bench, 0.25)
    made = await one.begin()
    await one.watch(made)
    first = await one.publish()
    assert (first.SubscriptionId, values(first)) == (made, [25.0])
    await progress(bench, 0.5)
    second = await one.publish((made, 1), (made, 9))
    assert values(second) == [50.0]
    assert [code.name for code in second.Results] == ["Good", "BadSequenceNumberUnknown"]
    assert second.AvailableSequenceNumbers == [2]
    again = await one.ask("Republish", made, 2)
    assert again.NotificationMessage == second.NotificationMessage
    assert await one.code("Republish", made, 1) == "BadMessageNotAvailable"
    await one.ask("DeleteSubscriptions", [made])


async def test_publish_without_a_subscription_is_refused_also_while_it_waits(one: Raw) -> None:
    assert await one.code("Publish", []) == "BadNoSubscription"
    made = await one.begin(60_000)
    waiting = asyncio.ensure_future(one.code("Publish", []))
    await asyncio.sleep(0)
    await one.ask("DeleteSubscriptions", [made])
    assert await waiting == "BadNoSubscription"


async def test_others_subscriptions_are_not_there(one: Raw, other: Raw) -> None:
    made = await one.begin()
    item = await one.watch(made)
    await other.begin()
    deleted = await other.ask("DeleteSubscriptions", [made])
    assert [code.name for code in deleted.Results] == ["BadSubscriptionIdInvalid"]
    assert await other.code("ModifySubscription", made, 100.0) == "BadSubscriptionIdInvalid"
    assert await other.code("Republish", made, 1) == "BadSubscriptionIdInvalid"
    assert await other.code("DeleteMonitoredItems", made, [item]) == "BadSubscriptionIdInvalid"
    assert await other.code("SetTriggering", made, item, [item], []) == "BadSubscriptionIdInvalid"
    assert await other.code("SetMonitoringMode", made, ua.MonitoringMode.Disabled, [item]) == "BadSubscriptionIdInvalid"
    assert len(values(await one.publish())) == 1


async def test_a_subscription_is_modified(one: Raw) -> None:
    made = await one.begin(60_000)
    await one.watch(made)
    revised = await one.ask("ModifySubscription", made, 0.0, 1, 7)
    assert (revised.RevisedPublishingInterval, revised.RevisedLifetimeCount, revised.RevisedMaxKeepAliveCount) == (
        50,
        21,
        7,
    )
    began = time.monotonic()
    assert len(values(await one.publish())) == 1
    assert time.monotonic() - began < 2


async def test_an_item_has_another_speak(bench: Bench, one: Raw) -> None:
    await progress(bench, 0.1)
    made = await one.begin()
    trigger = await one.watch(made, handle=1)
    sampled = await one.watch(made, Key(13, "mark-one/MesStatus"), handle=2, mode=ua.MonitoringMode.Sampling)
    linked = await one.ask("SetTriggering", made, trigger, [sampled, 4711], [])
    assert [code.name for code in linked.AddResults] == ["Good", "BadMonitoredItemIdInvalid"]
    assert values(await one.publish()) == [10.0]
    await progress(bench, 0.2)
    assert sorted(map(str, values(await one.publish()))) == ["20.0", "Running"]


@asynccontextmanager
async def encrypted(bench: Bench) -> AsyncIterator[Raw]:
    client = bench.client()
    client.application_uri = CLIENT_URI
    certificate, key = client_certificate(bench.folder)
    await client.set_security(SecurityPolicyAes256Sha256RsaPss, str(certificate), str(key))
    async with client:
        yield Raw(client)


async def test_a_new_session_takes_over_and_the_old_one_is_told(bench: Bench) -> None:
    async with encrypted(bench) as one, encrypted(bench) as other:
        await _takes_over(bench, one, other)


async def _takes_over(bench: Bench, one: Raw, other: Raw) -> None:
    await progress(bench, 0.3)
    made = await one.begin()
    await one.watch(made)
    assert values(await one.publish()) == [30.0]
    waiting = asyncio.ensure_future(one.publish())
    moved = await other.ask("TransferSubscriptions", [made, 4711], True)
    assert [result.StatusCode.name for result in moved.Results] == ["Good", "BadSubscriptionIdInvalid"]
    assert moved.Results[0].AvailableSequenceNumbers == [1]
    assert statuses(await waiting) == ["GoodSubscriptionTransferred"]
    assert await one.code("Publish", []) == "BadNoSubscription"
    assert values(await other.publish((made, 1))) == [30.0]
    await progress(bench, 0.4)
    assert values(await other.publish()) == [40.0]


async def test_who_asks_too_seldom_is_told_so(one: Raw) -> None:
    made = await one.begin(50, 3, 1)
    await one.watch(made)
    await asyncio.sleep(0.5)
    assert statuses(await one.publish()) == ["BadTimeout"]
    deleted = await one.ask("DeleteSubscriptions", [made])
    assert [code.name for code in deleted.Results] == ["BadSubscriptionIdInvalid"]


async def test_closing_a_session_answers_what_waits(bench: Bench) -> None:
    async with bench.client() as client:
        raw = Raw(client)
        await raw.begin(60_000)
        waiting = asyncio.ensure_future(raw.code("Publish", []))
        await asyncio.sleep(0.05)
        await client.uaclient.session.close_session(True)
        assert await waiting in {"BadSessionClosed", "BadNoSubscription"}


async def test_limits_are_of_one_session_and_leave_the_others_alone(one: Raw, other: Raw) -> None:
    mine = await other.begin()
    await other.watch(mine)
    made = [await one.begin(60_000) for _ in range(64)]
    assert await one.code("CreateSubscription", 60_000.0, 100, 10) == "BadTooManySubscriptions"
    watched = ua.ReadValueId(node_id(PROGRESS), ua.AttributeIds.Value)
    item = ua.MonitoredItemCreateRequest(watched, ua.MonitoringMode.Reporting, monitoring())
    created = await one.ask("CreateMonitoredItems", made[0], ua.TimestampsToReturn.Both, [item] * 5003)
    names = [result.StatusCode.name for result in created.Results]
    assert names == ["Good"] * 5000 + ["BadTooManyMonitoredItems"] * 3
    again = await one.ask("CreateMonitoredItems", made[1], ua.TimestampsToReturn.Both, [item])
    assert [result.StatusCode.name for result in again.Results] == ["BadTooManyMonitoredItems"]
    assert len(values(await other.publish())) == 1
    await one.ask("DeleteSubscriptions", made)


async def test_five_thousand_values_arrive_in_messages_of_a_thousand(one: Raw) -> None:
    made = await one.begin()
    watched = ua.ReadValueId(node_id(PROGRESS), ua.AttributeIds.Value)
    item = ua.MonitoredItemCreateRequest(watched, ua.MonitoringMode.Reporting, monitoring())
    await one.ask("CreateMonitoredItems", made, ua.TimestampsToReturn.Both, [item] * 5000)
    told = [await one.publish() for _ in range(5)]
    assert [len(values(result)) for result in told] == [1000] * 5
    assert [result.MoreNotifications for result in told] == [True] * 4 + [False]


async def test_a_client_of_asyncua_is_told_every_change_or_the_last_of_each_interval(bench: Bench) -> None:
    await progress(bench, 0.5)
    every, last = Heard(), Heard()
    async with bench.client() as client:
        for heard, sampling_ms in ((every, 0.0), (last, 1000.0)):
            subscription = await client.create_subscription(50, cast("Any", heard))
            watched = client.get_node(node_id(PROGRESS))
            await subscription.subscribe_data_change(
                watched, queuesize=50, sampling_interval=cast("ua.Double", sampling_ms)
            )
        await every.until(50.0)
        await last.until(50.0)
        for percent in range(51, 61):
            await progress(bench, percent / 100)
        await every.until(60.0)
        await last.until(60.0)
        assert every.values == [float(percent) for percent in range(50, 61)]
        assert last.values == [50.0, 60.0]


class Heard:
    """A listener of asyncua's."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self._more = asyncio.Event()

    def datachange_notification(self, _node: object, value: float, _told: object) -> None:
        self.values.append(round(value, 6))
        self._more.set()

    async def until(self, value: float) -> None:
        async with asyncio.timeout(5):
            while value not in self.values:
                self._more.clear()
                await self._more.wait()
