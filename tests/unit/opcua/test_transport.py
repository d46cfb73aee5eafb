"""Bytes and connections: what a stranger can make the endpoint hold, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, cast
from unittest.mock import Mock

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.ua.ua_binary import struct_to_binary, uatcp_to_binary

from edge_agent.secret import Secret
from edge_agent.sinks.opcua.options import Limits, OpcUaUser
from edge_agent.sinks.opcua.transport.connection import Connection
from tests.endpoint import Bench
from tests.opcua_wire import EndedError, RefusedError, WireClient, code_name, connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITS = Limits(max_connections=4, activation_timeout_s=1.0, max_message_bytes=200_000)
ALICE = OpcUaUser(name="alice", password=Secret("correct horse"))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    bench = Bench(tmp_path_factory.mktemp("opcua"), anonymous=True, limits=LIMITS, users=(ALICE,))
    async with bench.running():
        yield bench.sink.port


@pytest_asyncio.fixture(loop_scope="module")
async def client(port: int) -> AsyncIterator[WireClient]:
    async with connected(port) as made:
        yield made


async def ended(client: WireClient, within_s: float = 3.0) -> str:
    """Why the server ends the connection; what it still answers is passed over."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                await client.chunk()
            except EndedError as error:
                return code_name(error.code)


def frame(kind: bytes, size: int, rest: bytes = b"") -> bytes:
    return kind + struct.pack("<I", size) + rest


# --- what is no message ---


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "BadTcpMessageTypeInvalid"),
        (frame(b"HELX", 32), "BadTcpMessageTypeInvalid"),
        (frame(b"HELC", 32), "BadTcpMessageTypeInvalid"),
        (frame(b"ACKF", 28), "BadTcpMessageTypeInvalid"),
        (frame(b"HELF", 7), "BadDecodingError"),
        (frame(b"HELF", 0), "BadDecodingError"),
        (frame(b"HELF", 8), "BadDecodingError"),
        (frame(b"HELF", 2**32 - 1), "BadTcpMessageTooLarge"),
        (frame(b"HELF", 8193), "BadTcpMessageTooLarge"),
        (frame(b"MSGF", 65536), "BadTcpMessageTooLarge"),
        (frame(b"OPNF", 16385), "BadTcpMessageTooLarge"),
        (frame(b"MSGF", 24, b"\0" * 16), "BadTcpMessageTypeInvalid"),
    ],
    ids=repr,
)
async def test_what_is_no_hello_ends_the_connection_at_once_and_says_why(
    client: WireClient, sent: bytes, code: str
) -> None:
    await client.send(sent)
    assert await ended(client, 0.9) == code  # well before anybody runs out of time to log in


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ReceiveBufferSize": 8191}, "BadConnectionRejected"),
        ({"ReceiveBufferSize": 0}, "BadConnectionRejected"),
        ({"SendBufferSize": 1}, "BadConnectionRejected"),
        ({"EndpointUrl": "opc.tcp://" + "x" * 4090}, "BadTcpEndpointUrlInvalid"),
    ],
)
async def test_an_absurd_hello_is_refused(client: WireClient, fields: dict[str, Any], code: str) -> None:
    await client.send(client.hello(**fields))
    assert await ended(client) == code


async def test_a_hello_larger_than_anything_is_answered_with_what_is_in_force(client: WireClient) -> None:
    told = await client.greet(ReceiveBufferSize=2**32 - 1, SendBufferSize=2**32 - 1, MaxMessageSize=2**32 - 1)
    assert (told.ReceiveBufferSize, told.SendBufferSize, told.MaxChunkCount) == (65535, 65535, 128)


async def test_buffers_are_told_the_way_round_they_are_meant(client: WireClient) -> None:
    told = await client.greet(ReceiveBufferSize=10_000, SendBufferSize=20_000)
    assert (told.ReceiveBufferSize, told.SendBufferSize) == (20_000, 10_000)


async def test_hello_comes_once(client: WireClient) -> None:
    await client.greet()
    await client.send(client.hello())
    assert await ended(client) == "BadTcpMessageTypeInvalid"


async def test_an_answer_is_cut_into_chunks_that_the_client_takes(client: WireClient) -> None:
    await client.greet(ReceiveBufferSize=8192)
    await client.open()
    await client.create_session()
    await client.activate()
    await client.send(client.message(browse(40)))
    sizes, last = [], False
    while not last:
        header, chunk = await client.chunk()
        last = header.ChunkType == b"F"
        sizes.append(len(chunk))
    assert len(sizes) > 1
    assert max(sizes) <= 8192


def browse(times: int) -> Any:
    request = ua.BrowseRequest()
    request.Parameters.NodesToBrowse = [
        ua.BrowseDescription(ua.NodeId(2253), IncludeSubtypes=True, ResultMask=63)  # type: ignore[arg-type]
    ] * times
    return request


@pytest.mark.parametrize("fields", [{"MaxMessageSize": 16384}, {"MaxChunkCount": 2, "ReceiveBufferSize": 8192}])
async def test_an_answer_longer_than_the_client_takes_is_refused_and_the_next_one_comes(
    client: WireClient, fields: dict[str, Any]
) -> None:
    await client.greet(**fields)
    await client.open()
    await client.create_session()
    await client.activate()
    with pytest.raises(RefusedError, match="BadResponseTooLarge"):
        await client.ask(browse(200))
    assert await client.read()


# --- how much is held ---


async def test_a_request_longer_than_allowed_ends_the_connection(client: WireClient) -> None:
    await client.log_in()
    request = ua.ReadRequest()
    request.RequestHeader.AuditEntryId = "x" * LIMITS.max_message_bytes
    await client.send(client.message(request))
    assert await ended(client) == "BadRequestTooLarge"


async def test_who_sends_on_and_on_still_hears_why_the_connection_ends(client: WireClient) -> None:
    await client.log_in()
    request = ua.ReadRequest()
    request.RequestHeader.AuditEntryId = "x" * (8 * LIMITS.max_message_bytes)
    transport = cast("asyncio.Transport", client.writer.transport)
    transport.pause_reading()  # as those do that send all of it before they look for an answer
    whole = client.message(request)
    for _ in range(4):
        await client.send(whole)
    transport.resume_reading()
    assert await ended(client) == "BadRequestTooLarge"


class Gone:
    """A transport whose client has hung up, which nobody has noticed yet."""

    def __init__(self) -> None:
        self.aborted = False

    def write_eof(self) -> None:
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def get_extra_info(self, _: str) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None:
        """Theirs."""

    def write(self, _: bytes) -> None:
        """Nobody reads it."""


async def test_who_has_hung_up_needs_no_goodbye() -> None:
    reception: Any = Mock(
        is_own=lambda _: False, monotonic=lambda: 0.0, policies=[], depart=lambda _, goodbye: goodbye.close()
    )
    connection, transport = Connection(reception, TransportLimits()), Gone()
    connection.connection_made(cast("Any", transport))
    connection.cut(ua.StatusCodes.BadTimeout, "nobody logged in in time")
    assert transport.aborted
    connection.connection_lost(None)
    await asyncio.sleep(0)


async def test_before_anybody_logs_in_a_request_is_short(client: WireClient) -> None:
    await client.greet()
    await client.open()
    request = ua.GetEndpointsRequest()
    request.Parameters.EndpointUrl = "x" * 70_000
    await client.send(client.message(request))
    assert await ended(client) == "BadRequestTooLarge"


async def test_a_request_that_is_allowed_is_answered_whatever_its_chunks(port: int) -> None:
    async with connected(port) as client:
        await client.log_in()
        request = ua.ReadRequest()
        request.RequestHeader.AuditEntryId = "x" * (LIMITS.max_message_bytes - 1000)
        client.codec._limits.max_send_buffer = 8192
        with pytest.raises(RefusedError, match="BadNothingToDo"):
            await client.ask(request)


async def test_chunks_without_end_end_the_connection(client: WireClient) -> None:
    await client.log_in()
    number = client.codec._sequence_number
    for each in range(1, 140):
        body = struct.pack("<III", client.codec.security_token.TokenId, number + each, 77)
        await client.send(frame(b"MSGC", 24, struct.pack("<I", client.codec.security_token.ChannelId) + body))
    assert await ended(client) == "BadRequestTooLarge"


async def test_a_client_that_sends_a_byte_at_a_time_before_it_logs_in_is_cut_off(client: WireClient) -> None:
    hello = client.hello()
    began = time.monotonic()
    why = asyncio.create_task(ended(client))
    for byte in hello[:40]:
        if why.done():
            break
        await client.send(bytes([byte]))
        await asyncio.sleep(0.1)
    assert await why == "BadTimeout"
    assert 0.9 < time.monotonic() - began < 2.5


async def test_nobody_logged_in_in_time(client: WireClient) -> None:
    await client.greet()
    await client.open()
    await client.create_session()
    assert await ended(client) == "BadTimeout"


async def test_who_logs_in_stays(client: WireClient) -> None:
    await client.log_in()
    await asyncio.sleep(LIMITS.activation_timeout_s + 0.5)
    assert await client.read()


async def test_who_leaves_the_session_has_no_connection_for_long(client: WireClient) -> None:
    await client.log_in()
    request = ua.CloseSessionRequest()
    await client.ask(request)
    assert await ended(client) == "BadTimeout"


# --- how many there are ---


async def test_a_client_gets_in_though_every_place_is_taken_by_silence(port: int) -> None:
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(port)) for _ in range(LIMITS.max_connections)]
        client = await stack.enter_async_context(connected(port))
        await client.log_in()
        assert await client.read()
        assert await ended(silent[0]) == "BadTcpServerTooBusy"  # the oldest


async def test_whoever_opens_most_connections_loses_them_first(port: int) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(port))
        await client.greet()
        for _ in range(3 * LIMITS.max_connections):
            await stack.enter_async_context(connected(port, address="127.0.0.2"))
        await client.open()
        await client.create_session()
        await client.activate()
        assert await client.read()


async def test_sessions_that_work_go_on_when_there_is_no_place_left(port: int) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(port)) for _ in range(LIMITS.max_connections)]
        for each in clients:
            await each.log_in()
        refused = await stack.enter_async_context(connected(port))
        await refused.send(refused.hello())
        assert await ended(refused) == "BadMaxConnectionsReached"
        for each in clients:
            assert await each.read()


# --- what bytes turn into ---


def raw_request(client: WireClient, number: int, body: bytes, *, additional: bytes = b"\0\0\0") -> bytes:
    """A request of any body, whose header's last field is this ExtensionObject."""
    header = ua.RequestHeader(AuthenticationToken=client.token)
    encoded = (
        ua.ua_binary.nodeid_to_binary(ua.FourByteNodeId(cast(Any, number))) + struct_to_binary(header)[:-3] + additional
    )
    client.last_request += 1
    return client.codec.message_to_binary(encoded + body, request_id=client.last_request)


GET_ENDPOINTS = ua.ObjectIds.GetEndpointsRequest_Encoding_DefaultBinary
LITERAL = ua.ObjectIds.LiteralOperand_Encoding_DefaultBinary
MANY = struct.pack("<i", 2**31 - 1)
BACKWARDS = b"\xff\xff\xff\xff" + MANY + struct.pack("<i", -4) * 4


def literal(variant: bytes) -> bytes:
    return (
        ua.ua_binary.nodeid_to_binary(ua.FourByteNodeId(cast(Any, LITERAL)))
        + b"\1"
        + struct.pack("<i", len(variant))
        + variant
    )


@pytest.mark.parametrize(
    ("body", "additional"),
    [
        (BACKWARDS, b"\0\0\0"),
        (b"", literal(b"\x80" + MANY)),
        (b"", literal(b"\xc6" + struct.pack("<ii", 0, 2) + struct.pack("<ii", 1000, 1000))),
        (b"", literal(b"\x98" + struct.pack("<i", 60_000) + b"\0" * 60_000)),
    ],
    ids=["strings of length -4", "two thousand million nulls", "a matrix of nothing", "sixty thousand empty variants"],
)
async def test_a_few_bytes_do_not_become_gigabytes(client: WireClient, body: bytes, additional: bytes) -> None:
    """Stock asyncua decodes the first for ever, and the second into 16 GB: of anybody who can reach the port."""
    await client.greet()
    await client.open()
    began = time.monotonic()
    await client.send(raw_request(client, GET_ENDPOINTS, body, additional=additional))
    try:
        response = await client.answer()
    except EndedError as error:
        assert code_name(error.code) == "BadDecodingError"  # noqa: PT017 - either answer will do
    else:
        assert code_name(response.ResponseHeader.ServiceResult.value) in {
            "BadDecodingError",
            "BadEncodingLimitsExceeded",
        }
    assert time.monotonic() - began < 0.5


async def test_bytes_that_make_no_sense_are_a_decoding_error_and_the_session_goes_on(client: WireClient) -> None:
    await client.log_in()
    await client.send(raw_request(client, ua.ObjectIds.ReadRequest_Encoding_DefaultBinary, b"\1"))
    response = await client.answer()
    assert code_name(response.ResponseHeader.ServiceResult.value) == "BadDecodingError"
    assert await client.read()


async def test_nobody_registers_a_server(client: WireClient) -> None:
    """Stock asyncua tells every client of it from then on."""
    await client.greet()
    await client.open()
    request = ua.RegisterServerRequest()
    request.Server.ServerUri = "urn:evil"
    request.Server.ServerNames = [ua.LocalizedText("evil")]
    with pytest.raises(RefusedError, match="BadServiceUnsupported"):
        await client.ask(request)
    found = await client.ask(ua.FindServersRequest())
    assert [server.ApplicationUri for server in found.Servers] == [
        "urn:edge-agent:11111111-2222-3333-4444-555555555555"
    ]


async def test_servers_and_endpoints_are_those_asked_for(client: WireClient) -> None:
    await client.greet()
    await client.open()
    servers = ua.FindServersRequest()
    servers.Parameters.ServerUris = ["urn"]
    assert (await client.ask(servers)).Servers == []
    endpoints = ua.GetEndpointsRequest()
    endpoints.Parameters.ProfileUris = ["http://opcfoundation.org/UA-Profile/Transport/https-uajson"]
    assert (await client.ask(endpoints)).Endpoints == []


async def test_an_error_message_is_not_for_the_server(client: WireClient) -> None:
    await client.send(uatcp_to_binary(b"ERR", ua.ErrorMessage()))  # type: ignore[arg-type]
    assert await ended(client) == "BadTcpMessageTypeInvalid"


async def test_requests_sent_ahead_are_all_answered_in_order(client: WireClient) -> None:
    await client.log_in()
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(ua.NodeId(2258), ua.AttributeIds.Value)] * 20  # type: ignore[arg-type]
    first = client.last_request + 1
    requests = b"".join(client.message(request) for _ in range(1000))
    sending = asyncio.create_task(client.send(requests))
    for number in range(first, first + 1000):
        assert (await client.answer()).ResponseHeader.RequestHandle == number
    await sending
