"""Certificates that are refused are told with the reason, which the client is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import x509_from_der

from edge_agent.secret import Secret
from edge_agent.sinks.opcua.options import ClientCertificates, OpcUaUser
from tests.certificates import Issued, issue
from tests.endpoint import Bench
from tests.integration.endpoint import client_certificate
from tests.opcua_wire import EndedError, WireClient, connected

from .auditor import CERTIFICATE, CREATED, OPENED, Auditor, watching

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # asyncua's client drops its own sockets
]

ALICE = ("alice", "correct horse")
NOW = datetime.now(UTC)
KNOWN = issue("known", at=NOW, uri="urn:known")
LATE = issue("late", at=NOW - timedelta(days=2), days=1, uri="urn:late")
STRANGER = issue("stranger", at=NOW, uri="urn:stranger")
THIEF = issue("thief", at=NOW, uri="urn:thief")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    folder = tmp_path_factory.mktemp("opcua")
    own, _ = await asyncio.to_thread(client_certificate, folder)
    await asyncio.to_thread(trust, folder, own)
    user = OpcUaUser(name=ALICE[0], password=Secret(ALICE[1]))
    made = Bench(folder, users=(user,), client_certificates=ClientCertificates.TRUSTED)
    async with made.running():
        yield made


def trust(folder: Path, own: Path) -> None:
    for place, certificates in {"trusted": (KNOWN, LATE, THIEF), "revoked": (THIEF,)}.items():
        (folder / "pki" / place).mkdir(parents=True, exist_ok=True)
        for each in certificates:
            (folder / "pki" / place / f"{each.name}.der").write_bytes(each.der)
    (folder / "pki" / "trusted" / "auditor.der").write_bytes(own.read_bytes())


@pytest_asyncio.fixture(loop_scope="module")
async def auditor(bench: Bench) -> AsyncIterator[Auditor]:
    async with watching(bench, *ALICE) as made:
        yield made


async def knock(bench: Bench, own: Issued, *, uri: str) -> str:
    """The status code that the client is told."""
    async with connected(bench.sink.port) as asking:
        await asking.greet()
        await asking.open()
        server: Any = (await asking.ask(ua.GetEndpointsRequest())).Endpoints[0].ServerCertificate
    made: Any = SecurityPolicyBasic256Sha256
    policy = made(x509_from_der(server), own.certificate, own.key, ua.MessageSecurityMode.SignAndEncrypt)  # type: ignore[no-untyped-call]
    async with connected(bench.sink.port, policy=policy) as client:
        with pytest.raises(EndedError) as ended:
            await begin(client, uri)
    return str(ended.value)


async def begin(client: WireClient, uri: str) -> None:
    await client.greet()
    await client.open()
    await client.create_session(ClientDescription=ua.ApplicationDescription(ApplicationUri=uri))


@pytest.mark.parametrize(
    ("own", "told", "event_type", "code"),
    [
        (LATE, "BadCertificateTimeInvalid", 2085, "BadCertificateTimeInvalid"),
        (STRANGER, "BadSecurityChecksFailed", 2087, "BadCertificateUntrusted"),
        (THIEF, "BadSecurityChecksFailed", 2088, "BadCertificateRevoked"),
    ],
    ids=["expired", "untrusted", "revoked"],
)
async def test_a_channel_is_refused_for_a_reason_that_is_told(
    bench: Bench, auditor: Auditor, own: Issued, *, told: str, event_type: int, code: str
) -> None:
    assert await knock(bench, own, uri=f"urn:{own.name}") == told
    refused = await auditor.told(CERTIFICATE)
    opened = await auditor.told(OPENED, lambda event: not event["Status"])
    assert refused["EventType"] == ua.NodeId(event_type)  # type: ignore[arg-type]
    assert refused["StatusCodeId"].name == opened["StatusCodeId"].name == code
    assert refused["Certificate"] == opened["ClientCertificate"] == own.der
    assert opened["CertificateErrorEventId"] == refused["EventId"]
    assert refused["Message"].Text.partition(": ")[2]


async def test_a_session_of_another_application_is_refused_with_the_uri_it_named(
    bench: Bench, auditor: Auditor
) -> None:
    assert await knock(bench, KNOWN, uri="urn:somebody:else") == "BadCertificateUriInvalid"
    mismatch, refused = await auditor.told(CERTIFICATE), await auditor.told(CREATED)
    assert mismatch["EventType"] == ua.NodeId(2082)  # type: ignore[arg-type]
    assert mismatch["InvalidUri"] == refused["ClientApplicationUri"] == "urn:somebody:else"
    assert mismatch["InvalidHostname"] is None
    assert (refused["Status"], refused["SessionId"].is_null()) == (False, True)
    assert refused["ClientCertificate"] == KNOWN.der
