"""What a poller tells of prints, and what the journal holds by then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from edge_agent.counters import Counters
from edge_agent.events import Event
from edge_agent.jobs import JobEvent, JobRun, JobTracker, Outcome
from edge_agent.journal import Journal
from edge_agent.journal.journal import WRITE_EVERY_S
from edge_agent.model import Job, MachineState, Quality, Snapshot
from tests.scripted import Stage, polled, says, virtual


def printing(elapsed_s: float) -> Job:
    return Job(file_name="gear.gcode", file_path="gear.gcode", progress_ratio=elapsed_s / 9000, elapsed_s=elapsed_s)


def shown(stage: Stage) -> JobRun | None:
    return stage.latest.run


@virtual
async def test_a_print_is_shown_with_its_run_from_its_start_to_its_outcome() -> None:
    async with polled(says(MachineState.READY), jobs=JobTracker("ender")) as stage:
        await asyncio.sleep(1.5)
        assert shown(stage) is None
        stage.source.turn = says(MachineState.PRINTING, job=printing(1))
        await asyncio.sleep(1)
        run = shown(stage)
        assert run is not None
        assert run.is_open
        stage.source.turn = says(MachineState.FAULT, error="Thermal Runaway")
        await asyncio.sleep(1)
        ended = shown(stage)
        assert ended is not None
        assert (ended.id, ended.outcome, ended.reason) == (run.id, Outcome.FAILED, "Thermal Runaway")


@virtual
async def test_a_run_is_in_the_journal_before_anybody_is_shown_it(tmp_path: Path) -> None:
    shown_at_record: list[JobRun | None] = []

    class Witness(Journal):
        async def record(
            self,
            runs: Iterable[JobRun] = (),
            events: Iterable[Event] = (),
            counters: Mapping[str, Counters] | None = None,
        ) -> bool:
            recorded = await super().record(runs, events, counters)
            await asyncio.sleep(10)  # a slow card: meanwhile values age, and are published as uncertain
            shown_at_record.append(stage.latest.run)
            assert stage.latest.quality is Quality.UNCERTAIN
            return recorded

    journal = await Witness.open(tmp_path / "journal.db")
    async with polled(says(MachineState.READY), jobs=JobTracker("ender"), journal=journal) as stage:
        await asyncio.sleep(1.5)
        stage.source.turn = says(MachineState.PRINTING, job=printing(1))
        await asyncio.sleep(10.9)
        assert shown_at_record == [None]
        assert stage.latest.run == await journal.open_run("ender")
    await journal.close()


@virtual
async def test_the_open_run_is_brought_up_to_date_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.db")

    async def recorded_s() -> float:
        run = await journal.open_run("ender")
        assert run is not None
        assert run.elapsed_s is not None
        return run.elapsed_s

    async with polled(says(MachineState.READY), jobs=JobTracker("ender"), journal=journal) as stage:
        await asyncio.sleep(1.5)
        loop = asyncio.get_running_loop()
        began = loop.time()

        def going_on() -> Snapshot:
            return says(MachineState.PRINTING, job=printing(loop.time() - began))()

        stage.source.turn = going_on
        await asyncio.sleep(WRITE_EVERY_S / 2)
        await journal.prove()
        assert await recorded_s() < 5
        await asyncio.sleep(WRITE_EVERY_S)
        await journal.prove()
        assert WRITE_EVERY_S * 1.5 - 70 < await recorded_s() < WRITE_EVERY_S * 1.5
        await asyncio.sleep(30)
    assert await recorded_s() > WRITE_EVERY_S * 1.5 + 25
    await journal.close()


@virtual
async def test_a_bug_in_telling_jobs_costs_the_machine_and_not_the_agent() -> None:
    class Confused(JobTracker):
        def observe(self, snapshot: Snapshot, *, now: datetime, monotonic_s: float) -> tuple[JobEvent, ...]:  # noqa: ARG002 - theirs
            raise ZeroDivisionError

    async with polled(says(MachineState.READY), jobs=Confused("ender")) as stage:
        await asyncio.sleep(5)
        assert not stage.task.done()
        assert "a bug of the agent (ZeroDivisionError)" in stage.latest.error
