"""What happens at the door is told to those who may hear of it, and nothing of it is a secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import x509_from_der

from edge_agent.events import MachineEvent, MachineEventKind
from edge_agent.secret import Secret
from edge_agent.sinks.opcua.options import Limits, OpcUaUser
from edge_agent.sinks.opcua.security.credentials import Credentials
from tests.certificates import Issued, issue
from tests.endpoint import DEVICE, Bench
from tests.observations import AT, MACHINE, observation
from tests.opcua_wire import EndedError, RefusedError, WireClient, connected

from .auditor import (
    ACTIVATED,
    CERTIFICATE,
    CHANNEL_CLOSED,
    CLOSED,
    CREATED,
    OPENED,
    Auditor,
    client_of,
    watch,
    watching,
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]

ALICE, BOB = ("alice", "correct horse"), ("bob", "battery staple")
WRONG = "wrong-but-nearly-right"
USERS = tuple(OpcUaUser(name=name, password=Secret(password)) for name, password in (ALICE, BOB))
MES = 1
LIMITS = Limits(activation_timeout_s=10.0, max_sessions_per_user=2)
Connect = Callable[..., AbstractAsyncContextManager[WireClient]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    made = Bench(
        tmp_path_factory.mktemp("opcua"),
        users=USERS,
        mes_ids=frozenset({MES}),
        anonymous=True,
        limits=LIMITS,
    )
    made.store.publish(observation())
    async with made.running():
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def auditor(bench: Bench) -> AsyncIterator[Auditor]:
    async with watching(bench, *ALICE) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def secured(bench: Bench) -> Connect:
    async with connected(bench.sink.port) as client:
        await client.greet()
        await client.open()
        endpoints = (await client.ask(ua.GetEndpointsRequest())).Endpoints
    server: Any = next(endpoint.ServerCertificate for endpoint in endpoints if endpoint.ServerCertificate)

    def connect(own: Issued | None = None) -> AbstractAsyncContextManager[WireClient]:
        own = own or issue("mes", at=datetime.now(UTC), uri="urn:mes")
        made: Any = SecurityPolicyBasic256Sha256
        policy = made(x509_from_der(server), own.certificate, own.key, ua.MessageSecurityMode.SignAndEncrypt)  # type: ignore[no-untyped-call]
        return connected(bench.sink.port, policy=policy)

    return connect


def of(user: str | None) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["ClientUserId"] == user


def text(event: dict[str, Any]) -> str:
    return str(event["Message"].Text)


async def test_a_wrong_password_is_told_from_the_channel_on(auditor: Auditor, secured: Connect) -> None:
    before = datetime.now(UTC)
    async with secured() as client:
        await client.greet()
        await client.open()
        channel = client.codec.security_token.ChannelId
        made = await client.create_session()
        asked = client.activation("bob", WRONG)
        asked.RequestHeader.AuditEntryId = "shift 3, order 12"
        with pytest.raises(RefusedError, match="BadUserAccessDenied"):
            await client.ask(asked)
    failed = await auditor.told(ACTIVATED)
    assert failed["EventType"] == ua.NodeId(2075)  # type: ignore[arg-type]
    assert failed["SourceNode"] == ua.NodeId(2253)  # type: ignore[arg-type]
    assert (failed["Status"], failed["StatusCodeId"].name) == (False, "BadUserAccessDenied")
    assert failed["ClientUserId"] == failed["UserIdentityToken"].UserName == "bob"
    assert failed["UserIdentityToken"].Password is None
    assert failed["ClientSoftwareCertificates"] == []
    assert failed["ClientAuditEntryId"] == "shift 3, order 12"
    assert failed["ServerId"] == f"urn:edge-agent:{DEVICE}"
    assert text(failed) == '"bob" from 127.0.0.1 was not let in: wrong password'
    assert failed["Severity"] == 500
    assert before <= failed["ActionTimeStamp"].replace(tzinfo=UTC) <= failed["Time"].replace(tzinfo=UTC)
    opened, created = await auditor.told(OPENED), await auditor.told(CREATED)
    assert opened["SecureChannelId"] == created["SecureChannelId"] == failed["SecureChannelId"] == str(channel)
    assert created["SessionId"] == failed["SessionId"] == made.SessionId
    assert created["RevisedSessionTimeout"] == 60_000.0
    assert opened["SecurityMode"] == ua.MessageSecurityMode.SignAndEncrypt
    assert opened["SecurityPolicyUri"].endswith("#Basic256Sha256")
    assert opened["ClientCertificate"] == created["ClientCertificate"]
    assert len(opened["ClientCertificateThumbprint"]) == 40
    assert [event["Status"] for event in (opened, created)] == [True, True]
    assert [opened["ClientUserId"], created["ClientUserId"]] == ["System/OpenSecureChannel", "System/CreateSession"]
    assert WRONG not in repr(auditor.events)


async def test_a_log_in_and_its_end_are_told(auditor: Auditor, secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*BOB)
        closing = ua.CloseSessionRequest()
        closing.RequestHeader.AuditEntryId = "good night"
        await client.ask(closing)
        leaving = ua.CloseSecureChannelRequest()
        leaving.RequestHeader.AuditEntryId = "lights off"
        await client.send(client.message(leaving, b"CLO"))
        channel_closed = await auditor.told(CHANNEL_CLOSED)
    came, went = await auditor.told(ACTIVATED), await auditor.told(CLOSED)
    assert (came["Status"], came["ClientUserId"], came["StatusCodeId"].name) == (True, "bob", "Good")
    assert came["Severity"] == went["Severity"] == 100
    assert came["ClientAuditEntryId"] is None
    assert went["EventType"] == ua.NodeId(2069)  # type: ignore[arg-type]
    assert (went["SessionId"], went["ClientUserId"]) == (came["SessionId"], "bob")
    assert went["ClientAuditEntryId"] == "good night"
    assert channel_closed["SecureChannelId"] == came["SecureChannelId"]
    assert channel_closed["ClientAuditEntryId"] == "lights off"
    assert BOB[1] not in repr(auditor.events)


async def test_a_session_whose_connection_is_lost_is_ended(auditor: Auditor, secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*BOB)
    ended = await auditor.told("Session/Terminated")
    assert (ended["ClientUserId"], ended["Severity"]) == ("bob", 300)


async def test_a_name_that_no_user_has_is_told_nobody(auditor: Auditor, secured: Connect) -> None:
    """It may be a password that somebody typed one line too high."""
    async with secured() as client:
        with pytest.raises(RefusedError, match="BadUserAccessDenied"):
            await client.log_in(BOB[1], "")
    failed = await auditor.told(ACTIVATED)
    assert (failed["ClientUserId"], failed["UserIdentityToken"].UserName) == (None, None)
    assert "no such user" in text(failed)
    assert failed["ClientAuditEntryId"] is None
    assert BOB[1] not in repr(auditor.events)


async def test_a_user_who_has_too_many_sessions_is_told_by_name(auditor: Auditor, secured: Connect) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(LIMITS.max_sessions_per_user):
            await (await stack.enter_async_context(secured())).log_in(*BOB)
        with pytest.raises(RefusedError, match="BadTooManySessions"):
            await (await stack.enter_async_context(secured())).log_in(*BOB)
    failed = await auditor.told(ACTIVATED, lambda event: not event["Status"])
    assert (failed["ClientUserId"], failed["StatusCodeId"].name) == ("bob", "BadTooManySessions")


async def test_who_hangs_up_before_the_answer_has_tried(auditor: Auditor, secured: Connect) -> None:
    async with secured() as client:
        await client.greet()
        await client.open()
        await client.create_session()
        await client.send(client.message(client.activation("bob", WRONG)))
        await asyncio.sleep(0.1)
    failed = await auditor.told(ACTIVATED)
    assert (failed["Status"], failed["StatusCodeId"].name) == (False, "BadConnectionClosed")


async def test_a_certificate_that_is_refused_is_told_with_its_channel(bench: Bench, secured: Connect) -> None:
    async with watching(bench, *ALICE) as auditor, secured() as client:
        client.policy.host_certificate = b"\x30\x82\x01\x01" + b"x" * 257
        await client.greet()
        await client.send(client.opening())
        with pytest.raises(EndedError, match="BadCertificateInvalid"):
            await client.answer()
        refused = await auditor.told(OPENED)
        certificate = await auditor.told(CERTIFICATE)
    assert certificate["EventType"] == ua.NodeId(2086)  # type: ignore[arg-type]
    assert refused["CertificateErrorEventId"] == certificate["EventId"]
    assert refused["SecureChannelId"] is None
    assert certificate["Certificate"] == client.policy.host_certificate
    assert refused["ClientAuditEntryId"] == certificate["ClientAuditEntryId"] == "127.0.0.1"
    assert {refused["Status"], certificate["Status"]} == {False}


async def test_a_renewal_is_told_only_if_it_fails(auditor: Auditor, secured: Connect) -> None:
    async with secured() as client:
        await client.greet()
        await client.open()
        await client.open(request_type=ua.SecurityTokenRequestType.Renew)
        await client.send(client.opening(ua.SecurityTokenRequestType.Renew, nonce=b""))
        with pytest.raises(EndedError, match="BadNonceInvalid"):
            await client.answer()
    failed = await auditor.told(OPENED, lambda event: not event["Status"])
    assert failed["RequestType"] == ua.SecurityTokenRequestType.Renew
    assert failed["StatusCodeId"].name == "BadNonceInvalid"
    assert auditor.sources().count(OPENED) == 2


async def test_an_mes_and_anonymous_clients_are_told_nothing(bench: Bench, auditor: Auditor, secured: Connect) -> None:
    mes = f"mes-{MES}"
    password = Credentials(bench.folder).passwords()[mes].reveal()
    async with await client_of(bench, mes, password) as restricted, bench.client() as anonymous:
        heard = [await watch(restricted), await watch(anonymous)]
        async with secured() as client:
            with pytest.raises(RefusedError):
                await client.log_in("bob", WRONG)
        await auditor.told(ACTIVATED, of("bob"))
        fault = MachineEvent(kind=MachineEventKind.FAULT, at=AT, machine_id=MACHINE.id, text="after it")
        bench.store.announce(fault)
        for each in heard:
            await each.told("Mark One", lambda event: "after it" in text(event))
            assert len(each.events) == 1


async def test_auditing_is_told_to_be_so(bench: Bench) -> None:
    async with bench.client() as client:
        assert await client.get_node(ua.NodeId(2994)).read_value() is True  # type: ignore[arg-type]
