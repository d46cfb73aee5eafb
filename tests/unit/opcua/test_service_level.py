"""ServiceLevel says how much of what there is to tell can be told, and clients may watch it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.journal import Journal
from edge_agent.sinks.opcua import server
from edge_agent.sinks.opcua.status.service_level import service_level
from tests.endpoint import Bench
from tests.observations import MACHINE, observation

LEVEL = "i=2267"


@pytest.mark.parametrize(
    ("reachable", "machines", "recorded", "level"),
    [
        (0, 0, True, 255),
        (0, 0, False, 199),
        (3, 3, True, 255),
        (3, 3, False, 199),
        (2, 3, True, 133),
        (2, 3, False, 133),
        (1, 3, True, 67),
        (99, 100, True, 197),
        (999, 1000, True, 198),
        (1, 1000, True, 2),
        (0, 3, True, 1),
        (0, 3, False, 1),
    ],
)
def test_the_level_is_in_the_standards_ranges(*, reachable: int, machines: int, recorded: bool, level: int) -> None:
    assert service_level(reachable=reachable, machines=machines, recorded=recorded) == level


def test_more_machines_are_never_a_lower_level_and_degraded_is_never_healthy() -> None:
    for machines in (1, 2, 7, 20, 100, 500):
        levels = [service_level(reachable=count, machines=machines, recorded=True) for count in range(machines + 1)]
        assert levels == sorted(levels)
        assert all(2 <= level <= 199 for level in levels[1:-1])


class Told:
    """What a subscription brings."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[Any] = asyncio.Queue()

    def datachange_notification(self, _: object, value: Any, __: object) -> None:
        self.values.put_nowait(value)

    async def next(self) -> Any:
        async with asyncio.timeout(1):
            return await self.values.get()


def machine(bench: Bench, name: str, *, reachable: bool = True) -> None:
    bench.store.publish(observation(machine=replace(MACHINE, id=name), reachable=reachable))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_subscriber_is_told_within_a_second_of_each_machine(tmp_path: Path) -> None:
    bench, told = Bench(tmp_path, anonymous=True), Told()
    async with bench.running(), bench.client() as client:
        subscription = await client.create_subscription(50, told)
        await subscription.subscribe_data_change(client.get_node(LEVEL))
        assert await told.next() == 255
        machine(bench, "one", reachable=False)
        assert await told.next() == 1
        machine(bench, "two")
        assert await told.next() == 100
        machine(bench, "one")
        assert await told.next() == 255
        machine(bench, "two")  # nothing new
        bench.store.remove("one")
        machine(bench, "two", reachable=False)
        assert await told.next() == 1
        bench.store.remove("two")
        assert await told.next() == 255


async def test_a_journal_that_cannot_be_written_degrades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HEARTBEAT_S", 0.05)  # a journal that fails wakes nobody
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    journal = await Journal.open(not_a_folder / "journal.db", retry_s=0.1)
    bench, told = Bench(tmp_path / "state", anonymous=True, journal=journal), Told()
    try:
        machine(bench, "one")
        async with bench.running(), bench.client() as client:
            subscription = await client.create_subscription(50, told)
            await subscription.subscribe_data_change(client.get_node(LEVEL))
            assert await told.next() == 199
            not_a_folder.unlink()
            assert await told.next() == 255
    finally:
        await journal.close()
