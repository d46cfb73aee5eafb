"""An OPC UA client that says exactly what it is told, chunk by chunk: for what no client would say."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import (
    header_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    struct_to_binary,
    uatcp_to_binary,
)

Codes = ua.StatusCodes
_TIMEOUT_S = 5.0


class EndedError(Exception):
    """The server ended the connection; ``code`` is why, 0 if it did not say."""

    def __init__(self, code: int) -> None:
        super().__init__(code_name(code))
        self.code = code


class RefusedError(Exception):
    """A service was refused."""

    def __init__(self, code: int) -> None:
        super().__init__(code_name(code))
        self.code = code


def code_name(code: int) -> str:
    """For people."""
    return ua.StatusCode(code).name if code else "nothing said"  # type: ignore[arg-type]


class WireClient:
    """One connection; every message can be made without being sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, policy: Any = None) -> None:
        self.reader = reader
        self.writer = writer
        self.policy = policy or SecurityPolicyNone()  # type: ignore[no-untyped-call]
        self.codec = SecureConnection(self.policy, TransportLimits())
        self.token = ua.NodeId()
        self.server_nonce = b""
        self.last_request = 0
        self.subscription = 0

    # --- making ---

    def hello(self, **fields: Any) -> bytes:
        given = {"ReceiveBufferSize": 65535, "SendBufferSize": 65535, "EndpointUrl": "opc.tcp://127.0.0.1:4840"}
        return uatcp_to_binary(b"HEL", ua.Hello(**(given | fields)))  # type: ignore[arg-type]

    def message(self, request: Any, kind: bytes = b"MSG") -> bytes:
        """A request's chunks; its header's token is the session's."""
        self.last_request += 1
        request.RequestHeader.RequestHandle = self.last_request
        if request.RequestHeader.AuthenticationToken.is_null():
            request.RequestHeader.AuthenticationToken = self.token
        return self.codec.message_to_binary(
            struct_to_binary(request),
            message_type=kind,  # type: ignore[arg-type]
            request_id=self.last_request,
        )

    def opening(
        self, request_type: Any = ua.SecurityTokenRequestType.Issue, nonce: bytes | None = None, **fields: Any
    ) -> bytes:
        request = ua.OpenSecureChannelRequest()
        request.Parameters.RequestType = request_type
        request.Parameters.SecurityMode = self.policy.Mode
        length = self.policy.secure_channel_nonce_length
        request.Parameters.ClientNonce = self.nonce = nonce if nonce is not None else b"\7" * length
        request.Parameters.RequestedLifetime = 3_600_000
        for name, value in fields.items():
            setattr(request.Parameters, name, value)
        return self.message(request, b"OPN")

    # --- asking ---

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self) -> tuple[Any, bytes]:
        """The next chunk: its header, and the whole of it."""
        async with asyncio.timeout(_TIMEOUT_S):
            try:
                head = await self.reader.readexactly(8)
                rest = await self.reader.readexactly(struct.unpack_from("<I", head, 4)[0] - 8)
            except (asyncio.IncompleteReadError, OSError) as error:
                raise EndedError(0) from error
        header: Any = header_from_binary(Buffer(head + rest[:4]))
        if header.MessageType == b"ERR":
            told = struct_from_binary(ua.ErrorMessage, Buffer(rest))
            raise EndedError(told.Error.value)
        return header, head + rest

    async def answer(self, kind: Any = None) -> Any:
        """The next message, as what it is."""
        while True:
            header, whole = await self.chunk()
            if header.MessageType == b"ACK":
                return struct_from_binary(ua.Acknowledge, Buffer(whole[8:]))
            buffer = Buffer(whole)
            message = self.codec.receive_from_header_and_body(header_from_binary(buffer), buffer)
            if message is not None:
                return _response(message.body(), kind)

    async def ask(self, request: Any, kind: Any = None) -> Any:
        """A request's response.

        Raises:
            RefusedError: with its status code.
        """
        await self.send(self.message(request))
        response = await self.answer(kind)
        code = response.ResponseHeader.ServiceResult.value
        if code:
            raise RefusedError(code)
        return response

    async def greet(self, **fields: Any) -> ua.Acknowledge:
        await self.send(self.hello(**fields))
        acknowledge: ua.Acknowledge = await self.answer()
        return acknowledge

    async def open(self, **fields: Any) -> ua.OpenSecureChannelResult:
        await self.send(self.opening(**fields))
        return await self.opened(fields.get("request_type", ua.SecurityTokenRequestType.Issue))

    async def opened(self, request_type: Any) -> ua.OpenSecureChannelResult:
        response = await self.answer()
        self.codec.set_channel(response.Parameters, request_type, self.nonce)
        if request_type == ua.SecurityTokenRequestType.Renew:
            self.codec.revolve_tokens()
        parameters: ua.OpenSecureChannelResult = response.Parameters
        return parameters

    async def create_session(self, **fields: Any) -> Any:
        request = ua.CreateSessionRequest()
        request.Parameters.ClientNonce = b"\5" * 32
        request.Parameters.RequestedSessionTimeout = 60_000
        request.Parameters.ClientCertificate = self.policy.host_certificate
        for name, value in fields.items():
            setattr(request.Parameters, name, value)
        self.token = ua.NodeId()
        response = await self.ask(request)
        self.token = response.Parameters.AuthenticationToken
        self.server_nonce = response.Parameters.ServerNonce
        return response.Parameters

    def activation(self, name: str | None = None, password: str = "") -> Any:
        request = ua.ActivateSessionRequest()
        token: Any = ua.AnonymousIdentityToken(PolicyId="anonymous")
        if name is not None:
            token = ua.UserNameIdentityToken(PolicyId="username", UserName=name, Password=password.encode())
        request.Parameters.UserIdentityToken = token
        signed = (self.policy.peer_certificate or b"") + self.server_nonce
        request.Parameters.ClientSignature.Signature = self.policy.asymmetric_cryptography.signature(signed)
        request.Parameters.ClientSignature.Algorithm = self.policy.AsymmetricSignatureURI
        return request

    async def activate(self, name: str | None = None, password: str = "") -> None:
        response = await self.ask(self.activation(name, password))
        self.server_nonce = response.Parameters.ServerNonce

    async def log_in(self, name: str | None = None, password: str = "") -> None:
        """From Hello to an activated session."""
        await self.greet()
        await self.open()
        await self.create_session()
        await self.activate(name, password)

    async def read(self, number: int = 2258) -> Any:
        request = ua.ReadRequest()
        request.Parameters.NodesToRead = [ua.ReadValueId(ua.NodeId(number), ua.AttributeIds.Value)]  # type: ignore[arg-type]
        return (await self.ask(request)).Results[0].Value.Value

    async def close(self) -> None:
        self.writer.close()


def _response(body: Any, kind: Any) -> Any:
    type_id = nodeid_from_binary(body.copy())
    found: Any = kind or ua.extension_objects_by_typeid.get(type_id)
    return struct_from_binary(found, body)


@asynccontextmanager
async def connected(port: int, *, policy: Any = None, address: str = "127.0.0.1") -> AsyncIterator[WireClient]:
    """A connection from this loopback address."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    client = WireClient(reader, writer, policy)
    try:
        yield client
    finally:
        writer.transport.abort()
