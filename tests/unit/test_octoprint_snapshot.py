"""What OctoPrint's answers mean: every recorded situation, and answers nobody should send but somebody does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import pytest

from edge_agent.model import MachineState, Snapshot, Temperature
from edge_agent.sources.octoprint import (
    ConnectionAnswer,
    Identity,
    VersionAnswer,
    lookalike,
    profile_name,
)
from tests.answers import NOW, made, operational, read, snapshot_of
from tests.double import recorded, situations

OFF, CONNECTING, FAULT = MachineState.OFF, MachineState.CONNECTING, MachineState.FAULT
READY, DONE, STARTING, PRINTING = MachineState.READY, MachineState.DONE, MachineState.STARTING, MachineState.PRINTING
PAUSING, PAUSED, RESUMING = MachineState.PAUSING, MachineState.PAUSED, MachineState.RESUMING
FINISHING, CANCELLING = MachineState.FINISHING, MachineState.CANCELLING

CUBE = "Würfel 20 mm – größer ✓.gcode"  # noqa: RUF001 - the recorded name
ONE_TOOL = ("bed", "tool0")
THREE_TOOLS = ("bed", "chamber", "tool0", "tool1", "tool2")
THERMAL_RUNAWAY = "Thermal Runaway, system stopped! Heater_ID: bed - Printer halted. kill() called!"


@dataclass(frozen=True)
class Expected:
    state: MachineState
    text: str
    error: str = ""
    file_name: str | None = None
    file_size_bytes: int | None = None
    user: str | None = None
    percent: float | None = None
    elapsed_s: float | None = None
    remaining_s: float | None = None
    origin: str | None = None
    heaters: tuple[str, ...] = ()


def fault(error: str) -> Expected:
    return Expected(FAULT, "Offline after error", error)


def printed(state: MachineState, text: str, percent: float, elapsed_s: float | None, left_s: float | None) -> Expected:
    """Somewhere in the print of demo.gcode."""
    origin = None if left_s is None or percent == 100 else "linear"
    return Expected(state, text, "", "demo.gcode", 2050, "admin", percent, elapsed_s, left_s, origin, ONE_TOOL)


def held(state: MachineState, text: str, percent: float, elapsed_s: float, left_s: float | None) -> Expected:
    """The print of demo2.gcode, whose passing states were held on purpose."""
    origin = None if left_s is None or percent == 100 else "linear"
    return Expected(state, text, "", "demo2.gcode", 1370, "admin", percent, elapsed_s, left_s, origin, ONE_TOOL)


def three_tools(state: MachineState, text: str, percent: float, elapsed_s: float, left_s: float) -> Expected:
    return Expected(state, text, "", "multi.gcode", 4097, "admin", percent, elapsed_s, left_s, "linear", THREE_TOOLS)


def from_sd(
    state: MachineState,
    text: str,
    percent: float | None = None,
    elapsed_s: float | None = None,
    left_s: float | None = None,
) -> Expected:
    return Expected(state, text, "", "sdtest~1.gco", 4053, "admin", percent, elapsed_s, left_s, None, ONE_TOOL)


def stopped(file_name: str, size: int, heaters: tuple[str, ...] = ONE_TOOL) -> Expected:
    """Operational with a file selected and nothing known of its print."""
    return Expected(READY, "Operational", "", file_name, size, "admin", heaters=heaters)


RECORDINGS = {
    "01_operational_idle_nofile": Expected(OFF, "Offline"),
    "02_disconnected": Expected(OFF, "Offline"),
    "03_just_connected": Expected(READY, "Operational"),
    "04_idle_file_uploaded": Expected(READY, "Operational"),
    "05_idle_file_selected": stopped("demo.gcode", 2050, ()),
    # Recorded a moment too late for the folder's name: the passing state was over.
    "06_starting": Expected(PRINTING, "Printing", "", "demo.gcode", 2050, "admin", 4.878, 0, heaters=("bed",)),
    "07_printing_0s": Expected(PRINTING, "Printing", "", "demo.gcode", 2050, "admin", 4.878, 0, heaters=("bed",)),
    "08_printing_3s": printed(PRINTING, "Printing", 26.927, 3, None),
    "09_printing_6s": printed(PRINTING, "Printing", 52.683, 6, 5),
    "10_pausing": printed(PAUSING, "Pausing", 52.683, 6, 5),
    "11_paused": printed(PAUSED, "Paused", 52.683, 6, 5),
    "12_resuming": printed(PRINTING, "Printing", 55.902, 6, 4),
    "13_printing_after_resume": printed(PRINTING, "Printing", 55.902, 6, 4),
    "14_finishing_or_done": printed(DONE, "Operational", 100, 11, 0),
    "15_done_idle": printed(DONE, "Operational", 100, 11, 0),
    "16_cancelling": stopped("demo.gcode", 2050),
    "17_after_cancel": stopped("demo.gcode", 2050),
    "20_starting": held(STARTING, "Starting", 0, 0, None),
    "21_pausing": held(PAUSING, "Pausing", 40.292, 4, 6),
    "22_resuming": held(RESUMING, "Resuming", 40.292, 4, 6),
    "23_cancelling": stopped("demo2.gcode", 1370),
    "24_finishing": held(FINISHING, "Finishing", 100, 11, 0),
    "30_fatal_error_marlin_idle": fault(THERMAL_RUNAWAY),
    "31_fatal_error_marlin_printing": fault(THERMAL_RUNAWAY),
    "32_fatal_error_repetier_printing": fault(
        "fatal: Heater/sensor error - Printer stopped and heaters disabled due to this error. "
        "Fix error and restart with M999."
    ),
    "33_mintemp_printing": fault("MINTEMP triggered! - ok"),
    "34_drop_connection_printing": fault("SerialTimeoutException:"),
    "35_reset_printing": stopped("err.gcode", 6761),
    "36_m112_printing": fault("Closing serial port due to emergency stop M112."),
    "37_action_disconnect": Expected(OFF, "Offline"),
    "38_api_disconnect_while_printing": Expected(OFF, "Offline"),
    "39_connect_ttyS0": Expected(CONNECTING, "Connecting"),
    "40_connect_ttyS0_later": Expected(CONNECTING, "Connecting"),
    "50_multi_chamber_idle": Expected(READY, "Operational", heaters=THREE_TOOLS),
    "51_multi_chamber_printing": three_tools(PRINTING, "Printing", 35.221, 4, 7),
    "52_offsets": three_tools(PRINTING, "Printing", 43.520, 5, 6),
    "53_cancelling": three_tools(CANCELLING, "Cancelling", 45.179, 5, 6),
    # It says that it has been sending for -3 s.
    "54_sd_transfer": Expected(
        PRINTING, "Sending file to SD", "", "sdbig.gco", 50439, None, 85.828, None, None, None, ONE_TOOL
    ),
    "55_sd_files": Expected(READY, "Operational", heaters=ONE_TOOL),
    "56_sd_selected": from_sd(READY, "Operational"),
    "57_sd_starting": from_sd(STARTING, "Starting print from SD", 0, 0),
    "58_sd_printing": from_sd(PRINTING, "Printing from SD", 28.547, 5),
    "59_sd_paused": from_sd(PAUSED, "Paused", 29.484, 9),
    # OctoPrint itself calls it complete: it has no other word for an SD print that ended.
    "60_sd_cancelled": from_sd(DONE, "Operational", 100, 7, 0),
    "61_nonfatal_error_cancelled": stopped("err.gcode", 6761, THREE_TOOLS),
    "62_awol_timeout": fault("Too many consecutive timeouts, printer still connected and alive?"),
    "63_klipper_lost": Expected(READY, "Operational", heaters=THREE_TOOLS),
    "64_connect_timeout": Expected(OFF, "Offline"),
    "65_autodetect": Expected(CONNECTING, "Detecting serial connection"),
    "70_unicode_folder": stopped(CUBE, 340, ()),
}


def told(snapshot: Snapshot) -> Expected:
    job = snapshot.job
    return Expected(
        snapshot.state,
        snapshot.state_text,
        snapshot.error,
        job.file_name,
        job.file_size_bytes,
        job.user,
        None if job.progress_ratio is None else round(job.progress_ratio * 100, 3),
        job.elapsed_s,
        job.remaining_s,
        job.remaining_origin,
        tuple(snapshot.temperatures),
    )


@pytest.mark.parametrize("situation", RECORDINGS)
def test_a_recorded_situation_means_what_it_was(situation: str) -> None:
    assert told(snapshot_of(situation)) == RECORDINGS[situation]


def test_every_recorded_situation_is_in_the_table() -> None:
    assert sorted(RECORDINGS) == situations()


def test_a_files_date_is_that_of_the_server_and_none_on_the_printers_card() -> None:
    assert snapshot_of("11_paused").job.file_date == datetime(2026, 11, 22, 12, 9, 35, tzinfo=UTC)
    assert snapshot_of("05_idle_file_selected").job.file_date is not None
    for situation in ("58_sd_printing", "01_operational_idle_nofile"):
        assert snapshot_of(situation).job.file_date is None


@pytest.mark.parametrize("date", [None, 1e300, -1e300])
def test_a_date_that_is_none_is_not_told(date: float | None) -> None:
    file = {"name": "a.gcode", "path": "a.gcode", "date": date}
    job = made({"state": "Operational", "job": {"file": file}}, operational("ready")).job
    assert (job.file_path, job.file_date) == ("a.gcode", None)


def test_a_name_of_many_alphabets_in_a_folder_arrives_as_it_was_written() -> None:
    job = snapshot_of("70_unicode_folder").job
    assert job.file_name == CUBE
    assert job.file_path == f"Kunden/Müller  Söhne/{CUBE}"


def test_temperatures_and_set_points_are_those_of_the_answer() -> None:
    temperatures = snapshot_of("51_multi_chamber_printing").temperatures
    raw = json.loads(recorded("51_multi_chamber_printing", "printer")[1])["temperature"]
    assert temperatures == {name: Temperature(raw[name]["actual"], raw[name]["target"]) for name in sorted(raw)}
    assert temperatures["tool0"].target_celsius


def test_the_newest_history_entry_is_the_time_of_the_temperatures() -> None:
    _, job = recorded("08_printing_3s", "job")
    _, printer = recorded("08_printing_3s", "printer_history")
    snapshot = read(job, printer)
    times = [entry["time"] for entry in json.loads(printer)["temperature"]["history"]]
    assert snapshot.temperatures_at == datetime.fromtimestamp(max(times), UTC)
    assert "history" not in snapshot.temperatures


def test_who_and_when_are_taken_over() -> None:
    snapshot = snapshot_of("11_paused")
    assert (snapshot.observed_at, snapshot.response_time_s) == (NOW, 0.02)
    assert (snapshot.software_version, snapshot.profile_name) == ("OctoPrint 1.11.8", "Bench 1")
    assert snapshot.advice == ""


def test_the_global_key_works_and_its_owner_is_advised_to_replace_it() -> None:
    identity = Identity(version="OctoPrint 1.11.8", user="_api")
    assert "STATUS" in read(recorded("11_paused", "job")[1], None, identity).advice


# States as other versions word and flag them.


@pytest.mark.parametrize(
    ("text", "error", "state", "said"),
    [
        ("Error", "Heating failed", FAULT, "Heating failed"),
        ("Error", "", FAULT, "Error"),
        ("Error: Heating failed", "", FAULT, "Heating failed"),
        ("Offline (Error: Heating failed)", "", FAULT, "Heating failed"),
        ("Offline (Error: bed: too hot)", "", FAULT, "bed: too hot"),
        ("Offline after error", None, FAULT, "Offline after error"),
        ("Offline", "Heating failed", FAULT, "Heating failed"),
        ("Offline", None, OFF, ""),
        ("Closed", None, OFF, ""),
        ("", None, OFF, ""),
        ("Opening serial port", None, CONNECTING, ""),
        ("Opening serial connection", None, CONNECTING, ""),
        ("Detecting serial port", None, CONNECTING, ""),
        ("Connecting", None, CONNECTING, ""),
        ("Operational", None, CONNECTING, ""),
    ],
)
def test_without_an_answer_of_the_printer_the_text_tells(
    text: str, error: str | None, state: MachineState, said: str
) -> None:
    snapshot = made({"state": text, "error": error})
    assert (snapshot.state, snapshot.state_text, snapshot.error) == (state, text, said)
    assert snapshot.temperatures == {}


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Printing", PRINTING),
        ("Printing from SD", PRINTING),
        ("Cancelling", CANCELLING),
        ("Pausing", PAUSING),
        ("Resuming", RESUMING),
        ("Finishing", FINISHING),
        ("Starting print from SD", STARTING),
        ("Transferring file to SD", PRINTING),
        ("Something a coming version says", PRINTING),
    ],
)
def test_before_the_passing_flags_existed_the_text_tells(text: str, state: MachineState) -> None:
    assert made({"state": text}, operational("printing", text=text)).state is state


@pytest.mark.parametrize("flag", ["finishing", "cancelling", "pausing", "resuming"])
def test_a_passing_flag_outweighs_printing_whatever_the_text_says(flag: str) -> None:
    printer = operational("printing", flag, text="Printing")
    assert made({"state": "Printing"}, printer).state is MachineState(flag)


def test_the_error_flag_is_a_fault_even_before_the_text_says_so() -> None:
    snapshot = made({"state": "Printing"}, operational("error", "closedOrError", text="Error"))
    assert (snapshot.state, snapshot.error) == (FAULT, "Error")


def test_closed_without_an_error_is_off() -> None:
    assert made({"state": "Operational"}, operational("closedOrError", text="Offline")).state is OFF


def test_of_two_answers_that_disagree_the_printers_own_is_believed() -> None:
    snapshot = made({"state": "Printing"}, operational("paused", text="Paused"))
    assert (snapshot.state, snapshot.state_text) == (PAUSED, "Paused")


# Who answers.


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("OctoPrint (Moonraker v0.9.3-100-gd5ee171)", "Moonraker"),
        ("PrusaLink 0.8.1", "PrusaLink"),
        ("PrusaLink", "PrusaLink"),
        ("Repetier-Server", "Repetier-Server"),
        (None, "does not say"),
    ],
)
def test_what_is_not_octoprint_is_named(text: str | None, word: str) -> None:
    reason = lookalike(VersionAnswer(text=text))
    assert reason
    assert word in reason


@pytest.mark.parametrize(
    "answer",
    [
        VersionAnswer(server="1.11.8", text="OctoPrint 1.11.8"),
        VersionAnswer(server="1.3.6", text="OctoPrint 1.3.6"),
        VersionAnswer(server="1.3.0"),
        VersionAnswer(text="OctoPrint 2.0.0rc7"),
    ],
)
def test_octoprint_is_octoprint(answer: VersionAnswer) -> None:
    assert lookalike(answer) is None


@pytest.mark.parametrize(
    ("current", "preferred", "name"),
    [("_default", None, None), ("delta", "_default", "Delta 200"), (None, "delta", "Delta 200"), ("gone", None, None)],
)
def test_the_profile_in_use_is_named_unless_it_is_octoprints_default(
    current: str | None, preferred: str | None, name: str | None
) -> None:
    profiles = [{"id": "_default", "name": "Default"}, {"id": "delta", "name": "Delta 200"}]
    answer = {
        "current": {"printerProfile": current},
        "options": {"printerProfiles": profiles, "printerProfilePreference": preferred},
    }
    assert profile_name(msgspec.convert(answer, ConnectionAnswer)) == name


def test_recorded_connections_use_octoprints_default_profile() -> None:
    for situation in situations()[:-1]:
        answer = msgspec.json.decode(recorded(situation, "connection")[1], type=ConnectionAnswer)
        assert profile_name(answer) is None
