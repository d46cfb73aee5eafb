"""Who is not let in is told as an audit event: through node-opcua, once as the one and once as who watches."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .node_client import NodeClient, RefusedError
from .shop import Shop, log_in

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(90)]

SERVER, AUDIT_EVENT, ACTIVATION = "ns=0;i=2253", "ns=0;i=2052", "ns=0;i=2075"
FIELDS = [
    "EventType", "SourceName", "Message", "Severity", "ActionTimeStamp", "Status", "StatusCodeId", "ServerId",
    "ClientUserId", "SessionId", "SecureChannelId", "UserIdentityToken", "ClientCertificateThumbprint", "SecurityMode",
]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stranger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeClient]:
    async with NodeClient(tmp_path_factory.mktemp("stranger")) as running:
        yield running


async def test_a_wrong_password_is_told_with_its_channel_and_session(
    shop: Shop, mes: NodeClient, stranger: NodeClient
) -> None:
    assert await mes.command("subscribeEvents", nodeId=SERVER, fields=FIELDS, ofType=AUDIT_EVENT, interval=50) == "Good"
    with pytest.raises(RefusedError, match="BadUserAccessDenied"):
        await log_in(stranger, shop.agent, user="reader", password="nearly")
    failed = await mes.event(lambda event: event["EventType"] == ACTIVATION)
    assert (failed["SourceName"], failed["Status"], failed["Severity"]) == ("Session/ActivateSession", False, 500)
    assert failed["Message"]["text"] == '"reader" from 127.0.0.1 was not let in: wrong password'
    assert failed["ClientUserId"] == failed["UserIdentityToken"]["userName"] == "reader"
    assert failed["UserIdentityToken"]["type"] == "UserNameIdentityToken"
    assert failed["UserIdentityToken"]["password"] is None
    assert failed["ServerId"].startswith("urn:edge-agent:")
    before = [event for event in mes.events if event["SecureChannelId"] == failed["SecureChannelId"]]
    assert [event["SourceName"] for event in before[:2]] == ["SecureChannel/OpenSecureChannel", "Session/CreateSession"]
    assert before[1]["SessionId"] == failed["SessionId"]
    assert len(before[0]["ClientCertificateThumbprint"]) == 40
    assert "nearly" not in repr(mes.events)
