"""What must not be seen is not there: as if it did not exist, by whatever way it is asked for."""

from __future__ import annotations

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole

from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.security.policies import Nobody
from edge_agent.sinks.opcua.security.users import Reader
from edge_agent.sinks.opcua.sessions.inner import InnerServer
from edge_agent.sinks.opcua.sessions.session import Session
from edge_agent.sinks.opcua.space.address_space import MACHINES, AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Key
from edge_agent.sinks.opcua.space.sight import Sight, sees_all, sees_of
from tests.opcua_space import ROOT, of_machine

MACHINES_FOLDER = Key(4, 1001)
STATUS = of_machine("MesStatus")


def of_users(space: AddressSpace, *mes_ids: int) -> Sight:
    """The space as users of these MES instances see it; the machine belongs to 1 and 2."""
    return Sight(space, sees_of(mes_ids, {"m": (1, 2)}.get))


def is_there(sight: Sight, node: Key) -> tuple[bool, bool, str]:
    read = sight.read(node, ua.AttributeIds.BrowseName).StatusCode
    assert read is not None
    return sight.row(node) is not None, bool(list(sight.references(node))), read.name


@pytest.mark.parametrize("mes_ids", [(1,), (2,), (2, 7)])
def test_one_of_its_instances_is_enough_to_see_a_machine(space: AddressSpace, mes_ids: tuple[int, ...]) -> None:
    assert is_there(of_users(space, *mes_ids), STATUS) == (True, True, "Good")


@pytest.mark.parametrize("mes_ids", [(), (7,), (12,)])
def test_a_foreign_machine_answers_as_an_unknown_one(space: AddressSpace, mes_ids: tuple[int, ...]) -> None:
    sight = of_users(space, *mes_ids)
    for node in (ROOT, STATUS, of_machine("Monitoring/Process/BedTemperature/AnalogSignal")):
        assert is_there(sight, node) == is_there(sight, Key(MACHINES, "no-such")) == (False, False, "BadNodeIdUnknown")


def test_nothing_that_stays_refers_to_a_foreign_machine(space: AddressSpace) -> None:
    seen, hidden = of_users(space, 1), of_users(space, 7)
    assert ROOT in {reference.target for reference in seen.references(MACHINES_FOLDER)}
    for node in (*space.models.keys(), Key(MACHINES, "Agent")):
        assert not any(reference.target == ROOT for reference in hidden.references(node))


def test_a_user_sees_the_folders_of_its_instances() -> None:
    sees = sees_of((1,), lambda _: None)
    folder = "Agent/MesInstances"
    seen = {
        path: sees(Key(MACHINES, path)) for path in ("Agent", "Agent/Version", folder, f"{folder}/1", f"{folder}/12")
    }
    assert seen == {"Agent": True, "Agent/Version": True, folder: True, f"{folder}/1": True, f"{folder}/12": False}


def test_the_models_are_everybodys(space: AddressSpace) -> None:
    sight = of_users(space)
    for node in (Key(0, 84), Key(11, 1005), MACHINES_FOLDER):
        assert is_there(sight, node) == (True, True, "Good")


def test_a_user_without_an_instance_sees_all(space: AddressSpace) -> None:
    assert is_there(Sight(space, sees_all), STATUS) == (True, True, "Good")


@pytest.mark.parametrize(
    ("user", "external", "sees"),
    [
        (User(role=UserRole.Admin), True, False),
        (User(role=UserRole.Anonymous), True, False),
        (Reader(name="mes-7", mes_ids=frozenset({7})), True, False),
        (Reader(name="mes-1", mes_ids=frozenset({1})), True, True),
        (Reader(name="scada", mes_ids=None), True, True),
        (User(role=UserRole.Admin), False, True),  # the server's own session
    ],
)
def test_a_session_that_nobody_has_logged_in_to_sees_no_machine(
    space: AddressSpace, user: User, *, external: bool, sees: bool
) -> None:
    server = InnerServer(space, Nobody(), limits=Limits())
    server.served.mes_ids_of = lambda machine_id: (1,) if machine_id == "m" else None
    session = Session(server, server.served, name="a client", user=user, external=external)
    assert session.sees_machine("m") is sees
