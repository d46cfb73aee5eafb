"""What Prometheus reads: names, base units, sentences, and no sample for what cannot be trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from edge_agent.counters import Counters
from edge_agent.items import ITEMS, Kind
from edge_agent.jobs import JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.model import Job, MachineState, Quality, Temperature
from edge_agent.observation import Observation, Polls
from edge_agent.sinks.http.metrics import metric_name, metrics
from tests.observations import AT, PRINTING, observation

from .bench import COMPUTER, DISK, Bench, observed

DOCUMENT = (Path(__file__).parents[3] / "docs" / "http.md").read_text(encoding="utf-8")
FULL = replace(
    PRINTING,
    job=Job(
        file_name="gear.gcode",
        file_path="gear.gcode",
        file_size_bytes=2050,
        file_date=AT,
        progress_ratio=0.25,
        elapsed_s=90.0,
        remaining_s=270.5,
        estimated_s=360.0,
        filament_length_mm=1500.0,
        filament_volume_cm3=3.5,
    ),
)
RUN = JobRun(id="r", machine_id="mark-one", started_at=AT, updated_at=AT, ended_at=AT, outcome=Outcome.COMPLETED)


class Family(Struct):
    """One name, as a reader of the format sees it."""

    kind: str
    sentence: str
    samples: dict[str, float]


def parse(text: str) -> dict[str, Family]:
    """Read the format strictly: HELP, TYPE, then samples of that name; every name once, every set of labels once."""
    families: dict[str, Family] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, sentence = line.removeprefix("# HELP ").partition(" ")
            assert name not in families
            families[name] = Family("", sentence, {})
        elif line.startswith("# TYPE "):
            assert line.split()[2] == name
            families[name].kind = line.split()[3]
        else:
            found = re.fullmatch(rf'{name}(\{{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\}})? (\S+)', line)
            assert found, line
            labels = found[1] or ""
            assert labels not in families[name].samples, line
            families[name].samples[labels] = float(found[2])
    assert text.endswith("\n")
    return families


@pytest.fixture
async def full(tmp_path: Path) -> str:
    journal = await Journal.open(tmp_path / "journal.db")
    bench = Bench(journal=journal, computer=lambda: COMPUTER, disks=lambda: (DISK,))
    bench.store.publish(observation(snapshot=FULL, run=RUN, polls=Polls(cycles=7, failures=2, duration_s=0.5)))
    text = "".join(metrics(bench.store, bench.about))
    await journal.close()
    return text


def of(*machines: Observation) -> dict[str, Family]:
    bench = Bench()
    for each in machines:
        bench.store.publish(each)
    return parse("".join(metrics(bench.store, bench.about)))


def value(families: dict[str, Family], name: str, labels: str = '{machine="mark-one"}') -> float | None:
    return families[name].samples.get(labels) if name in families else None


def complaints(name: str, family: Family) -> Iterator[str]:
    """The rules of `promtool check metrics` (prometheus/client_golang, prometheus/testutil/promlint/validations)."""
    if not family.sentence:
        yield "no help text"
    if family.kind == "counter" and not name.endswith("_total"):
        yield "counter without _total"
    if family.kind != "counter" and name.endswith("_total"):
        yield "non-counter with _total"
    if re.search(r"_(bucket|count|sum)$", name):
        yield "a histogram's ending"
    if re.search(r"_(gauge|counter|summary|histogram|untyped)(_|$)", name):
        yield "a type in the name"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        yield "not in snake case"
    if re.search(r"_(s|ms|us|ns|sec|b|kb|mb|gb|tb|c|f|k|mm|cm|m|h|v|a|w|j|g|kg)(_|$)", name):
        yield "an abbreviated unit"
    if re.search(r"(milli|micro|nano|kilo|mega|centi|deci|kibi|mebi)[a-z]*|minutes|hours|percent|fahrenheit", name):
        yield "no base unit"
    if re.search(r"(_|^)(\w+)_\2(_|$)", name):
        yield "a word twice"


def test_every_family_passes_the_lint(full: str) -> None:
    families = parse(full)
    assert len(families) > 35
    assert {name: list(complaints(name, family)) for name, family in families.items()} == {
        name: [] for name in families
    }
    assert {family.kind for family in families.values()} == {"gauge", "counter"}


def test_values_are_in_base_units(full: str) -> None:
    families = parse(full)
    assert value(families, "edge_agent_job_progress_ratio") == 0.25
    assert value(families, "edge_agent_machine_response_time_seconds") == 0.0125
    assert value(families, "edge_agent_job_filament_length_meters") == 1.5
    assert value(families, "edge_agent_job_filament_volume_cubic_meters") == pytest.approx(3.5e-6)
    assert value(families, "edge_agent_job_remaining_time_seconds") == 270.5
    assert value(families, "edge_agent_machine_last_seen_timestamp_seconds") == AT.timestamp()
    assert value(families, "edge_agent_heater_temperature_celsius", '{machine="mark-one",heater="tool0"}') == 204.8
    assert value(families, "edge_agent_heater_setpoint_celsius", '{machine="mark-one",heater="tool0"}') == 205.0
    assert (
        value(families, "edge_agent_machine_polls_total"),
        value(families, "edge_agent_machine_poll_failures_total"),
    ) == (7, 2)
    assert value(families, "edge_agent_machine_poll_duration_seconds") == 0.5


def test_exactly_one_state_holds(full: str) -> None:
    families = parse(full)
    for name in (
        "machine_state",
        "machine_mes_status",
        "machine_quality",
        "machinery_item_state",
        "active_program_state",
    ):
        samples = families[f"edge_agent_{name}"].samples
        assert sorted(samples.values()) == [0.0] * (len(samples) - 1) + [1.0]
    assert value(families, "edge_agent_machine_state", '{machine="mark-one",state="printing"}') == 1


def test_every_number_of_the_items_has_a_name_of_its_own() -> None:
    numeric = [item for item in ITEMS if item.kind in {Kind.NUMBER, Kind.COUNT, Kind.FLAG, Kind.TIME, Kind.CHOICE}]
    names = [metric_name(item) for item in numeric]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("quality", [q for q in Quality if not q.usable])
def test_what_cannot_be_trusted_has_no_sample(quality: Quality) -> None:
    families = of(observation(snapshot=FULL, quality=quality, run=RUN, counters=Counters(power_on_s=5.0)))
    assert not [name for name in families if name.startswith(("edge_agent_job", "edge_agent_heater"))]
    assert "edge_agent_machine_state" not in families
    assert "edge_agent_machinery_item_state" not in families
    # What the agent knows by itself goes on.
    assert value(families, "edge_agent_machine_reachable") == 0
    assert value(families, "edge_agent_power_on_duration_seconds_total") == 5.0


def test_a_printer_that_is_off_has_no_temperatures_and_what_is_not_said_is_not_zero() -> None:
    off = replace(PRINTING, state=MachineState.OFF, job=Job())
    families = of(observation(snapshot=off))
    assert not [name for name in families if name.startswith(("edge_agent_job_p", "edge_agent_heater"))]
    assert value(families, "edge_agent_machine_state", '{machine="mark-one",state="off"}') == 1
    sensor = of(observation(snapshot=replace(PRINTING, temperatures={"chamber": Temperature(30.0)})))
    assert "edge_agent_heater_setpoint_celsius" not in sensor
    nothing = of(
        observation(snapshot=replace(PRINTING, temperatures={"tool0": Temperature(float("nan"), float("inf"))}))
    )
    assert "edge_agent_heater_temperature_celsius" not in nothing


def test_labels_are_escaped() -> None:
    name = 'a"b\\c\nd{}= \ud800'
    families = of(observed(1, machine=replace(observed(1).machine, name=name)), observed(2))
    labels = next(labels for labels in families["edge_agent_machine_info"].samples if "machine-1" in labels)
    assert r'name="a\"b\\c\nd{}= "' in labels
    assert len(families["edge_agent_machine_info"].samples) == 2


def test_the_agent_and_its_process_are_told() -> None:
    bench = Bench()
    families = parse("".join(metrics(bench.store, bench.about)))
    assert families["edge_agent_build_info"].samples == {'{version="1.2.3"}': 1}
    assert value(families, "edge_agent_healthy", "") == 1
    assert (value(families, "process_resident_memory_bytes", "") or 0) > 1e6
    assert (value(families, "process_cpu_seconds_total", "") or 0) > 0
    assert (value(families, "process_start_time_seconds", "") or 0) > 1e9
    bench.endpoint = replace(bench.endpoint, waits_for="the clock", anonymous=True)
    families = parse("".join(metrics(bench.store, bench.about)))
    told = [value(families, f"edge_agent_{name}", "") for name in ("healthy", "opcua_open", "opcua_anonymous")]
    assert told == [0, 0, 1]


def test_of_the_computer_only_what_it_tells_is_told(full: str) -> None:
    families = parse(full)
    told = [value(families, f"edge_agent_computer_{name}", "") for name in ("temperature_celsius", "under_voltage")]
    assert told == [61.5, 1]
    assert value(families, "edge_agent_disk_free_bytes", '{path="/var/lib/edge-agent"}') == 2e9
    assert (value(families, "edge_agent_journal_size_bytes", "") or 0) > 0
    silent = replace(COMPUTER, temperature_celsius=None, under_voltage_now=None, throttled=None)
    bench = Bench(computer=lambda: silent)
    families = parse("".join(metrics(bench.store, bench.about)))
    assert {name for name in families if "_computer_" in name} == {
        "edge_agent_computer_clock_synchronised", "edge_agent_computer_memory_available_bytes"
    }  # fmt: skip


def test_every_name_is_documented(full: str) -> None:
    written = set(re.findall(r"`((?:edge_agent|process)_\w+)`", DOCUMENT))
    assert written == set(parse(full))


def test_the_dashboard_asks_only_for_names_that_there_are(full: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "grafana-dashboard.json").read_text(encoding="utf-8")
    asked = set(re.findall(r"\b(?:edge_agent|process)_\w+", text))
    assert asked
    assert asked <= set(parse(full))
