"""A channel's tokens in time, and its sequence numbers round the end."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import header_from_binary, struct_to_binary

from edge_agent.sinks.opcua.transport.channel import Channel, ChannelFault

HOUR_MS = 3_600_000
ISSUE, RENEW = ua.SecurityTokenRequestType.Issue, ua.SecurityTokenRequestType.Renew


class Server:
    """Counts channels."""

    def get_new_channel_id(self) -> int:
        return 6


class Pair:
    """A channel, the client at its other end, and a clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.channel = Channel(TransportLimits(), policies=[], largest_message_bytes=10_000, clock=lambda: self.now_s)
        self.client = SecureConnection(SecurityPolicyNone(), TransportLimits())  # type: ignore[no-untyped-call]
        self.request = 0

    def open(self, kind: Any, *, lifetime_ms: int = HOUR_MS) -> None:
        """The client takes a new token, and uses it from then on."""
        self.renew(kind, lifetime_ms=lifetime_ms)
        self.client.security_token = copy.copy(self.token)

    def renew(self, kind: Any, *, lifetime_ms: int = HOUR_MS) -> None:
        asked = ua.OpenSecureChannelParameters(RequestType=kind, SecurityMode=ua.MessageSecurityMode.None_)
        asked.RequestedLifetime = cast("Any", lifetime_ms)
        self.token = self.channel.open(asked, Server()).SecurityToken

    def expired(self) -> bool:
        return self.channel.expired

    def send(self, *, kind: str = "MSG") -> Any:
        self.request += 1
        body = struct_to_binary(ua.GetEndpointsRequest())
        buffer = Buffer(
            self.client.message_to_binary(body, message_type=cast("Any", kind.encode()), request_id=self.request)
        )
        return self.channel.receive(header_from_binary(buffer), buffer)


@pytest.fixture
def pair() -> Pair:
    made = Pair()
    made.open(ISSUE)
    return made


def test_a_token_is_good_for_a_quarter_longer_than_it_lives_and_then_for_nothing(pair: Pair) -> None:
    pair.now_s = 4499
    assert pair.send() is not None
    assert not pair.expired()
    pair.now_s = 4501
    assert pair.expired()
    with pytest.raises(ChannelFault) as fault:
        pair.send()
    assert fault.value.code == ua.StatusCodes.BadSecureChannelTokenUnknown


def test_a_channel_that_is_renewed_in_time_goes_on(pair: Pair) -> None:
    for hour in range(1, 10):
        pair.now_s = hour * 3600
        pair.open(RENEW)
        assert pair.send() is not None
        assert not pair.expired()


def test_a_renewal_that_is_not_used_does_not_prolong_the_token_before(pair: Pair) -> None:
    pair.now_s = 3600
    pair.renew(RENEW)
    pair.now_s = 4501
    assert not pair.expired()
    with pytest.raises(ChannelFault) as fault:
        pair.send()
    assert fault.value.code == ua.StatusCodes.BadSecureChannelTokenUnknown


def test_every_token_has_a_number_of_its_own_whether_it_is_used_or_not(pair: Pair) -> None:
    found = []
    for _ in range(3):
        pair.renew(RENEW)
        found.append(pair.token.TokenId)
    assert found == [2, 3, 4]


def test_sequence_numbers_begin_again_at_the_end_and_nowhere_else(pair: Pair) -> None:
    pair.client._sequence_number = 2**32 - 100
    pair.channel._peer_sequence_number = None
    pair.send()
    pair.client._sequence_number = 5
    assert pair.send() is not None
    pair.client._sequence_number = 2
    with pytest.raises(ChannelFault) as fault:
        pair.send()
    assert fault.value.code == ua.StatusCodes.BadSequenceNumberInvalid


def test_chunks_of_two_requests_are_not_one(pair: Pair) -> None:
    pair.client._limits.max_send_buffer = 64
    body = b"x" * 60
    first = pair.client.message_to_binary(body, request_id=1)
    size = int.from_bytes(first[4:8], "little")
    buffer = Buffer(first[:size])
    assert pair.channel.receive(header_from_binary(buffer), buffer) is None
    pair.client._sequence_number -= 1
    second = Buffer(pair.client.message_to_binary(b"x", request_id=2))
    with pytest.raises(ChannelFault) as fault:
        pair.channel.receive(header_from_binary(second), second)
    assert fault.value.code == ua.StatusCodes.BadSecurityChecksFailed


def test_a_request_that_its_client_gives_up_is_forgotten_and_the_next_one_comes(pair: Pair) -> None:
    pair.client._limits.max_send_buffer = 64
    first = pair.client.message_to_binary(b"x" * 60, request_id=1)
    size = int.from_bytes(first[4:8], "little")
    buffer = Buffer(first[:size])
    assert pair.channel.receive(header_from_binary(buffer), buffer) is None
    assert pair.channel.held_bytes > 0
    rest = Buffer(first[size : size + 3] + b"A" + first[size + 4 :])
    assert pair.channel.receive(header_from_binary(rest), rest) is None
    assert pair.channel.held_bytes == 0
    pair.client._limits.max_send_buffer = 65535
    assert pair.send() is not None
