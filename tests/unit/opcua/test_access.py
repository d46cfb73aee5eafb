"""Who gets in, seen by a client; and what becomes of those who are in when passwords and certificates change."""

from __future__ import annotations

import asyncio
import logging
import stat
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss
from asyncua.ua.uaerrors import BadSecurityChecksFailed, BadUserAccessDenied, UaError
from cryptography import x509
from msgspec.structs import replace

from edge_agent.errors import UnavailableError
from edge_agent.secret import Secret
from edge_agent.sinks.opcua import ClientCertificates, OpcUaOptions, OpcUaUser, access
from edge_agent.sinks.opcua.security.credentials import Credentials
from edge_agent.sinks.opcua.security.trust_folder import Place, TrustFolder
from tests.endpoint import DEVICE, Bench
from tests.integration.endpoint import CLIENT_URI, client_certificate
from tests.observations import MACHINE, observation

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # asyncua's client drops its own sockets when a server refuses it
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PASSWORD = "correct horse"
SCADA = OpcUaUser(name="scada", password=Secret(PASSWORD))
STATUS = "ns=13;s=mark-one/MesStatus"
STATE = ua.ObjectIds.Server_ServerStatus_State


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def open_bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with Bench(tmp_path_factory.mktemp("opcua"), anonymous=True, users=(SCADA,)).running() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """An endpoint as it is by default; its machine is of MES instances 1 and 2."""
    made = Bench(tmp_path_factory.mktemp("opcua"), users=(SCADA,), mes_ids=frozenset({1, 2, 3}))
    made.store.publish(observation())
    async with made.running():
        yield made


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at now and then is looked at whenever the store changes."""
    monkeypatch.setattr(access, "_USERS_EVERY_S", 0.0)
    monkeypatch.setattr(access, "_CERTIFICATE_EVERY_S", 0.0)


async def as_user(bench: Bench, name: str, password: str) -> Client:
    client = bench.client()
    client.application_uri = CLIENT_URI
    certificate, key = client_certificate(bench.folder)
    await client.set_security(SecurityPolicyAes256Sha256RsaPss, str(certificate), str(key))
    client.set_user(name)
    client.set_password(password)
    return client


def password_of(bench: Bench, name: str) -> str:
    return Credentials(bench.folder).passwords()[name].reveal()


async def gets_in(client: Client) -> bool:
    try:
        async with client:
            return True
    except UaError:
        return False


async def change_and_look(bench: Bench, change: Callable[[], object] = lambda: None) -> None:
    """Let the sink take a look, as it does every few seconds."""
    await asyncio.to_thread(change)
    bench.store.publish(replace(observation(), poll_interval_s=2.0 + len(bench.store.observations())))
    bench.store.publish(observation())
    for _ in range(20):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["admin", "Admin", "root", "mes-1", "mes-4", "scada", "anonymous"])
@pytest.mark.parametrize("password", ["", "anything"])
async def test_nobody_gets_in_by_a_name(open_bench: Bench, name: str, password: str) -> None:
    client = open_bench.client()
    client.set_user(name)
    client.set_password(password)
    assert not await gets_in(client)


@pytest.mark.parametrize("name", ["admin", "mes-1", "scada"])
async def test_nobody_gets_in_by_a_name_on_an_encrypted_channel(bench: Bench, name: str) -> None:
    assert not await gets_in(await as_user(bench, name, "anything"))


async def test_anonymous_clients_are_refused_unless_configured(bench: Bench, open_bench: Bench) -> None:
    assert not await gets_in(bench.client())
    assert await gets_in(open_bench.client())


async def test_an_anonymous_client_is_refused_on_an_encrypted_channel_too(bench: Bench) -> None:
    client = await as_user(bench, "", "")
    client._username = None
    assert not await gets_in(client)


async def test_even_the_right_password_is_refused_on_a_channel_that_is_not_encrypted(
    bench: Bench, open_bench: Bench
) -> None:
    for each in (bench, open_bench):
        client = each.client()
        client.set_user("scada")
        client.set_password(PASSWORD)
        assert not await gets_in(client)


async def test_users_get_in_with_their_password_and_see_what_is_theirs(bench: Bench) -> None:
    for name, password, seen in (
        ("scada", PASSWORD, True),
        ("mes-1", password_of(bench, "mes-1"), True),
        ("mes-3", password_of(bench, "mes-3"), False),
    ):
        async with await as_user(bench, name, password) as client:
            value = await client.get_node(STATUS).read_data_value(raise_on_bad_status=False)
            assert (value.StatusCode is None or value.StatusCode.is_good()) == seen, name


async def test_nobody_may_become_an_administrator(bench: Bench) -> None:
    for name, password in (("scada", PASSWORD), ("mes-1", password_of(bench, "mes-1"))):
        async with await as_user(bench, name, password) as client:
            with pytest.raises(BadUserAccessDenied):
                await client.get_node(STATUS).write_value("Idle")
            with pytest.raises(UaError):
                await client.nodes.objects.add_object(ua.NodeId("planted", 13), "planted")  # type: ignore[arg-type]


async def test_only_encrypted_endpoints_and_passwords_are_offered_by_default(bench: Bench) -> None:
    endpoints = await bench.client().connect_and_get_server_endpoints()
    assert len(endpoints) == 3
    assert {endpoint.SecurityMode for endpoint in endpoints} == {ua.MessageSecurityMode.SignAndEncrypt}
    for endpoint in endpoints:
        assert [token.TokenType for token in endpoint.UserIdentityTokens] == [ua.UserTokenType.UserName]
        assert endpoint.Server.ApplicationUri == f"urn:edge-agent:{DEVICE}"
        assert endpoint.Server.ApplicationType is ua.ApplicationType.Server


async def test_no_password_is_asked_for_where_it_would_not_be_encrypted(open_bench: Bench) -> None:
    endpoints = await open_bench.client().connect_and_get_server_endpoints()
    offered = {endpoint.SecurityMode: [t.TokenType for t in endpoint.UserIdentityTokens] for endpoint in endpoints}
    assert offered == {
        ua.MessageSecurityMode.None_: [ua.UserTokenType.Anonymous],
        ua.MessageSecurityMode.SignAndEncrypt: [ua.UserTokenType.Anonymous, ua.UserTokenType.UserName],
    }


async def test_a_new_password_ends_the_sessions_of_the_old_one_and_no_others(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    old = await as_user(bench, "mes-1", password_of(bench, "mes-1"))
    other = await as_user(bench, "mes-2", password_of(bench, "mes-2"))
    async with other:
        await old.connect()
        await change_and_look(bench)
        await old.get_node(STATE).read_value()
        await change_and_look(bench, lambda: Credentials(bench.folder).rotate("mes-1"))
        with pytest.raises((UaError, ConnectionError)):
            await old.get_node(STATE).read_value()
        await other.get_node(STATE).read_value()
    assert [message for message in caplog.messages if "is ended" in message] == [
        'a session of "mes-1" is ended: the user or its password is no longer valid'
    ]
    old.disconnect_socket()
    assert await gets_in(await as_user(bench, "mes-1", password_of(bench, "mes-1")))


async def test_who_is_no_longer_in_the_file_is_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path, users=(SCADA,), mes_ids=frozenset({1}))
    bench.store.publish(observation())
    async with bench.running():
        scada = await as_user(bench, "scada", PASSWORD)
        mes = await as_user(bench, "mes-1", password_of(bench, "mes-1"))
        for client in (scada, mes):
            await client.connect()
        await bench.sink.apply(replace(bench.sink._options, users=(), mes_ids=frozenset({2}), anonymous=True))
        await change_and_look(bench)
        for client in (scada, mes):
            with pytest.raises((UaError, ConnectionError)):
                await client.get_node(STATE).read_value()
            client.disconnect_socket()
        assert not await gets_in(await as_user(bench, "scada", PASSWORD))
        assert not await gets_in(bench.client()), "a reload opens nothing"
        assert await gets_in(await as_user(bench, "mes-2", password_of(bench, "mes-2")))


async def test_passwords_that_cannot_be_made_at_a_reload_harm_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    async with await as_user(bench, "scada", PASSWORD) as client:
        with monkeypatch.context() as patch:
            patch.setattr("edge_agent.sinks.opcua.security.credentials.write_private", full)
            await bench.sink.apply(replace(bench.sink._options, mes_ids=frozenset({1, 2, 3, 9})))
        await change_and_look(bench)
        await client.get_node(STATE).read_value()
    assert "new MES instances cannot log in" in caplog.text


async def test_an_anonymous_session_ends_when_the_endpoint_is_closed_by_a_reload(tmp_path: Path) -> None:
    bench = Bench(tmp_path, anonymous=True)
    async with bench.running():
        client = bench.client()
        await client.connect()
        before = bench.sink.open_to_all
        await bench.sink.apply(replace(bench.sink._options, anonymous=False))
        assert (before, bench.sink.open_to_all) == (True, False)
        await change_and_look(bench)
        with pytest.raises((UaError, ConnectionError)):
            await client.get_node(STATE).read_value()
        client.disconnect_socket()
        assert not await gets_in(bench.client())


async def test_only_trusted_certificates_open_a_channel_and_changes_count_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, users=(SCADA,), client_certificates=ClientCertificates.TRUSTED)
    async with bench.running():
        folder = TrustFolder(tmp_path / "pki")
        with pytest.raises(BadSecurityChecksFailed):
            async with await as_user(bench, "scada", PASSWORD):
                pass
        [stranger] = folder.read(Place.REJECTED)
        folder.approve(stranger)
        assert await gets_in(await as_user(bench, "scada", PASSWORD))
        client = await as_user(bench, "scada", PASSWORD)
        client.application_uri = "urn:somebody:else"
        assert not await gets_in(client)
        folder.revoke(stranger)
        assert not await gets_in(await as_user(bench, "scada", PASSWORD))


@pytest.mark.parametrize(("was", "will_be", "is_now"), [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 0)])
async def test_a_reload_opens_nothing(was: int, will_be: int, is_now: int) -> None:
    before, after = (OpcUaOptions(anonymous=bool(anonymous), port=4840 + anonymous) for anonymous in (was, will_be))
    now = before.reloaded(replace(after, users=(SCADA,), mes_ids=frozenset({7})))
    assert now == replace(before, users=(SCADA,), mes_ids=frozenset({7}), anonymous=bool(is_now))


async def test_trust_becomes_stricter_by_a_reload_and_not_laxer(bench: Bench) -> None:
    before = bench.sink._options
    try:
        await bench.sink.apply(replace(before, client_certificates=ClientCertificates.TRUSTED))
        assert not await gets_in(await as_user(bench, "scada", PASSWORD))
        await bench.sink.apply(replace(before, client_certificates=ClientCertificates.ANY))
        assert not await gets_in(await as_user(bench, "scada", PASSWORD))
    finally:
        bench.sink._options = before


async def test_a_certificate_is_renewed_while_clients_are_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, users=(SCADA,))
    bench.store.publish(observation())

    async def shown() -> tuple[set[bytes], x509.Certificate]:
        endpoints = await bench.client().connect_and_get_server_endpoints()
        found = {bytes(endpoint.ServerCertificate or b"") for endpoint in endpoints}
        return found, x509.load_der_x509_certificate(next(iter(found)))

    async with bench.running():
        first, made = await shown()
        async with await as_user(bench, "scada", PASSWORD) as client:
            later = made.not_valid_after_utc - timedelta(days=10)
            monkeypatch.setattr(bench.sink._access._own, "_now", lambda: later)
            await change_and_look(bench)
            await asyncio.sleep(0.2)
            await client.get_node(STATE).read_value()
            second, renewed = await shown()
            assert len(second) == 1
            assert second != first
            assert renewed.not_valid_after_utc == later + timedelta(days=3650)
            assert await gets_in(await as_user(bench, "scada", PASSWORD)), "with the new one"
        assert (tmp_path / "pki" / "certificate.der").read_bytes() in second


async def test_the_endpoint_opens_when_the_clock_has_been_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path, anonymous=True)
    own: Any = bench.sink._access._own
    monkeypatch.setattr(own, "_now", lambda: datetime(1970, 1, 1, tzinfo=UTC))
    task = asyncio.ensure_future(bench.sink.run(bench.store))
    try:
        await asyncio.wait_for(bench.sink.settled.wait(), 10)
        assert not bench.sink.ready.is_set()
        with pytest.raises(OSError):  # noqa: PT011 - refused, reset: whatever a closed port says
            await asyncio.open_connection("127.0.0.1", bench.sink.port)
        monkeypatch.setattr(own, "_now", lambda: datetime.now(UTC))
        await asyncio.wait_for(bench.sink.ready.wait(), 10)
        assert await gets_in(bench.client())
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert caplog.text.count("which cannot be") == 1


async def test_the_state_folder_is_for_its_owner_only(bench: Bench) -> None:
    for name in ("pki/private-key.pem", "pki/certificate.der", "users.json", "passwords.json"):
        assert stat.S_IMODE((bench.folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((bench.folder / "pki").stat().st_mode) == 0o700


async def test_damaged_certificate_files_end_the_start_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    for name in ("certificate.der", "private-key.pem"):
        (tmp_path / "pki" / name).write_bytes(b"cut off")
    with pytest.raises(UnavailableError, match="its files are damaged; restore them"):
        async with Bench(tmp_path, anonymous=True).running():
            pass
    assert (tmp_path / "pki" / "certificate.der").read_bytes() == b"cut off"  # not ours to delete


async def test_a_damaged_users_file_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text("{")
    with pytest.raises(UnavailableError, match=r"users\.json is damaged; restore"):
        async with Bench(tmp_path, mes_ids=frozenset({1})).running():
            pass


async def test_a_lock_is_logged_with_the_address_and_leaves_sessions_alone(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.attempts.FIRST_DELAY_S", 0.01)
    password = password_of(bench, "mes-2")
    with caplog.at_level(logging.WARNING):
        async with await as_user(bench, "mes-2", password) as client:
            for _ in range(6):
                assert not await gets_in(await as_user(bench, "mes-2", "wrong"))
            assert not await gets_in(await as_user(bench, "mes-2", password))
            await client.get_node(STATE).read_value()
            await client.activate_session("mes-2", password)
            await client.get_node(STATE).read_value()
            assert await gets_in(await as_user(bench, "scada", PASSWORD))
    locks = [message for message in caplog.messages if "too many wrong passwords" in message]
    assert locks == ['log-ins of "mes-2" from 127.0.0.1 are refused for 30 s: too many wrong passwords']
    assert MACHINE.id not in caplog.text
