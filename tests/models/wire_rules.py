"""Where a stock asyncua 2.1.0 server differs from ours, node by node in the namespaces that both have.

What the Server object's variables hold is tested in tests/unit/opcua/test_server_object.py.
"""

from edge_agent.sinks.opcua.monitoring.value_item import LEAST_MADE_SAMPLING_S

from .compare import Difference, Rule
from .stock_rules import DICTIONARY_TYPE, FAULTS, RUN_TIME_VALUES, is_subset

MACHINES = "13:="
IRDI_ID_TYPES = "7:1005"
ENABLED_FLAG = "0:2294"


def _value(difference: Difference) -> dict[str, object]:
    return difference.ours if difference.what == "Value" and difference.ours else {}


def _is_schema(difference: Difference) -> bool:
    entry = difference.ours_entry
    return difference.what == "Value" and entry is not None and DICTIONARY_TYPE in entry.references


def _is_empty(difference: Difference) -> bool:
    return difference.theirs is None and _value(difference).get("value", 0) in ("", [])


RULES = (
    Rule(
        reason="our machines, and what else is ours, hang on the models",
        count=8,
        applies=lambda d: d.what == "reference" and d.theirs is None and f">{MACHINES}" in d.ours,
    ),
    Rule(
        reason="no client may write to ours",
        count=67,
        applies=lambda d: d.what == "UserAccessLevel" and d.ours == d.theirs & 1,
    ),
    Rule(
        reason="we tell no descriptions of what is in the models",
        count=384,
        applies=lambda d: d.what == "Description" and d.ours is None,
    ),
    Rule(
        reason="we tell no schemas of type dictionaries",
        count=12,
        applies=lambda d: _is_schema(d) and d.ours is None,
    ),
    Rule(
        reason="diagnostics are made when they are read, once a second for who watches them",
        count=16,
        applies=lambda d: d.what == "MinimumSamplingInterval" and d.ours == LEAST_MADE_SAMPLING_S * 1000.0,
    ),
    Rule(
        reason="whether diagnostics are made is not a client's to say",
        count=1,
        applies=lambda d: d.node == ENABLED_FLAG and d.what == "AccessLevel",
    ),
    Rule(
        reason="namespaces of which we left something out are subsets",
        count=3,
        applies=is_subset,
    ),
    Rule(
        reason="asyncua reads an empty text or list as Null, or leaves it so",
        count=38,
        applies=_is_empty,
    ),
    Rule(
        reason="asyncua leaves what a server should say of itself Null",
        count=48,
        applies=lambda d: bool(_value(d)) and d.theirs is None and d.node.startswith("0:"),
    ),
    Rule(
        reason="each server fills in what it alone knows",
        count=17,
        applies=lambda d: bool(_value(d)) and bool(d.theirs) and d.node in RUN_TIME_VALUES,
    ),
    Rule(
        reason="the model does not say that its identifiers are numbers and strings",
        count=1,
        applies=lambda d: d.node == IRDI_ID_TYPES and _value(d).get("value") == [0, 1] and d.theirs is None,
    ),
    *FAULTS,
)
