"""Who is logged in, for the agent's own page: what diagnostics tell clients of each other, without types of OPC UA."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from ..security.users import Reader
from ..sessions.inner import InnerServer
from ..sessions.session_life import sessions_of
from ..sessions.subscribing import SubscribingSession


class Client(Struct, frozen=True, kw_only=True):
    """A session that somebody has logged in to.

    Attributes:
        application: as the client calls itself.
        session: as the client calls its session.
        user: empty for an anonymous one.
        address: the host it first came from, without its port.
    """

    application: str
    session: str
    user: str
    address: str
    encrypted: bool
    since: datetime | None
    subscriptions: int
    monitored_items: int


def clients(server: InnerServer) -> tuple[Client, ...]:
    """All of them, the oldest first."""
    return tuple(
        _client(server, session)
        for session in sessions_of(server)
        if isinstance(session, SubscribingSession) and session.is_activated()
    )


def _client(server: InnerServer, session: SubscribingSession) -> Client:
    said = session.introduction
    own = [each for each in server.events.subscriptions.values() if each.owner is session]
    named = isinstance(session.user, Reader) and session.user.proof is not None
    return Client(
        application=str(said.client.ApplicationName.Text or said.client.ApplicationUri or "") if said else "",
        session=said.session_name if said else "",
        user=str(session.user.name or "") if named else "",
        address=session.name,
        encrypted=session.encrypted,
        since=said.at if said else None,
        subscriptions=len(own),
        monitored_items=sum(len(each.items) for each in own),
    )
