"""Power on, wait, look; power off; and again. No network but the cable to this test."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from asyncua import Client

from .emulated import Board, Card

READY_WITHIN_S = 600.0
REPORT_WITHIN_S = 900.0


@dataclass(frozen=True, kw_only=True)
class Boot:
    """How one went."""

    ready_s: float
    report: dict[str, str]
    endpoints: int
    page: str


def boot(board: Board) -> Boot:
    ready = board.wait_until(lambda: board.answers(board.opcua), "port 4840 answers", within_s=READY_WITHIN_S)
    endpoints = asyncio.run(endpoints_of(board.opcua))
    with urllib.request.urlopen(f"http://127.0.0.1:{board.page}/", timeout=30) as answer:
        page = answer.read().decode()
    board.wait_until(board.reported, "the boot is complete", within_s=REPORT_WITHIN_S)
    report = board.report()
    print(f"\npower to an answer on port 4840: {ready:.0f} s")
    for name, text in report.items():
        print(f"--- {name}\n{text}")
    return Boot(ready_s=ready, report=report, endpoints=endpoints, page=page)


async def endpoints_of(port: int) -> int:
    client = Client(f"opc.tcp://127.0.0.1:{port}", timeout=60)
    return len(await client.connect_and_get_server_endpoints())


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    card = Card("two-boots")
    with Board(card) as board:
        yield board
    card.remove()


@pytest.fixture(scope="module")
def first(board: Board) -> Boot:
    return boot(board)


@pytest.fixture(scope="module")
def second(board: Board, first: Boot) -> Boot:
    assert first.report, "the first boot was told"
    board.power_off()
    return boot(board.boot())


@pytest.fixture(params=["first", "second"])
def each(request: pytest.FixtureRequest) -> Boot:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Boot)
    return found


def test_everything_has_started(each: Boot) -> None:
    assert (each.report["state"], each.report["failed"], each.report["cycles"]) == ("running", "", "")


def test_clients_are_served(each: Boot) -> None:
    assert each.endpoints > 0
    assert "edge-agent" in each.page


def test_the_data_partition_has_the_rest_of_the_card(first: Boot) -> None:
    (line,) = (line for line in first.report["disk"].splitlines() if line.split()[0] == "/data")
    assert int(line.split()[1]) > 5000


def test_a_card_keeps_its_identity(first: Boot, second: Boot) -> None:
    assert len(first.report["identity"].split()[0]) == 32
    assert second.report["identity"] == first.report["identity"]


def test_from_the_second_boot_on_nothing_writes_to_the_root(first: Boot, second: Boot) -> None:
    roots = [line for line in second.report["mounts"].splitlines() if line.startswith("/ ")]
    assert ["overlay" in line for line in roots] == [True]
    assert second.ready_s < first.ready_s
