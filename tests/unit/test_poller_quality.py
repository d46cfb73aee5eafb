"""How far a poller says a machine's values may be trusted, and what it tells an MES."""

from __future__ import annotations

import asyncio
import random

import pytest
from msgspec.structs import asdict, replace

from edge_agent.errors import NoPermission, SourceError, Unreachable, WrongKey
from edge_agent.model import DEFAULT_STATE_TABLE, MachineState, MesStatus, Quality, StackLight, UnreachableRow
from edge_agent.observation import Observation
from edge_agent.poller import Polling
from tests.scripted import FOR_EVER_S, START, polled, says, virtual

READY = says(MachineState.READY)
PRINTING = says(MachineState.PRINTING)


def quality(observation: Observation) -> Quality:
    return observation.quality


def temperature_quality(observation: Observation) -> Quality:
    return observation.temperature_quality


def mes_status(observation: Observation) -> tuple[MesStatus, StackLight]:
    return observation.mes_status, observation.stack_light


@virtual
async def test_values_age_by_time_alone_even_while_a_question_hangs() -> None:
    async with polled(PRINTING, offset_s=2, polling=Polling(timeout_s=FOR_EVER_S)) as stage:
        await asyncio.sleep(2.5)
        stage.source.takes_s = FOR_EVER_S
        await asyncio.sleep(200)
        assert stage.source.asked_at == [2, 3]
        assert stage.changes(quality) == [
            (0, Quality.WAITING),
            (2, Quality.GOOD),
            (5, Quality.UNCERTAIN),
            (62, Quality.NO_COMMUNICATION),
        ]
        assert stage.changes(mes_status) == [
            (0, (MesStatus.OFFLINE, StackLight.OFF)),
            (2, (MesStatus.RUNNING, StackLight.GREEN_BLINKING)),
            (62, (MesStatus.OFFLINE, StackLight.OFF)),
        ]
        assert stage.latest.snapshot is not None, "the last values stay at hand"
        assert stage.latest.last_seen == stage.latest.snapshot.observed_at


@virtual
async def test_values_age_by_time_while_questions_fail_too() -> None:
    async with polled(PRINTING) as stage:
        await asyncio.sleep(0.5)
        stage.source.turn = Unreachable("gone")
        await asyncio.sleep(200)
        assert stage.changes(quality) == [
            (0, Quality.WAITING),
            (0, Quality.GOOD),
            (3, Quality.UNCERTAIN),
            (60, Quality.NO_COMMUNICATION),
        ]
        assert stage.changes(lambda observation: observation.reachable) == [(0, False), (0, True), (1, False)]


@virtual
async def test_a_machine_that_never_answered_is_waited_for_a_minute_and_then_has_no_communication() -> None:
    async with polled(Unreachable("gone")) as stage:
        await asyncio.sleep(300)
        assert stage.changes(quality) == [(0, Quality.WAITING), (60, Quality.NO_COMMUNICATION)]
        assert stage.changes(mes_status) == [(0, (MesStatus.OFFLINE, StackLight.OFF))]
        assert stage.latest.last_seen is None


@virtual
async def test_values_of_a_machine_seldom_asked_stay_good_for_three_of_its_intervals() -> None:
    async with polled(READY, polling=Polling(interval_s=30)) as stage:
        await asyncio.sleep(1)
        stage.source.turn = Unreachable("gone")
        await asyncio.sleep(300)
        assert stage.changes(quality) == [
            (0, Quality.WAITING),
            (0, Quality.GOOD),
            (90, Quality.NO_COMMUNICATION),
        ]


@virtual
async def test_a_printer_that_is_off_has_good_values_and_is_offline_to_the_mes() -> None:
    async with polled(says(MachineState.OFF)) as stage:
        await asyncio.sleep(600)
        assert stage.changes(quality) == [(0, Quality.WAITING), (0, Quality.GOOD)]
        assert stage.latest.reachable
        assert mes_status(stage.latest) == (MesStatus.OFFLINE, StackLight.OFF)


@pytest.mark.parametrize("error", [WrongKey("no such key"), NoPermission("STATUS is missing")])
@virtual
async def test_a_refusal_makes_values_bad_at_once_and_the_machine_offline(error: SourceError) -> None:
    async with polled(PRINTING) as stage:
        await asyncio.sleep(1.5)
        stage.source.turn = error
        await asyncio.sleep(300)
        assert stage.changes(quality) == [
            (0, Quality.WAITING),
            (0, Quality.GOOD),
            (2, Quality.ACCESS_DENIED),
        ]
        assert mes_status(stage.latest) == (MesStatus.OFFLINE, StackLight.OFF)
        stage.source.turn = PRINTING
        await asyncio.sleep(60)
        assert stage.latest.quality is Quality.GOOD
        assert mes_status(stage.latest) == (MesStatus.RUNNING, StackLight.GREEN_BLINKING)


@virtual
async def test_a_refusal_of_the_first_question_is_said_at_once() -> None:
    async with polled(WrongKey("no such key")) as stage:
        await asyncio.sleep(1)
        assert stage.latest.quality is Quality.ACCESS_DENIED


@virtual
async def test_the_state_table_of_the_file_is_in_force() -> None:
    unreachable = UnreachableRow(mes_status=MesStatus.STOPPED, stack_light=StackLight.RED)
    stopped = replace(DEFAULT_STATE_TABLE.rows[MachineState.READY], **asdict(unreachable))
    rows = {**DEFAULT_STATE_TABLE.rows, MachineState.READY: stopped}
    states = replace(DEFAULT_STATE_TABLE, rows=rows, unreachable=unreachable)
    async with polled(READY, states=states) as stage:
        await asyncio.sleep(1.5)
        assert mes_status(stage.latest) == (MesStatus.STOPPED, StackLight.RED)
        stage.source.turn = PRINTING
        await asyncio.sleep(1)
        assert mes_status(stage.latest) == (MesStatus.RUNNING, StackLight.GREEN_BLINKING)
        stage.source.turn = Unreachable("gone")
        await asyncio.sleep(90)
        assert mes_status(stage.latest) == (MesStatus.STOPPED, StackLight.RED)


@virtual
async def test_sensors_that_stopped_make_only_the_temperatures_uncertain() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(9.5)
        stage.source.turn = says(MachineState.READY, temperatures_at=START)
        await asyncio.sleep(60)
        assert stage.changes(temperature_quality) == [
            (0, Quality.WAITING),
            (0, Quality.GOOD),
            (41, Quality.UNCERTAIN),
        ]
        assert stage.latest.quality is Quality.GOOD
        stage.source.turn = READY
        await asyncio.sleep(1)
        assert stage.latest.temperature_quality is Quality.GOOD


@virtual
async def test_sensors_without_a_clock_are_not_accused_of_having_stopped() -> None:
    async with polled(says(MachineState.READY, temperatures_at=None)) as stage:
        await asyncio.sleep(600)
        assert stage.changes(temperature_quality) == [(0, Quality.WAITING), (0, Quality.GOOD)]


@virtual
async def test_temperatures_are_never_better_than_the_rest() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(0.5)
        stage.source.turn = Unreachable("gone")
        await asyncio.sleep(100)
        assert stage.changes(temperature_quality) == stage.changes(quality)


@virtual
async def test_values_cannot_seem_fresh_again_without_an_answer() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(10.5)
        for turn in (Unreachable("gone"), WrongKey("no such key"), Unreachable("gone")):
            stage.source.turn = turn
            await asyncio.sleep(90)
        qualities = [value for _, value in stage.changes(quality)]
        assert qualities == [
            Quality.WAITING,
            Quality.GOOD,
            Quality.UNCERTAIN,
            Quality.NO_COMMUNICATION,
            Quality.ACCESS_DENIED,
            Quality.NO_COMMUNICATION,
        ]


@pytest.mark.timeout(20)
@virtual
async def test_a_limit_missed_by_a_rounding_is_met_a_moment_later_and_not_by_publishing_for_ever() -> None:
    dice = random.Random(1)
    for _ in range(300):
        polling = Polling(interval_s=dice.uniform(0.5, 30))
        async with polled(READY, offset_s=dice.uniform(0, 1), polling=polling) as stage:
            await asyncio.sleep(1)
            stage.source.turn = Unreachable("gone")
            await asyncio.sleep(120)
            assert stage.latest.quality is Quality.NO_COMMUNICATION
            failures = len(stage.source.asked_at) - 1
            assert len(stage.store.published) <= failures + 6
