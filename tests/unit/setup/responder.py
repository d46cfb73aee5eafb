"""Somebody who answers mDNS questions, on a port of 127.0.0.1 of its own, rightly or not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from zeroconf import ServiceInfo
from zeroconf._dns import DNSAddress, DNSPointer, DNSService, DNSText
from zeroconf._protocol.incoming import DNSIncoming
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.const import (
    _CLASS_IN,
    _FLAGS_AA,
    _FLAGS_QR_RESPONSE,
    _TYPE_A,
    _TYPE_PTR,
    _TYPE_SRV,
    _TYPE_TXT,
)

SERVICE = "_octoprint._tcp.local."
_TTL_S = 120


def service(
    name: str,
    *,
    port: int = 80,
    addresses: Sequence[str] = ("192.168.1.41",),
    texts: Mapping[str, str] | None = None,
    server: str = "octopi.local.",
) -> ServiceInfo:
    return ServiceInfo(
        SERVICE,
        f"{name}.{SERVICE}",
        port=port,
        addresses=[socket.inet_aton(address) for address in addresses],
        properties=dict(texts or {}),
        server=server,
    )


class Responder(asyncio.DatagramProtocol):
    """Answers each question with all that it knows; ``extra`` are datagrams that it sends besides."""

    def __init__(self, services: Sequence[ServiceInfo], extra: Sequence[bytes] = ()) -> None:
        self.services = services
        self.extra = extra
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        for packet in self.extra:
            self._transport.sendto(packet, addr)
        for info in self.services:
            if _concerns(DNSIncoming(data), info):
                for packet in _answer(info).packets():
                    self._transport.sendto(packet, addr)


def _concerns(question: DNSIncoming, info: ServiceInfo) -> bool:
    return any(one.name in {SERVICE, info.name, info.server} for one in question.questions)


def _answer(info: ServiceInfo) -> DNSOutgoing:
    out = DNSOutgoing(_FLAGS_QR_RESPONSE | _FLAGS_AA)
    server = info.server or ""
    out.add_answer_at_time(DNSPointer(SERVICE, _TYPE_PTR, _CLASS_IN, _TTL_S, info.name), 0)
    srv = DNSService(info.name, _TYPE_SRV, _CLASS_IN, _TTL_S, 0, 0, info.port or 0, server)
    out.add_answer_at_time(srv, 0)
    out.add_answer_at_time(DNSText(info.name, _TYPE_TXT, _CLASS_IN, _TTL_S, info.text), 0)
    for address in info.addresses:
        out.add_answer_at_time(DNSAddress(server, _TYPE_A, _CLASS_IN, _TTL_S, address), 0)
    return out


@asynccontextmanager
async def responding(
    services: Sequence[ServiceInfo], extra: Sequence[bytes] = ()
) -> AsyncIterator[tuple[Responder, int]]:
    """A responder and its port."""
    loop = asyncio.get_running_loop()
    transport, responder = await loop.create_datagram_endpoint(
        lambda: Responder(services, extra), local_addr=("127.0.0.1", 0)
    )
    try:
        yield responder, int(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
