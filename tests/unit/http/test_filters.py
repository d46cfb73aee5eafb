"""Some of many machines: which are found, and that a filter is an address like any other."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from edge_agent.model import Identification, Job, MachineState, Quality
from edge_agent.observation import Observation
from edge_agent.sinks.http.filters import LONGEST_TEXT, Filter, Group, group_of
from edge_agent.sinks.http.page import FILTERED_FROM
from edge_agent.sinks.http.report import machine_report
from tests.observations import PRINTING

from .bench import Bench, machine, observed
from .reader import Reader


def doing(state: MachineState, number: int = 1, **more: object) -> Observation:
    return observed(number, snapshot=replace(PRINTING, state=state), **more)


@pytest.mark.parametrize(
    ("observation", "group"),
    [
        *((doing(state), Group.WORKING) for state in MachineState if state.busy and state is not MachineState.PAUSED),
        (doing(MachineState.PAUSED), Group.ATTENTION),
        (doing(MachineState.FAULT), Group.ATTENTION),
        (doing(MachineState.READY), Group.READY),
        (doing(MachineState.DONE), Group.READY),
        (doing(MachineState.OFF), Group.OFF),
        (doing(MachineState.CONNECTING), Group.OFF),
        (doing(MachineState.READY, quality=Quality.NO_COMMUNICATION), Group.ATTENTION),
        (doing(MachineState.READY, quality=Quality.ACCESS_DENIED), Group.ATTENTION),
        (doing(MachineState.PRINTING, quality=Quality.UNCERTAIN), Group.WORKING),
        (observed(1, snapshot=None, quality=Quality.WAITING), Group.OFF),
        (observed(1, snapshot=None, quality=Quality.WAITING, error="refused"), Group.ATTENTION),
    ],
)
def test_every_machine_is_in_one_group(observation: Observation, group: Group) -> None:
    assert group_of(machine_report(observation)) is group


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, Filter()),
        ({"show": "attention"}, Filter(group=Group.ATTENTION)),
        ({"show": "nonsense", "q": "  GEAR "}, Filter(text="GEAR")),
        ({"show": "", "q": ""}, Filter()),
        ({"q": "x" * 1000}, Filter(text="x" * LONGEST_TEXT)),
    ],
)
def test_a_query_that_means_nothing_shows_all(query: dict[str, str], wanted: Filter) -> None:
    assert Filter.of(query) == wanted


def test_a_text_is_looked_for_in_names_ids_places_and_files() -> None:
    hall = machine(2, identification=Identification(location="Hall 7"))
    gear = replace(PRINTING, job=Job(file_name="Straße.gcode"))
    machines = [
        machine_report(each)
        for each in (observed(1), observed(2, machine=hall), observed(3, snapshot=gear), observed(4))
    ]
    found = {
        text: [each.id[-1] for each in Filter(text=text).of_all(machines)]
        for text in ("MACHINE-1", "machine 4", "hall", "STRASSE", "nowhere", "")
    }
    assert found == {
        "MACHINE-1": ["1"], "machine 4": ["4"], "hall": ["2"], "STRASSE": ["3"], "nowhere": [], "": ["1", "2", "3", "4"]
    }  # fmt: skip


def bench_of(number: int) -> Bench:
    bench = Bench()
    for each in range(number):
        bench.store.publish(doing(MachineState.FAULT if each == 3 else MachineState.READY, each))
    return bench


async def test_few_machines_need_no_filter_and_many_have_one() -> None:
    for number, forms in ((FILTERED_FROM - 1, 0), (FILTERED_FROM, 1)):
        bench = bench_of(number)
        async with bench.running() as client:
            assert Reader(await bench.text(client, "/")).tags.count("form") == forms


async def test_a_filter_is_an_address_that_works_without_a_script() -> None:
    bench = bench_of(12)
    async with bench.running() as client:
        reader = Reader(await bench.text(client, "/?show=attention&q=machine"))
        assert [name for name in reader.values("id", "li") if name.startswith("m-")] == ["m-machine-3"]
        assert "12 of 12 machines answer; 1 of 12 machines shown" in reader.text
        assert ("option", "value", "attention") in reader.attributes
        assert reader.values("value", "input") == ["machine"]
        assert reader.values("method", "form") == ["get"]
        labels, fields = reader.values("for", "label"), [*reader.values("id", "select"), *reader.values("id", "input")]
        assert sorted(labels) == sorted(fields)
        none = Reader(await bench.text(client, "/?q=nowhere"))
        assert "No machine is like that now." in none.text
        assert "Show all" in none.text


async def test_a_filter_of_few_machines_can_be_taken_away_again() -> None:
    bench = bench_of(2)
    async with bench.running() as client:
        reader = Reader(await bench.text(client, "/?show=off"))
        assert "Show all" in reader.text
        assert "/" in reader.values("href", "a")
