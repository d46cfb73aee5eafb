"""The table of data items, and the quality table row by row."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from edge_agent import units
from edge_agent.counters import Counters
from edge_agent.items import ITEMS, DataItem, Kind, Reading, Scope, heater_items, heaters, read
from edge_agent.jobs import JobRun, Outcome
from edge_agent.model import (
    DEFAULT_STATE_TABLE,
    Choice,
    Identification,
    ItemState,
    Job,
    Machine,
    MachineState,
    MesStatus,
    OperationMode,
    ProgramState,
    Quality,
    Snapshot,
    StackLight,
    Temperature,
    ToolMode,
)
from edge_agent.observation import Observation
from tests.answers import snapshot_of
from tests.double import situations

SEEN = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
SENSED = SEEN - timedelta(seconds=2)
MACHINE = Machine(
    id="bench-1",
    name="Bench 1",
    address="octopi:80",
    url="http://octopi",
    kind="OCTOPRINT",
    mes_ids=(1, 2),
    instance_uri="urn:edge-agent:7a:bench-1",
)
SNAPSHOT = Snapshot(
    state=MachineState.PRINTING,
    state_text="Printing",
    observed_at=SEEN,
    response_time_s=0.0123,
    job=Job(
        file_name="cube.gcode",
        file_path="parts/cube.gcode",
        file_size_bytes=2050,
        file_date=SEEN - timedelta(days=1),
        user="anna",
        progress_ratio=0.42,
        elapsed_s=252.0,
        remaining_s=348.0,
        remaining_origin="linear",
        estimated_s=600.0,
        filament_length_mm=1500.5,
        filament_volume_cm3=3.6,
    ),
    temperatures={"tool0": Temperature(209.5, 210.0), "chamber": Temperature(31.0, None)},
    temperatures_at=SENSED,
    profile_name="Bench",
    software_version="OctoPrint 1.11.8",
)
RUN = JobRun(
    id="bench-1-20260301T055548-3f9a1c",
    machine_id="bench-1",
    started_at=SEEN - timedelta(seconds=252),
    updated_at=SEEN,
    ended_at=SEEN,
    outcome=Outcome.FAILED,
    reason="Thermal Runaway",
)
PRINTING = Observation(
    machine=MACHINE,
    quality=Quality.GOOD,
    temperature_quality=Quality.GOOD,
    reachable=True,
    mes_status=MesStatus.RUNNING,
    stack_light=StackLight.GREEN_BLINKING,
    poll_interval_s=1.0,
    snapshot=SNAPSHOT,
    meaning=DEFAULT_STATE_TABLE.rows[MachineState.PRINTING],
    run=RUN,
    counters=Counters(power_on_s=7200.0, operation_s=3600.5, completed=4),
    last_seen=SEEN,
)
UNHEARD = replace(
    PRINTING,
    quality=Quality.WAITING,
    temperature_quality=Quality.WAITING,
    reachable=False,
    snapshot=None,
    meaning=None,
    last_seen=None,
    mes_status=MesStatus.OFFLINE,
    stack_light=StackLight.OFF,
)
HEATERS = tuple(item for heater in ("tool0", "bed", "chamber") for item in heater_items(heater))
BY_ID = {item.id: item for item in (*ITEMS, *HEATERS)}
LIVE = [item for item in BY_ID.values() if item.scope is not Scope.AGENT]
OWN = [item for item in BY_ID.values() if item.scope is Scope.AGENT]
MACHINES = [item for item in ITEMS if item.scope is Scope.MACHINE]
TOOL = BY_ID["Monitoring/Process/Tool0Temperature"]


def value(item_id: str, observation: Observation = PRINTING) -> object:
    return read(BY_ID[item_id], observation).value


def with_snapshot(observation: Observation, snapshot: Snapshot) -> Observation:
    return replace(observation, snapshot=snapshot)


# The quality table.


@pytest.mark.parametrize("item", LIVE, ids=lambda item: item.id)
def test_before_the_first_answer_a_live_value_waits_and_is_null(item: DataItem) -> None:
    assert read(item, UNHEARD) == Reading(None, Quality.WAITING, None)


def test_a_fresh_value_is_good_and_stamped_with_the_time_of_its_answer() -> None:
    assert read(BY_ID["Job/Progress"], PRINTING) == Reading(42.0, Quality.GOOD, SEEN)


def test_a_fresh_temperature_is_stamped_with_the_printers_own_time() -> None:
    assert read(TOOL, PRINTING) == Reading(209.5, Quality.GOOD, SENSED)


def test_without_the_printers_own_time_a_temperature_has_that_of_the_answer() -> None:
    observation = with_snapshot(PRINTING, replace(SNAPSHOT, temperatures_at=None))
    assert read(TOOL, observation) == Reading(209.5, Quality.GOOD, SEEN)


def test_a_value_no_longer_fresh_is_uncertain_and_keeps_its_old_time() -> None:
    old = replace(PRINTING, quality=Quality.UNCERTAIN, temperature_quality=Quality.UNCERTAIN, reachable=False)
    assert read(BY_ID["Source/State"], old) == Reading("Printing", Quality.UNCERTAIN, SEEN)
    assert read(TOOL, old) == Reading(209.5, Quality.UNCERTAIN, SENSED)


@pytest.mark.parametrize("quality", [Quality.NO_COMMUNICATION, Quality.ACCESS_DENIED])
@pytest.mark.parametrize("item", LIVE, ids=lambda item: item.id)
def test_a_live_value_is_not_shown_when_nobody_answers_or_access_is_denied(item: DataItem, quality: Quality) -> None:
    for observation in (PRINTING, UNHEARD):
        reading = read(item, replace(observation, quality=quality, temperature_quality=quality))
        assert (reading.value, reading.quality) == (None, quality)


def test_access_denied_is_explained_in_words() -> None:
    denied = replace(PRINTING, quality=Quality.ACCESS_DENIED, error="the key's user lacks the STATUS permission")
    assert read(BY_ID["Source/Error"], denied).quality is Quality.GOOD
    assert value("Source/Error", denied) == "the key's user lacks the STATUS permission"


@pytest.mark.parametrize("state", [MachineState.OFF, MachineState.CONNECTING, MachineState.FAULT])
def test_of_a_printer_that_is_off_the_states_are_good_and_the_temperatures_not_connected(state: MachineState) -> None:
    off = with_snapshot(PRINTING, replace(SNAPSHOT, state=state, state_text="Offline"))
    assert read(BY_ID["Source/State"], off) == Reading("Offline", Quality.GOOD, SEEN)
    assert read(TOOL, off) == Reading(None, Quality.NOT_CONNECTED, SENSED)


@pytest.mark.parametrize("state", [state for state in MachineState if state.connected])
def test_of_a_printer_that_is_connected_the_temperatures_are_good(state: MachineState) -> None:
    assert read(TOOL, with_snapshot(PRINTING, replace(SNAPSHOT, state=state))).quality is Quality.GOOD


def test_a_printer_silent_behind_a_server_that_answers_makes_only_temperatures_uncertain() -> None:
    silent = replace(PRINTING, temperature_quality=Quality.UNCERTAIN)
    assert read(TOOL, silent) == Reading(209.5, Quality.UNCERTAIN, SENSED)
    assert read(BY_ID["Job/Progress"], silent).quality is Quality.GOOD


def test_a_printer_that_is_off_and_cannot_be_reached_is_first_of_all_not_reached() -> None:
    off = with_snapshot(PRINTING, replace(SNAPSHOT, state=MachineState.OFF))
    assert read(TOOL, replace(off, quality=Quality.NO_COMMUNICATION)).quality is Quality.NO_COMMUNICATION


EMPTY = with_snapshot(
    replace(PRINTING, run=None), replace(SNAPSHOT, job=Job(), temperatures={}, profile_name=None, software_version=None)
)
CHOICES = {
    "MachineryBuildingBlocks/MachineryItemState",
    "MachineryBuildingBlocks/MachineryOperationMode",
    "Monitoring/MachineTool/OperationMode",
    "Production/ActiveProgram/State",
}
ALWAYS_TOLD = {"Source/State", "Source/ResponseTime", "Production/ActiveProgram/NumberInList", *CHOICES}


@pytest.mark.parametrize("item", [item for item in LIVE if item.id not in ALWAYS_TOLD], ids=lambda item: item.id)
def test_what_the_machine_does_not_report_is_no_data_and_no_invented_number(item: DataItem) -> None:
    reading = read(item, EMPTY)
    assert (reading.value, reading.quality) == (None, Quality.NO_DATA)


def test_a_sensor_without_a_set_point_has_a_temperature_and_no_set_point() -> None:
    assert value("Monitoring/Process/ChamberTemperature") == 31.0
    assert read(BY_ID["Monitoring/Process/ChamberSetpoint"], PRINTING).quality is Quality.NO_DATA


@pytest.mark.parametrize("quality", [quality for quality in Quality if quality is not Quality.NO_DATA])
@pytest.mark.parametrize("item", OWN, ids=lambda item: item.id)
def test_what_the_agent_knows_itself_stays_good_whatever_the_machine_does(item: DataItem, quality: Quality) -> None:
    reading = read(item, replace(PRINTING, quality=quality, temperature_quality=quality))
    assert reading.quality is Quality.GOOD
    assert reading.value is not None


def test_a_machine_never_heard_of_has_no_last_seen() -> None:
    assert read(BY_ID["Source/LastSeen"], UNHEARD) == Reading(None, Quality.NO_DATA, None)
    assert value("Source/Reachable", UNHEARD) is False


@pytest.mark.parametrize("observation", [PRINTING, UNHEARD, EMPTY])
@pytest.mark.parametrize("quality", Quality)
def test_a_value_is_null_exactly_when_its_quality_is_unusable(observation: Observation, quality: Quality) -> None:
    if observation.snapshot is None and quality.usable:
        return  # no poller says so
    for item in BY_ID.values():
        reading = read(item, replace(observation, quality=quality, temperature_quality=quality))
        assert (reading.value is None) is not reading.quality.usable


# The table itself.


def test_ids_are_unique_and_are_paths() -> None:
    ids = [item.id for item in (*ITEMS, *HEATERS)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*(/[A-Z][A-Za-z0-9]*)*", item_id) for item_id in ids)


@pytest.mark.parametrize("item", [*ITEMS, *HEATERS], ids=lambda item: item.id)
def test_an_item_is_described_in_one_sentence_with_sensible_unit_and_span(item: DataItem) -> None:
    assert re.fullmatch(r"[A-Z].*[.]", item.sentence)
    assert "\n" not in item.sentence
    if item.unit is not None:
        assert item.kind in {Kind.NUMBER, Kind.COUNT}
    if item.span is not None:
        assert item.span[0] < item.span[1]
    assert (item.choices is not None) is (item.kind is Kind.CHOICE)
    assert item.choices is None or issubclass(item.choices, Choice)


def assert_kinds(observation: Observation) -> int:
    """How many values there were to look at."""
    found = 0
    names = heaters(observation.snapshot)
    for item in (*ITEMS, *(item for name in names for item in heater_items(name))):
        reading = read(item, observation)
        if reading.value is not None:
            found += 1
            assert type(reading.value) is (item.choices or item.kind.value), item.id
    return found


def test_every_value_is_of_its_items_kind() -> None:
    assert assert_kinds(PRINTING) == len(ITEMS) + 3


@pytest.mark.parametrize("situation", situations())
def test_every_value_of_a_recorded_situation_is_of_its_items_kind(situation: str) -> None:
    assert assert_kinds(with_snapshot(PRINTING, snapshot_of(situation))) >= len(OWN)


def test_values_are_in_the_units_they_are_labelled_with() -> None:
    expected = {
        "MachineryBuildingBlocks/OperationCounters/PowerOnDuration": (7200.0, units.SECOND),
        "MachineryBuildingBlocks/OperationCounters/OperationDuration": (3600.5, units.SECOND),
        "Job/Progress": (42.0, units.PERCENT),
        "Job/ElapsedTime": (252.0, units.SECOND),
        "Job/RemainingTime": (348.0, units.SECOND),
        "Job/EstimatedTime": (600.0, units.SECOND),
        "Job/FileSize": (2050, units.BYTE),
        "Job/FilamentLength": (1500.5, units.MILLIMETRE),
        "Job/FilamentVolume": (3.6, units.CUBIC_CENTIMETRE),
        "Source/ResponseTime": (12.3, units.MILLISECOND),
        "Source/PollInterval": (1.0, units.SECOND),
        "Monitoring/Process/Tool0Temperature": (209.5, units.CELSIUS),
        "Monitoring/Process/Tool0Setpoint": (210.0, units.CELSIUS),
    }
    assert {item_id: (value(item_id), BY_ID[item_id].unit) for item_id in expected} == expected
    with_units = {item.id for item in BY_ID.values() if item.unit is not None}
    assert with_units - expected.keys() == {item.id for item in HEATERS if "Tool0" not in item.id}


def test_texts_are_those_of_the_machine() -> None:
    expected = {
        "MesStatus": "Running",
        "MesIds": (1, 2),
        "Job/FileName": "cube.gcode",
        "Job/FilePath": "parts/cube.gcode",
        "Job/FileDate": SEEN - timedelta(days=1),
        "Job/User": "anna",
        "Job/RemainingTimeOrigin": "linear",
        "Source/Kind": "OCTOPRINT",
        "Source/Url": "http://octopi",
        "Source/Version": "OctoPrint 1.11.8",
        "Source/State": "Printing",
        "Source/Error": "",
        "Source/Reachable": True,
        "Source/LastSeen": SEEN,
    }
    assert {item_id: value(item_id) for item_id in expected} == expected


@pytest.mark.parametrize(
    ("light", "lit"),
    [
        (StackLight.OFF, set()),
        (StackLight.RED, {"Red"}),
        (StackLight.YELLOW, {"Yellow"}),
        (StackLight.GREEN, {"Green"}),
        (StackLight.GREEN_BLINKING, {"Green"}),
    ],
)
def test_one_lamp_at_most_is_lit(light: StackLight, lit: set[str]) -> None:
    observation = replace(PRINTING, stack_light=light)
    lamps = ("Red", "Yellow", "Green")
    assert {lamp for lamp in lamps if value(f"Monitoring/Stacklight/{lamp}", observation)} == lit


def test_the_error_is_why_it_cannot_be_reached_before_what_is_wrong_with_it() -> None:
    faulty = with_snapshot(PRINTING, replace(SNAPSHOT, state=MachineState.FAULT, error="Heating failed"))
    assert value("Source/Error", faulty) == "Heating failed"
    assert value("Source/Error", replace(faulty, error="connection refused")) == "connection refused"


def test_a_ratio_of_nothing_is_zero_percent_and_not_unknown() -> None:
    begun = replace(SNAPSHOT, job=replace(SNAPSHOT.job, progress_ratio=0.0, elapsed_s=0.0))
    assert read(BY_ID["Job/Progress"], with_snapshot(PRINTING, begun)) == Reading(0.0, Quality.GOOD, SEEN)


# What the companion specifications ask for.


def test_the_choices_are_the_rows_of_the_state_table() -> None:
    assert {item.id for item in ITEMS if item.kind is Kind.CHOICE} == CHOICES
    assert {item_id: value(item_id) for item_id in CHOICES} == {
        "MachineryBuildingBlocks/MachineryItemState": ItemState.EXECUTING,
        "MachineryBuildingBlocks/MachineryOperationMode": OperationMode.PROCESSING,
        "Monitoring/MachineTool/OperationMode": ToolMode.AUTOMATIC,
        "Production/ActiveProgram/State": ProgramState.RUNNING,
    }


def test_a_machine_that_cannot_be_reached_keeps_its_last_states_with_a_bad_quality() -> None:
    old = replace(PRINTING, quality=Quality.UNCERTAIN, temperature_quality=Quality.UNCERTAIN)
    state = BY_ID["MachineryBuildingBlocks/MachineryItemState"]
    assert read(state, old) == Reading(ItemState.EXECUTING, Quality.UNCERTAIN, SEEN)
    assert read(state, replace(old, quality=Quality.NO_COMMUNICATION)) == Reading(None, Quality.NO_COMMUNICATION, SEEN)


PLATE = {
    "Manufacturer": "Prusa Research",
    "SerialNumber": "10589-3742",
    "ProductInstanceUri": "urn:edge-agent:7a:bench-1",
    "Model": "MK4",
    "ProductCode": "MK4-KIT",
    "SoftwareRevision": "OctoPrint 1.11.8",
    "YearOfConstruction": 2023,
    "Location": "Hall 2",
    "ComponentName": "Bench 1",
    "DeviceClass": "Additive Manufacturing machine",
    "AMTechnologyIdentifier": "MEX",
}


def plate(observation: Observation) -> dict[str, object]:
    return {name: value(f"Identification/{name}", observation) for name in PLATE}


def test_the_identification_is_what_somebody_wrote_down() -> None:
    written = Identification(
        manufacturer="Prusa Research",
        model="MK4",
        serial_number="10589-3742",
        product_code="MK4-KIT",
        year_of_construction=2023,
        location="Hall 2",
    )
    assert plate(replace(PRINTING, machine=replace(MACHINE, identification=written))) == PLATE


def test_what_nobody_wrote_down_is_neutral_and_no_invented_number() -> None:
    neutral = {"Manufacturer": "", "Model": "", "ProductCode": "", "Location": "", "YearOfConstruction": 0}
    assert plate(PRINTING) == PLATE | neutral | {"SerialNumber": "bench-1"}
    assert plate(UNHEARD) == PLATE | neutral | {"SerialNumber": "bench-1", "SoftwareRevision": ""}


def program(observation: Observation) -> list[object]:
    return [value(f"Production/ActiveProgram/{name}", observation) for name in ("Name", "JobIdentifier")]


def test_the_program_is_the_selected_file_with_the_run_that_was_made_of_it() -> None:
    run = replace(RUN, file_name="cube.gcode", file_path="parts/cube.gcode", file_size_bytes=2050)
    printed = replace(PRINTING, run=run)
    assert program(printed) == ["cube.gcode", RUN.id]
    assert value("Production/ActiveProgram/NumberInList") == 0
    other = with_snapshot(printed, replace(SNAPSHOT, job=Job(file_name="next.gcode", file_path="next.gcode")))
    assert program(other) == ["next.gcode", None]
    assert program(replace(other, run=replace(run, outcome=None))) == ["next.gcode", RUN.id]


def test_after_a_fault_that_lost_the_selected_file_the_program_is_the_last_run() -> None:
    run = replace(RUN, file_name="cube.gcode", file_path="parts/cube.gcode")
    assert program(with_snapshot(replace(PRINTING, run=run), replace(SNAPSHOT, job=Job()))) == ["cube.gcode", RUN.id]


def test_the_cycles_counted_are_completed_prints() -> None:
    assert value("MachineryBuildingBlocks/OperationCounters/OperationCycleCounter") == 4


# Heaters.


@pytest.mark.parametrize(
    ("heater", "name", "span"),
    [
        ("tool0", "Tool0", (0.0, 300.0)),
        ("tool12", "Tool12", (0.0, 300.0)),
        ("bed", "Bed", (0.0, 120.0)),
        ("chamber", "Chamber", (0.0, 80.0)),
        ("mcu", "Mcu", (0.0, 300.0)),
        ("A", "A", (0.0, 300.0)),
    ],
)
def test_a_heater_has_a_temperature_and_a_set_point(heater: str, name: str, span: tuple[float, float]) -> None:
    temperature, setpoint = heater_items(heater)
    assert temperature.id == f"Monitoring/Process/{name}Temperature"
    assert setpoint.id == f"Monitoring/Process/{name}Setpoint"
    assert temperature.span == setpoint.span == span
    assert temperature.unit == setpoint.unit == units.CELSIUS


def test_heaters_are_those_the_machine_reports() -> None:
    assert heaters(SNAPSHOT) == ("tool0", "chamber")
    assert heaters(None) == ()


def test_a_set_point_of_zero_is_off_and_not_unknown() -> None:
    cold = replace(SNAPSHOT, temperatures={"tool0": Temperature(21.0, 0.0)})
    observation = with_snapshot(PRINTING, cold)
    assert read(BY_ID["Monitoring/Process/Tool0Setpoint"], observation) == Reading(0.0, Quality.GOOD, SENSED)


# Units.


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        (units.CELSIUS, 4408652),
        (units.SECOND, 5457219),
        (units.PERCENT, 20529),
        (units.MILLIMETRE, 5066068),
        (units.CUBIC_CENTIMETRE, 4410705),
        (units.MILLISECOND, 4403766),
        (units.BYTE, 16708),
    ],
)
def test_a_unit_has_the_number_that_opc_ua_lists_for_it(unit: units.Unit, number: int) -> None:
    assert unit.opcua_id == number


def test_a_print_that_goes_on_has_a_start_and_no_end() -> None:
    going_on = replace(PRINTING, run=replace(RUN, ended_at=None, outcome=None, reason=""))
    values = {item.id: read(item, going_on) for item in ITEMS}
    assert values["Job/Id"].value == RUN.id
    assert values["Job/StartTime"].value == RUN.started_at
    for path in ("Job/EndTime", "Job/Outcome", "Job/OutcomeReason"):
        assert (values[path].value, values[path].quality) == (None, Quality.NO_DATA)


def test_a_print_that_ended_tells_how_and_why() -> None:
    values = {item.id: read(item, PRINTING).value for item in ITEMS}
    assert (values["Job/EndTime"], values["Job/Outcome"]) == (SEEN, "failed")
    assert values["Job/OutcomeReason"] == "Thermal Runaway"
