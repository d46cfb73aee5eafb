"""asyncua's inner server with our address space in it, instead of one node object per node of the standard.

Its start builds nothing: no generated code is imported, no file is parsed. Nothing here changes nodes, and no service
that would is among `services`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from asyncua import Node, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.address_space import AttributeService
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.user_managers import UserManager

from ..events.event_filter import Supertypes
from ..monitoring.subscriptions import Subscriptions
from ..objects.history import EventHistory, MachinesAt, Past
from ..options import Limits
from ..space import wire
from ..space.address_space import AddressSpace
from ..space.methods import Methods
from ..space.nodeset import Key
from .session import Served, Session


class InnerServer(InternalServer):
    """What `asyncua.Server` serves."""

    def __init__(
        self,
        space: AddressSpace,
        users: UserManager,
        *,
        limits: Limits,
        names: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Make it.

        Args:
            space: what it serves.
            users: asyncua's own way of logging in.
            limits: of its sessions.
            names: of those who may log in, each of whom has a share of what all have together; asked each time.
        """
        super().__init__(user_manager=users)
        self.method_service.stop()
        given: Any = space  # asyncua's annotations name its own classes; what it calls is tested
        self.aspace = given
        self.attribute_service = AttributeService(given)  # for the server's own session
        self.methods = Methods()
        self.served = Served(space, self.methods)
        self._supertypes = _supertypes(space)
        self.events = Subscriptions(
            space,
            supertypes=self._supertypes,
            limits=limits,
            most=lambda: self.max_subscriptions,
            users=names,
        )
        subscriptions: Any = self.events
        self.subscription_service = subscriptions
        self.isession = self.create_session("Internal", user=User(role=UserRole.Admin))
        self.current_time_node = Node(self.isession, wire.node_id(Key(0, ua.ObjectIds.Server_ServerStatus_CurrentTime)))
        self.server_status_node = Node(self.isession, wire.node_id(Key(0, ua.ObjectIds.Server_ServerStatus)))

    def remember(self, past: Past, *, machines_at: MachinesAt, name_of: Callable[[str], str]) -> None:
        """Answer HistoryRead from what is kept of the past."""
        self.served.history = EventHistory(
            past,
            machines_at=machines_at,
            name_of=name_of,
            supertypes=self._supertypes,
            may_see=self._may_see,
        )

    def _may_see(self, session_id: ua.NodeId, machine_id: str) -> bool:
        """May this session know of a machine; one that is gone may know of none."""
        sessions = (*self._external_sessions.values(), self.isession)
        found = next((session for session in sessions if session.session_id == session_id), None)
        return isinstance(found, Session) and found.sees_machine(machine_id)

    def create_session(
        self,
        name: str,
        user: User = User(role=UserRole.Anonymous),  # noqa: B008 - asyncua's signature
        external: bool = False,
    ) -> InternalSession:
        """A session of ours."""
        return Session(self, self.served, name=name, user=user, external=external)

    async def init(self, shelffile: object = None) -> None:
        """Nothing to build; what the server says of itself is written by `server_object`."""


def _supertypes(space: AddressSpace) -> Supertypes:
    return lambda node: map(wire.node_id, space.nodeset.supertypes(wire.key(node))[1:])
