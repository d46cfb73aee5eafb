"""The status page, as a person meets it: words, both languages, no script needed, nothing foreign obeyed."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from edge_agent.errors import Failure
from edge_agent.items import ITEMS
from edge_agent.jobs import Outcome
from edge_agent.model import Job, MachineState, Quality, Temperature
from edge_agent.observation import Observation
from edge_agent.sinks.http import site
from edge_agent.sinks.http.curves import SLOTS, STEP_S
from edge_agent.sinks.http.drawing import small
from edge_agent.sinks.http.filters import Group
from edge_agent.sinks.http.html import duration
from edge_agent.sinks.http.page import page
from edge_agent.sinks.http.report import AgentReport, CurveReport, CurvesReport, agent_report, machine_report
from edge_agent.sinks.http.words import DE, EN, Words, words_for
from tests.observations import PRINTING, observation

from .bench import FINGERPRINT, NOW, Bench, machine, observed
from .reader import Reader

ASSETS = Path(site.__file__).with_name("assets")
WARM = replace(PRINTING, temperatures={name: Temperature(59.5, 60.0) for name in ("tool0", "bed", "chamber")})
EVIL = "<script>alert(1)</script>\"' onload=x &amp; \u202e"


def agent(bench: Bench | None = None) -> AgentReport:
    bench = bench or Bench()
    return agent_report(bench.store, bench.about, now=NOW)


def shown(*machines: Observation, words: Words = EN, told: AgentReport | None = None) -> Reader:
    bench = Bench()
    return Reader(page([machine_report(each) for each in machines], told or agent(bench), bench.endpoint, words))


def test_a_print_is_told_in_words() -> None:
    job = Job(file_name="gear.gcode", file_path="a", progress_ratio=0.419, remaining_s=11_000.0)
    snapshot = replace(
        PRINTING, job=job, temperatures={"tool0": Temperature(209.6, 210.0), "bed": Temperature(22.0, 0.0)}
    )
    reader = shown(observation(snapshot=snapshot))
    assert "Mark One ▶ printing" in reader.text
    assert "gear.gcode" in reader.text
    assert "41 % · 3 h 3 min left · ends at" in reader.text
    assert "tool0 210 / 210 °C bed 22 °C / off" in reader.text
    assert ("progress", "value", "41") in reader.attributes
    assert ("time", "datetime", "2026-03-04T08:09:27Z") in reader.attributes


def test_who_cannot_be_reached_says_since_when_why_and_what_to_do() -> None:
    lost = observation(quality=Quality.NO_COMMUNICATION, error="http://a: no answer; check that the host is on")
    reader = shown(lost)
    assert "does not answer (last known: printing)" in reader.text
    assert "last answer:" in reader.text
    assert "http://a: no answer; check that the host is on" in reader.text
    assert "gear.gcode" not in reader.text
    assert ("li", "class", "tile lost") in reader.attributes


def test_one_that_never_answered_is_not_called_waiting_when_it_is_known_why() -> None:
    assert "waiting for its first answer" in shown(observed(1, snapshot=None, quality=Quality.WAITING)).text
    refused = shown(observed(1, snapshot=None, quality=Quality.WAITING, error="connection refused; is it on"))
    assert "does not answer" in refused.text
    assert "It has not answered since the agent started." in refused.text


def test_a_fault_says_what_it_is() -> None:
    fault = replace(PRINTING, state=MachineState.FAULT, state_text="Error", error="Thermal runaway")
    assert "fault Thermal runaway" in shown(observation(snapshot=fault)).text


def test_what_is_wrong_with_the_agent_stands_on_top() -> None:
    bench = Bench()
    bench.endpoint = replace(bench.endpoint, waits_for="the clock", warning="everybody gets in")
    told = replace(agent(bench), config_refused=True, config_status="refused: config.json:1:1: no")
    text = shown(told=told).text
    for expected in ("OPC UA endpoint not open: the clock", "everybody gets in", "refused: config.json:1:1: no"):
        assert text.index(expected) < text.index("No machine is configured yet.")
    assert "Something needs attention" not in shown().text
    bench.endpoint = replace(bench.endpoint, anonymous=True)
    text = shown(told=agent(bench), words=DE).text
    assert "Wer den OPC-UA-Port erreicht, liest alles" in text
    assert "everybody gets in" not in text


def test_the_endpoint_and_its_fingerprint_can_be_copied() -> None:
    reader = shown()
    assert "opc.tcp://pi:4840" in reader.text
    assert FINGERPRINT in reader.text
    assert reader.tags.count("code") == 2


@pytest.mark.parametrize("words", [EN, DE], ids=lambda words: words.language)
def test_nothing_that_a_printer_says_is_obeyed(words: Words) -> None:
    job = Job(file_name=EVIL, file_path=EVIL, user=EVIL, progress_ratio=0.5)
    snapshot = replace(
        PRINTING, state=MachineState.FAULT, error=EVIL, state_text=EVIL, job=job, profile_name=EVIL, advice=EVIL,
        software_version=EVIL, temperatures={EVIL: Temperature(1.0), "ok": Temperature(1.0)},
    )  # fmt: skip
    reader = shown(observation(snapshot=snapshot, machine=replace(machine(1), name=EVIL), error=EVIL), words=words)
    assert reader.tags.count("script") == 1
    assert not [name for _, name, _ in reader.attributes if name.startswith("on")]
    assert EVIL in reader.words
    assert {tag for tag in reader.tags if tag == "bdi"}  # so that it cannot turn the line around


def test_there_is_nothing_inline_and_nothing_from_elsewhere() -> None:
    reader = shown(observation())
    assert not [one for one in reader.attributes if one[1] == "style"]
    assert "style" not in reader.tags
    for tag, name, value in reader.attributes:
        if name in {"src", "href"}:
            assert value.startswith(("/", "#")), (tag, value)
            assert not value.startswith("//")
    files = "".join((ASSETS / name).read_text() for name in ("page.css", "page.js"))
    assert not re.findall(r"(?:https?:)?//[a-z]", files.replace("// ", ""))
    assert "@import" not in files
    assert "innerHTML" not in files


def test_it_reloads_itself_where_there_is_no_script() -> None:
    reader = shown()
    assert ("meta", "http-equiv", "refresh") in reader.attributes
    assert ("meta", "name", "viewport") in reader.attributes


def test_the_first_load_of_twenty_machines_with_a_restless_hour_is_less_than_sixty_kilobytes() -> None:
    hour = curves(("tool0", 215.0), ("bed", 60.0), ("chamber", 45.0))
    restless = {name: small(name, curve, hour.step_s, DE) for name, curve in hour.heaters.items()}
    reports = [machine_report(observed(number, snapshot=WARM)) for number in range(20)]
    text = page(reports, agent(), Bench().endpoint, DE, drawn=lambda _: restless)
    assert text.count("<svg") == 60
    assert len(text.encode()) + sum(file.stat().st_size for file in ASSETS.iterdir()) < 60_000


def curves(*heaters: tuple[str, float]) -> CurvesReport:
    """An hour of heating up, holding with some noise, and one gap."""
    dice = random.Random(7)
    told = {}
    for name, goal in heaters:
        warmed = [20 + (goal - 20) * min(1.0, slot / 9) + dice.gauss(0, 0.4) for slot in range(SLOTS)]
        told[name] = CurveReport(
            actual_celsius=tuple(None if slot == 60 else round(value, 1) for slot, value in enumerate(warmed)),
            target_celsius=(goal,) * SLOTS,
        )
    return CurvesReport(step_s=STEP_S, ends_at=NOW, heaters=told)


@pytest.mark.parametrize("words", [EN, DE], ids=lambda words: words.language)
def test_every_state_has_a_word_in_every_language(words: Words) -> None:
    assert set(words.states) == set(MachineState)
    assert set(words.qualities) == set(Quality)
    assert set(words.remedies) == set(Failure)
    assert set(words.groups) == set(Group)
    assert set(words.machine.outcomes) == set(Outcome)
    assert set(words.machine.groups) == {item.id.partition("/")[0] for item in ITEMS} - {"MesIds"}
    assert words.machine.sentences.keys() == ({item.id for item in ITEMS} if words is DE else set())


def texts(words: object, name: str = "") -> dict[str, str]:
    """Every text by its place."""
    if isinstance(words, str):
        return {name: words}
    if isinstance(words, msgspec.Struct):
        words = msgspec.structs.asdict(words)
    assert isinstance(words, Mapping)
    found: dict[str, str] = {}
    for key, value in words.items():
        if key != "sentences":  # of those there are none in English: the items have their own
            found |= texts(value, f"{name}.{key}")
    return found


def test_both_languages_have_the_same_texts_with_the_same_places_to_fill_in() -> None:
    english, german = texts(EN), texts(DE)
    assert english.keys() == german.keys()
    assert all(english.values())
    assert all(german.values())
    for name, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", german[name])), name


def test_every_remedy_is_one_sentence_that_names_the_host() -> None:
    for words in (EN, DE):
        for failure, text in words.remedies.items():
            assert text.count("{host}") == 1, failure
            assert text.endswith("."), failure
            assert not re.search(r"[.!?] ", text), failure


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("en-GB, de;q=0.5", "en"), ("fr, de;q=0.1", "de"),
        ("fr", "en"), ("de;q=0.3, en;q=0.7", "en"), ("de;q=x", "en"), ("*", "en"), ("de;q=0", "en"),
    ],
)  # fmt: skip
async def test_the_browser_chooses_the_language(header: str, language: str) -> None:
    assert words_for(header).language == language
    bench = Bench()
    async with bench.running() as client, client.get("/", headers={"Accept-Language": header}) as answer:
        assert answer.headers["Content-Language"] == language
        assert f'<html lang="{language}">' in await answer.text()


def test_durations() -> None:
    told = [duration(seconds, EN) for seconds in (0, 59, 60, 3599, 3600, 86_399, 86_400, 200_000)]
    assert told == [
        "less than a minute", "less than a minute", "1 min", "59 min", "1 h 0 min", "23 h 59 min", "1 d 0 h", "2 d 7 h"
    ]  # fmt: skip
    assert duration(timedelta(hours=2, minutes=5).total_seconds(), DE) == "2 h 5 min"
