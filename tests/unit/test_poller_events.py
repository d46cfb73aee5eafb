"""What a poller announces and counts, and that the journal has it first."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path

from edge_agent.chronicle import NOTE_EVERY_S, Chronicle
from edge_agent.counters import Counters
from edge_agent.errors import Unreachable, WrongKey
from edge_agent.events import Event, MachineEvent
from edge_agent.jobs import JobRun, JobTracker, Outcome
from edge_agent.journal import Journal
from edge_agent.journal.journal import WRITE_EVERY_S
from edge_agent.model import Aftermath, Job, MachineState, Quality, Situation, Snapshot
from edge_agent.observation import Observation
from edge_agent.poller import SILENT_S, Polling
from tests.scripted import FOR_EVER_S, Stage, elapsed_s, polled, says, virtual
from tests.virtual_time import now

READY = says(MachineState.READY)


def printing(elapsed: float = 1.0, state: MachineState = MachineState.PRINTING) -> Callable[[], Snapshot]:
    return says(state, job=Job(file_name="gear.gcode", file_path="gear.gcode", elapsed_s=elapsed))


PRINTING = printing()
DONE = says(
    MachineState.DONE, job=Job(file_name="gear.gcode", file_path="gear.gcode", progress_ratio=1.0, elapsed_s=9.0)
)
FAULT = says(MachineState.FAULT, error="MINTEMP")


def kinds(stage: Stage) -> list[str]:
    return [event.kind.value for _, event in stage.store.announced]


class SlowCard(Journal):
    """Takes its time, and notes what had been announced and shown by the time it was done."""

    takes_s = 0.0
    stage: Stage
    notes: list[tuple[list[str], list[str], Quality]]

    async def record(
        self,
        runs: Iterable[JobRun] = (),
        events: Iterable[Event] = (),
        counters: Mapping[str, Counters] | None = None,
    ) -> bool:
        events = list(events)
        recorded = await super().record(runs, events, counters)
        if events:
            await asyncio.sleep(self.takes_s)
            shown = self.stage.latest.snapshot
            state = shown.state.value if shown else ""
            told = [*kinds(self.stage), state]
            self.notes.append(([event.kind.value for event in events], told, self.stage.latest.quality))
        return recorded


@virtual
async def test_a_fault_that_ends_a_print_and_what_comes_after_it() -> None:
    async with polled(READY, jobs=JobTracker("ender")) as stage:
        await asyncio.sleep(1.5)
        stage.source.turn = PRINTING
        await asyncio.sleep(1)
        stage.source.turn = FAULT
        await asyncio.sleep(6)
        stage.source.turn = READY
        await asyncio.sleep(6)
        assert kinds(stage) == ["started", "fault", "failed", "recovered"]
        fault = stage.store.announced[1][1]
        assert isinstance(fault, MachineEvent)
        assert (fault.machine_id, fault.text) == ("ender", "MINTEMP")


@virtual
async def test_at_the_start_nothing_is_announced_for_what_is_found() -> None:
    for turn in (FAULT, READY, Unreachable("no such host")):
        async with polled(turn) as stage:
            await asyncio.sleep(SILENT_S * 2)
            assert kinds(stage) == []


@virtual
async def test_a_lost_connection_is_announced_when_values_turn_bad_and_not_before() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(1.5)
        stage.source.turn = Unreachable("no route")
        await asyncio.sleep(SILENT_S - 1)
        assert kinds(stage) == []
        await asyncio.sleep(10)
        stage.source.turn = READY
        await asyncio.sleep(SILENT_S)
        assert kinds(stage) == ["connection lost", "connection regained"]
        lost_s = stage.store.announced[0][0]
        assert lost_s == next(at for at, quality in stage.changes(quality_of) if quality is Quality.NO_COMMUNICATION)
        assert SILENT_S < lost_s < SILENT_S + 3


@virtual
async def test_it_is_announced_also_while_the_poller_rests() -> None:
    """After some failures it asks seldom; the values turn bad in between."""
    async with polled(READY) as stage:
        await asyncio.sleep(0.5)
        stage.source.turn = Unreachable("no route")
        await asyncio.sleep(SILENT_S + 1)
        ((at, event),) = stage.store.announced
        assert (event.kind.value, at) == ("connection lost", SILENT_S)
        assert min(abs(at - asked) for asked in stage.source.asked_at) > 1


@virtual
async def test_refused_access_is_a_lost_connection_at_once() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(1.5)
        stage.source.turn = WrongKey("no such key")
        await asyncio.sleep(1)
        assert kinds(stage) == ["connection lost"]
        event = stage.store.announced[0][1]
        assert isinstance(event, MachineEvent)
        assert event.text == "no such key"


def quality_of(observation: Observation) -> Quality:
    return observation.quality


@virtual
async def test_an_event_is_in_the_journal_then_shown_then_announced(tmp_path: Path) -> None:
    journal = await SlowCard.open(tmp_path / "journal.db")
    assert isinstance(journal, SlowCard)
    journal.takes_s, journal.notes = 0.5, []
    async with polled(READY, jobs=JobTracker("ender"), journal=journal) as stage:
        journal.stage = stage
        await asyncio.sleep(1.5)
        stage.source.turn = FAULT
        await asyncio.sleep(3)
        stage.source.turn = Unreachable("no route")
        await asyncio.sleep(SILENT_S * 2)
        stage.source.turn = READY
        await asyncio.sleep(SILENT_S)
        assert journal.notes == [
            (["fault"], ["ready"], Quality.GOOD),
            # The values are bad at once: a slow disk must not make them look better than they are.
            (["connection lost"], ["fault", "fault"], Quality.NO_COMMUNICATION),
            (["connection regained", "recovered"], ["fault", "connection lost", "fault"], Quality.NO_COMMUNICATION),
        ]
        announced = [event for _, event in stage.store.announced]
        assert announced == await journal.events(newest_first=False)
        fault, lost, regained, recovered = stage.store.shown_when_announced
        assert (is_fault(fault), fault.quality) == (True, Quality.GOOD)
        assert lost.quality is Quality.NO_COMMUNICATION
        assert regained is recovered
        assert (is_fault(recovered), recovered.quality) == (False, Quality.GOOD)
    await journal.close()


def is_fault(observation: Observation) -> bool:
    return observation.snapshot is not None and observation.snapshot.state is MachineState.FAULT


@virtual
async def test_what_happened_just_before_the_end_is_in_the_journal(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    async with polled(says(MachineState.OFF), polling=Polling(timeout_s=1000), journal=journal) as stage:
        await asyncio.sleep(1.5)
        stage.source.takes_s = FOR_EVER_S  # the values turn bad while it is being asked
        await asyncio.sleep(SILENT_S + 5)
        assert stage.latest.quality is Quality.NO_COMMUNICATION
    assert [event.kind.value for event in await journal.events()] == ["connection lost"]
    await journal.close()


# Counters.


@virtual
async def test_work_is_counted_and_pauses_are_not(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    async with polled(READY, jobs=JobTracker("ender"), journal=journal) as stage:
        await asyncio.sleep(10.5)
        for state, seconds in (
            (MachineState.STARTING, 5),
            (MachineState.PRINTING, 20),
            (MachineState.PAUSED, 30),
            (MachineState.PRINTING, 10),
        ):
            stage.source.turn = printing(1.0, state)
            await asyncio.sleep(seconds)
        stage.source.turn = DONE
        await asyncio.sleep(5)
        counted = stage.latest.counters
        assert (round(counted.power_on_s), round(counted.operation_s), counted.completed) == (80, 35, 1)
    assert await journal.counters("ender") == counted
    await journal.close()


@virtual
async def test_an_upload_to_the_printers_card_is_no_printing() -> None:
    async with polled(READY, jobs=JobTracker("ender")) as stage:
        stage.source.turn = says(MachineState.PRINTING, state_text="Sending file to SD")
        await asyncio.sleep(10.5)
        assert (round(stage.latest.counters.power_on_s), stage.latest.counters.operation_s) == (10, 0.0)


@virtual
async def test_an_outage_counts_nothing() -> None:
    async with polled(READY) as stage:
        await asyncio.sleep(10.5)
        stage.source.turn = Unreachable("no route")
        await asyncio.sleep(30)
        stage.source.turn = READY
        await asyncio.sleep(60)
        before = stage.latest.counters.power_on_s
        await asyncio.sleep(10)
        assert stage.latest.counters.power_on_s == before + 10
        assert before < 10 + 60


@virtual
async def test_a_print_completed_is_not_counted_before_it_is_safe(tmp_path: Path) -> None:
    journal = await SlowCard.open(tmp_path / "journal.db")
    assert isinstance(journal, SlowCard)
    journal.notes = []
    async with polled(PRINTING, jobs=JobTracker("ender"), journal=journal) as stage:
        journal.stage = stage
        await asyncio.sleep(5.5)
        journal.takes_s = 10.0
        stage.source.turn = DONE
        await asyncio.sleep(10)
        assert stage.latest.quality is Quality.UNCERTAIN  # published meanwhile
        assert stage.latest.counters.completed == 0
        await asyncio.sleep(2)
        assert stage.latest.counters.completed == 1
    await journal.close()


@virtual
async def test_a_kill_loses_at_most_seven_minutes_of_counting(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    most_s = NOTE_EVERY_S + WRITE_EVERY_S + NOTE_EVERY_S
    lost_s = []
    journal = await Journal.open(path)
    async with polled(READY, journal=journal) as stage:
        for _ in range(40):
            await asyncio.sleep(60.0)
            await journal.prove()
            lost_s.append(stage.latest.counters.power_on_s - on_disk_s(path))
    assert max(lost_s) <= most_s == 420.0
    assert min(lost_s) < NOTE_EVERY_S + 5
    await journal.close()


def on_disk_s(path: Path) -> float:
    """What another process finds: the seconds that the machine was on."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT power_on_s FROM counters").fetchone()
    return found[0] if found else 0.0


@virtual
async def test_a_reload_loses_no_counting(tmp_path: Path) -> None:
    """What was noted and not yet written counts when the machine is begun anew, also if nothing was counted since."""
    journal = await Journal.open(tmp_path / "journal.db")
    async with polled(READY, journal=journal) as stage:
        await asyncio.sleep(NOTE_EVERY_S * 2.5)
        stage.source.turn = says(MachineState.OFF)
        await asyncio.sleep(NOTE_EVERY_S * 2)
        counted = stage.latest.counters
    assert counted.power_on_s > NOTE_EVERY_S * 2
    assert await journal.counters("ender") == counted
    await journal.close()


@virtual
async def test_the_card_takes_a_write_in_five_minutes_whatever_there_is_to_count(tmp_path: Path) -> None:
    """One for all machines, on or off, printing or not."""
    path = tmp_path / "journal.db"
    sizes = set()
    journal = await Journal.open(path)
    async with (
        polled(PRINTING, jobs=JobTracker("ender"), journal=journal),
        polled(READY, name="mark", journal=journal),
        polled(says(MachineState.OFF), name="prusa", journal=journal),
    ):
        await asyncio.sleep(10)
        for _ in range(60):
            await asyncio.sleep(60.0)
            await journal.prove()
            sizes.add(path.with_name("journal.db-wal").stat().st_size)
    assert 10 <= len(sizes) <= 13
    await journal.close()


@virtual
async def test_a_printer_that_is_off_is_not_written_about(tmp_path: Path) -> None:
    written: list[float] = []

    class Witness(Journal):
        async def record(
            self,
            runs: Iterable[JobRun] = (),
            events: Iterable[Event] = (),
            counters: Mapping[str, Counters] | None = None,
        ) -> bool:
            written.append(elapsed_s())
            return await super().record(runs, events, counters)

        async def note(self, runs: Iterable[JobRun] = (), counters: Mapping[str, Counters] | None = None) -> None:
            written.append(elapsed_s())
            await super().note(runs, counters)

    journal = await Witness.open(tmp_path / "journal.db")
    async with polled(says(MachineState.OFF), jobs=JobTracker("ender"), journal=journal):
        await asyncio.sleep(NOTE_EVERY_S * 50)
    assert written == []
    await journal.close()


# The state table, and the list of runs.


@virtual
async def test_the_rows_of_a_print_that_failed_and_of_one_that_was_cancelled() -> None:
    def row(stage: Stage) -> Situation | None:
        rows = stage.states.rows
        return next((name for name in (*Aftermath, *MachineState) if rows[name] is stage.latest.meaning), None)

    async with polled(PRINTING, jobs=JobTracker("ender")) as stage:
        await asyncio.sleep(1.5)
        stage.source.turn = FAULT
        await asyncio.sleep(12)
        assert row(stage) is Aftermath.FAILED
        stage.source.turn = READY
        await asyncio.sleep(6)
        assert row(stage) is MachineState.READY
        stage.source.turn = FAULT
        await asyncio.sleep(2)
        assert row(stage) is MachineState.FAULT
        stage.source.turn = printing(1.0)
        await asyncio.sleep(6)
        stage.source.turn = printing(2.0, MachineState.CANCELLING)
        await asyncio.sleep(2)
        stage.source.turn = says(MachineState.READY, job=Job(file_name="gear.gcode", file_path="gear.gcode"))
        await asyncio.sleep(2)
        assert row(stage) is Aftermath.CANCELLED
        stage.source.turn = Unreachable("no route")
        await asyncio.sleep(SILENT_S * 2)
        assert row(stage) is Aftermath.CANCELLED  # the last one known, beside a quality that says so


@virtual
async def test_the_recent_runs_are_the_same_tuple_until_one_has_more_to_tell(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    old = [run_named(number) for number in range(25)]
    await journal.record(old)
    recent = await journal.runs("ender", limit=20)
    chronicle = Chronicle("ender", now=now, jobs=JobTracker("ender", last=old[-1]), journal=journal, recent=recent)
    async with polled(READY, chronicle=chronicle) as stage:
        await asyncio.sleep(1.5)
        assert [run.id for run in stage.latest.recent] == [f"ender-{number:02}" for number in range(24, 4, -1)]
        found = stage.latest.recent
        began = elapsed_s()

        def going_on() -> Snapshot:
            return printing(elapsed_s() - began)()

        stage.source.turn = going_on
        await asyncio.sleep(1)
        started = stage.latest.recent
        assert (len(started), started[0].is_open, started[1:]) == (20, True, found[:19])
        await asyncio.sleep(5)
        assert stage.latest.recent is started
        assert stage.latest.run is not None
        assert stage.latest.run.elapsed_s != started[0].elapsed_s
        stage.source.turn = FAULT
        await asyncio.sleep(2)
        ended = stage.latest.recent
        assert ended is not started
        assert (ended[0].id, ended[0].outcome, ended[1:]) == (started[0].id, Outcome.FAILED, started[1:])
    await journal.close()


def run_named(number: int) -> JobRun:
    return JobRun(
        id=f"ender-{number:02}", machine_id="ender", started_at=now(), updated_at=now(), outcome=Outcome.COMPLETED
    )
