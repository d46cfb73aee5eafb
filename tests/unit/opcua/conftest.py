"""The models are read once for all tests of this folder."""

from __future__ import annotations

import pytest

from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.nodeset import Nodeset
from tests.opcua_space import space_with_machine


@pytest.fixture(scope="session")
def nodeset() -> Nodeset:
    return Nodeset()


@pytest.fixture
def space(nodeset: Nodeset) -> AddressSpace:
    return space_with_machine(nodeset)
