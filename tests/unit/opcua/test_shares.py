"""Two users at the endpoint, one of whom takes all it can: limits that are told are in force, and each has a share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss
from asyncua.ua.uaerrors import BadTooManySubscriptions

from edge_agent.secret import Secret
from edge_agent.sinks.opcua import OpcUaOptions, OpcUaUser
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.security.users import Users
from tests.endpoint import Bench
from tests.integration.endpoint import CLIENT_URI, client_certificate

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # asyncua's client drops its own sockets

PASSWORD = "correct horse"
USERS = tuple(OpcUaUser(name=name, password=Secret(PASSWORD)) for name in ("greedy", "scada"))
LIMITS = Limits(max_monitored_items=10, max_total_monitored_items=16)
MAX_SUBSCRIPTIONS, MAX_ITEMS, MAX_ITEMS_PER_SUBSCRIPTION = 24096, 24097, 24104


class Silent:
    """Takes what a subscription brings."""

    def datachange_notification(self, *_: object) -> None:
        """Forget it."""


class Shop:
    """The endpoint, and clients that log in as often as they may."""

    def __init__(self, bench: Bench, stack: AsyncExitStack) -> None:
        self._bench = bench
        self._stack = stack

    async def client(self, name: str) -> Client:
        client = self._bench.client()
        client.application_uri = CLIENT_URI
        certificate, key = client_certificate(self._bench.folder)
        await client.set_security(SecurityPolicyAes256Sha256RsaPss, str(certificate), str(key))
        client.set_user(name)
        client.set_password(PASSWORD)
        return await self._stack.enter_async_context(client)


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    bench = Bench(tmp_path, users=USERS, limits=LIMITS)
    async with bench.running(), AsyncExitStack() as stack:
        yield Shop(bench, stack)


def told(client: Client, number: int) -> Awaitable[Any]:
    return client.get_node(ua.NodeId(cast("Any", number))).read_value()


async def begin(client: Client) -> int:
    return int((await client.create_subscription(60_000, Silent())).subscription_id or 0)


async def begin_all(client: Client) -> int:
    """Begin subscriptions until the session is refused one."""
    made = 0
    try:
        while True:
            await begin(client)
            made += 1
    except BadTooManySubscriptions:
        return made


async def watch(client: Client, subscription: int, *, wanted: int) -> list[str]:
    """Ask for so many items at once."""
    item = ua.MonitoredItemCreateRequest(ua.ReadValueId(ua.NodeId(cast("Any", 2258)), ua.AttributeIds.Value))
    asked = ua.CreateMonitoredItemsParameters(cast("Any", subscription), ItemsToCreate=[item] * wanted)
    return [result.StatusCode.name for result in await client.uaclient.create_monitored_items(asked)]


async def test_each_has_its_share_of_the_subscriptions(shop: Shop) -> None:
    greedy = [await shop.client("greedy") for _ in range(2)]
    scada = await shop.client("scada")
    most = await told(scada, MAX_SUBSCRIPTIONS)
    assert [await begin_all(client) for client in greedy] == [64, most - most // 4 - 64]
    assert await begin_all(scada) == most // 4


async def test_each_has_its_share_of_the_monitored_items(shop: Shop) -> None:
    greedy = [await shop.client("greedy") for _ in range(2)]
    scada = await shop.client("scada")
    assert await told(scada, MAX_ITEMS) == LIMITS.max_total_monitored_items
    assert await told(scada, MAX_ITEMS_PER_SUBSCRIPTION) == LIMITS.max_monitored_items
    fits, not_so = "Good", "BadTooManyMonitoredItems"
    assert await watch(greedy[0], await begin(greedy[0]), wanted=11) == [fits] * 10 + [not_so]
    assert await watch(greedy[1], await begin(greedy[1]), wanted=10) == [fits] * 2 + [not_so] * 8
    assert await watch(scada, await begin(scada), wanted=5) == [fits] * 4 + [not_so]
    await greedy[0].disconnect()
    assert await watch(scada, await begin(scada), wanted=10) == [fits] * 6 + [not_so] * 4


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (OpcUaOptions(), set()),
        (OpcUaOptions(anonymous=True), {"anonymous"}),
        (OpcUaOptions(users=USERS, mes_ids=frozenset({1, 7})), {"greedy", "scada", "mes-1", "mes-7"}),
    ],
)
def test_everybody_who_may_log_in_has_a_share(options: OpcUaOptions, names: set[str]) -> None:
    users = Users(lambda: options)
    assert users.names() == names
    users.close()
