"""A poller on a stage: a source that does what it is told, and a record of all that was published, in virtual time.

@virtual
async def test_it_is_asked_every_second() -> None:
    async with polled(says(MachineState.READY)) as stage:
        await asyncio.sleep(2.5)
        assert stage.source.asked_at == [0, 1, 2]
        stage.source.turn = Unreachable("gone")
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ParamSpec

from edge_agent.chronicle import Chronicle
from edge_agent.events import Event
from edge_agent.health import Health
from edge_agent.jobs import JobTracker
from edge_agent.journal import Journal
from edge_agent.model import DEFAULT_STATE_TABLE, Machine, MachineState, Snapshot, StateTable
from edge_agent.observation import Observation
from edge_agent.poller import Poller, Polling
from edge_agent.sources import Source
from edge_agent.store import Store
from tests.virtual_time import EPOCH_S, now, run

P = ParamSpec("P")

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
FOR_EVER_S = 1e6

Turn = Callable[[], Snapshot] | BaseException


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in a virtual loop of its own."""

    @functools.wraps(test)
    def on_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        run(lambda: test(*args, **kwargs), start=START)

    return on_virtual_time


def elapsed_s() -> float:
    """Virtual seconds since the loop's first moment."""
    return round(asyncio.get_running_loop().time() - EPOCH_S, 6)


def says(state: MachineState, **changes: Any) -> Callable[[], Snapshot]:
    """A machine in this state, whose sensors are alive unless ``temperatures_at`` says otherwise."""

    def snapshot() -> Snapshot:
        fields = {"state_text": state.value, "response_time_s": 0.01, "temperatures_at": now()} | changes
        return Snapshot(state=state, observed_at=now(), **fields)

    return snapshot


class ScriptedSource:
    """Does its ``turn`` whenever it is asked, ``takes_s`` seconds later, and notes when that was."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.takes_s = 0.0
        self.asked_at: list[float] = []

    async def fetch(self) -> Snapshot:
        """One answer, or one error."""
        self.asked_at.append(elapsed_s())
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        if isinstance(self.turn, BaseException):
            raise type(self.turn)(*self.turn.args)  # a fresh one: a traceback grows each time one is raised
        return self.turn()

    def gaps_s(self) -> list[float]:
        """Seconds between one question and the next."""
        return [after - before for before, after in zip(self.asked_at, self.asked_at[1:], strict=False)]


class RecordingStore(Store):
    """A store that remembers what was published and announced, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[tuple[float, Observation]] = []
        self.announced: list[tuple[float, Event]] = []
        self.shown_when_announced: list[Observation] = []

    def publish(self, observation: Observation) -> None:
        """As ever."""
        self.published.append((elapsed_s(), observation))
        super().publish(observation)

    def announce(self, event: Event) -> None:
        """As ever."""
        self.announced.append((elapsed_s(), event))
        self.shown_when_announced += self.observations()
        super().announce(event)


class Stage:
    """A running poller and everything around it."""

    def __init__(
        self, source: ScriptedSource, machine: Machine, store: RecordingStore, health: Health, states: StateTable
    ) -> None:
        self.source = source
        self.states = states
        self.machine = machine
        self.store = store
        self.health = health
        self.task: asyncio.Task[None]

    @property
    def latest(self) -> Observation:
        """What is said of the machine now."""
        observation = self.store.latest(self.machine.id)
        assert observation is not None
        return observation

    def changes(self, read: Callable[[Observation], object]) -> list[tuple[float, object]]:
        """Each value that ``read`` found in what was published, with the second it first was."""
        found: list[tuple[float, object]] = []
        for at, observation in self.store.published:
            value = read(observation)
            if not found or found[-1][1] != value:
                found.append((at, value))
        return found


def machine_named(name: str) -> Machine:
    """A machine, somewhere."""
    return Machine(
        id=name, name=name.title(), address=f"{name}.test:80", url=f"http://{name}.test", kind="octoprint", mes_ids=(7,)
    )


@asynccontextmanager
async def polled(
    turn: Turn,
    *,
    name: str = "ender",
    source: Source | None = None,
    polling: Polling | None = None,
    states: StateTable = DEFAULT_STATE_TABLE,
    offset_s: float = 0.0,
    jobs: JobTracker | None = None,
    journal: Journal | None = None,
    chronicle: Chronicle | None = None,
    seed: int = 1,
) -> AsyncIterator[Stage]:
    """A poller at work; ``source`` takes the place of the scripted one."""
    scripted = ScriptedSource(turn)
    health = Health(monotonic=asyncio.get_running_loop().time)
    stage = Stage(scripted, machine_named(name), RecordingStore(), health, states)
    poller = Poller(
        machine=stage.machine,
        source=source or scripted,
        store=stage.store,
        health=health,
        polling=polling or Polling(),
        states=states,
        now=now,
        dice=random.Random(seed),
        offset_s=offset_s,
        chronicle=chronicle or Chronicle(stage.machine.id, now=now, jobs=jobs, journal=journal),
    )
    stage.task = asyncio.create_task(poller.run())
    try:
        yield stage
    finally:
        stage.task.cancel()
        await asyncio.wait([stage.task])
