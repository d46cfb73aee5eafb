"""Our server over the wire: the same nodes as in the files, and the same of them as a stock server tells."""

import pytest

from . import compiled
from .compare import complaints, differences
from .dump import Dump
from .pruned import pruned
from .wire_rules import RULES

MODELS = range(12)


@pytest.fixture(scope="module")
def shared(ours: Dump) -> Dump:
    """What is in the namespaces that any server has."""
    return {node_id: entry for node_id, entry in ours.items() if int(node_id.partition(":")[0]) in MODELS}


@pytest.mark.timeout(300)
def test_a_client_finds_every_node_of_the_models(shared: Dump) -> None:
    assert shared.keys() == compiled.dump().keys()


@pytest.mark.timeout(300)
def test_every_difference_to_a_stock_server_is_known(shared: Dump, stock: Dump) -> None:
    assert complaints(differences(shared, pruned(stock)), RULES) == []


def test_both_machines_are_there(ours: Dump) -> None:
    found = {entry.references for node_id, entry in ours.items() if node_id in ("13:=mark-one", "13:=mark-two")}
    assert len(found) == 2
    assert all("40>11:1005" in references for references in found)
