"""Power on, wait, look; power off; and again. No network but the cable to this test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .emulated import Board, Card
from .watching import Boot, watched


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    card = Card("two-boots")
    with Board(card) as board:
        yield board
    card.remove()


@pytest.fixture(scope="module")
def first(board: Board) -> Boot:
    return watched(board)


@pytest.fixture(scope="module")
def second(board: Board, first: Boot) -> Boot:
    assert first.report, "the first boot was told"
    board.power_off()
    return watched(board.boot())


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
