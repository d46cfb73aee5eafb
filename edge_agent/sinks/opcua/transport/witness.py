"""Tells what one connection's client asked at the door, and what became of it.

It stands around the services that open and close channels and sessions, so that none of them has to tell anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary

from ..security.client_certificate import Refusal
from ..security.users import LogInRefused
from ..sessions.door import (
    GOOD,
    Caller,
    ChannelAsked,
    ChannelClosed,
    Door,
    LogInAsked,
    Outcome,
    RequestRefused,
    SessionAsked,
)
from .channel import BROKEN, Channel, ChannelFault
from .counted_buffer import CountedBuffer
from .services import READS_SMALL, Asked, Response

LONGEST_TEXT = 256
"""Letters of a text that a stranger wrote."""


class Asking(Protocol):
    """A request, as far as it is told."""

    token: ua.NodeId
    audit_entry_id: str
    of_user: bool
    """Somebody has shown the right password, whatever became of the request after that."""


Serve = Callable[[Any, Asked], Awaitable[Response]]


class Opening:
    """An OpenSecureChannel while it is answered; ``asked`` is there once it could be read."""

    def __init__(self) -> None:
        self.asked: ua.OpenSecureChannelRequest | None = None


class Witness:
    """Of one connection."""

    def __init__(
        self,
        door: Door,
        *,
        address: str,
        channel: Channel,
        session_of: Callable[[ua.NodeId], InternalSession | None],
    ) -> None:
        self._door = door
        self._address = address
        self._channel = channel
        self._session_of = session_of

    def refused(self, code: int) -> None:
        """A request was answered by a ServiceFault."""
        self._door.tell(RequestRefused(code=code))

    @contextmanager
    def opening(self) -> Iterator[Opening]:
        """While an OpenSecureChannel is answered."""
        opening, renewal, asked_at = Opening(), self._channel.is_open(), datetime.now(UTC)
        try:
            yield opening
        except Exception as error:
            self._tell_opening(opening, _outcome(error), asked_at, renewal=renewal)
            raise
        if not renewal:
            self._tell_opening(opening, GOOD, asked_at, renewal=False)

    def closed(self, message: ua.Message | None) -> None:
        """The client closed its channel."""
        self._door.tell(ChannelClosed(caller=self._caller(_audit_entry_id(message))))

    def creating(self, serve: Serve) -> Serve:
        """CreateSession, told."""

        async def told(request: Asking, asked: Asked) -> Response:
            caller = self._caller(request.audit_entry_id, asked.ClientDescription.ApplicationUri)
            try:
                response = await serve(request, asked)
            except BaseException as error:
                self._door.tell(SessionAsked(caller=caller, outcome=_outcome(error)))
                raise
            made = response.Parameters
            self._door.tell(
                SessionAsked(
                    caller=caller,
                    outcome=GOOD,
                    session_id=made.SessionId,
                    timeout_ms=float(made.RevisedSessionTimeout),
                )
            )
            return response

        return told

    def activating(self, serve: Serve) -> Serve:
        """ActivateSession, told; also of a client that hangs up before it hears that its password is wrong."""

        async def told(request: Asking, asked: Asked) -> Response:
            session = self._session_of(request.token)
            caller = self._caller(request.audit_entry_id, getattr(session, "application_uri", ""))
            try:
                response = await serve(request, asked)
            except BaseException as error:
                self._tell_log_in(asked, caller, session, _outcome(error), known=request.of_user or _knows(error))
                raise
            self._tell_log_in(asked, caller, session, GOOD, known=True)
            return response

        return told

    def _tell_opening(self, opening: Opening, outcome: Outcome, asked_at: datetime, *, renewal: bool) -> None:
        asked, channel = opening.asked, self._channel
        parameters = asked.Parameters if asked else None
        self._door.tell(
            ChannelAsked(
                caller=self._caller(asked.RequestHeader.AuditEntryId if asked else "", asked_at=asked_at),
                outcome=outcome,
                renewal=renewal,
                policy_uri=channel.asked_policy_uri[:LONGEST_TEXT],
                mode=parameters.SecurityMode if parameters else ua.MessageSecurityMode.Invalid,
                lifetime_ms=float(parameters.RequestedLifetime) if parameters else 0.0,
            )
        )

    def _tell_log_in(
        self, asked: Asked, caller: Caller, session: InternalSession | None, outcome: Outcome, *, known: bool
    ) -> None:
        token = asked.UserIdentityToken
        named = isinstance(token, ua.UserNameIdentityToken)
        self._door.tell(
            LogInAsked(
                caller=caller,
                outcome=outcome,
                user=_short(token.UserName) if named and known else None,
                anonymous=not named,
                policy_id=_short(getattr(token, "PolicyId", "")),
                session_id=session.session_id if session else None,
            )
        )

    def _caller(
        self, audit_entry_id: str | None, application_uri: str | None = "", *, asked_at: datetime | None = None
    ) -> Caller:
        channel = self._channel
        return Caller(
            address=self._address,
            asked_at=asked_at or datetime.now(UTC),
            channel_id=str(channel.security_token.ChannelId) if channel.is_open() else "",
            certificate=channel.client_certificate or channel.asked_certificates,
            application_uri=_short(application_uri),
            audit_entry_id=_short(audit_entry_id),
        )


def _outcome(error: BaseException) -> Outcome:
    """Why a request was refused, as exactly as it is known."""
    because = error
    while because.__cause__ is not None and not isinstance(because, Refusal | LogInRefused):
        because = because.__cause__
    code = _code(error)
    if isinstance(because, Refusal):
        return Outcome(code=getattr(ua.StatusCodes, because.code, code), why=str(because), of_certificate=True)
    if isinstance(because, LogInRefused):
        return Outcome(code=code, why=str(because))
    if isinstance(error, ChannelFault):
        return Outcome(code=code, why=error.reason, of_certificate=_name(code).startswith("BadCertificate"))
    if isinstance(error, asyncio.CancelledError):
        return Outcome(code=code, why="the connection ended before the answer")
    return Outcome(code=code, why=_name(code))


def _code(error: BaseException) -> int:
    if isinstance(error, ServiceError | ua.UaStatusCodeError | ChannelFault):
        return int(error.code)
    cancelled = isinstance(error, asyncio.CancelledError)
    return int(ua.StatusCodes.BadConnectionClosed if cancelled else ua.StatusCodes.BadInternalError)


def _knows(error: BaseException) -> bool:
    """Is the name that was refused a user's."""
    return isinstance(error.__cause__, LogInRefused) and error.__cause__.known


def _audit_entry_id(message: ua.Message | None) -> str:
    if message is None:
        return ""
    body = CountedBuffer.of(message, READS_SMALL)
    try:
        nodeid_from_binary(body)
        header = struct_from_binary(ua.RequestHeader, body)
    except BROKEN:
        return ""  # it goes all the same
    return header.AuditEntryId or ""


def _name(code: int) -> str:
    return str(ua.StatusCode(code).name)  # type: ignore[arg-type]


def _short(text: str | None) -> str:
    return (text or "")[:LONGEST_TEXT]
