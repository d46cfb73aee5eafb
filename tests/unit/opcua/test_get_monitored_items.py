"""GetMonitoredItems and ResendData: a client that lost track of its subscription finds out, and nobody else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.common.subscription import Subscription
from asyncua.ua.uaerrors import UaStatusCodeError

from tests.endpoint import Bench
from tests.observations import observation

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]

SERVER, SERVER_TYPE = 2253, 2004
GET_MONITORED_ITEMS, OF_TYPE, RESEND_DATA = 11492, 11489, 12873
WATCHED = (2254, 2255, 2271)  # they do not change
Sampling, Disabled = ua.MonitoringMode.Sampling, ua.MonitoringMode.Disabled


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[int] = asyncio.Queue()

    def datachange_notification(self, node: Any, _value: object, _data: object) -> None:
        self.told.put_nowait(node.nodeid.Identifier)

    async def next(self, count: int) -> list[int]:
        return sorted([await asyncio.wait_for(self.told.get(), 5) for _ in range(count)])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("opcua"), anonymous=True)
    made.store.publish(observation())
    async with made.running():
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def client(bench: Bench) -> AsyncIterator[Client]:
    async with bench.client() as connected:
        yield connected


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest_asyncio.fixture(loop_scope="module")
async def subscription(client: Client, listener: Listener) -> AsyncIterator[Subscription]:
    made = await client.create_subscription(50, listener)
    await made.subscribe_data_change([client.get_node(standard(number)) for number in WATCHED])
    assert await listener.next(len(WATCHED)) == list(WATCHED)
    yield made
    await made.delete()


def standard(number: int) -> ua.NodeId:
    wanted: Any = number
    return ua.NodeId(wanted)


async def call(client: Client, method: int, wanted: Any, *, owner: int = SERVER) -> ua.CallMethodResult:
    argument = ua.Variant(wanted, ua.VariantType.UInt32)
    request = ua.CallMethodRequest(standard(owner), standard(method), [argument])
    [result] = await client.uaclient.call([request])
    return result


async def status(client: Client, method: int, wanted: Any) -> str:
    return str((await call(client, method, wanted)).StatusCode.name)


@pytest.mark.parametrize("method", [GET_MONITORED_ITEMS, OF_TYPE])
async def test_it_tells_the_items_and_the_clients_own_handles(
    client: Client, subscription: Subscription, method: int
) -> None:
    result = await call(client, method, subscription.subscription_id)
    told = [output.Value for output in result.OutputArguments]
    known = subscription._monitored_items.values()
    assert told == [[item.server_handle for item in known], [item.client_handle for item in known]]
    assert len(told[0]) == len(WATCHED)
    assert told[0] != told[1]  # so the question makes sense


async def test_an_empty_subscription_has_empty_lists(client: Client) -> None:
    made = await client.create_subscription(1000, Listener())
    result = await call(client, GET_MONITORED_ITEMS, made.subscription_id)
    assert [(output.Value, output.VariantType) for output in result.OutputArguments] == [
        ([], ua.VariantType.UInt32)
    ] * 2
    await made.delete()


async def test_what_is_reported_is_told_once_more(
    client: Client, subscription: Subscription, listener: Listener
) -> None:
    off, sampled, _ = (item.server_handle for item in subscription._monitored_items.values())
    for mode, item in ((Disabled, off), (Sampling, sampled)):
        params: Any = ua.SetMonitoringModeParameters(subscription.subscription_id, mode, [item])
        assert [code.name for code in await client.uaclient.set_monitoring_mode(params)] == ["Good"]
    assert await status(client, RESEND_DATA, subscription.subscription_id) == "Good"
    assert await listener.next(1) == [WATCHED[2]]
    await asyncio.sleep(0.2)
    assert listener.told.empty()


@pytest.mark.parametrize("method", [GET_MONITORED_ITEMS, RESEND_DATA])
async def test_subscriptions_of_others_are_not_told_of(
    bench: Bench, subscription: Subscription, listener: Listener, method: int
) -> None:
    async with bench.client() as again:
        assert await status(again, method, subscription.subscription_id) == "BadSubscriptionIdInvalid"
        assert await status(again, method, 1) == "BadSubscriptionIdInvalid"
    stranger = bench.client()
    stranger.application_uri = "urn:stranger"
    async with stranger:
        assert await status(stranger, method, subscription.subscription_id) == "BadSubscriptionIdInvalid"
    await asyncio.sleep(0.2)
    assert listener.told.empty()


async def test_a_subscription_that_is_gone_is_none(client: Client) -> None:
    made = await client.create_subscription(1000, Listener())
    await made.delete()
    assert await status(client, GET_MONITORED_ITEMS, made.subscription_id) == "BadSubscriptionIdInvalid"


async def test_an_argument_of_another_type_is_refused(client: Client) -> None:
    server = client.get_node(standard(SERVER))
    with pytest.raises(UaStatusCodeError, match="invalid"):
        await server.call_method(standard(RESEND_DATA), ua.Variant(1, ua.VariantType.Int32))
