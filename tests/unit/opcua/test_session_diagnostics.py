"""What the endpoint tells of sessions, and to whom: two MES, a user that reads everything, and anonymous clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss
from asyncua.ua.uaerrors import UaStatusCodeError

from edge_agent.secret import Secret
from edge_agent.sinks.opcua import OpcUaUser
from edge_agent.sinks.opcua.monitoring.item_services import MOST_MADE_ITEMS
from edge_agent.sinks.opcua.security.credentials import Credentials
from edge_agent.sinks.opcua.sessions.request_counts import SERVICES
from edge_agent.sinks.opcua.sessions.session_life import LONGEST_TEXT, Introduction
from edge_agent.sinks.opcua.space.nodeset import Key, Nodeset
from edge_agent.sinks.opcua.space.wire import node_id
from edge_agent.sinks.opcua.status.diagnostics import SECURITY, SESSIONS, SUBSCRIPTIONS, SessionSecurity
from tests.endpoint import Bench
from tests.integration.endpoint import CLIENT_URI, client_certificate
from tests.opcua_wire import connected
from tests.unit.opcua.raw import Raw

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]

ARRAYS = (SESSIONS, SECURITY, SUBSCRIPTIONS)
PASSWORD = "correct horse"
Codes = ua.StatusCodes


class Guest(NamedTuple):
    """A client with a subscription."""

    client: Client
    id: ua.NodeId
    subscription: int


Guests = dict[str, Guest]


class Silent:
    """Is told nothing it would have to keep."""

    def datachange_notification(self, *_: object) -> None:
        """Forget it."""


@pytest.fixture(autouse=True)
def decodable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class in asyncua reads a number where a text is."""
    monkeypatch.setitem(ua.extension_objects_by_typeid, node_id(Key(0, 870)), SessionSecurity)


async def secure(bench: Bench, user: str | None, mode: Any = ua.MessageSecurityMode.SignAndEncrypt) -> Client:
    client = bench.client()
    client.application_uri = CLIENT_URI
    certificate, key = client_certificate(bench.folder)
    await client.set_security(SecurityPolicyAes256Sha256RsaPss, str(certificate), str(key), mode=mode)
    if user is not None:
        client.set_user(user)
        client.set_password(PASSWORD if user == "scada" else Credentials(bench.folder).passwords()[user].reveal())
    return client


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    users = (OpcUaUser(name="scada", password=Secret(PASSWORD)),)
    made = Bench(tmp_path_factory.mktemp("opcua"), anonymous=True, users=users, mes_ids=frozenset({1, 2}))
    async with made.running():
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def guests(bench: Bench) -> AsyncIterator[Guests]:
    """One of mes-1, two of mes-2, one that reads everything, and two that nobody knows."""
    async with AsyncExitStack() as stack:
        found = {}
        for name, user in {"one": "mes-1", "two": "mes-2", "two again": "mes-2", "scada": "scada"}.items():
            found[name] = await stack.enter_async_context(await secure(bench, user))
        for name in ("nobody", "nobody else"):
            found[name] = await stack.enter_async_context(await secure(bench, None))
        yield {name: await guest(client) for name, client in found.items()}


async def guest(client: Client) -> Guest:
    subscription = await client.create_subscription(1000, Silent())
    assert subscription.subscription_id is not None
    return Guest(client, await own_id(client, subscription.subscription_id), subscription.subscription_id)


async def own_id(client: Client, subscription: int) -> ua.NodeId:
    shown = await read(client, SUBSCRIPTIONS)
    found: ua.NodeId = next(each.SessionId for each in shown if each.SubscriptionId == subscription)
    return found


async def value(client: Client, node: Key, index_range: str | None = None) -> ua.DataValue:
    wanted: Any = ua.ReadValueId(node_id(node), ua.AttributeIds.Value, index_range)
    [found] = await client.uaclient.read(ua.ReadParameters(NodesToRead=[wanted]))
    return found


async def read(client: Client, node: Key) -> list[Any]:
    found = await value(client, node)
    assert found.StatusCode is not None
    assert found.StatusCode.is_good(), found.StatusCode.name
    assert found.Value is not None
    return list(found.Value.Value)


async def own(guest: Guest) -> Any:
    """A session's own entry."""
    return next(each for each in await read(guest.client, SESSIONS) if each.SessionId == guest.id)


# --- who sees what ---


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("one", {"one"}),
        ("two", {"two", "two again"}),
        ("scada", {"one", "two", "two again", "scada", "nobody", "nobody else"}),
        ("nobody", {"nobody"}),
        ("nobody else", {"nobody else"}),
    ],
)
async def test_users_see_their_own_and_who_reads_everything_sees_all(
    guests: Guests, array: Key, who: str, sees: set[str]
) -> None:
    shown = {each.SessionId for each in await read(guests[who].client, array)}
    assert shown == {guests[name].id for name in sees}


@pytest.mark.parametrize("array", ARRAYS)
async def test_no_service_tells_an_mes_of_another(guests: Guests, array: Key) -> None:
    told: asyncio.Queue[Any] = asyncio.Queue()

    class Listener:
        def datachange_notification(self, _node: object, _value: object, data: Any) -> None:
            told.put_nowait(data.monitored_item.Value)

    attacker, victims = guests["two"], (guests["one"], guests["scada"], guests["nobody"])
    found = [await value(attacker.client, array, part) for part in (None, "0", "1", "0:9", "1:9", "2:9")]
    subscription = await attacker.client.create_subscription(100, Listener())
    await subscription.subscribe_data_change(attacker.client.get_node(node_id(array)))
    found += [
        await asyncio.wait_for(told.get(), 5),
        *([] if array == SECURITY else [await asyncio.wait_for(told.get(), 5)]),
    ]
    await subscription.delete()
    assert str(attacker.id.Identifier) in str(found)  # so the question makes sense
    for victim in victims:
        assert str(victim.id.Identifier) not in str(found)
        assert str(victim.subscription) not in str(found)
    for name in ("mes-1", "scada", "anonymous", "nobody"):
        assert name not in str(found)


async def test_who_is_not_logged_in_is_known_to_who_reads_everything_and_has_no_security_entry(
    bench: Bench, guests: Guests
) -> None:
    everything = guests["scada"].client
    before = {each.SessionId for each in await read(everything, SESSIONS)}
    async with connected(bench.sink.port) as stranger:
        await stranger.greet()
        await stranger.open()
        await stranger.create_session(SessionName="at the door")
        [at_the_door] = [each for each in await read(everything, SESSIONS) if each.SessionId not in before]
        assert at_the_door.SessionName == "at the door"
        assert {each.SessionId for each in await read(everything, SECURITY)} == before
        assert len(await read(guests["two"].client, SESSIONS)) == 2


async def test_security_is_told_over_encrypted_channels_only(bench: Bench) -> None:
    async with bench.client() as plain:
        assert status(await value(plain, SECURITY)) == "BadSecurityModeInsufficient"
        assert [each.TotalRequestCount.TotalCount > 0 for each in await read(plain, SESSIONS)] == [True]
        subscription = await plain.create_subscription(1000, Silent())
        item = ua.MonitoredItemCreateRequest(ua.ReadValueId(node_id(SECURITY), ua.AttributeIds.Value))
        [made] = await plain.uaclient.create_monitored_items(
            ua.CreateMonitoredItemsParameters(subscription.subscription_id, ItemsToCreate=[item])
        )
        assert made.StatusCode.is_good()  # what it tells is that it may not
        await subscription.delete()


def status(found: ua.DataValue) -> str:
    return "Good" if found.StatusCode is None else str(found.StatusCode.name)


# --- what they see ---


async def test_a_session_is_told_what_its_client_said_and_does(bench: Bench, guests: Guests) -> None:
    one = guests["one"]
    now = datetime.now(UTC)
    told = await own(one)
    assert told.SessionName == "Pure Python Async Client Session1"
    assert told.ClientDescription.ApplicationUri == CLIENT_URI
    assert told.EndpointUrl == f"opc.tcp://127.0.0.1:{bench.sink.port}"
    assert told.ActualSessionTimeout == one.client.session_timeout
    assert now - timedelta(seconds=60) < told.ClientConnectionTime <= told.ClientLastContactTime
    assert abs(told.ClientLastContactTime - now) < timedelta(seconds=5)
    assert (told.CurrentSubscriptionsCount, told.CurrentMonitoredItemsCount) == (1, 0)
    assert told.CurrentPublishRequestsInQueue >= 1
    assert told.CreateSubscriptionCount == ua.ServiceCounterDataType(1, 0)


async def test_requests_are_counted_by_service_with_those_that_are_refused(guests: Guests) -> None:
    one = guests["one"]
    before = await own(one)
    with pytest.raises(UaStatusCodeError):
        await one.client.uaclient.read(ua.ReadParameters(NodesToRead=[]))
    with pytest.raises(UaStatusCodeError):
        await one.client.uaclient.add_nodes([])
    after = await own(one)
    assert counted(after.ReadCount, before.ReadCount) == (2, 1)  # and the one that this was read by
    assert counted(after.AddNodesCount, before.AddNodesCount) == (1, 1)
    assert counted(after.BrowseCount, before.BrowseCount) == (0, 0)
    assert counted(after.TotalRequestCount, before.TotalRequestCount)[1] == 2
    assert after.UnauthorizedRequestCount == before.UnauthorizedRequestCount


def counted(after: Any, before: Any) -> tuple[int, int]:
    return after.TotalCount - before.TotalCount, after.ErrorCount - before.ErrorCount


async def test_who_may_not_ask_is_counted(bench: Bench, guests: Guests) -> None:
    async with connected(bench.sink.port) as client:
        await client.log_in()
        token = client.token
        async with connected(bench.sink.port) as thief:
            await thief.greet()
            await thief.open()
            thief.token = token
            with pytest.raises(Exception, match="BadSecureChannelIdInvalid"):
                await thief.read()
        told = [each.UnauthorizedRequestCount for each in await read(guests["scada"].client, SESSIONS)]
        assert max(told) == 1


async def test_every_service_that_has_a_count_is_counted() -> None:
    assert {"Read", "Publish", "AddNodes", "QueryNext", "UnregisterNodes"} < SERVICES
    assert len(SERVICES) == 28


async def test_security_is_told_as_it_is(guests: Guests) -> None:
    [told] = await read(guests["one"].client, SECURITY)
    assert told == SessionSecurity(
        SessionId=guests["one"].id,
        ClientUserIdOfSession="mes-1",
        ClientUserIdHistory=["mes-1"],
        AuthenticationMechanism="UserName",
        WireEncoding="UA Binary",
        TransportProtocol="opc.tcp",
        SecurityMode=ua.MessageSecurityMode.SignAndEncrypt,
        SecurityPolicyUri=SecurityPolicyAes256Sha256RsaPss.URI,
        ClientCertificate=told.ClientCertificate,
    )
    assert told.ClientCertificate == guests["one"].client.security_policy.host_certificate
    [nobody] = await read(guests["nobody"].client, SECURITY)
    assert (nobody.ClientUserIdOfSession, nobody.AuthenticationMechanism) == ("anonymous", "Anonymous")


async def test_its_fields_are_those_of_the_model(nodeset: Nodeset) -> None:
    definition = nodeset[Key(0, 868)].definition
    assert definition is not None
    names = [field.name for field in definition.struct or ()]
    assert [each.name.replace("WireEncoding", "Encoding") for each in fields(SessionSecurity)] == names


async def test_what_a_client_says_is_cut_and_is_text() -> None:
    params: Any = ua.CreateSessionParameters()
    params.SessionName, params.ClientDescription.ApplicationUri = "x" * 100_000, "\udcff"
    said = Introduction.of(params)
    assert said.session_name == "x" * LONGEST_TEXT
    assert said.client.ApplicationUri == "?"


# --- what it may cost ---


async def test_an_item_looks_once_a_second_and_keeps_one(guests: Guests) -> None:
    client = guests["two"].client
    subscription = await client.create_subscription(60_000, Silent())
    watched = ua.ReadValueId(node_id(SESSIONS), ua.AttributeIds.Value)
    asked: Any = ua.MonitoringParameters(SamplingInterval=10.0, QueueSize=50)
    item = ua.MonitoredItemCreateRequest(watched, ua.MonitoringMode.Reporting, asked)
    params: Any = ua.CreateMonitoredItemsParameters(
        subscription.subscription_id,
        ItemsToCreate=[item] * (MOST_MADE_ITEMS + 1),
    )
    *made, refused = await client.uaclient.create_monitored_items(params)
    assert {(each.RevisedSamplingInterval, each.RevisedQueueSize) for each in made} == {(1000.0, 1)}
    assert refused.StatusCode.name == "BadTooManyMonitoredItems"
    interval = ua.ReadValueId(node_id(SESSIONS), ua.AttributeIds.MinimumSamplingInterval)
    [least] = await client.uaclient.read(ua.ReadParameters(NodesToRead=[interval]))
    assert least.Value is not None
    assert least.Value.Value == 1000.0
    await subscription.delete()
    assert (await own(guests["two"])).CurrentMonitoredItemsCount == 0


async def test_a_read_of_more_than_an_answer_holds_is_refused_before_it_is_made(guests: Guests) -> None:
    wanted = [ua.ReadValueId(node_id(SESSIONS), ua.AttributeIds.Value)] * 10_000
    began = asyncio.get_running_loop().time()
    with pytest.raises(UaStatusCodeError, match="Response"):
        await guests["scada"].client.uaclient.read(ua.ReadParameters(NodesToRead=wanted))
    assert asyncio.get_running_loop().time() - began < 3


# --- who takes a subscription over ---


async def test_a_subscription_that_goes_over_tells_the_new_session_what_it_may_know(bench: Bench) -> None:
    async with await secure(bench, None) as former, await secure(bench, None) as client:
        latter = Raw(client)
        subscription = await former.create_subscription(100, Silent())
        await subscription.subscribe_data_change(former.get_node(node_id(SESSIONS)))
        [before] = await read(former, SESSIONS)
        await asyncio.sleep(0.3)  # a message has been sent
        [taken] = (await latter.ask("TransferSubscriptions", [subscription.subscription_id])).Results
        assert (taken.StatusCode.name, taken.AvailableSequenceNumbers) == ("Good", [])
        assert await latter.code("Republish", subscription.subscription_id, 1) == "BadMessageNotAvailable"
        told = (await latter.publish()).NotificationMessage.NotificationData
        [item] = told[0].MonitoredItems
        [entry] = item.Value.Value.Value
        assert entry.SessionId != before.SessionId
        assert entry.TransferSubscriptionsCount.TotalCount == 1
