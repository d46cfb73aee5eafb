"""Every attack of the table: called by its name, cheap, over when it is over, and nothing to the other machines."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest
import uvloop

from edge_agent.health import Health
from edge_agent.model import DEFAULT_STATE_TABLE, Machine, MachineState, Quality
from edge_agent.observation import Observation
from edge_agent.poller import Poller, Polling
from edge_agent.secret import Secret
from edge_agent.session import open_session
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from edge_agent.store import Store
from tests import virtual_time
from tests.double import KEY, OctoPrintDouble
from tests.unit.hostile.attacks import ATTACKS, FLOODS
from tests.unit.hostile.memory import MEGABYTE, measured

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
AT_ONCE = [name for name, attack in ATTACKS.items() if not attack.waits]


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and everything it drags along."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def source_of(url: str, session: aiohttp.ClientSession, now: Callable[[], datetime]) -> OctoPrint:
    options = OctoPrintOptions(url=url, api_key=Secret(KEY))
    return OctoPrint(options, session=session, now=now, monotonic=asyncio.get_running_loop().time)


@pytest.mark.parametrize("name", AT_ONCE)
async def test_it_is_called_by_its_name_costs_little_and_is_over_when_it_is_over(name: str) -> None:
    attack = ATTACKS[name]
    async with OctoPrintDouble() as octoprint, open_session() as session:
        source = source_of(octoprint.url, session, lambda: START)
        await source.fetch()
        attack.act(octoprint)
        with measured() as growth:
            for _ in range(3):
                with pytest.raises(attack.kind) as caught:
                    await source.fetch()
        assert attack.words in str(caught.value)
        assert len(str(caught.value)) > 20
        assert "\n" not in str(caught.value)
        assert all(KEY not in f"{part} {part!r} {vars(part)!r}" for part in chain(caught.value))
        assert growth.bytes < 10 * MEGABYTE
        octoprint.well()
        assert (await source.fetch()).state is MachineState.READY
        assert {request.key for request in octoprint.log} == {"right"}


# What the machine shows, and what is logged.


def poller(url: str, session: aiohttp.ClientSession, store: Store, polling: Polling, name: str = "m") -> Poller:
    loop = asyncio.get_running_loop()

    def now() -> datetime:
        return loop.now() if isinstance(loop, virtual_time.VirtualTimeLoop) else datetime.now(UTC)

    return Poller(
        machine=Machine(id=name, name=None, address=url, url=url, kind="octoprint", mes_ids=()),
        source=source_of(url, session, now),
        store=store,
        health=Health(monotonic=loop.time),
        polling=polling,
        states=DEFAULT_STATE_TABLE,
        now=now,
        dice=random.Random(name),
    )


@asynccontextmanager
async def polled(*pollers: Poller) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in pollers]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def shown(name: str) -> list[Observation]:
    """A machine that was well, ten and eighty seconds after an attack began, and ninety seconds after its end."""
    async with OctoPrintDouble(clock=virtual_time.now) as octoprint, open_session() as session:
        store = Store()
        async with polled(poller(octoprint.url, session, store, Polling())):
            await asyncio.sleep(5)
            ATTACKS[name].act(octoprint)
            found = []
            for wait_s in (10, 70):
                await asyncio.sleep(wait_s)
                found.append(store.observations()[0])
            octoprint.well()
            await asyncio.sleep(90)
            return [*found, store.observations()[0]]


@pytest.mark.parametrize("name", ATTACKS)
def test_the_machine_says_what_is_wrong_and_how_far_its_values_can_be_trusted(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    attack = ATTACKS[name]
    soon, late, after = virtual_time.run(lambda: shown(name), start=START)
    denied = attack.kind.access_denied
    assert soon.quality is (Quality.ACCESS_DENIED if denied else Quality.UNCERTAIN)
    assert late.quality is (Quality.ACCESS_DENIED if denied else Quality.NO_COMMUNICATION)
    for observation in (soon, late):
        assert attack.words in observation.error
        assert "a bug" not in observation.error
        assert not observation.reachable
        assert observation.snapshot is not None  # the last usable one
        assert observation.snapshot.state is MachineState.READY
    assert (after.quality, after.error, after.reachable) == (Quality.GOOD, "", True)
    assert KEY not in caplog.text
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 1 <= len(warnings) <= 3, "said when it began, not at every cycle"
    assert not any(record.exc_info for record in warnings)


# The others.


class Turns:
    """The longest turn of the event loop in seconds of computing, whatever else the computer is busy with."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._at_s = time.thread_time()
        self._again()

    def _again(self) -> None:
        now_s = time.thread_time()
        self.longest_s = max(self.longest_s, now_s - self._at_s)
        self._at_s = now_s
        asyncio.get_running_loop().call_later(0.001, self._again)


async def beside_all_floods(*, for_s: float) -> tuple[Turns, Observation]:
    """A machine that is well, beside others that are flooded all at once."""
    store, polling = Store(), Polling(interval_s=0.1, idle_interval_s=0.1, timeout_s=5.0)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session())
        alive = await stack.enter_async_context(OctoPrintDouble())
        pollers = [poller(alive.url, session, store, polling, "alive")]
        for name in FLOODS:
            octoprint = await stack.enter_async_context(OctoPrintDouble())
            FLOODS[name].act(octoprint)
            pollers.append(poller(octoprint.url, session, store, polling, name))
        turns = Turns()
        async with polled(*pollers):
            await asyncio.sleep(for_s)
            first, *others = store.observations()
        assert len(others) == len(FLOODS)
        assert all(observation.error for observation in others)
        return turns, first


def test_all_floods_at_once_are_nothing_to_another_machine_and_not_much_to_memory() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, measured() as growth:
        turns, alive = runner.run(beside_all_floods(for_s=3.0))
    assert (alive.quality, alive.error) == (Quality.GOOD, "")
    # Before there were limits, one of these floods alone took more than a second from the others.
    assert turns.longest_s < 0.3
    assert growth.bytes < 40 * MEGABYTE
