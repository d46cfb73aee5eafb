"""The agent's own page and its JSON: for who connects an MES, and for who wants to know why it does not work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.computer import Computer
from edge_agent.journal import Journal
from edge_agent.sinks.http.about import ConfigProblem, MesUser, OpcUaSession, PastStart
from edge_agent.sinks.http.agent_detail import agent_detail
from edge_agent.sinks.http.agent_page import agent_page
from edge_agent.sinks.http.report import machine_report
from edge_agent.sinks.http.words import DE, EN, Words

from .bench import COMPUTER, DISK, FINGERPRINT, NOW, Bench, machine, observed
from .reader import Reader

SESSION = OpcUaSession(
    client="Line 1 MES",
    session="Line 1",
    user="mes-1",
    address="192.0.2.7",
    encrypted=True,
    since=NOW,
    subscriptions=2,
    monitored_items=140,
)
PROBLEM = ConfigProblem(
    file="config.json", line=12, column=5, path="machines[0].url", text="expected http://; put it there", refused=True
)
OLD_KEY = replace(PROBLEM, refused=False, line=None, column=None, path="", text="old key")
USERS = (MesUser(name="mes-1", mes_ids=(1,)), MesUser(name="mes-9", mes_ids=(9,)), MesUser(name="scada"))
EVERYTHING: dict[str, Any] = {
    "mes_users": lambda: USERS,
    "sessions": lambda: (SESSION,),
    "config_problems": lambda: (PROBLEM, OLD_KEY),
    "starts": lambda: (PastStart(at=NOW, reason="power loss: the host started anew"),),
    "computer": lambda: COMPUTER,
    "disks": lambda: (DISK,),
}


def shown(words: Words = EN, **told: Any) -> Reader:
    bench = Bench(**(EVERYTHING | told))
    bench.store.publish(observed(1, machine=machine(1, mes_ids=(1, 2))))
    machines = [machine_report(observation) for observation in bench.store.observations()]
    detail = agent_detail(bench.store, bench.about, now=NOW)
    return Reader(agent_page(detail, bench.endpoint, machines, words))


def test_an_integrator_finds_what_to_enter_and_can_copy_it() -> None:
    reader = shown()
    assert "opc.tcp://pi:4840" in reader.words
    assert FINGERPRINT in reader.words
    assert set(reader.values("data-copy")) == {"url-0", "fingerprint"} <= set(reader.values("id"))
    assert "sudo edge-agent credentials" in reader.text


def test_users_are_told_with_the_machines_they_see() -> None:
    reader = shown()
    assert "mes-1 Machine 1 mes-9 no machine yet scada all machines" in reader.text
    assert "/machines/machine-1" in reader.values("href")
    assert "There is none yet" in shown(mes_users=tuple).text


def test_who_is_connected_is_told() -> None:
    reader = shown()
    told = ("Line 1 MES", "mes-1", "192.0.2.7", "yes", "140 values in 2 subscriptions")
    places = [reader.text.index(text, reader.text.index("Who is connected")) for text in told]
    assert places == sorted(places)
    assert "anonymous" in shown(sessions=lambda: (replace(SESSION, user="", since=None),)).text
    assert "Nobody is connected now." in shown(sessions=tuple).text


def test_problems_are_told_with_their_lines_the_refused_file_first() -> None:
    text = shown().text
    refused = text.index("config.json:12:5: machines[0].url: expected http://; put it there")
    assert text.index("A newer file is refused") < refused < text.index("In the file that is in force")
    assert "config.json: old key" in text
    assert "There is nothing to complain of." in shown(config_problems=tuple).text


def test_why_it_was_started_is_told() -> None:
    assert "power loss: the host started anew" in shown().text
    assert "Last starts" not in shown(starts=tuple).text


def test_how_the_computer_is_is_told_in_words() -> None:
    text = shown().text
    assert "Raspberry Pi Zero 2 W" in text
    assert "Processor's temperature 62 °C" in text
    assert "too low now: use a stronger power supply" in text
    assert "not set by the network" in text
    assert "1 d 1 h" in text
    assert "210 MB of 512 MB free" in text
    assert "Disk /var/lib/edge-agent 2.0 GB of 16.0 GB free, cannot be written to" in text
    assert "2,0 GB von 16,0 GB frei" in shown(DE).text


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"under_voltage_now": False, "under_voltage_since_boot": False}, "Power supply good Clock"),
        ({"under_voltage_now": False, "under_voltage_since_boot": True}, "good now, too low before"),
        ({"under_voltage_now": False, "under_voltage_since_boot": None}, "Power supply good Clock"),
        ({"under_voltage_now": None, "under_voltage_since_boot": None}, "Power supply this computer does not tell"),
        ({"throttled": True}, "slowed down now"),
        ({"clock_synchronised": True}, "set by the network"),
        ({"clock_synchronised": None}, "Clock this computer does not tell"),
        ({"temperature_celsius": None}, "temperature this computer does not tell"),
        ({"model": None}, "Model this computer does not tell"),
    ],
)
def test_what_the_computer_does_not_tell_is_not_made_up(told: dict[str, Any], said: str) -> None:
    assert said in shown(computer=lambda: replace(COMPUTER, **told)).text


def test_a_computer_that_cannot_be_asked_is_no_fault_of_the_page() -> None:
    nothing: Computer | None = None
    assert "The agent" in shown(computer=lambda: nothing, disks=tuple).text


async def test_json_tells_the_same_as_fields(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    bench = Bench(journal=journal, **EVERYTHING)
    async with bench.running() as client:
        found = await bench.json(client, "/api/v1/agent")
        text = await bench.text(client, "/agent")
    assert found["users"][0] == {"name": "mes-1", "mes_ids": [1]}
    assert found["sessions"][0]["address"] == "192.0.2.7"
    assert found["config_problems"][0]["line"] == 12
    assert found["starts"][0]["reason"].startswith("power loss")
    assert found["computer"]["temperature_celsius"] == 61.5
    assert found["disks"][0]["free_bytes"] == 2_000_000_000
    assert found["process"]["resident_bytes"] > 1_000_000
    assert found["journal"]["size_bytes"] > 0
    assert "what happens is safe on the disk" in text
    assert "Size of the journal" in text
    await journal.close()


async def test_a_journal_that_only_waits_says_how_much_and_why(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    journal = await Journal.open(tmp_path / "journal.db")
    bench = Bench(journal=journal)
    async with bench.running() as client:
        text = Reader(await bench.text(client, "/agent")).text
    assert "0 prints are only in memory: " in text
    assert journal.status.reason in text
    await journal.close()


@pytest.mark.parametrize("words", [EN, DE], ids=lambda words: words.language)
def test_headings_go_down_one_step_at_a_time_and_regions_have_names(words: Words) -> None:
    reader = shown(words)
    assert reader.tags.count("h1") == 1
    assert reader.tags.count("main") == reader.tags.count("nav") == 1
    assert reader.tags[: reader.tags.index("h1")].count("h2") == 0
    assert ("a", "aria-current", "page") in reader.attributes
