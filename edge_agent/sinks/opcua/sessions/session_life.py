"""How a session comes to be, who may take it to another connection, and when it ends (OPC 10000-4, 5.7).

What is wrong with asyncua's own (2.1.0), each with a test in `tests/unit/opcua/test_transport_session.py`:

* the authentication token is a counter, and any request may go without the right one;
* whoever knows one takes the session over, with another certificate, as another user, over a channel less secure;
* a session that is never activated is never forgotten, and one connection may create any number;
* when the former connection of a session ends, so does the session, though it has moved.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol, cast

from asyncua import ua
from asyncua.common.utils import ServiceError, create_nonce
from asyncua.crypto.permission_rules import User
from asyncua.server.address_space import AddressSpace
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession, SessionState
from asyncua.server.subscription_service import SubscriptionService
from msgspec import Struct

from .door import Door, Ending, SessionEnded
from .request_counts import RequestCounts

TOKEN_BYTES = 32
LONGEST_TEXT = 256
"""Of what a client says of itself: it is kept as long as the session, and shown."""
MOST_LOCALES = 16


class Security(Struct, frozen=True, kw_only=True):
    """Of a secure channel: what a session that moves must find again."""

    certificate: bytes
    mode: ua.MessageSecurityMode


class Carrier(Protocol):
    """The connection that a session's requests come by."""

    @property
    def security(self) -> Security:
        """Of its channel."""

    @property
    def policy_uri(self) -> str:
        """Of its channel's security policy."""

    def let_go(self, session: LivingSession, code: int) -> None:
        """The session's requests come by it no longer; those that wait are answered with this status code."""

    def end(self, code: int, reason: str) -> None:
        """Close it; the client is told this status code."""


class Introduction(Struct, frozen=True, kw_only=True):
    """What a client said of itself and of the server when it asked for a session; texts as long as `LONGEST_TEXT`."""

    at: datetime
    session_name: str = ""
    client: ua.ApplicationDescription
    server_uri: str = ""
    endpoint_url: str = ""

    @classmethod
    def of(cls, params: ua.CreateSessionParameters) -> Introduction:
        """By the parameters of CreateSession."""
        client = params.ClientDescription
        return cls(
            at=datetime.now(UTC),
            session_name=_short(params.SessionName),
            client=ua.ApplicationDescription(
                ApplicationUri=cast("ua.String", _short(client.ApplicationUri)),
                ProductUri=cast("ua.String", _short(client.ProductUri)),
                ApplicationName=ua.LocalizedText(
                    Text=cast("ua.String", _short(client.ApplicationName.Text)),
                    Locale=cast("ua.String", _short(client.ApplicationName.Locale) or None),
                ),
                ApplicationType=client.ApplicationType,
            ),
            server_uri=_short(params.ServerUri),
            endpoint_url=_short(params.EndpointUrl),
        )


class LivingSession(InternalSession):
    """A session that no other client can guess, take or leave lying about.

    Attributes:
        carrier: the connection its requests come by; ``None`` while it waits for its client to connect again.
        most_response_bytes: what the client takes at once; 0 is no limit.
        application_uri: as the client says it is called.
        certificates: the client's own, and those it sent along, when the session began; empty without security.
    """

    application_uri = ""

    def __init__(
        self,
        server: InternalServer,
        aspace: AddressSpace,
        submgr: SubscriptionService,
        name: str,
        *,
        user: User,
        external: bool,
        door: Door,
    ) -> None:
        super().__init__(server, aspace, submgr, name, user=user, external=False)
        self.external = external
        self.session_id = ua.NodeId(cast("Any", uuid.uuid4()), cast("ua.Int16", 1))
        self.auth_token = ua.NodeId(cast("Any", secrets.token_bytes(TOKEN_BYTES)), cast("ua.Int16", 0))
        self.carrier: Carrier | None = None
        self.most_response_bytes = 0
        self.certificates = b""
        self.requests = RequestCounts()
        self.introduction: Introduction | None = None
        self.locales: tuple[str, ...] = ()
        self.policy_uri = ""
        self._first_security: Security | None = None
        self._door = door
        self._begun = False
        self._ending = Ending.TERMINATED
        self._audit_entry_id = ""
        if external:
            server.register_external_session(self)

    async def begin(
        self, params: ua.CreateSessionParameters, carrier: Carrier, sockname: tuple[str, int]
    ) -> ua.CreateSessionResult:
        """CreateSession."""
        self.carrier, self._first_security = carrier, carrier.security
        self.most_response_bytes = params.MaxResponseMessageSize or 0
        self.introduction, self.policy_uri = Introduction.of(params), carrier.policy_uri
        # Certificates are checked with the channel's, which a client cannot leave out.
        params.ClientCertificate = cast("Any", None)
        result = await self.create_session(params, sockname)
        self._begun = True
        return result

    @property
    def encrypted(self) -> bool:
        """Is every channel that it may be used over."""
        security = self._first_security
        return security is not None and security.mode == ua.MessageSecurityMode.SignAndEncrypt

    def closed_by_client(self, audit_entry_id: str) -> None:
        """Its end, which comes next, is its client's wish."""
        self._ending, self._audit_entry_id = Ending.CLOSED, audit_entry_id

    def has_subscriptions(self) -> bool:
        """Is there anything to wait for its client for."""
        subscriptions = self.subscription_service.subscriptions.values()
        return any(subscription.session_id == self.session_id for subscription in subscriptions)

    def check_may_move(self, carrier: Carrier) -> None:
        """May it be activated over this connection.

        Raises:
            ServiceError: BadSessionIdInvalid, BadSecurityChecksFailed.
        """
        if self.state == SessionState.Closed or (carrier is not self.carrier and not self.is_activated()):
            raise ServiceError(ua.StatusCodes.BadSessionIdInvalid)
        if carrier.security != self._first_security:
            raise ServiceError(ua.StatusCodes.BadSecurityChecksFailed)

    def admit(self, user: User, carrier: Carrier) -> ua.ActivateSessionResult:
        """ActivateSession, after the log-in.

        Raises:
            ServiceError: BadSessionIdInvalid, BadIdentityChangeNotSupported.
        """
        self.check_may_move(carrier)
        if self.is_activated() and user.name != self.user.name:
            raise ServiceError(ua.StatusCodes.BadIdentityChangeNotSupported)
        former, self.carrier = self.carrier, carrier
        self.policy_uri = carrier.policy_uri
        if former is not None and former is not carrier:
            former.let_go(self, ua.StatusCodes.BadSecureChannelClosed)
        self.user = user
        self.state = SessionState.Activated
        self.nonce = create_nonce(32)
        self.touch()
        self._start_timeout_watchdog()
        result = ua.ActivateSessionResult()
        result.ServerNonce = cast("ua.ByteString", self.nonce)
        return result

    @property
    def security(self) -> Security | None:
        """Of every channel that it may be used over; ``None`` before it has begun."""
        return self._first_security

    def take_locales(self, wanted: Iterable[str]) -> None:
        """Remember which languages its client would like, the most wanted first."""
        self.locales = tuple(_short(locale) for locale in islice(wanted, MOST_LOCALES))

    async def close_session(self, delete_subs: bool = True) -> None:
        """End; its connection need not."""
        carrier, self.carrier = self.carrier, None
        if self._begun and self.state != SessionState.Closed:
            self._tell_end()
        await super().close_session(delete_subs)
        if carrier is not None:
            carrier.let_go(self, ua.StatusCodes.BadSessionClosed)

    async def expel(self, code: int, reason: str) -> None:
        """End, and so does the connection."""
        carrier = self.carrier
        await self.close_session()
        if carrier is not None:
            carrier.end(code, reason)

    def _tell_end(self) -> None:
        timed_out = self._timeout_task is not None and asyncio.current_task() is self._timeout_task
        self._door.tell(
            SessionEnded(
                session_id=self.session_id,
                user=self.user.name,
                application_uri=self.application_uri,
                ending=Ending.TIMED_OUT if timed_out else self._ending,
                audit_entry_id=self._audit_entry_id,
            )
        )


def _short(text: str | None) -> str:
    """Other clients are shown it: bytes that are no UTF-8 are not passed on."""
    return (text or "")[:LONGEST_TEXT].encode(errors="replace").decode()


def sessions_of(server: InternalServer) -> list[LivingSession]:
    """Those of clients, the oldest first."""
    sessions: Iterable[InternalSession] = server._external_sessions.values()  # noqa: SLF001 - asyncua has no other way
    return [session for session in sessions if isinstance(session, LivingSession)]


async def make_room(server: InternalServer, *, most: int) -> None:
    """Let one more session in, in place of one whose client has gone if need be.

    Those that nobody has logged in to do not count: each connection has one at most, and not for long. To end them
    would be to end the log-ins of others.

    Raises:
        ServiceError: BadTooManySessions.
    """
    sessions = [session for session in sessions_of(server) if session.is_activated()]
    if len(sessions) < most:
        return
    gone = next((session for session in sessions if session.carrier is None), None)
    if gone is None:
        raise ServiceError(ua.StatusCodes.BadTooManySessions)
    await gone.close_session()


async def make_room_for(user: User, session: LivingSession, *, most: int) -> None:
    """Let a user log in once more, in place of a session whose client has gone if need be.

    Raises:
        ServiceError: BadTooManySessions.
    """
    same = [other for other in sessions_of(session.iserver) if other is not session and other.is_activated()]
    same = [other for other in same if other.user.name == user.name]
    if len(same) < most:
        return
    gone = next((other for other in same if other.carrier is None), None)
    if gone is None:
        raise ServiceError(ua.StatusCodes.BadTooManySessions)
    await gone.close_session()
