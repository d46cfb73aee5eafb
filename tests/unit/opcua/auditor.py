"""Somebody who watches the door: a client that is told every audit event, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss

from tests.endpoint import Bench
from tests.integration.endpoint import CLIENT_URI, client_certificate

FIELDS = [
    "EventId", "EventType", "SourceNode", "SourceName", "Time", "ReceiveTime", "Message", "Severity", "ActionTimeStamp",
    "Status", "ServerId", "ClientAuditEntryId", "ClientUserId", "ClientApplicationUri", "StatusCodeId",
    "SecureChannelId", "ClientCertificate", "ClientCertificateThumbprint", "RequestType", "SecurityPolicyUri",
    "SecurityMode", "RequestedLifetime", "CertificateErrorEventId", "SessionId", "RevisedSessionTimeout",
    "ClientSoftwareCertificates", "UserIdentityToken", "Certificate", "InvalidHostname", "InvalidUri",
]  # fmt: skip
OPENED, CREATED, ACTIVATED = "SecureChannel/OpenSecureChannel", "Session/CreateSession", "Session/ActivateSession"
CLOSED, CHANNEL_CLOSED, CERTIFICATE = "Session/CloseSession", "SecureChannel/CloseSecureChannel", "Security/Certificate"
_TIMEOUT_S = 5.0

Event = dict[str, Any]


class Auditor:
    """What a subscription to the Server object brings."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._more = asyncio.Event()

    def event_notification(self, event: Any) -> None:
        """Keep it."""
        self.events.append({name: getattr(event, name) for name in FIELDS})
        self._more.set()

    async def told(self, source: str, matches: Callable[[Event], bool] = lambda _: True) -> Event:
        """The first event of a source, which may still be on its way."""
        async with asyncio.timeout(_TIMEOUT_S):
            while True:
                self._more.clear()
                found = [event for event in self.events if event["SourceName"] == source and matches(event)]
                if found:
                    return found[0]
                await self._more.wait()

    def sources(self) -> list[str]:
        """Where the events came from, in order."""
        return [event["SourceName"] for event in self.events]


async def client_of(bench: Bench, user: str, password: str) -> Client:
    """A client that is not connected yet."""
    client = bench.client()
    client.application_uri = CLIENT_URI
    certificate, key = await asyncio.to_thread(client_certificate, bench.folder)
    await client.set_security(SecurityPolicyAes256Sha256RsaPss, str(certificate), str(key))
    client.set_user(user)
    client.set_password(password)
    return client


async def watch(client: Client) -> Auditor:
    """Subscribe to everything that the Server object tells."""
    auditor = Auditor()
    subscription = await client.create_subscription(50, auditor)
    kind: Any = ua.ObjectIds.BaseEventType
    clauses = [
        ua.SimpleAttributeOperand(ua.NodeId(kind), [ua.QualifiedName(name)], ua.AttributeIds.Value) for name in FIELDS
    ]
    await subscription.subscribe_events(client.nodes.server, evfilter=ua.EventFilter(clauses), queuesize=1000)
    return auditor


@asynccontextmanager
async def watching(bench: Bench, user: str, password: str) -> AsyncIterator[Auditor]:
    """A user who is logged in, and subscribed."""
    async with await client_of(bench, user, password) as client:
        yield await watch(client)
