"""docs/opcua.md says what is served: its tables are compared with the items, the models and the limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from asyncua import ua

from edge_agent.items import ITEMS, DataItem, heater_items
from edge_agent.journal.journal import KEEP_RUNS
from edge_agent.journal.waiting import EVENTS_PER_RUN
from edge_agent.sinks.opcua.objects import history, job_methods, job_orders, machine, machine_events
from edge_agent.sinks.opcua.objects.job_orders import JobResult, JobState, ReturnStatus
from edge_agent.sinks.opcua.objects.machine_type import MachineType
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.sessions import shutdown
from edge_agent.sinks.opcua.space import continuation, limits, view
from edge_agent.sinks.opcua.space.namespaces import namespaces
from edge_agent.sinks.opcua.space.nodeset import Key, Nodeset, key
from edge_agent.sinks.opcua.space.template import Template
from edge_agent.sinks.opcua.space.values import STATUS_CODES

TEXT = (Path(__file__).parents[3] / "docs" / "opcua.md").read_text(encoding="utf-8")
CELLS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]
ROWS = {cells[0].strip("`"): cells for cells in CELLS}
STATE_MACHINES = {
    "MachineryBuildingBlocks/MachineryItemState",
    "MachineryBuildingBlocks/MachineryOperationMode",
    "Production/ActiveProgram/State",
}


@pytest.fixture(scope="module")
def template(nodeset: Nodeset) -> Template:
    return MachineType(nodeset).template(("tool0",))


def place(item: DataItem) -> str:
    """Where an item is served, by the rules that the document gives."""
    if item.id in STATE_MACHINES:
        return f"{item.id}/CurrentState"
    if item.id.startswith("Monitoring/Stacklight/"):
        return f"{item.id}/SignalOn"
    if item.id.endswith("Setpoint"):
        return f"{item.id.removesuffix('Setpoint')}Temperature/ProcessValueSetpoint"
    return f"{item.id}/AnalogSignal" if item.id.endswith("Temperature") else item.id


def data_type(nodeset: Nodeset, template: Template, path: str) -> str:
    row = template[path].row
    return nodeset[key(row.data_type)].name.partition(":")[2] + ("[]" if row.rank == 1 else "")


@pytest.mark.parametrize("item", [*ITEMS, *heater_items("tool0")], ids=lambda item: item.id)
def test_every_item_is_in_the_document_with_its_type_unit_and_sentence(
    nodeset: Nodeset, template: Template, item: DataItem
) -> None:
    path = place(item)
    kind = data_type(nodeset, template, path)
    unit = "ms" if kind == "Duration" else item.unit.symbol if item.unit else ""
    assert ROWS.get(path) == [f"`{path}`", kind, unit, item.sentence]


def test_every_path_in_the_document_is_served(template: Template) -> None:
    ours = {place(item) for item in (*ITEMS, *heater_items("tool0"))}
    told = {path for path, cells in ROWS.items() if cells[0].startswith("`") and len(cells) == 4}
    assert told == ours
    for mentioned in re.findall(r"`((?:Identification|Machinery\w+|Monitoring|Notification|Job|Source)/[\w/]+)`", TEXT):
        assert mentioned in template or mentioned == "Monitoring/Health", mentioned


def test_the_namespaces_are_those_of_the_server(nodeset: Nodeset, template: Template) -> None:
    rows = [cells for cells in CELLS if cells[0].isdigit() and len(cells) == 3]
    assert [cells[1] for cells in rows] == [f"`{uri}`" for uri in namespaces(nodeset, "<device-uuid>")]
    of_names: dict[str, set[int]] = {}
    for path, declared in template.items():
        of_names.setdefault(path.rpartition("/")[2], set()).add(int(declared.row.name.partition(":")[0]))
    for index, _, names in rows:
        for name in re.findall(r"`([^`]+)`", names):
            assert int(index) in of_names[name], name


def test_node_ids_of_types_are_right(nodeset: Nodeset) -> None:
    found = re.findall(r"(\w+Type)\s+\(`ns=(\d+);i=(\d+)`", TEXT)
    assert len(found) >= 5
    for name, namespace, identifier in found:
        assert nodeset[Key(int(namespace), int(identifier))].name.partition(":")[2] == name


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("nodes in one Read", limits.NODES_PER_READ),
        ("nodes in one Browse", limits.NODES_PER_BROWSE),
        ("references of a node in an answer", limits.REFERENCES_PER_NODE),
        ("references in one answer of Browse", limits.REFERENCES_PER_BROWSE),
        ("continuation points of Browse in a session", continuation.PER_SESSION),
        ("steps in a path", view.ELEMENTS_PER_PATH),
        ("paths in one TranslateBrowsePathsToNodeIds", limits.PATHS_PER_TRANSLATE),
        ("methods in one Call", limits.METHODS_PER_CALL),
        ("monitored items in one request", limits.ITEMS_PER_CALL),
        ("nodes in one HistoryRead", history.MOST_NODES),
        ("events in one answer of HistoryRead", history.MOST_EVENTS),
        ("continuation points of HistoryRead in a session", continuation.PER_SESSION),
    ],
)
def test_every_limit_is_the_one_in_force(what: str, limit: int) -> None:
    assert ROWS[what][1] == f"{limit:,}"


def test_what_clients_may_take_is_as_documented() -> None:
    ours = Limits()
    assert ROWS["sessions"][1] == f"{ours.max_connections}, {ours.max_sessions_per_user} of one user"
    assert ROWS["subscriptions in a session"][1] == str(ours.max_subscriptions)
    assert ROWS["monitored items in a session"][1] == f"{ours.max_monitored_items:,}"
    assert ROWS["monitored items in all sessions"][1] == f"{ours.max_total_monitored_items:,}"
    assert ROWS["bytes of a request"][1] == f"{ours.max_message_bytes:,}"


def test_return_statuses_and_job_states_have_their_numbers() -> None:
    assert {cells[0] for cells in CELLS if cells[0].isdigit() and len(cells) == 2} == {
        str(int(bit)) for bit in ReturnStatus
    }
    told = {cell for cells in CELLS for cell in cells}
    names = {JobState.RUNNING: "Running", JobState.INTERRUPTED: "Interrupted", JobState.ENDED: "Ended"}
    for state, name in (names | {JobState.ABORTED: "Aborted"}).items():
        assert f"{name} {int(state)}" in told
    for result in JobResult:
        assert f"{result.name.capitalize()} {int(result)}" in told
    assert f"the {job_orders.LISTED} newest prints" in TEXT
    assert f"at most {job_methods.LIMIT:,}" in TEXT


def test_event_types_identifiers_and_severities_are_those_of_the_events() -> None:
    assert {ROWS[name][0] for name in ROWS if name.endswith("`)")} == {
        f"{name} (`ns={node.namespace};i={node.identifier}`)"
        for name, node in (
            ("ISA95JobOrderStatusEventType", machine_events.JOB_EVENT_TYPE),
            ("NotificationEventType", machine_events.MACHINE_EVENT_TYPE),
            ("GeneralModelChangeEventType", Key(0, 2133)),
        )
    }
    assert f"`10:Identifier`: {', '.join(machine_events.IDENTIFIERS.values())}" in TEXT
    for severity in set(machine_events.SEVERITIES.values()):
        assert re.search(rf"\b{severity}\b", TEXT)


def test_every_quality_has_its_status_code_in_the_document() -> None:
    names = [ua.StatusCode(code).name for code in STATUS_CODES.values()]  # type: ignore[arg-type]
    assert [name for name in names if name not in TEXT] == []


def test_what_is_kept_and_shown_has_its_numbers() -> None:
    assert f"at most {machine.MAX_HEATERS} a machine" in TEXT
    assert f"The newest {KEEP_RUNS * EVENTS_PER_RUN:,} events" in TEXT


def test_when_a_stopping_agent_is_back_is_as_documented() -> None:
    told = f"in {shutdown.GRACE_S} s of notice, {shutdown.RESTART_S:g} s, and as long as its last start took, at most"
    assert f"{told} {shutdown.LONGEST_START_S:g} s" in " ".join(TEXT.split())
