"""The far end: an OPC UA client that sees what an MES would see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from asyncua import Client, ua
from asyncua.crypto import cert_gen
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from msgspec import Struct

from .agent import PASSWORD, AgentProcess

PUBLISHING_MS = 100
CLIENT_URI = "urn:edge-agent:test-client"


class Change(Struct, frozen=True):
    """One notification: ``arrived`` is monotonic seconds at the client."""

    path: str
    value: Any
    status: str
    source_time: datetime | None
    arrived: float


class Endpoint:
    """A client's session, with a subscription to every variable of the machines it watches."""

    def __init__(self, agent: AgentProcess, *, anonymous: bool = False, user: str = "reader") -> None:
        self._agent = agent
        self._anonymous = anonymous
        self.client = Client(f"opc.tcp://127.0.0.1:{agent.port}", timeout=10)
        if not anonymous:
            self.client.set_user(user)
            self.client.set_password(PASSWORD)
        self.changes: list[Change] = []
        self._latest: dict[str, Change] = {}
        self._arrived = asyncio.Event()
        self._paths: dict[ua.NodeId, str] = {}
        self._subscription: Any = None

    async def __aenter__(self) -> Self:
        if not self._anonymous:
            certificate, key = await asyncio.to_thread(client_certificate, self._agent.folder)
            self.client.application_uri = CLIENT_URI
            await self.client.set_security(
                SecurityPolicyBasic256Sha256, str(certificate), str(key), mode=ua.MessageSecurityMode.SignAndEncrypt
            )
        await self.client.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.client.disconnect()
        except Exception:
            if error is None:
                raise

    @property
    async def machines_index(self) -> int:
        """Index of the namespace the machines are in."""
        uris = await self.client.get_namespace_array()
        return next(index for index, uri in enumerate(uris) if uri.endswith(":machines"))

    async def node_id(self, path: str) -> ua.NodeId:
        """The NodeId of ``<machine id>/<BrowseNames>``."""
        return ua.NodeId(path, await self.machines_index)  # type: ignore[arg-type]

    async def read(self, path: str) -> ua.DataValue:
        """One value with its status, read now."""
        node = self.client.get_node(await self.node_id(path))
        return await node.read_data_value(raise_on_bad_status=False)

    async def machine_ids(self) -> list[str]:
        """The BrowseNames below ``Objects/Machines``."""
        uris = await self.client.get_namespace_array()
        folder = self.client.get_node(ua.NodeId(1001, uris.index("http://opcfoundation.org/UA/Machinery/")))  # type: ignore[arg-type]
        return [(await child.read_browse_name()).Name for child in await folder.get_children(ua.ObjectIds.Organizes)]

    async def watch(self, machine_id: str) -> None:
        """Subscribe to every variable of a machine (again, if it has got new ones)."""
        if self._subscription is None:
            self._subscription = await self.client.create_subscription(PUBLISHING_MS, self)
        root = self.client.get_node(await self.node_id(machine_id))
        nodes = [node for node in await _variables(root) if node.nodeid not in self._paths]
        for node in nodes:
            self._paths[node.nodeid] = str(node.nodeid.Identifier)
        if nodes:
            await self._subscription.subscribe_data_change(nodes)

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        """Called by the subscription."""
        sent: ua.DataValue = data.monitored_item.Value
        change = Change(
            path=self._paths[node.nodeid],
            value=value,
            status=sent.StatusCode.name if sent.StatusCode else "Good",
            source_time=sent.SourceTimestamp,
            arrived=time.monotonic(),
        )
        self.changes.append(change)
        self._latest[change.path] = change
        self._arrived.set()

    def status_change_notification(self, status: Any) -> None:
        """Called by the subscription."""

    async def until(self, path: str, wanted: Any, *, status: str = "Good", within_s: float = 10.0) -> Change:
        """Wait until a watched value is ``wanted`` (a value, or a predicate of it) with this status."""
        fits: Callable[[Any], bool] = wanted if callable(wanted) else lambda value: bool(value == wanted)
        try:
            async with asyncio.timeout(within_s):
                while True:
                    latest = self._latest.get(path)
                    if latest is not None and latest.status == status and fits(latest.value):
                        return latest
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(
                f"{path} is {self._latest.get(path)}, not {wanted} ({status}) after {within_s} s; agent's log:\n"
                + self._agent.log[-3000:]
            ) from None


async def _variables(node: Any) -> list[Any]:
    """Every variable below a node, each once: some have two parents."""
    found: dict[ua.NodeId, Any] = {}
    for child in await node.get_children():
        if child.nodeid.NamespaceIndex == 0:
            continue
        if await child.read_node_class() is ua.NodeClass.Variable:
            found[child.nodeid] = child
        found |= {below.nodeid: below for below in await _variables(child)}
    return list(found.values())


def client_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate of the client, made once per folder."""
    certificate, key = folder / "client.der", folder / "client.pem"
    if not certificate.exists():
        private_key = cert_gen.generate_private_key()
        made = cert_gen.generate_self_signed_app_certificate(
            private_key,
            "test client",
            {},
            [x509.UniformResourceIdentifier(CLIENT_URI)],
            [ExtendedKeyUsageOID.CLIENT_AUTH],
        )
        key.write_bytes(cert_gen.dump_private_key_as_pem(private_key))
        certificate.write_bytes(made.public_bytes(Encoding.DER))
    return certificate, key


def age_s(change: Change) -> float:
    """How old a value's source timestamp is now."""
    assert change.source_time is not None
    return (datetime.now(UTC) - change.source_time).total_seconds()
