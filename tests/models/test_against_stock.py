import pytest

from . import compiled
from .compare import complaints, differences
from .dump import Dump
from .pruned import pruned
from .stock_rules import LEFT_OUT, RULES


@pytest.mark.timeout(300)
def test_every_difference_to_a_stock_server_is_known(stock: Dump) -> None:
    without = pruned(stock)
    assert len(stock) - len(without) == LEFT_OUT
    assert complaints(differences(compiled.dump(), without), RULES) == []
