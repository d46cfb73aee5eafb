"""What the endpoint tells the agent's own page: who is logged in, who may be, and where each value is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss

from edge_agent.items import ITEMS, heater_items, read
from edge_agent.model import Choice
from edge_agent.secret import Secret
from edge_agent.sinks.opcua import OpcUaUser
from edge_agent.sinks.opcua.space.address_space import MACHINES
from tests.endpoint import DEVICE, Bench
from tests.integration.endpoint import CLIENT_URI, client_certificate
from tests.observations import observation

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # asyncua's client drops its own sockets

PASSWORD = "correct horse"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    users = (OpcUaUser(name="scada", password=Secret(PASSWORD)),)
    made = Bench(tmp_path, anonymous=True, users=users, mes_ids=frozenset({2, 1}))
    made.store.publish(observation())
    assert made.sink.clients == ()
    async with made.running():
        yield made


async def test_every_node_id_leads_to_the_items_own_value(bench: Bench) -> None:
    shown = observation()
    items = [*ITEMS, *heater_items("bed"), *heater_items("tool0")]
    async with bench.client() as client:
        assert await named(client, bench.sink.node_id("mark-one", None)).read_browse_name()
        for item in items:
            node_id = bench.sink.node_id("mark-one", item)
            told = await named(client, node_id).read_data_value(raise_on_bad_status=False)
            reading = read(item, shown)
            assert told.StatusCode is not None
            assert told.StatusCode.is_good() is reading.quality.usable, node_id
            value: Any = told.Value.Value if told.Value else None
            text = getattr(value, "Text", value)
            if isinstance(reading.value, Choice):
                assert text in {reading.value.label, reading.value.value}, node_id  # an enumeration is a number
            elif isinstance(reading.value, str):
                assert text == reading.value, node_id
            else:
                assert (value is not None) is (reading.value is not None)


def named(client: Client, text: str) -> Any:
    """A node by an id whose namespace is a URI."""
    uri, _, rest = text.removeprefix("nsu=").partition(";")
    assert uri == f"urn:edge-agent:{DEVICE}:machines"
    return client.get_node(f"ns={MACHINES};{rest}")


async def test_who_is_logged_in(bench: Bench) -> None:
    async with bench.client():
        (anonymous,) = bench.sink.clients
        assert (anonymous.user, anonymous.encrypted, anonymous.address) == ("", False, "127.0.0.1")
    client = bench.client()
    client.name, client.application_uri = "Line 1", CLIENT_URI
    certificate, key = client_certificate(bench.folder)
    mode = ua.MessageSecurityMode.SignAndEncrypt
    await client.set_security(SecurityPolicyAes256Sha256RsaPss, str(certificate), str(key), mode=mode)
    client.set_user("scada")
    client.set_password(PASSWORD)
    async with client:
        subscription = await client.create_subscription(1000, Silent())
        await subscription.subscribe_data_change(named(client, bench.sink.node_id("mark-one", ITEMS[0])))
        (told,) = bench.sink.clients
    assert (told.application, told.user, told.encrypted) == ("Line 1", "scada", True)
    assert (told.subscriptions, told.monitored_items) == (1, 1)
    assert told.since is not None
    assert not bench.sink.clients
    assert PASSWORD not in repr(told)


class Silent:
    """Is told nothing it would have to keep."""

    def datachange_notification(self, *_: object) -> None:
        """Forget it."""


async def test_who_may_log_in_and_whose_machines_they_see(bench: Bench) -> None:
    assert bench.sink.users == {"mes-1": frozenset({1}), "mes-2": frozenset({2}), "scada": None}
