"""Faults and outages: told when they come and go, and never for being found."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from edge_agent.events import Incidents, MachineEvent, MachineEventKind
from edge_agent.model import MachineState, Quality, Snapshot

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def answer(state: MachineState, error: str = "") -> Snapshot:
    return Snapshot(state=state, state_text=state.value, error=error, observed_at=NOON, response_time_s=0.01)


READY = answer(MachineState.READY)
FAULT = answer(MachineState.FAULT, "MINTEMP")


def said(events: list[MachineEvent]) -> list[tuple[str, str]]:
    assert all((event.at, event.machine_id) == (NOON, "m") for event in events)
    return [(event.kind.value, event.text) for event in events]


@pytest.mark.parametrize("found", [READY, FAULT])
def test_what_a_machine_is_found_in_is_no_event(found: Snapshot) -> None:
    incidents = Incidents("m")
    assert incidents.unanswered(Quality.NO_COMMUNICATION, "no answer", NOON) == []
    assert incidents.answered(found, NOON) == []
    assert incidents.answered(found, NOON) == []


def test_a_fault_comes_and_goes_once() -> None:
    incidents = Incidents("m")
    incidents.answered(READY, NOON)
    assert said(incidents.answered(FAULT, NOON)) == [("fault", "MINTEMP")]
    assert incidents.answered(answer(MachineState.FAULT, "another text"), NOON) == []
    assert said(incidents.answered(answer(MachineState.OFF), NOON)) == [("recovered", "off")]
    assert incidents.answered(READY, NOON) == []


def test_a_fault_that_was_found_is_recovered_from_all_the_same() -> None:
    incidents = Incidents("m")
    incidents.answered(FAULT, NOON)
    assert said(incidents.answered(READY, NOON)) == [("recovered", "ready")]


def test_a_fault_without_words_is_told_by_the_state() -> None:
    incidents = Incidents("m", reached=True, faulty=False)
    assert said(incidents.answered(answer(MachineState.FAULT), NOON)) == [("fault", "fault")]


@pytest.mark.parametrize("quality", [Quality.NO_COMMUNICATION, Quality.ACCESS_DENIED])
def test_a_connection_is_lost_once_and_regained_by_the_first_answer(quality: Quality) -> None:
    incidents = Incidents("m")
    incidents.answered(READY, NOON)
    assert said(incidents.unanswered(quality, "no route", NOON)) == [("connection lost", "no route")]
    assert incidents.unanswered(Quality.ACCESS_DENIED, "no route", NOON) == []
    assert said(incidents.answered(FAULT, NOON)) == [("connection regained", ""), ("fault", "MINTEMP")]
    assert incidents.answered(FAULT, NOON) == []


@pytest.mark.parametrize("quality", [Quality.GOOD, Quality.UNCERTAIN, Quality.WAITING])
def test_a_value_that_is_only_old_or_still_to_come_is_no_lost_connection(quality: Quality) -> None:
    incidents = Incidents("m")
    incidents.answered(READY, NOON)
    assert incidents.unanswered(quality, "slow", NOON) == []


def test_what_was_known_before_a_reload_is_not_forgotten() -> None:
    lost = Incidents("m", reached=False, faulty=True)
    assert said(lost.answered(READY, NOON)) == [("connection regained", ""), ("recovered", "ready")]


def test_an_events_id_is_32_hex_digits_of_its_own() -> None:
    events = [MachineEvent(kind=MachineEventKind.FAULT, at=NOON, machine_id="m") for _ in range(100)]
    assert len({event.id for event in events}) == 100
    assert all(re.fullmatch(r"[0-9a-f]{32}", event.id) for event in events)
