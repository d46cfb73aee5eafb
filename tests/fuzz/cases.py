"""What is sent: one case is a stage that a client gets to, and the bytes it sends then. Findings are kept as JSON."""

from __future__ import annotations

import asyncio
import random
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec
from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary

from tests.fuzz.grammar import Grammar
from tests.opcua_wire import EndedError, RefusedError, WireClient, connected

CORPUS = Path(__file__).parent / "corpus"
STAGES = ("connected", "greeted", "opened", "created", "activated", "subscribed")
SERVICES = sorted(
    name.removesuffix("Request_Encoding_DefaultBinary")
    for name in dir(ua.ObjectIds)
    if name.endswith("Request_Encoding_DefaultBinary")
    and hasattr(ua, name.removesuffix("_Encoding_DefaultBinary"))
    and name != "CloseSecureChannelRequest_Encoding_DefaultBinary"
)
SERVED = ("Read", "Write", "HistoryRead", "Browse", "BrowseNext", "TranslateBrowsePathsToNodeIds", "Call", "Publish",
    "CreateSubscription", "TransferSubscriptions", "DeleteSubscriptions", "SetPublishingMode", "GetEndpoints",
    "CreateSession", "ActivateSession")  # fmt: skip
OF_A_SUBSCRIPTION = ("CreateMonitoredItems", "ModifyMonitoredItems", "DeleteMonitoredItems", "SetMonitoringMode",
    "SetTriggering", "ModifySubscription", "Republish")  # fmt: skip
"""Whose parameters begin with a subscription's id."""
_PATIENCE_S = 1.0


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes to send as they are (``service`` is empty), or a service's parameters, with the end of its header."""

    service: str = ""
    body: bytes = b""
    additional: bytes = b"\0\0\0"
    chunks: int = 1
    own: bool = False
    """It begins with the id of the client's own subscription, whatever that is."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One connection."""

    stage: str
    messages: tuple[Message, ...]
    why: str = ""

    def save(self, why: str) -> Path:
        """Keep it among the regressions."""
        path = CORPUS / f"{abs(hash(self)):016x}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(self, why=why))) + b"\n")
        return path


def kept() -> list[Path]:
    """The regressions."""
    return sorted(CORPUS.glob("*.json"))


def read(path: Path) -> Case:
    """One of them."""
    return msgspec.json.decode(path.read_bytes(), type=Case)


def made_up(chance: random.Random) -> Case:
    """The next case."""
    stage = chance.choice(STAGES + ("activated", "subscribed") * 2)
    grammar = Grammar(chance)
    count = chance.choice((1, 1, 3, 10))
    if stage in {"connected", "greeted"} or chance.random() < 0.1:
        return Case(stage=stage, messages=tuple(Message(body=_raw(grammar)) for _ in range(count)))
    return Case(stage=stage, messages=tuple(_request(grammar, chance) for _ in range(count)))


def _request(grammar: Grammar, chance: random.Random) -> Message:
    service = chance.choice(chance.choice((SERVED, SERVED, OF_A_SUBSCRIPTION, OF_A_SUBSCRIPTION, SERVICES)))
    kind = getattr(ua, f"{service}Parameters", None)
    body = grammar.encoded(kind) if kind else chance.randbytes(8)
    if chance.random() < 0.5:
        body = grammar.damaged(body)
    additional = b"\0\0\0"
    if chance.random() < 0.1:
        additional = grammar.damaged(grammar.encoded(ua.LiteralOperand))
    return Message(
        service=service,
        body=body,
        additional=additional,
        chunks=chance.choice((1, 1, 1, 2, 5)),
        own=chance.random() < 0.8,
    )


def _raw(grammar: Grammar) -> bytes:
    """A chunk that was one once."""
    kind = grammar.chance.choice((b"HELF", b"OPNF", b"MSGF", b"MSGC", b"MSGA", b"CLOF", b"ERRF"))
    body = {
        b"HELF": lambda: struct_to_binary(grammar.structure(ua.Hello)),
        b"OPNF": lambda: (
            struct.pack("<I", 0)
            + struct_to_binary(ua.AsymmetricAlgorithmHeader())
            + struct.pack("<II", 1, 1)
            + grammar.encoded(ua.OpenSecureChannelRequest)
        ),
    }.get(kind, lambda: struct.pack("<IIII", 6, 1, grammar.chance.randrange(5), 1) + grammar.chance.randbytes(30))()
    if grammar.chance.random() < 0.7:
        body = grammar.damaged(body)
    size = len(body) + 8 if grammar.chance.random() < 0.9 else grammar.chance.choice((0, 7, 12, 65535, 2**32 - 1))
    return kind + struct.pack("<I", size) + body


async def reach(client: WireClient, stage: str) -> None:
    """Get as far as this."""
    steps = STAGES.index(stage)
    if steps >= 1:
        await client.greet()
    if steps >= 2:
        await client.open()
    if steps >= 3:
        await client.create_session()
    if steps >= 4:
        await client.activate()
    if steps >= 5:
        request = ua.CreateSubscriptionRequest()
        request.Parameters.RequestedPublishingInterval = cast("Any", 50.0)
        request.Parameters.PublishingEnabled = cast("Any", True)
        client.subscription = (await client.ask(request)).Parameters.SubscriptionId
        await client.send(client.message(ua.PublishRequest()))


def frames(client: WireClient, message: Message) -> bytes:
    """The bytes that go out."""
    if not message.service:
        return message.body
    number = getattr(ua.ObjectIds, f"{message.service}Request_Encoding_DefaultBinary")
    client.last_request += 1
    header = ua.RequestHeader(AuthenticationToken=client.token, RequestHandle=cast("Any", client.last_request))
    body = message.body
    if message.own and message.service in OF_A_SUBSCRIPTION:
        body = struct.pack("<I", client.subscription) + body[4:]
    encoded = nodeid_to_binary(ua.FourByteNodeId(cast("Any", number)))
    encoded += struct_to_binary(header)[:-3] + message.additional + body
    client.codec._limits.max_send_buffer = max(len(encoded) // message.chunks + 64, 64)
    return client.codec.message_to_binary(encoded, request_id=client.last_request)


async def run(case: Case, port: int, *, address: str) -> None:
    """Send a case, and take what comes for as long as the connection lives or something comes."""
    with suppress(OSError, EndedError, RefusedError, TimeoutError):
        async with connected(port, address=address) as client, asyncio.timeout(_PATIENCE_S * 5):
            await reach(client, case.stage)
            for message in case.messages:
                await client.send(frames(client, message))
            expected = sum(1 for message in case.messages if message.service)
            for _ in range(expected):
                async with asyncio.timeout(_PATIENCE_S / 10):
                    await client.chunk()
