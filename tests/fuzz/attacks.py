"""Ways to exhaust the endpoint, in a process of their own: ``python -m tests.fuzz.attacks NAME COUNT PORT SECONDS``."""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from tests.opcua_wire import EndedError, RefusedError, WireClient, connected

ATTACKER = "127.0.0.2"
Attack = Callable[[WireClient], Awaitable[None]]


async def frames_of(client: WireClient, *, size: int = 60_000) -> None:
    """Chunks of a request that never ends."""
    await client.greet()
    await client.open()
    token = client.codec.security_token
    for number in range(client.codec._sequence_number + 1, 2**31):
        head = struct.pack("<IIII", token.ChannelId, token.TokenId, number, 9)
        await client.send(b"MSGC" + struct.pack("<I", size) + head + b"\0" * (size - 24))


async def almost_a_chunk(client: WireClient) -> None:
    await client.greet()
    await client.open()
    await client.send(b"MSGF" + struct.pack("<I", 65535) + b"\0" * 65_000)
    await asyncio.sleep(60)


async def four_gigabytes(client: WireClient) -> None:
    await client.send(b"HELF" + struct.pack("<I", 2**32 - 1))
    while True:
        await client.send(b"\0" * 65536)


async def silence(_: WireClient) -> None:
    await asyncio.sleep(60)


async def a_byte_a_second(client: WireClient) -> None:
    await client.greet()
    for byte in client.opening():
        await client.send(bytes([byte]))
        await asyncio.sleep(1.0)


async def endpoints_unread(client: WireClient) -> None:
    """Asks without end, and reads nothing."""
    await client.greet()
    await client.open()
    while True:
        client.writer.write(client.message(ua.GetEndpointsRequest()))
        await client.writer.drain()


async def big_read(client: WireClient) -> None:
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(ua.NodeId(cast("Any", 2255)), ua.AttributeIds.Value)] * 1000
    await client.send(client.message(request))


async def reads_unread(client: WireClient) -> None:
    await client.log_in()
    while True:
        await big_read(client)


async def sessions(client: WireClient) -> None:
    await client.greet()
    await client.open()
    while True:
        client.token = ua.NodeId()
        with suppress(RefusedError):
            await client.create_session()


async def channels(client: WireClient) -> None:
    await client.greet()
    await client.open()
    while True:
        await client.open(request_type=ua.SecurityTokenRequestType.Renew)


async def empty_variants(client: WireClient) -> None:
    """A megabyte that would become hundreds."""
    await client.log_in()
    call = ua.FourByteNodeId(cast("Any", ua.ObjectIds.CallRequest_Encoding_DefaultBinary))
    header = struct_to_binary(ua.RequestHeader(AuthenticationToken=client.token))
    body = struct.pack("<i", 1) + b"\0\1\0\2" + struct.pack("<i", 900_000) + b"\0" * 900_000
    encoded = ua.ua_binary.nodeid_to_binary(call) + header + body
    while True:
        client.last_request += 1
        await client.send(client.codec.message_to_binary(encoded, request_id=client.last_request))
        await client.answer()


async def publishes(client: WireClient) -> None:
    await client.log_in()
    request = ua.CreateSubscriptionRequest()
    request.Parameters.RequestedPublishingInterval = cast("Any", 1000)
    await client.ask(request)
    while True:
        await client.send(client.message(ua.PublishRequest()))


async def subscriptions(client: WireClient) -> None:
    await client.log_in()
    while True:
        request = ua.CreateSubscriptionRequest()
        request.Parameters.RequestedPublishingInterval = cast("Any", 50)
        with suppress(RefusedError):
            await client.ask(request)


async def again_and_again(port: int, attack: Attack, until: float) -> None:
    while time.monotonic() < until:
        with suppress(OSError, EndedError, TimeoutError, RefusedError):
            async with connected(port, address=ATTACKER) as client, asyncio.timeout_at(_loop_time(until)):
                await attack(client)
        await asyncio.sleep(0)


def _loop_time(until: float) -> float:
    return asyncio.get_running_loop().time() + until - time.monotonic()


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        four_gigabytes,
        almost_a_chunk,
        frames_of,
        silence,
        a_byte_a_second,
        endpoints_unread,
        reads_unread,
        sessions,
        channels,
        empty_variants,
        publishes,
        subscriptions,
    )
}


async def main(name: str, attackers: int, port: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(again_and_again(port, ATTACKS[name], until) for _ in range(attackers)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
