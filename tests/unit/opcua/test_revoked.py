"""A certificate that is revoked while its client is connected: the client is out within seconds, and nobody else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import x509_from_der

from edge_agent.secret import Secret
from edge_agent.sinks.opcua import ClientCertificates, OpcUaUser, access
from edge_agent.sinks.opcua.security.trust import TrustList
from edge_agent.sinks.opcua.security.trust_folder import Place, TrustFolder, fingerprint
from tests.certificates import Issued, issue
from tests.endpoint import Bench
from tests.observations import observation
from tests.opcua_wire import EndedError, WireClient, connected

PASSWORD = "correct horse"
SCADA = OpcUaUser(name="scada", password=Secret(PASSWORD))
BEFORE = datetime.now(UTC) - timedelta(days=1)


@cache
def certificate_of(whose: str, *, by: str = "", ca: bool = False) -> Issued:
    issuer = certificate_of(by, ca=True) if by else None
    return issue(whose, at=BEFORE, uri=f"urn:{whose}", ca=ca, by=issuer)


# --- the trust list ---


class Gate:
    """A trust list that is asked of channels that are open."""

    def __init__(self, pki: Path, mode: ClientCertificates) -> None:
        self.mode = mode
        self.folder = TrustFolder(pki)
        self.list = TrustList(pki, mode=lambda: self.mode)
        for place in Place:
            (pki / place).mkdir()

    def put(self, place: Place, *issued: Issued) -> None:
        for each in issued:
            (self.folder.pki / place / f"{each.name}.der").write_bytes(each.der)

    def out(self, *chains: tuple[Issued, ...]) -> list[str]:
        """Who may be here no longer, each with those who issued its certificate."""
        content = {b"".join(each.der for each in chain): chain[0].name for chain in chains}
        return sorted(content[chain] for chain in self.list.no_longer(content))


MEMBER, OTHER = (certificate_of(name) for name in ("mes", "other"))
ROOT = certificate_of("root", ca=True)
ISSUED = certificate_of("issued", by="root")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, ClientCertificates.TRUSTED)


@pytest.mark.parametrize("mode", ClientCertificates)
def test_who_is_revoked_may_be_here_no_longer(tmp_path: Path, mode: ClientCertificates) -> None:
    gate = Gate(tmp_path, mode)
    gate.put(Place.TRUSTED, MEMBER, OTHER)
    assert gate.out((MEMBER,), (OTHER,)) == []
    gate.folder.revoke(fingerprint(MEMBER.der))
    assert gate.out((MEMBER,), (OTHER,)) == ["mes"]
    gate.folder.approve(fingerprint(MEMBER.der))
    assert gate.out((MEMBER,), (OTHER,)) == []


def test_a_revoked_authority_takes_its_members_along_and_those_it_sent_along_count(gate: Gate) -> None:
    gate.put(Place.TRUSTED, ROOT, OTHER)
    assert gate.out((ISSUED, ROOT), (OTHER,)) == []
    gate.folder.revoke(fingerprint(ROOT.der))
    assert gate.out((ISSUED, ROOT), (OTHER,)) == ["issued"]


def test_who_is_trusted_no_longer_is_out_only_where_that_is_asked_for(gate: Gate) -> None:
    gate.put(Place.TRUSTED, MEMBER)
    gate.mode = ClientCertificates.ANY
    assert gate.out((OTHER,)) == []
    gate.mode = ClientCertificates.TRUSTED
    assert gate.out((OTHER,), (MEMBER,)) == ["other"]


def test_a_folder_that_cannot_be_read_ends_nobody(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    gate.put(Place.REVOKED, MEMBER)
    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", denied)
        assert gate.out((MEMBER,)) == []
    assert gate.out((MEMBER,)) == ["mes"]


def test_certificates_are_looked_at_only_when_the_folders_have_changed(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.put(Place.TRUSTED, MEMBER)
    gate.out((MEMBER,))
    monkeypatch.setattr("edge_agent.sinks.opcua.security.trust.split", None)
    assert gate.out((MEMBER,)) == []


# --- the endpoint ---


class Scene:
    """The endpoint, and its clients."""

    def __init__(self, bench: Bench, stack: AsyncExitStack, server: Any) -> None:
        self.bench = bench
        self._stack = stack
        self._server = server

    async def client(self, whose: str) -> WireClient:
        """One that has logged in."""
        own = certificate_of(whose)
        mode = ua.MessageSecurityMode.SignAndEncrypt
        made: Any = SecurityPolicyBasic256Sha256
        policy = made(self._server, own.certificate, own.key, mode)
        client = await self._stack.enter_async_context(connected(self.bench.sink.port, policy=policy))
        await client.log_in("scada", PASSWORD)
        return client

    async def revoke(self, whose: str) -> None:
        """As the command does; a file is not changed in less than a clock's tick."""
        folder, own = TrustFolder(self.bench.folder / "pki"), certificate_of(whose)
        (folder.pki / Place.REJECTED).mkdir(exist_ok=True)
        (folder.pki / Place.REJECTED / "it.der").write_bytes(own.der)
        await asyncio.to_thread(folder.revoke, fingerprint(own.der))
        self.bench.store.publish(observation())  # the sink looks after each change, and every second anyway


@pytest_asyncio.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(access, "_USERS_EVERY_S", 0.0)
    bench = Bench(tmp_path, users=(SCADA,))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bench.running())
        stack.push_async_callback(asyncio.sleep, 0)  # for sockets to be closed
        asker = await stack.enter_async_context(connected(bench.sink.port))
        await asker.greet()
        await asker.open()
        endpoints = (await asker.ask(ua.GetEndpointsRequest())).Endpoints
        yield Scene(bench, stack, x509_from_der(endpoints[0].ServerCertificate))  # type: ignore[no-untyped-call]


async def subscribe(client: WireClient) -> int:
    request = ua.CreateSubscriptionRequest()
    request.Parameters.RequestedPublishingInterval = cast("ua.Duration", 60_000)
    return int((await client.ask(request)).Parameters.SubscriptionId)


async def test_its_channel_closes_and_its_request_is_answered_and_others_work_on(place: Scene) -> None:
    revoked, other = await place.client("mes"), await place.client("other")
    await subscribe(revoked)
    await revoked.send(revoked.message(ua.PublishRequest()))
    await place.revoke("mes")
    assert (await revoked.answer()).ResponseHeader.ServiceResult.name == "BadSessionClosed"
    with pytest.raises(EndedError, match="BadSecurityChecksFailed"):
        await revoked.answer()
    with pytest.raises(EndedError, match="BadSecurityChecksFailed"):
        await place.client("mes")
    assert await other.read() is not None


async def test_a_session_whose_client_is_away_ends_with_its_subscriptions(place: Scene) -> None:
    away, other = await place.client("mes"), await place.client("other")
    left = await subscribe(away)
    away.writer.transport.abort()
    await asyncio.sleep(0.05)
    await place.revoke("mes")
    await asyncio.sleep(0.05)
    transfer = ua.TransferSubscriptionsRequest()
    transfer.Parameters.SubscriptionIds = cast("Any", [left])
    [result] = (await other.ask(transfer)).Parameters.Results  # the same user, and yet there is nothing to take over
    assert result.StatusCode.name == "BadSubscriptionIdInvalid"
