"""A machine's own page, as a technician and an integrator read it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge_agent.errors import Failure
from edge_agent.items import ITEMS
from edge_agent.jobs import JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.model import Job, MachineState, Quality
from edge_agent.observation import Observation
from edge_agent.sinks.http.curves import STEP_S, Curves
from edge_agent.sinks.http.html import size
from edge_agent.sinks.http.machine_page import machine_page
from edge_agent.sinks.http.report import CurvesReport
from edge_agent.sinks.http.words import DE, EN, Words
from tests.observations import AT, MACHINE, PRINTING, observation

from .bench import NOW, Bench, node_id
from .reader import Reader

NO_CURVES = CurvesReport(step_s=STEP_S, ends_at=None, heaters={})
RUN = JobRun(id="r", machine_id="mark-one", file_name="gear.gcode", started_at=AT, updated_at=AT)


def shown(of: Observation | None = None, *runs: JobRun, words: Words = EN, curves: CurvesReport = NO_CURVES) -> Reader:
    return Reader(machine_page(of or observation(), runs=runs, curves=curves, node_id=node_id, now=NOW, words=words))


def test_every_item_has_its_value_quality_time_and_node() -> None:
    reader = shown()
    assert reader.text.count("nsu=urn:edge-agent:0:machines;s=mark-one/") == len(ITEMS) + 4  # of two heaters
    assert "Progress Share of the file that has been printed. 25.0 % good" in reader.text
    assert "RemainingTime Estimated printing time left. - s" not in reader.text
    assert "RemainingTime Estimated printing time left. - not told" in reader.text
    assert "Tool0Temperature Temperature of Tool0 . 204.8 °C good" in reader.text
    assert "FileSize Size of the selected file. 2050 B (2.0 kB) good" in reader.text
    assert "MesIds The MES instances that this machine belongs to. 1, 2 good" in reader.text
    assert "Reachable The last request was answered usably. yes good" in reader.text
    assert "nsu=urn:edge-agent:0:machines;s=mark-one/Job/Progress" in reader.words
    assert "nsu=urn:edge-agent:0:machines;s=mark-one" in reader.words  # the machine's own


def test_the_node_can_be_copied() -> None:
    reader = shown()
    ids = set(reader.values("id"))
    targets = reader.values("data-copy")
    assert len(targets) == len(ITEMS) + 4 + 1
    assert set(targets) <= ids
    assert "Copy: Job/Progress" in reader.values("aria-label")


def test_in_german_every_item_is_explained_in_german() -> None:
    reader = shown(words=DE)
    assert "Progress Welcher Teil der Datei gedruckt ist. 25,0 % gut" in reader.text
    assert "Sollwert von Bed ; 0 ist aus." in reader.text
    english = {item.sentence for item in ITEMS}
    assert not [text for text in reader.words if text in english]


@pytest.mark.parametrize("words", [EN, DE], ids=lambda words: words.language)
@pytest.mark.parametrize("failure", list(Failure))
def test_why_it_cannot_be_reached_is_one_sentence_with_the_host(failure: Failure, words: Words) -> None:
    lost = observation(quality=Quality.NO_COMMUNICATION, error="http://printer.local: why; what", failure=failure)
    before, _, after = words.remedies[failure].partition("{host}")
    parts = [part for part in (before.strip(), "printer.local", after.strip()) if part]
    assert " ".join(parts) in shown(lost, words=words).text


def test_the_last_prints_have_an_outcome_and_a_duration() -> None:
    ended = replace(RUN, ended_at=AT + timedelta(hours=3, minutes=5), outcome=Outcome.FAILED, reason="Thermal runaway")
    text = shown(None, replace(RUN, started_at=NOW - timedelta(minutes=7)), ended).text
    assert "gear.gcode 04:59 7 min goes on" in text.replace("2026-03-04 ", "")
    assert "3 h 5 min failed Thermal runaway" in text
    assert "None is known yet." in shown().text
    assert "None is known yet." not in text


def test_the_printers_own_page_is_linked_without_telling_it_where_from() -> None:
    reader = shown()
    assert ("a", "href", "http://printer.local") in reader.attributes
    assert reader.values("rel", "a") == ["noreferrer"]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://printer",
        "http://user:secret@printer.local",
        "http://[bad",
        "simulated://1",
        "",
        "/x",
    ],
)
def test_no_other_address_is_linked(url: str) -> None:
    reader = shown(observation(machine=replace(MACHINE, url=url)))
    assert reader.values("rel", "a") == []
    assert url not in reader.values("href")


def test_the_curves_of_the_last_hour_are_drawn_and_named() -> None:
    curves = Curves()
    for turn in range(3):
        curves.note([observation()], monotonic_s=turn * STEP_S, at=AT)
    reader = shown(curves=curves.of("mark-one"))
    assert reader.tags.count("svg") == 2
    assert "tool0 , in °C 205 / 205 °C" in reader.text
    assert "tool0, last 10 min: 205 to 205 °C" in reader.values("aria-label")
    assert "Nothing has been measured yet." not in reader.text


def test_before_anything_is_measured_that_is_said() -> None:
    nothing = observation(snapshot=None, quality=Quality.WAITING)
    assert "Nothing has been measured yet." in shown(nothing).text
    assert "waiting for its first answer" in shown(nothing).text


def test_numbers_that_are_none_are_no_fault_of_the_page() -> None:
    strange = Job(
        file_name="x", elapsed_s=float("inf"), estimated_s=float("nan"), remaining_s=1e300, file_size_bytes=-1
    )
    assert "1e+300 s" in shown(observation(snapshot=replace(PRINTING, job=strange))).text


def test_headings_go_down_one_step_at_a_time() -> None:
    levels = [int(tag[1]) for tag in shown().tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_only_this_machines_events_are_waited_for() -> None:
    assert shown().values("data-machine", "main") == ["mark-one"]


async def test_the_page_is_served_with_what_the_journal_knows(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    await journal.record([replace(RUN, ended_at=AT, outcome=Outcome.CANCELLED)])
    bench = Bench(journal=journal)
    bench.store.publish(observation())
    async with bench.running() as client:
        told = Reader(await bench.text(client, "/machines/mark-one")).text
        assert "gear.gcode" in told
        assert "cancelled" in told
        async with client.get("/machines/gone") as answer:
            assert answer.status == 404
            assert "There is no machine with this id" in await answer.text()
        curves = await bench.json(client, "/api/v1/machines/mark-one/curves")
        assert curves["heaters"]["bed"]["actual_celsius"][-1] == 59.5
        assert len(curves["heaters"]["tool0"]["target_celsius"]) == 120
    await journal.close()


async def test_an_id_with_strange_letters_has_a_page() -> None:
    bench = Bench()
    bench.store.publish(observation(machine=replace(MACHINE, id="büro/1 #2?x")))
    async with bench.running() as client:
        (link,) = [href for href in Reader(await bench.text(client, "/")).values("href") if "/machines/b" in href]
        assert "Mark One" in await bench.text(client, link)


def test_sizes_in_words() -> None:
    told = [size(number, EN) for number in (0, 999, 1000, 1500, 99_949, 99_951, 999_499, 999_500, 2e9, 5e13)]
    assert told == ["0 B", "999 B", "1.0 kB", "1.5 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB", "2.0 GB", "50.0 TB"]
    assert size(1500, DE) == "1,5 kB"


def test_a_fault_is_not_out_of_reach() -> None:
    fault = replace(PRINTING, state=MachineState.FAULT, state_text="Error", error="Thermal runaway")
    assert "fault Thermal runaway" in shown(observation(snapshot=fault)).text
