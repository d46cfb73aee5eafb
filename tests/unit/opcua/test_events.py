"""Events as OPC UA tells them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary, variant_to_binary

from edge_agent.events import Event, MachineEvent, MachineEventKind
from edge_agent.jobs import JobEvent, JobEventKind, JobRun, Outcome
from edge_agent.sinks import opcua
from edge_agent.sinks.opcua.objects.job_orders import order, response, states
from edge_agent.sinks.opcua.objects.machine_events import IDENTIFIERS, SEVERITIES, message, notifiers, occurrence
from edge_agent.sinks.opcua.space import structures

MODELS = Path(opcua.__file__).parent / "models"
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ID = "00112233445566778899aabbccddeeff"
RUN = JobRun(id="run-1", machine_id="mk3", file_name="Gehäuse.gcode", started_at=AT, updated_at=AT)
FAILED = JobRun(
    id="run-1", machine_id="mk3", started_at=AT, updated_at=AT, ended_at=AT, outcome=Outcome.FAILED, reason="Offline"
)
STARTED = JobEvent(id=ID, kind=JobEventKind.STARTED, at=AT, run=RUN)
FAULT = MachineEvent(id=ID, kind=MachineEventKind.FAULT, at=AT, machine_id="mk3", text="Thermal runaway")


def fields(event: Event) -> dict[str, Any]:
    found = occurrence(event, source_name="MK3 links").fields
    return {"/".join(f"{namespace}:{name}" for namespace, name in path): value.Value for path, value in found.items()}


def base(**different: Any) -> dict[str, Any]:
    return {
        "0:EventId": bytes.fromhex(ID),
        "0:SourceName": "MK3 links",
        "0:Time": AT,
        "0:ReceiveTime": AT,
        **{f"0:{name}": value for name, value in different.items()},
    }


def test_what_happens_to_a_print() -> None:
    assert fields(STARTED) == {
        **base(
            EventType=ua.NodeId.from_string("ns=5;i=1006"),
            SourceNode=ua.NodeId.from_string("ns=13;s=mk3/MachineryBuildingBlocks/JobManagement/JobOrderResults"),
            Message=ua.LocalizedText("Gehäuse.gcode: started", "en"),
            Severity=100,
        ),
        "5:JobOrder": order(RUN),
        "5:JobState": states(RUN),
        "5:JobResponse": response(RUN),
    }


def test_what_happens_to_a_machine() -> None:
    assert fields(FAULT) == {
        **base(
            EventType=ua.NodeId.from_string("ns=10;i=35"),
            SourceNode=ua.NodeId.from_string("ns=13;s=mk3"),
            Message=ua.LocalizedText("fault: Thermal runaway", "en"),
            Severity=700,
        ),
        "10:Identifier": "Fault",
    }


@pytest.mark.parametrize(("event", "file"), [(STARTED, "isa95-jobcontrol.jsonl"), (FAULT, "machine-tool.jsonl")])
def test_every_mandatory_field_of_the_types_is_there(event: Event, file: str) -> None:
    """By the models: BaseEventType's and the type's own properties with the rule Mandatory."""
    made = occurrence(event, source_name="x")
    owners = {"ua.jsonl": "0:2041", file: made.event_type.to_string().replace("ns=", "").replace(";i=", ":")}
    mandatory = set()
    for name, owner in owners.items():
        for line in (MODELS / name).read_text(encoding="utf-8").splitlines()[1:]:
            node = json.loads(line)
            if f"46<{owner}" in node["refs"] and "37>0:78" in node["refs"]:
                mandatory.add(node["name"])
    assert len(mandatory) >= 9
    assert mandatory <= set(fields(event))


@pytest.mark.parametrize("event", [STARTED, FAULT])
def test_every_field_can_be_sent(event: Event) -> None:
    structures.register()
    for value in occurrence(event, source_name="x").fields.values():
        assert variant_from_binary(Buffer(variant_to_binary(value))) == value


def test_every_kind_has_a_severity_and_a_name() -> None:
    assert set(SEVERITIES) == {*JobEventKind, *MachineEventKind}
    assert set(IDENTIFIERS) == set(MachineEventKind)
    assert all(1 <= severity <= 1000 for severity in SEVERITIES.values())


def test_messages() -> None:
    assert message(JobEvent(kind=JobEventKind.FAILED, at=AT, run=FAILED)) == "a print: failed: Offline"
    regained = MachineEvent(kind=MachineEventKind.CONNECTION_REGAINED, at=AT, machine_id="mk3")
    assert message(regained) == "connection regained"


def test_who_is_told() -> None:
    server, machine = "i=2253", "ns=13;s=mk3"
    results = "ns=13;s=mk3/MachineryBuildingBlocks/JobManagement/JobOrderResults"
    messages = "ns=13;s=mk3/Notification/Messages"
    assert [node.to_string() for node in notifiers(STARTED)] == [server, machine, results]
    assert [node.to_string() for node in notifiers(FAULT)] == [server, machine, results, messages]
