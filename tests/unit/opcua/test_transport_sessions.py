"""Which session makes room for the next one, and that a server that is full says so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User
from asyncua.server.internal_session import SessionState

from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.security.policies import Nobody
from edge_agent.sinks.opcua.sessions.inner import InnerServer
from edge_agent.sinks.opcua.sessions.session_life import (
    LivingSession,
    Security,
    make_room,
    make_room_for,
    sessions_of,
)
from edge_agent.sinks.opcua.space.address_space import AddressSpace


class Line:
    """A connection that is there."""

    security = Security(certificate=b"", mode=ua.MessageSecurityMode.None_)
    policy_uri = ""

    def let_go(self, session: LivingSession, code: int) -> None:
        """It may go."""

    def end(self, code: int, reason: str) -> None:
        """It may end."""


@pytest.fixture
def inner(space: AddressSpace) -> InnerServer:
    return InnerServer(space, Nobody(), limits=Limits())


def session(inner: InnerServer, *, user: str | None, connected: bool = True) -> LivingSession:
    made = inner.create_session("made up", external=True)
    assert isinstance(made, LivingSession)
    made.carrier = Line() if connected else None
    if user is not None:
        made.state, made.user = SessionState.Activated, User(name=user)
    return made


def left(inner: InnerServer) -> Sequence[LivingSession]:
    return sessions_of(inner)


async def test_room_is_made_by_who_has_gone_and_then_by_nobody(inner: InnerServer) -> None:
    gone, working = session(inner, user="alice", connected=False), session(inner, user="alice")
    logging_in = session(inner, user=None)
    await make_room(inner, most=3)
    assert left(inner) == [gone, working, logging_in]
    await make_room(inner, most=2)
    assert left(inner) == [working, logging_in]
    with pytest.raises(ServiceError) as refused:
        await make_room(inner, most=1)
    assert refused.value.code == ua.StatusCodes.BadTooManySessions
    assert left(inner) == [working, logging_in]


async def test_a_user_makes_room_for_himself_only(inner: InnerServer) -> None:
    bobs = session(inner, user="bob", connected=False)
    working, gone = session(inner, user="alice"), session(inner, user="alice", connected=False)
    new = session(inner, user=None)
    await make_room_for(User(name="alice"), new, most=2)
    assert left(inner) == [bobs, working, new]
    with pytest.raises(ServiceError) as refused:
        await make_room_for(User(name="alice"), new, most=1)
    assert refused.value.code == ua.StatusCodes.BadTooManySessions
    assert gone.state is SessionState.Closed


async def test_a_session_that_ends_is_known_no_longer(inner: InnerServer) -> None:
    ended = session(inner, user="alice")
    assert inner.lookup_external_session(ended.auth_token) is ended
    await ended.close_session()
    assert inner.lookup_external_session(ended.auth_token) is None
