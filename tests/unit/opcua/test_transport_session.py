"""Sessions and secure channels, attacked by somebody who has a password of his own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.crypto import security_policies
from asyncua.crypto.uacrypto import x509_from_der

from edge_agent.secret import Secret
from edge_agent.sinks.opcua.options import Limits, OpcUaUser
from tests.certificates import Issued, issue
from tests.endpoint import Bench
from tests.opcua_wire import EndedError, RefusedError, WireClient, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE, BOB = ("alice", "correct horse"), ("bob", "battery staple")
USERS = tuple(OpcUaUser(name=name, password=Secret(password)) for name, password in (ALICE, BOB))
LIMITS = Limits(max_sessions_per_user=2, activation_timeout_s=10.0)
POLICIES = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
Connect = Callable[..., AbstractAsyncContextManager[WireClient]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("opcua"), users=USERS, limits=LIMITS)
    async with made.running():
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def secured(bench: Bench) -> Connect:
    """Connects over an encrypted channel, with the certificate of whoever is named."""
    async with connected(bench.sink.port) as client:
        await client.greet()
        await client.open()
        endpoints = (await client.ask(ua.GetEndpointsRequest())).Endpoints
    server = x509_from_der(endpoints[0].ServerCertificate)  # type: ignore[no-untyped-call]

    def connect(whose: str = "mes", policy: str = "Basic256Sha256") -> AbstractAsyncContextManager[WireClient]:
        own = certificate_of(whose)
        made: Any = POLICIES[policy]
        mode = ua.MessageSecurityMode.SignAndEncrypt
        return connected(bench.sink.port, policy=made(server, own.certificate, own.key, mode))

    return connect


@cache
def certificate_of(whose: str) -> Issued:
    return issue(whose, at=datetime.now(UTC), uri=f"urn:{whose}")


# --- the channel ---


@pytest.mark.parametrize("policy", POLICIES)
async def test_every_policy_is_served(secured: Connect, policy: str) -> None:
    async with secured(policy=policy) as client:
        await client.log_in(*ALICE)
        assert await client.read()


async def test_without_security_there_is_discovery_and_no_session(bench: Bench) -> None:
    """Stock asyncua serves a whole session, its password in clear."""
    async with connected(bench.sink.port) as client:
        await client.greet()
        await client.open()
        assert len((await client.ask(ua.GetEndpointsRequest())).Endpoints) == 3
        with pytest.raises(RefusedError, match="BadSecurityPolicyRejected"):
            await client.create_session()


async def test_a_policy_that_no_endpoint_has_is_refused(secured: Connect) -> None:
    async with secured() as client:
        client.policy.URI = "http://opcfoundation.org/UA/SecurityPolicy#Basic256"
        await client.greet()
        await client.send(client.opening())
        with pytest.raises(EndedError, match="BadSecurityPolicyRejected"):
            await client.answer()


@pytest.mark.parametrize("mode", [ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.None_])
async def test_a_mode_that_no_endpoint_has_is_refused(secured: Connect, mode: ua.MessageSecurityMode) -> None:
    async with secured() as client:
        await client.greet()
        await client.send(client.opening(SecurityMode=mode))
        with pytest.raises(EndedError, match="BadSecurityModeRejected"):
            await client.answer()


@pytest.mark.parametrize("length", [0, 1, 31, 33])
async def test_keys_are_not_made_of_a_nonce_of_another_length(secured: Connect, length: int) -> None:
    async with secured() as client:
        await client.greet()
        await client.send(client.opening(nonce=b"\1" * length))
        with pytest.raises(EndedError, match="BadNonceInvalid"):
            await client.answer()


@pytest.mark.parametrize(("asked_ms", "given_ms"), [(0, 10_000), (60_000, 60_000), (2**32 - 1, 3_600_000)])
async def test_a_token_lives_neither_shortly_nor_for_ever(secured: Connect, asked_ms: int, given_ms: int) -> None:
    async with secured() as client:
        await client.greet()
        assert (await client.open(RequestedLifetime=asked_ms)).SecurityToken.RevisedLifetime == given_ms


async def test_a_certificate_that_is_none_is_refused(secured: Connect) -> None:
    async with secured() as client:
        client.policy.host_certificate = b"\x30\x82\x01\x01" + b"x" * 257
        await client.greet()
        await client.send(client.opening())
        with pytest.raises(EndedError, match="BadCertificateInvalid"):
            await client.answer()


async def test_another_s_certificate_needs_another_s_key(secured: Connect) -> None:
    async with secured("thief") as client:
        client.policy.host_certificate = certificate_of("mes").der
        await client.greet()
        await client.send(client.opening())
        with pytest.raises(EndedError, match="BadSecurityChecksFailed"):
            await client.answer()


async def test_a_channel_is_renewed_again_and_again(secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        tokens = []
        for _ in range(4):
            renewed = await client.open(request_type=ua.SecurityTokenRequestType.Renew)
            tokens.append(renewed.SecurityToken.TokenId)
            assert await client.read()
        assert tokens == [2, 3, 4, 5]


async def test_the_token_before_is_good_until_the_next_one_is_used_and_no_longer(secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        await client.send(client.opening(ua.SecurityTokenRequestType.Renew))
        renewed = (await client.answer()).Parameters
        assert await client.read()
        former = client.codec.security_token
        client.codec.set_channel(renewed, ua.SecurityTokenRequestType.Renew, client.nonce)
        client.codec.revolve_tokens()
        assert await client.read()
        client.codec.security_token = former
        await client.send(client.message(ua.ReadRequest()))
        with pytest.raises(EndedError, match="BadSecureChannelTokenUnknown"):
            await client.answer()


async def test_an_open_channel_is_not_issued_again(secured: Connect) -> None:
    async with secured() as client:
        await client.greet()
        await client.open()
        await client.send(client.opening())
        with pytest.raises(EndedError, match="BadRequestTypeInvalid"):
            await client.answer()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"TokenId": 0}, "BadSecureChannelTokenUnknown"),
        ({"TokenId": 99}, "BadSecureChannelTokenUnknown"),
        ({"ChannelId": 99}, "BadTcpSecureChannelUnknown"),
    ],
)
async def test_a_message_of_another_channel_or_token_ends_the_connection(
    secured: Connect, change: dict[str, int], code: str
) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        for name, value in change.items():
            setattr(client.codec.security_token, name, value)
        await client.send(client.message(ua.ReadRequest()))
        with pytest.raises(EndedError, match=code):
            await client.answer()


async def test_a_message_that_was_changed_ends_the_connection(secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        message = bytearray(client.message(ua.ReadRequest()))
        message[-20] ^= 1
        await client.send(bytes(message))
        with pytest.raises(EndedError, match="BadSecurityChecksFailed"):
            await client.answer()


@pytest.mark.parametrize("skip", [-1, 1, 1000])
async def test_a_message_sent_twice_or_out_of_turn_ends_the_connection(secured: Connect, skip: int) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        client.codec._sequence_number += skip
        await client.send(client.message(ua.ReadRequest()))
        with pytest.raises(EndedError, match="BadSequenceNumberInvalid"):
            await client.answer()


# --- the session ---


async def test_tokens_and_ids_of_sessions_are_not_counted(secured: Connect) -> None:
    """Stock asyncua says i=1001, i=1002 and so on."""
    async with secured() as one, secured() as two:
        for client in (one, two):
            await client.greet()
            await client.open()
        first, second = await one.create_session(), await two.create_session()
        for made in (first, second):
            assert len(made.AuthenticationToken.Identifier) == 32
        assert first.AuthenticationToken != second.AuthenticationToken
        assert first.SessionId != second.SessionId
        assert first.MaxRequestMessageSize == LIMITS.max_message_bytes


async def test_a_request_needs_its_sessions_token(secured: Connect) -> None:
    """Stock asyncua answers whoever has the connection, whatever the token."""
    async with secured() as client:
        await client.log_in(*ALICE)
        client.token = ua.NodeId(1001)  # type: ignore[arg-type]
        with pytest.raises(RefusedError, match="BadSessionIdInvalid"):
            await client.read()


async def test_a_request_over_another_connection_is_refused_though_it_has_the_token(secured: Connect) -> None:
    async with secured() as alice, secured() as thief:
        await alice.log_in(*ALICE)
        await thief.log_in(*BOB)
        thief.token = alice.token
        with pytest.raises(RefusedError, match="BadSecureChannelIdInvalid"):
            await thief.read()
        with pytest.raises(RefusedError, match="BadSessionIdInvalid"):
            await thief.ask(ua.CloseSessionRequest())
        assert await alice.read()


async def test_a_session_before_its_log_in_answers_nothing(secured: Connect) -> None:
    async with secured() as client:
        await client.greet()
        await client.open()
        with pytest.raises(RefusedError, match="BadSessionIdInvalid"):
            await client.read()
        await client.create_session()
        with pytest.raises(RefusedError, match="BadSessionNotActivated"):
            await client.read()


@pytest.mark.parametrize("user", [None, ("alice", ""), ("alice", "wrong"), ("admin", ""), ("admin", "admin")])
async def test_nobody_gets_in_without_a_password(secured: Connect, user: tuple[str, str] | None) -> None:
    async with secured() as client:
        with pytest.raises(RefusedError, match=r"BadUserAccessDenied|BadIdentityTokenRejected"):
            await client.log_in(*(user or ()))
        with pytest.raises(RefusedError, match="BadSessionNotActivated"):
            await client.read()


async def test_who_cannot_sign_for_the_certificate_gets_no_session(secured: Connect) -> None:
    async with secured() as client:
        await client.greet()
        await client.open()
        await client.create_session()
        client.server_nonce = b"\0" * 32
        with pytest.raises(RefusedError, match="BadApplicationSignatureInvalid"):
            await client.activate(*ALICE)


async def test_a_log_in_cannot_be_sent_again(secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        client.server_nonce, former = b"\0" * 32, client.server_nonce
        with pytest.raises(RefusedError, match="BadApplicationSignatureInvalid"):
            await client.activate(*ALICE)
        client.server_nonce = former
        await client.activate(*ALICE)


@pytest.mark.parametrize("nonce", [b"", b"\1" * 31])
async def test_a_session_needs_a_nonce(secured: Connect, nonce: bytes) -> None:
    async with secured() as client:
        await client.greet()
        await client.open()
        with pytest.raises(RefusedError, match="BadNonceInvalid"):
            await client.create_session(ClientNonce=nonce)


async def test_the_certificate_of_the_session_is_the_channels(secured: Connect) -> None:
    async with secured() as client:
        await client.greet()
        await client.open()
        other = certificate_of("other").der
        with pytest.raises(RefusedError, match="BadCertificateInvalid"):
            await client.create_session(ClientCertificate=other)


async def test_a_client_takes_its_session_to_a_new_connection(secured: Connect) -> None:
    async with secured() as old, secured() as new:
        await old.log_in(*ALICE)
        await new.greet()
        await new.open()
        new.token, new.server_nonce = old.token, old.server_nonce
        await new.activate(*ALICE)
        assert await new.read()
        with pytest.raises(RefusedError, match="BadSecureChannelIdInvalid"):
            await old.read()
        await old.close()
        await asyncio.sleep(0.1)
        assert await new.read()  # with asyncua the session ends with its former connection


async def test_nobody_else_takes_a_session_to_another_connection(secured: Connect) -> None:
    async with secured() as alice, secured("thief") as stranger, secured() as bob:
        await alice.log_in(*ALICE)
        for client in (stranger, bob):
            await client.greet()
            await client.open()
            client.token, client.server_nonce = alice.token, alice.server_nonce
        with pytest.raises(RefusedError, match="BadSecurityChecksFailed"):
            await stranger.activate(*ALICE)
        with pytest.raises(RefusedError, match="BadIdentityChangeNotSupported"):
            await bob.activate(*BOB)
        with pytest.raises(RefusedError, match="BadUserAccessDenied"):
            await bob.activate("alice", "wrong")
        assert await alice.read()


async def test_a_session_that_nobody_logged_in_to_does_not_move(secured: Connect) -> None:
    async with secured() as one, secured() as two:
        for client in (one, two):
            await client.greet()
            await client.open()
        await one.create_session()
        two.token, two.server_nonce = one.token, one.server_nonce
        with pytest.raises(RefusedError, match="BadSessionIdInvalid"):
            await two.activate(*ALICE)


async def test_sessions_of_one_connection_have_their_own_tokens(secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        first = client.token
        await client.create_session()
        await client.activate(*BOB)
        assert await client.read()
        client.token, second = first, client.token
        assert await client.read()
        await client.ask(ua.CloseSessionRequest())
        with pytest.raises(RefusedError, match="BadSessionIdInvalid"):
            await client.read()
        client.token = second
        assert await client.read()


async def test_sessions_that_nobody_logs_in_to_do_not_add_up(secured: Connect) -> None:
    async with secured() as client:
        await client.log_in(*ALICE)
        for _ in range(3 * LIMITS.max_connections):
            kept = client.token
            await client.create_session()
            client.token = kept
        assert await client.read()
        async with secured() as other:
            await other.log_in(*BOB)


async def test_a_user_has_so_many_sessions_and_they_go_on(secured: Connect) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(secured()) for _ in range(LIMITS.max_sessions_per_user + 1)]
        for client in clients[:-1]:
            await client.log_in(*ALICE)
        with pytest.raises(RefusedError, match="BadTooManySessions"):
            await clients[-1].log_in(*ALICE)
        for client in clients[:-1]:
            assert await client.read()
        await clients[-1].create_session()
        await clients[-1].activate(*BOB)


async def test_a_client_that_lost_its_connection_makes_room_for_itself(secured: Connect) -> None:
    for _ in range(3 * LIMITS.max_sessions_per_user):
        async with secured() as client:
            await client.log_in(*ALICE)
            request = ua.CreateSubscriptionRequest()
            request.Parameters.RequestedPublishingInterval = 1000
            await client.ask(request)
        await asyncio.sleep(0.05)
