"""How a C stack gets in, stays in, and comes back: open62541, which shares no line with asyncua or node-opcua."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.certificates import issue
from tests.double import KEY, OctoPrintDouble
from tests.integration.agent import PASSWORD, AgentProcess, machine
from tests.interop.shop import POLICIES, Shop, node, url

from .c_client import SIGN_AND_ENCRYPT, CClient, RefusedError

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

SIGN = 2
OPEN, ACTIVATED = 11, 4  # states of a channel and of a session in open62541
SERVER_STATE, NAMESPACES = "i=2259", "i=2255"


async def test_three_encrypted_endpoints_are_found_without_encryption(shop: Shop, client: CClient) -> None:
    offered = await client.endpoints(shop.agent)
    assert [endpoint["SecurityPolicyUri"].partition("#")[2] for endpoint in offered] == POLICIES
    for endpoint in offered:
        assert endpoint["EndpointUrl"] == url(shop.agent)
        assert endpoint["SecurityMode"] == SIGN_AND_ENCRYPT
        assert [token["TokenType"] for token in endpoint["UserIdentityTokens"]] == [1]  # user name
        assert endpoint["ServerCertificate"]


async def test_the_server_is_found(shop: Shop, mes: CClient) -> None:
    [server] = (await mes.ask("FindServers", EndpointUrl=url(shop.agent)))["Servers"]
    assert server["ApplicationUri"].startswith("urn:edge-agent:")
    assert server["ApplicationName"]["Text"] == "edge-agent"
    assert server["DiscoveryUrls"] == [url(shop.agent)]
    assert (await mes.ask("FindServers", EndpointUrl=url(shop.agent), ServerUris=["urn:other"]))["Servers"] == []


@pytest.mark.parametrize(("user", "password"), [("reader", ""), ("admin", PASSWORD), ("mes-1", PASSWORD)])
async def test_another_password_or_user_does_not_get_in(shop: Shop, client: CClient, user: str, password: str) -> None:
    with pytest.raises(RefusedError, match="BadUserAccessDenied"):
        await client.open(shop.agent, user=user, password=password)


@pytest.mark.parametrize("policy", POLICIES)
async def test_only_the_right_password_gets_in_over_each_policy(shop: Shop, client: CClient, policy: str) -> None:
    with pytest.raises(RefusedError, match="BadUserAccessDenied"):
        await client.open(shop.agent, policy=policy, password="wrong")
    with pytest.raises(RefusedError):  # the client sees that nothing is offered for it
        await client.open(shop.agent, policy=policy, user=None)
    await client.open(shop.agent, policy=policy)
    [status] = await client.read(node("printing/MesStatus"))
    assert (status.value, status.status) == ("Running", "Good")
    await client.close()


async def test_no_session_is_had_without_encryption_or_with_signatures_only(shop: Shop, client: CClient) -> None:
    for policy, options in (("None", {}), ("None", {"user": None}), (POLICIES[2], {"mode": SIGN})):
        with pytest.raises(RefusedError):
            await client.open(shop.agent, policy=policy, **options)


async def test_a_client_that_trusts_another_server_goes_no_further(shop: Shop, client: CClient, tmp_path: Path) -> None:
    other = issue("other", at=datetime.now(UTC) - timedelta(days=1), uri="urn:other")
    (tmp_path / "other.der").write_bytes(other.der)
    with pytest.raises(RefusedError):
        await client.open(shop.agent, trusted=tmp_path / "other.der")
    await client.open(shop.agent)
    await client.close()


async def test_a_channel_is_renewed_without_a_break(shop: Shop, client: CClient) -> None:
    await client.open(shop.agent, lifetimeMs=10_000)  # the shortest that is given
    subscription = await client.subscribe()
    seen = {"NodeId": node("printing/Source/LastSeen"), "AttributeId": 13}
    [watched] = await client.watch(subscription, {"ItemToMonitor": seen, "MonitoringMode": 2})
    assert watched["StatusCode"] == "Good"
    async with asyncio.timeout(15):
        while "SecureChannel renewed" not in client.log:  # noqa: ASYNC110 - only its log tells
            await asyncio.sleep(0.2)
    client.forget()
    await client.until(lambda told: told.value is not None)
    assert await client.command("state", "mes") == {"channel": OPEN, "session": ACTIVATED, "status": "Good"}
    assert client.ended == []
    await client.close()


async def test_a_session_goes_over_to_another_channel(shop: Shop, client: CClient) -> None:
    await client.open(shop.agent, "first")
    await client.open(shop.agent, "second", channelOnly=1)
    assert await client.command("move", "first", "second") == "Good"
    [status] = await client.read(node("printing/MesStatus"), session="second")
    assert status.value == "Running"
    with pytest.raises(RefusedError, match="BadSecureChannelIdInvalid"):
        await client.ask("Read", "first", NodesToRead=[{"NodeId": SERVER_STATE, "AttributeId": 13}])
    for name in ("second", "first"):
        await client.close(name)


async def test_a_session_does_not_go_over_to_another_user(shop: Shop, client: CClient) -> None:
    await client.open(shop.agent, "first")
    await client.open(shop.agent, "second", channelOnly=1, user="admin", password="other")
    assert await client.command("move", "first", "second") != "Good"
    [status] = await client.read(node("printing/MesStatus"), session="first")
    assert status.value == "Running"
    for name in ("second", "first"):
        await client.close(name)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_client_comes_back_after_a_restart_and_finds_the_same_nodes(
    client: CClient, tmp_path: Path, end: str
) -> None:
    agent = AgentProcess(tmp_path / "agent")
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.print(0.5)
        agent.configure([machine(octoprint.url, agent.secret("key", KEY), custom_name="Mark One")])
        async with agent:
            await client.open(agent)
            await client.until_value(node("mark-one/MesStatus"), "Running")
            before = await _found(client)
            await (agent.stop() if end == "stop" else agent.kill())
            with pytest.raises(RefusedError):
                await client.read(NAMESPACES)
            await agent.start()
            async with asyncio.timeout(20):
                while not await _answers(client):  # noqa: ASYNC110 - a client can only try
                    await asyncio.sleep(0.1)
            await client.until_value(node("mark-one/MesStatus"), "Running")
            assert await _found(client) == before
            assert (await client.command("state", "mes"))["session"] == ACTIVATED
            await client.close()


async def _answers(client: CClient) -> bool:
    with suppress(RefusedError):
        return bool(await client.read(NAMESPACES))
    return False


async def _found(client: CClient) -> list[object]:
    browsed = await client.ask("Browse", NodesToBrowse=[{"NodeId": node("mark-one"), "ResultMask": 63}])
    [namespaces] = await client.read(NAMESPACES)
    return [namespaces.value, *browsed["Results"]]


async def test_an_anonymous_agent_serves_everybody_without_encryption(client: CClient, tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "agent")
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.print(0.5)
        agent.configure([machine(octoprint.url, agent.secret("key", KEY), custom_name="Open")], anonymous=True)
        async with agent:
            await client.open(agent, policy="None", user=None)
            await client.until_value(node("open/MesStatus"), "Running")
            await client.close()
            with pytest.raises(RefusedError):  # a password does not go over a channel without encryption
                await client.open(agent, policy="None")
            await client.open(agent)
            await client.close()
