"""The pollers and what they begin with: the journal, and what was known before a reload."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec.structs import replace

from edge_agent.cli.demo import demo_config
from edge_agent.config import Config
from edge_agent.counters import Counters
from edge_agent.events import MachineEvent
from edge_agent.health import Health
from edge_agent.jobs import JobRun, Outcome
from edge_agent.journal import Journal
from edge_agent.machines import Machines
from edge_agent.model import MachineState, Quality
from edge_agent.observation import Observation
from edge_agent.sources.simulated import SimulatedOptions, Stage
from edge_agent.store import Store
from tests.scripted import virtual
from tests.virtual_time import now

UUID = "0b1c9a52-6c1e-4f3a-9a51-2f6f2f3c4d5e"


def config(stage: Stage, *, interval_s: float = 1.0) -> Config:
    """One machine that stands at this stage, over and over."""
    found = demo_config(printers=1, port=4840, speed=1.0)
    source = SimulatedOptions(start=stage, network_trouble=False)
    (machine,) = found.machines
    machine = type(machine)(
        machine=machine.machine, source=source, poll_interval_s=None, dialect="", position=machine.position
    )
    polling = replace(found.polling, interval_s=interval_s)
    return Config(machines=(machine,), opcua=found.opcua, http=found.http, polling=polling, states=found.states)


@asynccontextmanager
async def machines(store: Store, journal: Journal) -> AsyncIterator[Machines]:
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        made = Machines(
            tasks,
            session=session,
            store=store,
            journal=journal,
            health=Health(monotonic=asyncio.get_running_loop().time),
            now=now,
            dice=random.Random(1),
            device_uuid=UUID,
        )
        try:
            yield made
        finally:
            await made.apply(replace_machines(config(Stage.IDLE)))


def replace_machines(found: Config) -> Config:
    return Config(machines=(), opcua=found.opcua, http=found.http, polling=found.polling, states=found.states)


def latest(store: Store) -> Observation:
    found = store.latest("printer-1")
    assert found is not None
    return found


@virtual
async def test_a_machines_uri_is_unique_in_the_world(tmp_path: Path) -> None:
    store, journal = Store(), await Journal.open(tmp_path / "journal.db")
    async with machines(store, journal) as made:
        await made.apply(config(Stage.IDLE))
        await asyncio.sleep(2)
        assert latest(store).machine.instance_uri == f"urn:edge-agent:{UUID}:printer-1"
        assert latest(store).quality is Quality.GOOD
    await journal.close()


@virtual
async def test_a_machine_goes_on_where_the_journal_ends(tmp_path: Path) -> None:
    store, journal = Store(), await Journal.open(tmp_path / "journal.db")
    runs = [
        JobRun(
            id=f"printer-1-{number:02}",
            machine_id="printer-1",
            started_at=now(),
            updated_at=now(),
            outcome=Outcome.COMPLETED,
        )
        for number in range(25)
    ]
    await journal.record(runs, (), {"printer-1": Counters(power_on_s=3600.0, operation_s=60.0, completed=25)})
    async with machines(store, journal) as made:
        await made.apply(config(Stage.IDLE))
        await asyncio.sleep(10)
        seen = latest(store)
        assert seen.recent == tuple(runs[:4:-1])
        assert seen.run == runs[-1]
        assert 3608 < seen.counters.power_on_s <= 3610
        assert (seen.counters.operation_s, seen.counters.completed) == (60.0, 25)
    assert await journal.counters("printer-1") == seen.counters
    await journal.close()


@virtual
async def test_a_reload_does_not_forget_a_fault(tmp_path: Path) -> None:
    store, journal = Store(), await Journal.open(tmp_path / "journal.db")
    with store.watch() as watch:
        watch.take_events()
        async with machines(store, journal) as made:
            await made.apply(config(Stage.FAULT))
            await asyncio.sleep(2)
            seen = latest(store).snapshot
            assert seen is not None
            assert seen.state is MachineState.FAULT
            await made.apply(config(Stage.IDLE, interval_s=2.0))
            await asyncio.sleep(3)
        found = [event for event in watch.take_events() if isinstance(event, MachineEvent)]
    assert [event.kind.value for event in found] == ["recovered"]
    await journal.close()
