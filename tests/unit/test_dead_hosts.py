"""Fifty dead machines beside two living ones, over the agent's one session: the living notice nothing.

Most of it in virtual time, where "nothing" means not a microsecond. Look-ups of dead names block threads, which virtual
time cannot bend: they have a test on the real clock, with the loop the agent runs on and with asyncio's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
import uvloop

from edge_agent.health import Health
from edge_agent.model import DEFAULT_STATE_TABLE, Machine, Quality
from edge_agent.observation import Observation
from edge_agent.poller import Poller, Polling
from edge_agent.secret import Secret
from edge_agent.session import open_session
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from edge_agent.store import Store
from tests.double import KEY, OctoPrintDouble
from tests.virtual_time import now as virtual_now
from tests.virtual_time import run

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
LIVE = 2
DEAD = 50


class NotingStore(Store):
    """Notes when each machine was published."""

    def __init__(self) -> None:
        super().__init__()
        self.published_at: dict[str, list[float]] = {}
        self.failed_at: dict[str, float] = {}

    def publish(self, observation: Observation) -> None:
        """As ever."""
        moment = asyncio.get_running_loop().time()
        self.published_at.setdefault(observation.machine.id, []).append(moment)
        if observation.error:
            self.failed_at.setdefault(observation.machine.id, moment)
        super().publish(observation)

    def rhythm(self, machine_id: str) -> list[float]:
        """Seconds between one publication and the next."""
        return [round(after - before, 6) for before, after in pairwise(self.published_at[machine_id])]


def poller(
    url: str,
    *,
    name: str,
    session: aiohttp.ClientSession,
    store: Store,
    health: Health,
    now: Callable[[], datetime],
    polling: Polling,
) -> Poller:
    loop = asyncio.get_running_loop()
    options = OctoPrintOptions(url=url, api_key=Secret(KEY))
    return Poller(
        machine=Machine(id=name, name=None, address=url, url=url, kind="octoprint", mes_ids=()),
        source=OctoPrint(options, session=session, now=now, monotonic=loop.time),
        store=store,
        health=health,
        polling=polling,
        states=DEFAULT_STATE_TABLE,
        now=now,
        dice=random.Random(name),
    )


@asynccontextmanager
async def polled(
    live: Sequence[str], dead: Sequence[str], *, now: Callable[[], datetime], polling: Polling
) -> AsyncIterator[NotingStore]:
    """All of them polled over one session, the dead ones first in line."""
    store, health = NotingStore(), Health(monotonic=asyncio.get_running_loop().time)
    async with open_session() as session:
        named = [(f"dead-{number}", url) for number, url in enumerate(dead)]
        named += [(f"live-{number}", url) for number, url in enumerate(live)]
        tasks = [
            asyncio.create_task(
                poller(url, name=name, session=session, store=store, health=health, now=now, polling=polling).run()
            )
            for name, url in named
        ]
        try:
            yield store
            assert health.late() == []
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def refusing() -> socket.socket:
    """A port that is taken, and refuses: bound and not listening."""
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    return closed


@contextmanager
def black_hole() -> Iterator[socket.socket]:
    """A port at which connecting neither succeeds nor fails: its queue of one is full."""
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(2):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening


def url_of(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@asynccontextmanager
async def dead_addresses() -> AsyncIterator[list[str]]:
    """Fifty: 20 that refuse, 15 that swallow connections, 15 that accept, listen and say nothing."""
    async with AsyncExitStack() as stack:
        refused = [stack.enter_context(refusing()) for _ in range(20)]
        holes = [stack.enter_context(black_hole()) for _ in range(15)]
        hanging = [await stack.enter_async_context(OctoPrintDouble()) for _ in range(15)]
        for double in hanging:
            double.hang()
        yield [*map(url_of, refused), *map(url_of, holes), *(double.url for double in hanging)]


async def live_rhythms(*, with_dead: bool, for_s: float) -> tuple[list[list[float]], list[Observation]]:
    """The living machines' rhythms, and what was said of the dead in the end."""
    async with AsyncExitStack() as stack:
        dead = await stack.enter_async_context(dead_addresses()) if with_dead else []
        live = [await stack.enter_async_context(OctoPrintDouble(clock=virtual_now)) for _ in range(LIVE)]
        urls = [double.url for double in live]
        store = await stack.enter_async_context(polled(urls, dead, now=virtual_now, polling=Polling()))
        await asyncio.sleep(for_s)
        said = [observation for observation in store.observations() if observation.machine.id.startswith("dead")]
        return [store.rhythm(f"live-{number}") for number in range(LIVE)], said


def test_fifty_dead_addresses_do_not_shift_a_living_machine_s_cycles_at_all() -> None:
    alone, nobody = run(lambda: live_rhythms(with_dead=False, for_s=300.5), start=START)
    beside, dead = run(lambda: live_rhythms(with_dead=True, for_s=300.5), start=START)
    assert nobody == []
    assert len(dead) == DEAD
    assert {observation.quality for observation in dead} == {Quality.NO_COMMUNICATION}
    reasons = [observation.error for observation in dead]
    assert len([reason for reason in reasons if "connection refused" in reason]) == 20
    assert len([reason for reason in reasons if "no answer" in reason]) == 30
    assert beside == alone
    for rhythm in beside:
        assert len(rhythm) == 301  # at the start, at once, and 300 times after a second
        assert max(rhythm) == 1


def test_a_black_hole_costs_the_connect_timeout_and_a_silent_host_the_whole_deadline() -> None:
    async def main() -> tuple[float, float]:
        found = []
        with black_hole() as hole:
            async with OctoPrintDouble() as silent:
                silent.hang()
                for url in (url_of(hole), silent.url):
                    async with polled([], [url], now=virtual_now, polling=Polling()) as store:
                        await asyncio.sleep(8.5)
                        found.append(round(store.failed_at["dead-0"] - store.published_at["dead-0"][0], 6))
        return found[0], found[1]

    assert run(main, start=START) == (3.0, 8.0)


# --- names ---


class NameService:
    """Stands for the resolver of the operating system: dead names block until it is shut down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.blocked: set[str] = set()
        self._shut = threading.Event()
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        """As `socket.getaddrinfo`, in a thread."""
        if str(host).startswith("dead-"):
            self.blocked.add(host)
            self._shut.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if str(host).startswith("live-"):
            self.asked.append(host)
            host = "127.0.0.1"
        return self._real(host, port, *args, **options)

    def shut(self) -> None:
        """Let every look-up end."""
        self._shut.set()


async def live_cycles_by_name(names: NameService, dead: Sequence[str], *, for_s: float) -> list[list[float]]:
    async with AsyncExitStack() as stack:
        live = [await stack.enter_async_context(OctoPrintDouble()) for _ in range(LIVE)]
        urls = [f"http://live-{number}.test:{double.port}" for number, double in enumerate(live)]
        polling = Polling(interval_s=0.1, timeout_s=1.0)
        stack.callback(names.shut)
        store = await stack.enter_async_context(polled(urls, dead, now=lambda: datetime.now(UTC), polling=polling))
        await asyncio.sleep(for_s)
        assert len(names.blocked) == len(dead)
        assert all(observation.quality is Quality.GOOD for observation in store.observations()[len(dead) :])
        return [store.rhythm(f"live-{number}") for number in range(LIVE)]


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_fifty_names_whose_look_up_blocks_do_not_keep_the_living_from_being_found(
    monkeypatch: pytest.MonkeyPatch, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    names = NameService(monkeypatch)
    dead = [f"http://dead-{number}.local" for number in range(DEAD)]
    with asyncio.Runner(loop_factory=new_loop) as runner:
        alone = runner.run(live_cycles_by_name(names, [], for_s=1.5))
    names = NameService(monkeypatch)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        beside = runner.run(live_cycles_by_name(names, dead, for_s=1.5))
    assert names.asked, "the living are looked up by the same service"
    for rhythm, undisturbed in zip(beside, alone, strict=True):
        # Real time on a busy computer: half of the cycles, where a single blocked look-up would leave none.
        assert len(rhythm) >= len(undisturbed) / 2 > 3
        assert max(rhythm) < max(undisturbed) + 1.0
