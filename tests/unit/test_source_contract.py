"""Every source is held to the page that `edge_agent.sources` gives its author."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from edge_agent.errors import SourceError
from edge_agent.model import MachineState, Snapshot
from edge_agent.secret import Secret
from edge_agent.session import open_session
from edge_agent.sources import Source
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from edge_agent.sources.simulated import SimulatedOptions, SimulatedPrinter, Stage
from tests import virtual_time
from tests.double import OctoPrintDouble, situations

T = TypeVar("T")
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
KEY = OctoPrintDouble.key


@dataclass(frozen=True)
class Subject:
    """A source, and how to bring it into every situation it knows.

    ``situations`` are actions after each of which `fetch` gives a snapshot. ``trouble`` makes fetches fail until
    ``mend``; ``hold``, where there is something to wait for, makes them hang until then.
    """

    source: Source
    situations: list[Callable[[], Awaitable[None]]]
    trouble: Callable[[], Awaitable[None]]
    mend: Callable[[], Awaitable[None]]
    hold: Callable[[], Awaitable[None]] | None = None


async def nothing() -> None:
    """No action."""


@asynccontextmanager
async def octoprint() -> AsyncIterator[Subject]:
    async with OctoPrintDouble(clock=virtual_time.now) as double, open_session() as session:
        options = OctoPrintOptions(url=double.url, api_key=Secret(KEY))
        loop = asyncio.get_running_loop()
        source = OctoPrint(options, session=session, now=virtual_time.now, monotonic=loop.time)

        def doing(act: Callable[[], None]) -> Callable[[], Awaitable[None]]:
            async def action() -> None:
                act()

            return action

        yield Subject(
            source=source,
            situations=[doing(lambda name=name: double.printer.play(name)) for name in situations()],  # type: ignore[misc]
            trouble=doing(double.silence),
            mend=doing(double.well),
            hold=doing(double.hang),
        )


@asynccontextmanager
async def simulated() -> AsyncIterator[Subject]:
    loop = asyncio.get_running_loop()
    options = SimulatedOptions(seed=3, start=Stage.IDLE, tools=2, chamber=True)
    source = SimulatedPrinter(options=options, now=virtual_time.now, monotonic=loop.time)

    async def until(reachable: bool) -> None:
        """Let time pass until its network is in that condition, and stays in it for a few seconds."""
        in_a_row = 0
        while in_a_row < 2:
            await asyncio.sleep(1)
            try:
                await source.fetch()
            except SourceError:
                in_a_row = 0 if reachable else in_a_row + 1
            else:
                in_a_row = in_a_row + 1 if reachable else 0

    async def later() -> None:
        await asyncio.sleep(60)
        await until(reachable=True)

    yield Subject(
        source=source,
        situations=[later] * 120,
        trouble=lambda: until(reachable=False),
        mend=lambda: until(reachable=True),
    )


SOURCES: dict[str, Callable[[], AbstractAsyncContextManager[Subject]]] = {
    "octoprint": octoprint,
    "simulated": simulated,
}
every_source = pytest.mark.parametrize("name", SOURCES)


def with_subject(name: str, test: Callable[[Subject], Awaitable[T]]) -> T:
    """Run a test on one source, in virtual time."""

    async def run() -> T:
        async with SOURCES[name]() as subject:
            return await test(subject)

    return virtual_time.run(run, start=START)


def all_snapshots(name: str) -> list[Snapshot]:
    async def collect(subject: Subject) -> list[Snapshot]:
        found = []
        for bring_about in subject.situations:
            await bring_about()
            found.append(await subject.source.fetch())
        return found

    return with_subject(name, collect)


def texts(snapshot: Snapshot) -> list[str]:
    job = snapshot.job
    told = [
        snapshot.state_text,
        snapshot.error,
        snapshot.advice,
        snapshot.profile_name,
        snapshot.software_version,
        job.file_name,
        job.file_path,
        job.user,
        job.remaining_origin,
        *snapshot.temperatures,
    ]
    return [text for text in told if text is not None]


@every_source
def test_a_source_shows_states_of_every_sort(name: str) -> None:
    seen = {snapshot.state for snapshot in all_snapshots(name)}
    assert seen >= {MachineState.OFF, MachineState.READY, MachineState.PRINTING, MachineState.PAUSED, MachineState.DONE}
    assert seen >= {MachineState.FAULT, MachineState.CONNECTING}


@every_source
def test_a_snapshot_is_stamped_in_utc_with_the_time_it_was_made(name: str) -> None:
    for snapshot in all_snapshots(name):
        for time in (snapshot.observed_at, snapshot.temperatures_at):
            assert time is None or time.utcoffset() == timedelta(0)
        assert snapshot.observed_at >= START


@every_source
def test_the_time_of_a_snapshot_is_the_clocks_and_moves_with_it(name: str) -> None:
    async def test(subject: Subject) -> None:
        for _ in range(5):
            await subject.mend()
            snapshot = await subject.source.fetch()
            assert snapshot.observed_at == virtual_time.now()
            await asyncio.sleep(1)

    with_subject(name, test)


@every_source
def test_progress_is_a_ratio_and_no_duration_or_size_is_below_zero(name: str) -> None:
    ratios = []
    for snapshot in all_snapshots(name):
        job = snapshot.job
        if job.progress_ratio is not None:
            ratios.append(job.progress_ratio)
        numbers = (job.elapsed_s, job.remaining_s, job.estimated_s, job.file_size_bytes, snapshot.response_time_s)
        assert all(number is None or number >= 0 for number in numbers)
    assert min(ratios) >= 0
    assert sorted(ratios)[len(ratios) // 2] > 0.2  # percent would be past it, and a ratio of a ratio before
    assert max(ratios) == 1


@every_source
def test_a_fault_has_words_and_nothing_else_has_them(name: str) -> None:
    for snapshot in all_snapshots(name):
        assert bool(snapshot.error) is (snapshot.state is MachineState.FAULT)


@every_source
def test_sensors_are_told_only_by_a_printer_that_is_connected(name: str) -> None:
    snapshots = all_snapshots(name)
    assert any(snapshot.temperatures for snapshot in snapshots)
    assert all(snapshot.state.connected for snapshot in snapshots if snapshot.temperatures)


@every_source
def test_every_text_is_one_line(name: str) -> None:
    for snapshot in all_snapshots(name):
        for text in texts(snapshot):
            assert text.splitlines() == ([text] if text else [])


@every_source
def test_what_goes_wrong_is_a_source_error_of_one_line(name: str) -> None:
    async def test(subject: Subject) -> None:
        await subject.source.fetch()
        await subject.trouble()
        with pytest.raises(SourceError) as caught:
            await subject.source.fetch()
        assert len(str(caught.value).splitlines()) == 1
        assert KEY not in repr(caught.value)

    with_subject(name, test)


@every_source
def test_after_failures_fetches_work_again_and_again(name: str) -> None:
    async def test(subject: Subject) -> None:
        for _ in range(3):
            await subject.trouble()
            with pytest.raises(SourceError):
                await subject.source.fetch()
            await subject.mend()
            for _ in range(2):
                assert (await subject.source.fetch()).observed_at == virtual_time.now()

    with_subject(name, test)


@every_source
def test_a_fetch_given_up_half_way_leaves_the_source_usable(name: str) -> None:
    async def test(subject: Subject) -> None:
        await subject.mend()
        if subject.hold is not None:
            await subject.source.fetch()
            await subject.hold()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(8):
                    await subject.source.fetch()
            await subject.mend()
        for turns in range(6):  # given up after so many turns of the loop, at whatever it is then waiting for
            task = asyncio.ensure_future(subject.source.fetch())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert (await subject.source.fetch()).observed_at == virtual_time.now()

    with_subject(name, test)


@every_source
def test_a_fetch_does_not_wait_and_leaves_no_task_behind(name: str) -> None:
    async def test(subject: Subject) -> None:
        await subject.mend()
        await subject.source.fetch()
        loop, tasks = asyncio.get_running_loop(), asyncio.all_tasks()
        began = loop.time()
        for _ in range(10):
            await subject.source.fetch()
        assert loop.time() == began
        assert {task for task in asyncio.all_tasks() - tasks if "double" not in repr(task)} == set()

    with_subject(name, test)
