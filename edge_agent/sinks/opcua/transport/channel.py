"""A secure channel as OPC 10000-6, 6.7 has it: asyncua's, with what it lets through put right.

What is wrong with asyncua's own (2.1.0), each with a test in `tests/unit/opcua/test_transport_channel.py`:

* a channel without security opens even if no endpoint offers one: here it is good for discovery only
  (https://github.com/FreeOpcUa/opcua-asyncio/issues/1014);
* a message may come without Hello, before a channel is open, or with the token id 0, which replaces the keys by none;
* a channel that is open may be "issued" again, with other keys; what it is renewed with is not compared;
* tokens never expire, their lifetime is what a client asks for, the first one is always 13;
* the client's nonce, from which keys are made, may be empty;
* after any of these, and after a wrong signature or sequence number, the connection stays open.

Every fault here ends the connection: OPC 10000-6, 6.7.4 asks for that, and nobody can tell who sent the bytes.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from asyncua import ua
from asyncua.common.connection import MessageChunk, SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.crypto.uacrypto import InvalidSignature as InvalidMac
from asyncua.crypto.uacrypto import der_from_x509, x509_from_der
from asyncua.ua.ua_binary import struct_from_binary
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

SHORTEST_LIFETIME_MS = 10_000
LONGEST_LIFETIME_MS = 3_600_000
_GRACE = 1.25
"""Messages under a token are accepted for a quarter of its lifetime longer (OPC 10000-4, 5.6.2.1)."""
_RSA_BITS = range(1024, 4096 + 1)
"""What asyncua can take at all, and a small computer can compute; who is trusted is decided elsewhere."""
_SEQUENCE_WRAPS = range(2**32 - 1024, 2**32)

BROKEN: Final = (
    ua.UaError, struct.error, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError,
    InvalidSignature, InvalidMac, UnsupportedAlgorithm,
)  # fmt: skip
"""What asyncua and cryptography raise over bytes that make no sense."""


class ChannelFault(Exception):
    """The connection must end; ``code`` is the status code that the client is told."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Channel(SecureConnection):
    """One connection's secure channel.

    Attributes:
        certificates: the client's, and its issuers' as far as it sent them; empty without security.
        only_discovery: it has no security though every endpoint has.
        asked_policy_uri: what the last OpenSecureChannel asked for.
        asked_certificates: what it showed, whether or not it is of any use.
        largest_message_bytes: bytes of a whole request; fewer before somebody has logged in.
    """

    def __init__(
        self,
        limits: TransportLimits,
        *,
        policies: Sequence[Any],
        largest_message_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        no_security: Any = SecurityPolicyNone
        super().__init__(no_security(), limits)
        self.set_policy_factories(list(policies))
        self.certificates = b""
        self.only_discovery = False
        self.asked_policy_uri = ""
        self.asked_certificates = b""
        self.largest_message_bytes = largest_message_bytes
        self._clock = clock
        self._expires_at = self._renewal_expires_at = 0.0
        self._last_token = 0
        self._renewed = False

    @property
    def client_certificate(self) -> bytes:
        """Who opened the channel, DER; empty without security."""
        return self.security_policy.peer_certificate or b""

    @property
    def encrypted(self) -> bool:
        """Can nobody on the way read what is sent."""
        return self.security_policy.Mode == ua.MessageSecurityMode.SignAndEncrypt

    @property
    def held_bytes(self) -> int:
        """Bytes of a request that is not complete."""
        return self._incoming_size

    def forget(self) -> None:
        """Nobody waits for the rest of a request any more."""
        self._drop_incoming_parts()

    @property
    def expired(self) -> bool:
        """Was the client's last token not renewed in time."""
        return self.is_open() and self._clock() > max(self._expires_at, self._renewal_expires_at)

    def choose(self, body: Buffer) -> None:
        """Take the policy that an OpenSecureChannel asks for, before anything of it is decrypted."""
        try:
            header = struct_from_binary(ua.AsymmetricAlgorithmHeader, body)
            uri, chain = str(header.SecurityPolicyURI), bytes(header.SenderCertificate or b"")
        except BROKEN as error:
            raise ChannelFault(ua.StatusCodes.BadDecodingError, "not an OpenSecureChannel") from error
        self.asked_policy_uri, self.asked_certificates = uri, chain
        secure = uri != SecurityPolicyNone.URI
        certificate = _first_of(chain) if secure else b""
        if self.is_open():
            if uri != self.security_policy.URI or certificate != self.client_certificate:
                raise ChannelFault(ua.StatusCodes.BadSecurityChecksFailed, "renewed by somebody else")
            return
        factory = next((policy for policy in self._policies if policy.matches(uri)), None)
        if factory is not None:
            self.security_policy = factory.create(certificate or None)
        elif secure:
            raise ChannelFault(ua.StatusCodes.BadSecurityPolicyRejected, f"no endpoint has the policy {uri[:80]}")
        self.only_discovery = factory is None
        self.certificates = chain if secure else b""
        ours = self.security_policy.host_certificate
        if secure and ours and header.ReceiverCertificateThumbPrint != _thumbprint(ours):
            raise ChannelFault(ua.StatusCodes.BadSecurityChecksFailed, "encrypted for another certificate")

    def receive(self, header: ua.Header, body: Buffer) -> ua.Message | None:
        """A request, or ``None`` if there is more of it to come."""
        kind: Any = header.MessageType
        if kind != ua.MessageType.SecureOpen:
            if not self.is_open() or header.ChannelId != self.security_token.ChannelId:
                raise ChannelFault(ua.StatusCodes.BadTcpSecureChannelUnknown, "no such secure channel")
            self._use_token(body)
        chunk: Any
        try:
            chunk = MessageChunk.from_header_and_body(self.security_policy, header, body)
        except BROKEN as error:
            raise ChannelFault(ua.StatusCodes.BadSecurityChecksFailed, "decryption or signature failed") from error
        self._check_sequence(chunk.SequenceHeader.SequenceNumber)
        return self._receive(chunk)

    def open(self, params: ua.OpenSecureChannelParameters, server: Any) -> ua.OpenSecureChannelResult:  # noqa: ANN401 - asyncua's signature
        """Issue the first token, or one more."""
        if (params.RequestType == ua.SecurityTokenRequestType.Issue) is self.is_open():
            raise ChannelFault(ua.StatusCodes.BadRequestTypeInvalid, "issue comes first, then renew")
        if params.SecurityMode != self.security_policy.Mode:
            raise ChannelFault(ua.StatusCodes.BadSecurityModeRejected, "no endpoint has this mode")
        nonce_length = self.security_policy.secure_channel_nonce_length
        if nonce_length and len(params.ClientNonce or b"") != nonce_length:
            raise ChannelFault(ua.StatusCodes.BadNonceInvalid, "the nonce has the wrong length")
        lifetime_ms = min(max(params.RequestedLifetime, SHORTEST_LIFETIME_MS), LONGEST_LIFETIME_MS)
        params.RequestedLifetime = cast("ua.UInt32", lifetime_ms)
        renewal = self.is_open()
        result = super().open(params, server)
        self._last_token += 1
        result.SecurityToken.TokenId = cast("ua.UInt32", self._last_token)
        expires_at = self._clock() + lifetime_ms * _GRACE / 1000
        if renewal:
            self._renewed, self._renewal_expires_at = True, expires_at
        else:
            self._expires_at = expires_at
        return result

    def _use_token(self, body: Buffer) -> None:
        """The keys change with the first message under a renewed token; the former token is good no longer."""
        try:
            token = struct_from_binary(ua.SymmetricAlgorithmHeader, body.copy()).TokenId
        except BROKEN as error:
            raise ChannelFault(ua.StatusCodes.BadDecodingError, "no security header") from error
        if self._renewed and token == self.next_security_token.TokenId:
            self.revolve_tokens()
            self._renewed, self._expires_at = False, self._renewal_expires_at
        if token != self.security_token.TokenId or self._clock() > self._expires_at:
            raise ChannelFault(ua.StatusCodes.BadSecureChannelTokenUnknown, "unknown or expired token")

    def _check_sequence(self, number: int) -> None:
        last = self._peer_sequence_number
        if last is not None and number != last + 1 and not (last in _SEQUENCE_WRAPS and number < 1024):
            raise ChannelFault(ua.StatusCodes.BadSequenceNumberInvalid, f"sequence number {number} after {last}")
        self._peer_sequence_number = number

    def _receive(self, msg: Any) -> ua.Message | None:  # noqa: ANN401 - half of it has types there
        kind: Any = msg.MessageHeader.ChunkType
        parts: list[Any] = self._incoming_parts
        if kind == ua.ChunkType.Abort:
            self._drop_incoming_parts()
            return None
        if parts and parts[0].SequenceHeader.RequestId != msg.SequenceHeader.RequestId:
            raise ChannelFault(ua.StatusCodes.BadSecurityChecksFailed, "chunks of two requests are mixed")
        parts.append(msg)
        self._incoming_size += len(msg.Body)
        if self._incoming_size > self.largest_message_bytes or len(parts) > self._limits.max_chunk_count:
            self._drop_incoming_parts()
            raise ChannelFault(ua.StatusCodes.BadRequestTooLarge, "the request is too large")
        if kind == ua.ChunkType.Intermediate:
            return None
        self._drop_incoming_parts()
        whole: Any = ua.Message
        return cast("ua.Message", whole(parts))


def request_number(message: Any) -> int:  # noqa: ANN401 - asyncua's has no types
    """What the answer to a message is matched by."""
    return int(message.request_id())


def _first_of(chain: bytes) -> bytes:
    """The certificate that a chain begins with."""
    to_certificate: Any = x509_from_der
    to_der: Any = der_from_x509
    try:
        certificate = to_certificate(chain)
        key = certificate.public_key() if certificate else None
    except BROKEN as error:
        raise ChannelFault(ua.StatusCodes.BadCertificateInvalid, "not a certificate") from error
    if not isinstance(key, RSAPublicKey) or key.key_size not in _RSA_BITS:
        raise ChannelFault(ua.StatusCodes.BadCertificateInvalid, "not the certificate of an RSA key")
    return bytes(to_der(certificate))


def _thumbprint(certificate: bytes) -> bytes:
    return hashlib.sha1(certificate, usedforsecurity=False).digest()
