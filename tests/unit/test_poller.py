"""The loop around a source: when it asks, how it fails, what it says and writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import aiohttp
import pytest

from edge_agent.errors import Failure, ServerFault, SourceError, Starting, Unreachable, WrongKey, WrongTarget
from edge_agent.model import MachineState
from edge_agent.poller import JITTER, MAX_BACKOFF_S, MAX_SLOW_INTERVAL_S, Polling
from edge_agent.secret import Secret
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from tests.scripted import FOR_EVER_S, Stage, elapsed_s, polled, says, virtual
from tests.virtual_time import VirtualTimeLoop, now

READY = says(MachineState.READY)
OFF = says(MachineState.OFF)
IDLE_STATES = {MachineState.OFF, MachineState.FAULT}


def heartbeats(stage: Stage) -> list[str]:
    return sorted(stage.health._heartbeats)


def log_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "edge_agent.poller"]


# --- when it asks ---


@pytest.mark.parametrize("state", sorted(set(MachineState) - IDLE_STATES))
@virtual
async def test_a_machine_that_may_print_is_asked_every_second(state: MachineState) -> None:
    async with polled(says(state)) as stage:
        await asyncio.sleep(4.5)
        assert stage.source.asked_at == [0, 1, 2, 3, 4]
        assert stage.latest.poll_interval_s == 1


@pytest.mark.parametrize("state", sorted(IDLE_STATES))
@virtual
async def test_a_machine_that_cannot_print_is_asked_every_five_seconds(state: MachineState) -> None:
    async with polled(says(state)) as stage:
        await asyncio.sleep(12)
        assert stage.source.asked_at == [0, 5, 10]
        assert stage.latest.poll_interval_s == 5


@virtual
async def test_the_interval_follows_the_state() -> None:
    async with polled(OFF) as stage:
        await asyncio.sleep(7)
        stage.source.turn = READY
        await asyncio.sleep(5.5)
        stage.source.turn = OFF
        await asyncio.sleep(10)
        assert stage.source.asked_at == [0, 5, 10, 11, 12, 13, 18]


@virtual
async def test_each_machine_has_its_own_intervals() -> None:
    async with (
        polled(READY, polling=Polling(interval_s=2, idle_interval_s=3)) as first,
        polled(OFF, name="prusa", polling=Polling(interval_s=2, idle_interval_s=3)) as second,
        polled(READY, name="voron", polling=Polling(interval_s=0.5, idle_interval_s=5)) as third,
    ):
        await asyncio.sleep(6.25)
        assert first.source.asked_at == [0, 2, 4, 6]
        assert second.source.asked_at == [0, 3, 6]
        assert len(third.source.asked_at) == 13


@virtual
async def test_an_offset_delays_the_first_question_and_no_other() -> None:
    async with polled(READY, offset_s=0.75) as stage:
        await asyncio.sleep(0.5)
        assert stage.latest.snapshot is None
        assert stage.source.asked_at == []
        await asyncio.sleep(2.5)
        assert stage.source.asked_at == [0.75, 1.75, 2.75]


@virtual
async def test_the_time_an_answer_takes_is_part_of_the_interval() -> None:
    async with polled(READY) as stage:
        stage.source.takes_s = 0.3
        await asyncio.sleep(3.5)
        assert stage.source.asked_at == pytest.approx([0, 1, 2, 3])


@virtual
async def test_a_server_slower_than_the_interval_is_left_alone_for_an_interval() -> None:
    async with polled(READY) as stage:
        stage.source.takes_s = 2.5
        await asyncio.sleep(11)
        assert stage.source.asked_at == pytest.approx([0, 3.5, 7, 10.5])


@virtual
async def test_a_fetch_that_hangs_ends_at_the_deadline_and_the_machine_is_unreachable() -> None:
    async with polled(READY, polling=Polling(timeout_s=8)) as stage:
        stage.source.takes_s = FOR_EVER_S
        await asyncio.sleep(7.9)
        assert (stage.latest.error, stage.latest.failure) == ("", None)
        await asyncio.sleep(0.2)
        assert "no answer within 8 s" in stage.latest.error
        assert stage.latest.failure is Failure.SILENT
        assert not stage.latest.reachable
        await asyncio.sleep(1.2)
        assert stage.source.asked_at == pytest.approx([0, 9], abs=JITTER)


# --- how it backs off ---


@virtual
async def test_waits_double_up_to_a_minute_and_never_exceed_it() -> None:
    async with polled(Unreachable("gone")) as stage:
        await asyncio.sleep(3600)
        gaps = stage.source.gaps_s()
        assert gaps[0] == pytest.approx(1, rel=JITTER)
        for failures, gap in enumerate(gaps[:6]):
            assert gap == pytest.approx(2**failures, rel=JITTER)
        assert 0.6 * MAX_BACKOFF_S < min(gaps[6:]) < max(gaps[6:]) <= MAX_BACKOFF_S


@virtual
async def test_no_wait_is_shorter_than_the_interval() -> None:
    async with polled(Unreachable("gone"), polling=Polling(interval_s=90, idle_interval_s=90)) as stage:
        await asyncio.sleep(3600)
        assert set(stage.source.gaps_s()) == {90}


@virtual
async def test_machines_that_failed_together_are_not_asked_together() -> None:
    async with polled(Unreachable("gone"), seed=1) as first, polled(Unreachable("gone"), seed=2) as second:
        await asyncio.sleep(600)
        assert set(first.source.asked_at) & set(second.source.asked_at) == {0}
        assert len(set(first.source.gaps_s())) == len(first.source.gaps_s()) > 10, "nor at the same distances"


@pytest.mark.parametrize("error", [WrongKey("no such key"), WrongTarget("a web page")])
@virtual
async def test_what_only_a_person_can_mend_is_asked_patiently_from_the_first_time_on(error: SourceError) -> None:
    async with polled(error) as stage:
        await asyncio.sleep(1800)
        gaps = stage.source.gaps_s()
        assert gaps[0] == pytest.approx(10, rel=JITTER)
        assert gaps[1] == pytest.approx(20, rel=JITTER)
        assert max(gaps) <= MAX_BACKOFF_S


@virtual
async def test_a_starting_server_is_asked_again_soon() -> None:
    async with polled(Starting("not yet")) as stage:
        await asyncio.sleep(120)
        gaps = stage.source.gaps_s()
        assert max(gaps) <= 5 * (1 + JITTER)
        assert gaps[0] <= 1 + JITTER < gaps[4]
        assert min(gaps[5:]) < max(gaps[5:]), "and not at the same moments as its neighbours"


@virtual
async def test_the_first_answer_brings_the_normal_interval_back() -> None:
    async with polled(Unreachable("gone")) as stage:
        await asyncio.sleep(300)
        stage.source.turn = READY
        await asyncio.sleep(MAX_BACKOFF_S)
        stage.source.asked_at.clear()
        await asyncio.sleep(10)
        assert stage.source.gaps_s() == [1] * 9
        stage.source.turn = Unreachable("gone")
        await asyncio.sleep(1)
        stage.source.asked_at.clear()
        await asyncio.sleep(6)
        assert stage.source.asked_at, "and the next failure starts from the beginning"


# --- a struggling server ---


@virtual
async def test_a_struggling_server_is_asked_less_often_and_as_before_when_it_is_quick_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with polled(says(MachineState.READY, response_time_s=0.8)) as stage:
        await asyncio.sleep(11)
        assert stage.latest.poll_interval_s == 2
        assert [line for line in log_of(caplog) if "800 ms" in line] == [
            "ender: its server takes 800 ms for an answer; it is asked every 2 s now"
        ]
        stage.source.turn = says(MachineState.READY, response_time_s=0.3)
        await asyncio.sleep(60)
        assert stage.latest.poll_interval_s == 2, "a little better is not well: no to and fro"
        stage.source.turn = READY
        await asyncio.sleep(60)
        assert stage.latest.poll_interval_s == 1
        assert stage.source.gaps_s()[-1] == 1
        assert len([line for line in log_of(caplog) if "it is asked every" in line]) == 2


@virtual
async def test_one_slow_answer_lengthens_nothing() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(20.5)
        stage.source.turn = says(MachineState.READY, response_time_s=5.0)
        await asyncio.sleep(2)
        stage.source.turn = READY
        await asyncio.sleep(20)
        assert set(stage.source.gaps_s()) == {1}


@virtual
async def test_a_struggling_server_is_asked_at_least_every_half_minute_whatever_its_printer_does() -> None:
    async with polled(says(MachineState.PRINTING, response_time_s=3.0), polling=Polling(interval_s=0.5)) as stage:
        await asyncio.sleep(1800)
        assert 0.5 < stage.latest.poll_interval_s <= MAX_SLOW_INTERVAL_S
        stage.source.turn = says(MachineState.OFF, response_time_s=3.0)
        await asyncio.sleep(60)
        stage.source.asked_at.clear()
        await asyncio.sleep(600)
        assert max(stage.source.gaps_s()) <= MAX_SLOW_INTERVAL_S
        assert stage.latest.poll_interval_s <= MAX_SLOW_INTERVAL_S


# --- what it writes ---


@virtual
async def test_a_condition_is_logged_when_it_changes_and_not_once_a_poll(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with polled(READY) as stage:
        for turn in (
            READY,
            says(MachineState.PRINTING),
            Unreachable("gone"),
            ServerFault("answers 500"),
            says(MachineState.FAULT, error="MINTEMP"),
            says(MachineState.FAULT, error="MAXTEMP"),
            says(MachineState.READY, advice="use a key of its own"),
        ):
            stage.source.turn = turn
            await asyncio.sleep(200)
        failures = len([1 for _, observation in stage.store.published if observation.error])
        assert failures > 10
    lines = log_of(caplog)
    assert lines[:4] == ["ender: ready", "ender: printing", "ender: gone", "ender: answers 500"]
    assert lines[4].startswith("ender: answers again after ")
    assert lines[5:] == [
        "ender: fault (MINTEMP)",
        "ender: fault (MAXTEMP)",
        "ender: ready",
        "ender: use a key of its own",
    ]


@virtual
async def test_an_unexpected_exception_is_this_machine_s_failure_and_logged_with_its_traceback_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with polled(LookupError("nobody thought of this")) as stage:
        await asyncio.sleep(600)
        assert not stage.task.done()
        assert len(stage.source.asked_at) > 10
        assert "a bug of the agent (LookupError)" in stage.latest.error
        assert stage.latest.failure is Failure.BUG
        traces = [record for record in caplog.records if record.exc_info]
        assert len(traces) == 1
        assert "nobody thought of this" in caplog.text
        stage.source.turn = READY
        await asyncio.sleep(MAX_BACKOFF_S)
        assert stage.latest.reachable
        stage.source.turn = LookupError("nobody thought of this")
        await asyncio.sleep(600)
        assert len([record for record in caplog.records if record.exc_info]) == 2


@virtual
async def test_a_source_that_gives_itself_up_does_not_take_its_poller_with_it() -> None:
    async with polled(asyncio.CancelledError()) as stage:
        await asyncio.sleep(10)
        assert not stage.task.done()
        assert not stage.latest.reachable
        stage.source.turn = READY
        await asyncio.sleep(30)
        assert stage.latest.reachable


class _FailingSession:
    """Stands for the HTTP session, and for the ways in which one can fail."""

    def __init__(self) -> None:
        self.raises: Callable[[], Exception] = RuntimeError
        self.headers: dict[str, str] = {}

    def request(self, _method: str, _url: str, **options: Any) -> None:
        self.headers = options["headers"]
        raise self.raises()


@virtual
async def test_no_key_is_ever_in_the_log_nor_in_what_is_published(caplog: pytest.LogCaptureFixture) -> None:
    key = "MADEUPKEYMADEUPKEYMADEUPKEYMADEU"
    caplog.set_level(logging.DEBUG)
    session = _FailingSession()
    source = OctoPrint(
        OctoPrintOptions(url="http://ender.test", api_key=Secret(key)),
        session=cast("aiohttp.ClientSession", session),
        now=now,
        monotonic=asyncio.get_running_loop().time,
    )
    raised: list[Callable[[], Exception]] = [
        lambda: RuntimeError("Session is closed"),
        lambda: ValueError(f"forbidden character in header {key!r}"),
        lambda: aiohttp.InvalidURL(f"http://ender.test/?apikey={key}"),
        lambda: ConnectionResetError(key),
        lambda: KeyError("nobody thought of this"),
    ]
    async with polled(READY, source=source) as stage:
        for session.raises in raised:
            await asyncio.sleep(2 * MAX_BACKOFF_S)
        assert session.headers["X-Api-Key"] == key
        assert len(log_of(caplog)) >= len(raised)
        assert key not in caplog.text
        assert key not in repr(stage.store.published)


# --- how it lives and ends ---


@virtual
async def test_no_heartbeat_is_late_however_long_a_machine_is_gone() -> None:
    async with polled(READY, polling=Polling(timeout_s=30)) as stage:
        stage.source.takes_s = FOR_EVER_S
        for _ in range(360):
            await asyncio.sleep(10)
            assert stage.health.late() == []
        assert heartbeats(stage) == ["poller of ender"]


@virtual
async def test_a_poller_that_is_stuck_is_late() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(1.5)
        stage.source.fetch = _ignores_its_deadline  # type: ignore[method-assign]
        await asyncio.sleep(200)
        assert [late.part for late in stage.health.late()] == ["poller of ender"]


async def _ignores_its_deadline() -> Any:
    try:
        await asyncio.sleep(300)
    except asyncio.CancelledError:
        await asyncio.sleep(300)
        raise


@pytest.mark.parametrize("after_s", [0.0, 0.5, 1.5, 2.3, 70.0])
@virtual
async def test_a_cancelled_poller_leaves_nothing_behind(after_s: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    async with polled(READY, offset_s=1.0) as stage:
        stage.source.takes_s = 0.5
        await asyncio.sleep(after_s)
        stage.source.takes_s = FOR_EVER_S
        await asyncio.sleep(1)
    assert heartbeats(stage) == []
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []  # type: ignore[attr-defined]
    published = len(stage.store.published)
    await asyncio.sleep(600)
    assert len(stage.store.published) == published
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_a_slow_machine_delays_no_other() -> None:
    async with polled(READY, name="slow") as slow, polled(READY, name="quick") as quick:
        slow.source.takes_s = FOR_EVER_S
        await asyncio.sleep(60.5)
        assert quick.source.asked_at == [float(second) for second in range(61)]
        published = [at for at, _ in quick.store.published]
        assert max(after - before for before, after in pairwise(published)) == 1
        assert elapsed_s() == 60.5


@virtual
async def test_cycles_and_those_in_vain_are_counted() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(1.5)
        assert (stage.latest.polls.cycles, stage.latest.polls.failures) == (2, 0)
        stage.source.turn = Unreachable("gone")
        await asyncio.sleep(1)
        assert (stage.latest.polls.cycles, stage.latest.polls.failures) == (3, 1)
        stage.source.turn, stage.source.takes_s = READY, 0.25
        await asyncio.sleep(5)
        assert stage.latest.polls.failures == 1
        assert stage.latest.polls.duration_s == pytest.approx(0.25)
