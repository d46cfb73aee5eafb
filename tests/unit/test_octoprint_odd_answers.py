"""Answers that no OctoPrint should send, and some do: each is read for what it still says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from edge_agent.model import Snapshot, Temperature
from edge_agent.sources.octoprint import JobAnswer, to_snapshot
from tests.answers import IDENTITY, NOW, made, operational, read
from tests.double import recorded


def places(value: Any) -> list[tuple[str, ...]]:
    """The path of every key in a JSON object, however deep."""
    if not isinstance(value, dict):
        return []
    return [path for key, below in value.items() for path in [(key,), *((key, *rest) for rest in places(below))]]


def changed(answer: Any, path: tuple[str, ...], *value: Any) -> bytes:
    """The answer with the value at a path replaced, or removed when none is given."""
    copy = json.loads(json.dumps(answer))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if value:
        place[path[-1]] = value[0]
    else:
        del place[path[-1]]
    return json.dumps(copy).encode()


@pytest.mark.parametrize("endpoint", ["job", "printer_history"])
def test_every_key_may_be_null_or_missing_and_is_then_unknown(endpoint: str) -> None:
    answers = {name: json.loads(recorded("51_multi_chamber_printing", name)[1]) for name in ("job", "printer_history")}
    whole = {name: json.dumps(answer).encode() for name, answer in answers.items()}
    paths = places(answers[endpoint])
    assert len(paths) > 15
    for path in paths:
        without = of_both(whole | {endpoint: changed(answers[endpoint], path)})
        assert of_both(whole | {endpoint: changed(answers[endpoint], path, None)}) == without, path


def of_both(answers: dict[str, bytes]) -> Snapshot:
    return read(answers["job"], answers["printer_history"])


@pytest.mark.parametrize("endpoint", ["job", "printer_history"])
def test_unknown_keys_anywhere_change_nothing(endpoint: str) -> None:
    answers = {name: json.loads(recorded("51_multi_chamber_printing", name)[1]) for name in ("job", "printer_history")}
    whole = {name: json.dumps(answer).encode() for name, answer in answers.items()}
    as_it_was = of_both(whole)
    objects = [path for path in places(answers[endpoint]) if isinstance(at(answers[endpoint], path), dict)]
    for path in [(), *objects]:
        if path == ("temperature",):
            continue  # there an unknown key is one more heater
        new = changed(answers[endpoint], (*path, "yetUnknown"), {"deep": [1, "two", None]})
        assert of_both(whole | {endpoint: new}) == as_it_was, path


def at(answer: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        answer = answer[key]
    return answer


def test_whole_numbers_for_fractions_are_read_as_fractions() -> None:
    snapshot = made(
        {"state": "Printing", "progress": {"completion": 50, "printTime": 60, "printTimeLeft": 60}},
        operational("printing", text="Printing", tool0={"actual": 200, "target": 210}),
    )
    values = (snapshot.job.progress_ratio, snapshot.job.elapsed_s, snapshot.temperatures["tool0"].actual_celsius)
    assert values == (0.5, 60.0, 200.0)
    assert [type(value) for value in values] == [float] * 3


def test_a_size_given_as_a_fraction_is_a_whole_number_of_bytes() -> None:
    size = made({"state": "Offline", "job": {"file": {"size": 2050.0}}}).job.file_size_bytes
    assert size == 2050
    assert type(size) is int


@pytest.mark.parametrize("size", [-1, 1e300, 10**30])
def test_a_size_that_no_file_has_is_unknown(size: float) -> None:
    assert made({"state": "Offline", "job": {"file": {"size": size}}}).job.file_size_bytes is None


@pytest.mark.parametrize("number", [b"1e999", b"-1e999"])
def test_a_number_beyond_all_numbers_never_becomes_infinity(number: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(b'{"state": "Operational", "progress": {"completion": %s}}' % number, None)


def test_numbers_that_are_none_are_left_out_wherever_they_come_from() -> None:
    job = msgspec.json.decode(b'{"state":"Printing","job":{"filament":{"tool0":{}}},"progress":{}}', type=JobAnswer)
    assert job.progress
    assert job.job
    job.progress.completion = job.progress.print_time = job.job.estimated_print_time = float("inf")
    job.progress.print_time_left = float("nan")
    snapshot = to_snapshot(job, None, IDENTITY, observed_at=NOW, response_time_s=0.0)
    told_of = snapshot.job
    assert (told_of.progress_ratio, told_of.elapsed_s, told_of.remaining_s, told_of.estimated_s) == (None,) * 4


@pytest.mark.parametrize(("completion", "ratio"), [(-3, 0.0), (0, 0.0), (100, 1.0), (100.4, 1.0), (1e300, 1.0)])
def test_progress_stays_between_nothing_and_all(completion: float, ratio: float) -> None:
    assert made({"state": "Offline", "progress": {"completion": completion}}).job.progress_ratio == ratio


def test_time_left_below_zero_is_unknown() -> None:
    progress = {"printTime": -3, "printTimeLeft": -1, "printTimeLeftOrigin": "linear"}
    job = made({"state": "Printing", "progress": progress, "job": {"estimatedPrintTime": -5}}).job
    assert (job.elapsed_s, job.remaining_s, job.remaining_origin, job.estimated_s) == (None, None, None, None)


def test_an_origin_without_an_estimate_is_not_told() -> None:
    progress = {"printTimeLeft": None, "printTimeLeftOrigin": "linear"}
    assert made({"state": "Printing", "progress": progress}).job.remaining_origin is None


def test_a_sensor_has_no_set_point_and_a_heater_may_not_have_reported_yet() -> None:
    snapshot = made(
        {"state": "Operational"},
        operational(A={"actual": 30, "target": None}, bed={"actual": None, "target": 60}, mcu={"actual": 41.5}),
    )
    assert snapshot.temperatures == {
        "A": Temperature(30.0, None),
        "bed": Temperature(None, 60.0),
        "mcu": Temperature(41.5, None),
    }


@pytest.mark.parametrize("time", [None, 1e300, -1e18])
def test_a_time_that_no_clock_shows_is_unknown(time: float | None) -> None:
    printer = operational(tool0={"actual": 20}, history=[{"time": time}])
    assert made({"state": "Operational"}, printer).temperatures_at is None


def test_an_empty_history_gives_no_time() -> None:
    assert made({"state": "Operational"}, operational(history=[])).temperatures_at is None


def test_filament_of_all_tools_is_summed_and_an_unknown_tool_left_out() -> None:
    filament = {
        "tool0": {"length": 1000.5, "volume": 2.4},
        "tool1": {"length": 500, "volume": None},
        "tool2": None,
    }
    job = made({"state": "Offline", "job": {"filament": filament}}).job
    assert (job.filament_length_mm, job.filament_volume_cm3) == (1500.5, 2.4)


@pytest.mark.parametrize("filament", [None, {}, {"length": None}, {"length": None, "volume": None}, {"tool0": {}}])
def test_filament_nobody_analysed_is_unknown_and_not_nothing(filament: Any) -> None:
    job = made({"state": "Offline", "job": {"filament": filament}}).job
    assert (job.filament_length_mm, job.filament_volume_cm3) == (None, None)


def test_a_file_on_the_printers_card_goes_by_its_short_name() -> None:
    file = {"name": "sdtest~1.gco", "path": "sdtest~1.gco", "display": None, "date": None}
    job = made({"state": "Operational", "job": {"file": file}}).job
    assert (job.file_name, job.file_path) == ("sdtest~1.gco", "sdtest~1.gco")


def test_a_file_goes_by_the_name_it_was_uploaded_with() -> None:
    file = {"name": "Cube_20mm.gcode", "path": "parts/Cube_20mm.gcode", "display": "Cube 20mm.gcode"}
    job = made({"state": "Operational", "job": {"file": file}}).job
    assert (job.file_name, job.file_path) == ("Cube 20mm.gcode", "parts/Cube_20mm.gcode")


def test_heaters_come_in_one_order_however_they_are_sent() -> None:
    printer = operational(tool1={}, mcu={}, bed={}, tool0={})
    assert list(made({"state": "Operational"}, printer).temperatures) == ["bed", "mcu", "tool0", "tool1"]


def test_before_display_and_path_existed_the_name_stands_for_both() -> None:
    job = made({"state": "Operational", "job": {"file": {"name": "cube.gcode"}}}).job
    assert (job.file_name, job.file_path) == ("cube.gcode", "cube.gcode")


def test_a_fault_is_told_in_one_line() -> None:
    snapshot = made({"state": "Offline after error", "error": "SerialException:\n  write failed\r\n"})
    assert snapshot.error == "SerialException: write failed"
