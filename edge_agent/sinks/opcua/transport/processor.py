"""One client's requests, in the order they come: Hello, the secure channel, sessions, and on to `services`.

In place of asyncua's UaProcessor (2.1.0); what is wrong with that is told in `channel`, `session_life`, `services`
and `user_token`, and here:

* what a client says in its Hello that it can take limits what it may send, and what it is sent is not limited by it;
* bytes that make no sense are answered by BadInternalError, or by nothing and a page in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

from asyncua import ua
from asyncua.common.connection import TransportLimits
from asyncua.common.utils import Buffer, ServiceError
from asyncua.server.internal_server import InternalServer
from asyncua.ua.ua_binary import Primitives, nodeid_from_binary, struct_from_binary, struct_to_binary, uatcp_to_binary

from ..monitoring.publishing import PublishRequest
from ..security.users import LogInRefused, Reader
from ..sessions.door import Door
from ..sessions.request_counts import RequestCounts
from ..sessions.session_life import LivingSession, Security, make_room, make_room_for
from ..sessions.subscribing import SubscribingSession
from .channel import BROKEN, Channel, ChannelFault, request_number
from .counted_buffer import CountedBuffer
from .discovery import find_servers, get_endpoints
from .reception import Reception
from .services import COUNTED, READS_SMALL, SESSION_SERVICES, Asked, Decode, Response, decoder, number_of
from .user_token import read_token
from .witness import Opening, Witness

log = logging.getLogger(__name__)

SMALLEST_BUFFER = 8192
LONGEST_URL_BYTES = 4096
LARGEST_RESPONSE_BYTES = 4 * 1024 * 1024
UNKNOWN_MESSAGE_BYTES = 64 * 1024
"""Of a request before anybody has logged in: one that logs in needs a tenth."""
_LONG_BYTES = 32 * 1024
_NONCE_BYTES = 32


class Wire(Protocol):
    """A client's connection."""

    address: str
    sockname: tuple[str, int]

    def send(self, frames: bytes) -> None:
        """Send what is complete."""

    def revise(self) -> None:
        """Somebody has logged in, or nobody is any more."""

    def cut(self, code: int, reason: str) -> None:
        """Say why, and close it."""


class Request:
    """What is known of a request while it is answered."""

    def __init__(self, *, number: int, header: ua.RequestHeader) -> None:
        self.number = number
        self.handle = header.RequestHandle
        self.token = header.AuthenticationToken
        self.timeout_ms = header.TimeoutHint
        self.service: str | None = None
        self.counts: RequestCounts | None = None
        self.audit_entry_id = header.AuditEntryId or ""
        self.of_user = False


class Processor:
    """Everything above the bytes of one connection; ``door`` is told instead of everybody's."""

    def __init__(self, reception: Reception, wire: Wire, limits: TransportLimits, *, door: Door | None = None) -> None:
        self._reception = reception
        self._server: InternalServer = reception.server
        self._wire = wire
        self._limits = limits
        self._greeted = False
        self._closed = False
        self._most_response_bytes = LARGEST_RESPONSE_BYTES
        self._most_response_chunks = 0
        self._sessions: list[SubscribingSession] = []
        self.channel = Channel(limits, policies=reception.policies, largest_message_bytes=UNKNOWN_MESSAGE_BYTES)
        self._witness = Witness(
            door or reception.door,
            address=wire.address,
            channel=self.channel,
            session_of=self._server.lookup_external_session,
        )
        self._services = self._own_services()

    @property
    def activated(self) -> bool:
        """Has somebody logged in over this connection, and not left."""
        return any(session.is_activated() for session in self._sessions)

    @property
    def security(self) -> Security:
        """Of the channel."""
        policy = self.channel.security_policy
        return Security(certificate=self.channel.client_certificate, mode=policy.Mode)

    @property
    def policy_uri(self) -> str:
        """Of the channel's security policy."""
        return str(self.channel.security_policy.URI)

    async def process(self, header: ua.Header, body: Buffer) -> bool:
        """Answer one chunk; false if the client says goodbye.

        Raises:
            ChannelFault: the connection must end.
        """
        kind: Any = header.MessageType
        if (kind == ua.MessageType.Hello) is self._greeted:
            raise ChannelFault(ua.StatusCodes.BadTcpMessageTypeInvalid, "Hello comes once, and first")
        if kind == ua.MessageType.Hello:
            self._hello(body)
            return True
        if kind == ua.MessageType.SecureOpen:
            async with self._reception.turn():
                with self._witness.opening() as opening:
                    self._open(header, body, opening)
            return True
        whole_bytes = self.channel.held_bytes + len(body)
        message = self.channel.receive(header, body)
        if kind == ua.MessageType.SecureClose:
            self._witness.closed(message)
            return False
        if message is not None and whole_bytes <= _LONG_BYTES:
            await self._serve(message)
        elif message is not None:
            async with self._reception.long_turn():
                await self._serve(message)
        return True

    async def close(self) -> None:
        """The connection is gone: sessions with subscriptions wait for their clients, the others end."""
        self._closed = True
        for session in tuple(self._sessions):
            if session.is_activated() and session.has_subscriptions():
                session.carrier = None
            else:
                await session.close_session()
        self._sessions.clear()

    def let_go(self, session: LivingSession, code: int) -> None:
        """A session ended, or has moved to another connection."""
        self._sessions = [other for other in self._sessions if other.session_id != session.session_id]
        if isinstance(session, SubscribingSession):
            session.publisher.dismiss(code)
        self._revise_limit()
        self._wire.revise()

    def end(self, code: int, reason: str) -> None:
        """The client may be here no longer."""
        self._wire.cut(code, reason)

    def _hello(self, body: Buffer) -> None:
        try:
            hello = struct_from_binary(ua.Hello, body)
            url_bytes = len((hello.EndpointUrl or "").encode(errors="surrogateescape"))
        except BROKEN as error:
            raise ChannelFault(ua.StatusCodes.BadDecodingError, "not a Hello") from error
        if url_bytes > LONGEST_URL_BYTES:
            raise ChannelFault(ua.StatusCodes.BadTcpEndpointUrlInvalid, "the endpoint's URL is too long")
        if min(hello.ReceiveBufferSize, hello.SendBufferSize) < SMALLEST_BUFFER:
            raise ChannelFault(ua.StatusCodes.BadConnectionRejected, "buffers of less than 8192 bytes")
        limits = self._limits
        limits.max_recv_buffer = min(limits.max_recv_buffer, hello.SendBufferSize)
        limits.max_send_buffer = min(limits.max_send_buffer, hello.ReceiveBufferSize)
        self._most_response_bytes = min(hello.MaxMessageSize or LARGEST_RESPONSE_BYTES, LARGEST_RESPONSE_BYTES)
        self._most_response_chunks = hello.MaxChunkCount
        told: Any = ua.Acknowledge
        acknowledge = told(0, limits.max_recv_buffer, limits.max_send_buffer, limits.max_message_size)
        acknowledge.MaxChunkCount = limits.max_chunk_count
        self._greeted = True
        self._wire.send(uatcp_to_binary(cast("ua.MessageType", ua.MessageType.Acknowledge), acknowledge))

    def _open(self, header: ua.Header, body: Buffer, opening: Opening) -> None:
        """OpenSecureChannel; who opens it is checked before anything is decrypted for them."""
        channel = self.channel
        channel.choose(body.copy())
        self._check_certificate(None)
        message = channel.receive(header, body)
        if message is None:
            raise ChannelFault(ua.StatusCodes.BadTcpMessageTypeInvalid, "OpenSecureChannel comes in one chunk")
        try:
            asked = struct_from_binary(ua.OpenSecureChannelRequest, CountedBuffer.of(message, READS_SMALL))
        except BROKEN as error:
            raise ChannelFault(ua.StatusCodes.BadDecodingError, "not an OpenSecureChannel") from error
        opening.asked = asked
        response = ua.OpenSecureChannelResponse(Parameters=channel.open(asked.Parameters, self._server))
        request = Request(number=request_number(message), header=asked.RequestHeader)
        self._send(request, response, message_type=ua.MessageType.SecureOpen)

    def _check_certificate(self, application_uri: str | None) -> None:
        """Is the channel's client one we know.

        Raises:
            ChannelFault: it is not.
        """
        if self.channel.certificates:
            try:
                self._reception.check_certificate(
                    self.channel.certificates, application_uri, address=self._wire.address
                )
            except ua.UaStatusCodeError as error:
                raise ChannelFault(error.code, "the client's certificate is refused") from error

    async def _serve(self, message: ua.Message) -> None:
        body = CountedBuffer.of(message, READS_SMALL)
        try:
            kind = nodeid_from_binary(body)
            request = Request(number=request_number(message), header=struct_from_binary(ua.RequestHeader, body))
        except BROKEN as error:
            raise ChannelFault(ua.StatusCodes.BadDecodingError, "a request without a header") from error
        self._count(kind, request)
        try:
            response = await self._answer(kind.Identifier if kind.NamespaceIndex == 0 else None, request, body)
        except (ServiceError, ua.UaStatusCodeError) as error:
            self._witness.refused(error.code)
            self._refuse(request, error.code)
        except ChannelFault as fault:
            self._witness.refused(fault.code)
            raise
        except Exception:
            log.exception("a request of %s could not be answered", self._wire.address)
            self._witness.refused(ua.StatusCodes.BadInternalError)
            self._refuse(request, ua.StatusCodes.BadInternalError)
        else:
            if response is not None:
                self._send(request, response)

    def _count(self, kind: ua.NodeId, request: Request) -> None:
        """Of the session that it names, whatever becomes of it."""
        session = self._server.lookup_external_session(request.token)
        if isinstance(session, LivingSession):
            request.counts = session.requests
            request.service = COUNTED.get(cast("int", kind.Identifier)) if kind.NamespaceIndex == 0 else None
            request.counts.receive(request.service)

    async def _answer(self, kind: object, request: Request, body: CountedBuffer) -> Response:
        own = self._services.get(kind)
        if own is not None:
            decode, serve = own
            return await serve(request, _decoded(decode, body, READS_SMALL))
        service = SESSION_SERVICES.get(cast("int", kind))
        if service is None:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        session = self._session(request)
        return await service.answer(session, _decoded(service.decode, body, service.reads))

    def _session(self, request: Request) -> SubscribingSession:
        """The activated session that a request belongs to."""
        session = self._server.lookup_external_session(request.token)
        if not isinstance(session, SubscribingSession):
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        if session.carrier is not self:
            raise ServiceError(ua.StatusCodes.BadSecureChannelIdInvalid)
        if not session.is_activated():
            raise ServiceError(ua.StatusCodes.BadSessionNotActivated)
        session.touch()
        return session

    def _own_services(self) -> Mapping[object, tuple[Decode, Callable[..., Awaitable[Response]]]]:
        """Those that need the connection, or no session."""
        own: dict[str, Callable[[Request, Asked], Awaitable[Response]]] = {
            "FindServers": self._find_servers,
            "GetEndpoints": self._get_endpoints,
            "CreateSession": self._witness.creating(self._create_session),
            "ActivateSession": self._witness.activating(self._activate_session),
            "Publish": self._publish,
        }
        close = Primitives.Boolean.unpack, self._close_session
        return {number_of("CloseSession"): close} | {
            number_of(name): (decoder(name), serve) for name, serve in own.items()
        }

    async def _find_servers(self, _: Request, asked: Asked) -> Response:
        return ua.FindServersResponse(Servers=find_servers(self._server, asked, self._wire.sockname))

    async def _get_endpoints(self, _: Request, asked: Asked) -> Response:
        return ua.GetEndpointsResponse(Endpoints=await get_endpoints(self._server, asked, self._wire.sockname))

    async def _create_session(self, _: Request, asked: Asked) -> Response:
        channel = self.channel
        if channel.only_discovery:
            raise ServiceError(ua.StatusCodes.BadSecurityPolicyRejected)
        if channel.client_certificate:
            if asked.ClientCertificate and not asked.ClientCertificate.startswith(channel.client_certificate):
                raise ServiceError(ua.StatusCodes.BadCertificateInvalid)
            if len(asked.ClientNonce or b"") < _NONCE_BYTES:
                raise ServiceError(ua.StatusCodes.BadNonceInvalid)
        self._check_certificate(asked.ClientDescription.ApplicationUri or "")
        for session in tuple(self._sessions):
            if not session.is_activated():
                await session.close_session()
        await make_room(self._server, most=self._reception.limits.max_connections)
        session = cast("SubscribingSession", self._server.create_session(self._wire.address, external=True))
        self._sessions.append(session)
        session.certificates = channel.certificates
        try:
            result = await session.begin(asked, self, self._wire.sockname)
        except BaseException:
            await session.close_session()
            raise
        policy = channel.security_policy
        result.MaxRequestMessageSize = cast("ua.UInt32", self._reception.limits.max_message_bytes)
        result.ServerCertificate = cast("Any", policy.host_certificate)
        signed = channel.client_certificate + (asked.ClientNonce or b"")
        signer: Any = policy.asymmetric_cryptography
        result.ServerSignature.Signature = signer.signature(signed)
        result.ServerSignature.Algorithm = cast("Any", policy.AsymmetricSignatureURI)
        return ua.CreateSessionResponse(Parameters=result)

    async def _activate_session(self, request: Request, asked: Asked) -> Response:
        session = self._server.lookup_external_session(request.token)
        if not isinstance(session, SubscribingSession):
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        session.check_may_move(self)
        nonce = session.nonce or b""
        async with self._reception.turn():
            self._verify_client(nonce, asked.ClientSignature.Signature)
            token = read_token(
                asked.UserIdentityToken,
                nonce=nonce,
                key=self._server.private_key,
                supported=self._server.supported_tokens,
            )
        again = session.user if session.is_activated() and isinstance(session.user, Reader) else None
        encrypted = self.channel.encrypted or token.encrypted
        try:
            user = await self._reception.users.log_in(
                token.name, token.password, address=self._wire.address, encrypted=encrypted, again=again
            )
        except LogInRefused as error:
            raise ServiceError(ua.StatusCodes.BadUserAccessDenied) from error
        request.of_user = True
        if self._closed or session.nonce != nonce:  # while the password was checked
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        if not session.is_activated():
            await make_room(self._server, most=self._reception.limits.max_connections)
        if token.name is not None:  # anonymous clients are not one user
            await make_room_for(user, session, most=self._reception.limits.max_sessions_per_user)
        result = session.admit(user, self)
        session.take_locales(asked.LocaleIds or [])
        if session not in self._sessions:
            self._sessions.append(session)
        self._revise_limit()
        return ua.ActivateSessionResponse(Parameters=result)

    def _verify_client(self, nonce: bytes, signature: bytes | None) -> None:
        """Does the client have the key of the certificate that it opened the channel with."""
        policy = self.channel.security_policy
        try:
            verifier: Any = policy.asymmetric_cryptography
            verifier.verify((policy.host_certificate or b"") + nonce, signature or b"")
        except BROKEN as error:
            raise ServiceError(ua.StatusCodes.BadApplicationSignatureInvalid) from error

    async def _close_session(self, request: Request, delete_subscriptions: Asked) -> Response:
        session = self._server.lookup_external_session(request.token)
        if not isinstance(session, SubscribingSession) or session.carrier is not self:
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        session.closed_by_client(request.audit_entry_id)
        await session.close_session(bool(delete_subscriptions))
        return ua.CloseSessionResponse()

    async def _publish(self, request: Request, asked: Asked) -> None:
        """The answer comes when there is something to tell."""
        session = self._session(request)
        now_s = asyncio.get_running_loop().time()
        waiting = PublishRequest(
            answer=lambda result: self._send(request, ua.PublishResponse(Parameters=result)),
            refuse=lambda code: self._refuse(request, code),
            is_gone=lambda: self._closed,
            handle=int(request.handle),
            expires_s=now_s + request.timeout_ms / 1000 if request.timeout_ms else None,
        )
        session.take_publish_request(asked, waiting)

    def _revise_limit(self) -> None:
        """Who has logged in may send more at once."""
        most = self._reception.limits.max_message_bytes
        self.channel.largest_message_bytes = most if self.activated else min(most, UNKNOWN_MESSAGE_BYTES)

    def _refuse(self, request: Request, code: int) -> None:
        if request.counts is not None:
            request.counts.refuse(request.service, code)
        fault = ua.ServiceFault()
        fault.ResponseHeader.ServiceResult = ua.StatusCode(cast("ua.UInt32", code))
        self._send(request, fault)

    def _send(
        self,
        request: Request,
        response: Response,
        message_type: bytes = ua.MessageType.SecureMessage,
    ) -> None:
        if self._closed:
            return
        response.ResponseHeader.RequestHandle = request.handle
        body = struct_to_binary(response)
        if not isinstance(response, ua.ServiceFault) and self._is_too_large(body, request):
            self._refuse(request, ua.StatusCodes.BadResponseTooLarge)
            return
        kind = cast("ua.MessageType", message_type)
        self._wire.send(self.channel.message_to_binary(body, message_type=kind, request_id=request.number))

    def _is_too_large(self, body: bytes, request: Request) -> bool:
        most = self._most_response_bytes
        session = self._server.lookup_external_session(request.token)
        if isinstance(session, SubscribingSession) and session.most_response_bytes:
            most = min(most, session.most_response_bytes)
        if self._most_response_chunks:
            most = min(most, self._most_response_chunks * (self._limits.max_send_buffer - 1024))
        return len(body) > most


def _decoded(decode: Decode, body: CountedBuffer, reads: int) -> Asked:
    body.allow(reads)
    try:
        return decode(body)
    except ServiceError:
        raise
    except BROKEN as error:
        raise ServiceError(ua.StatusCodes.BadDecodingError) from error
