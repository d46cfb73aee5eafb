"""A card's first days: printers from the drop box, a second boot with a bad config.json, and another card beside it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from tests.double import KEY

from .card import Card
from .emulated import Board
from .hall import PASSWORD, Hall
from .watching import Boot, patiently, read_values, watched

BAD_CONFIG = b'{"machines": [{"type": "OCTOPRINT", "url": "ftp://10.0.2.101/", "mes_id": [1]}]}\n'
SEEN = ("Source/Reachable", "MesStatus", "Source/Version")
FREE_MIB = 200
BOARD_MIB = 512


@pytest.fixture(scope="module")
def hall() -> Iterator[Hall]:
    with Hall(2) as hall:
        hall.tell(0, lambda octoprint: octoprint.printer.print(0.42))
        yield hall


@pytest.fixture(scope="module")
def card() -> Card:
    return Card("two-boots")


@pytest.fixture(scope="module")
def board(card: Card, hall: Hall) -> Iterator[Board]:
    hall.put_configuration(card)
    with Board(card, hall=hall) as board:
        yield board
    card.remove()


@pytest.fixture(scope="module")
def first(board: Board, hall: Hall) -> tuple[Boot, list[object]]:
    boot = watched(board)
    values = seen(board, hall)
    wait_for_status(board)
    board.power_off()
    return boot, values


@pytest.fixture(scope="module")
def second(board: Board, hall: Hall, card: Card, first: tuple[Boot, list[object]]) -> tuple[Boot, list[object]]:
    assert first[0].report, "the first boot was told"
    card.put("edge-agent/config.json", BAD_CONFIG)
    boot = watched(board.boot())
    values = seen(board, hall)
    wait_for_status(board)
    board.power_off()
    return boot, values


@pytest.fixture(scope="module")
def another_card(second: object) -> Boot:
    assert second
    card = Card("another-card")
    with Board(card) as board:
        found = watched(board)
        with urllib.request.urlopen(f"http://127.0.0.1:{board.page}/healthz", timeout=30) as answer:
            assert answer.status == 200
    card.remove()
    return found


@pytest.fixture(params=["first", "second"])
def each(request: pytest.FixtureRequest) -> tuple[Boot, list[object]]:
    found: tuple[Boot, list[object]] = request.getfixturevalue(request.param)
    return found


def seen(board: Board, hall: Hall) -> list[object]:
    """What an MES sees of the two printers, once both have been asked."""
    names = [f"mark-{number}/{name}" for number in range(1, len(hall) + 1) for name in SEEN]

    def both() -> list[object]:
        values = read_values(board, *names)
        assert values[0] is values[3] is True, values
        return values

    found: list[object] = patiently(both)
    return found


def wait_for_status(board: Board) -> None:
    """It is written half a minute after power-on, and when something has changed: the one that knows the machines."""
    patiently(lambda: board.ask("grep mark-2: /boot/firmware/edge-agent/status.txt"), within_s=600)


def test_everything_has_started(each: tuple[Boot, list[object]]) -> None:
    report = each[0].report
    assert (report["state"], report["failed"], report["cycles"]) == ("running", "", "")


def test_clients_are_served(each: tuple[Boot, list[object]]) -> None:
    boot, values = each
    assert boot.endpoints > 0
    assert "edge-agent" in boot.page
    assert values == [True, "Running", "OctoPrint 1.11.8", True, "Idle", "OctoPrint 1.11.8"]


def test_the_watchdog_is_armed_and_nothing_else_listens(each: tuple[Boot, list[object]]) -> None:
    report = each[0].report
    assert "armed" in report["watchdog"]
    assert report["watchdog"].split()[-2] == "active"
    ports = {line.split()[4].rpartition(":")[2] for line in report["listening"].splitlines() if "127.0.0" not in line}
    assert ports - {"5355", "546", "68"} <= {"4840", "8080", "5353"} | unicast_answers(report["listening"])


def unicast_answers(listening: str) -> set[str]:
    """avahi-daemon's ports for answers of its own questions."""
    return {line.split()[4].rpartition(":")[2] for line in listening.splitlines() if "avahi-daemon" in line}


def test_a_board_of_512_mb_has_room(each: tuple[Boot, list[object]]) -> None:
    """Used by programs, as free(1) counts: what is left of 512 MB is for the kernel's own needs and its caches."""
    used_mib = int(each[0].report["memory"].splitlines()[1].split()[2])
    assert used_mib < BOARD_MIB - FREE_MIB


def test_the_data_partition_has_the_rest_of_the_card(first: tuple[Boot, list[object]]) -> None:
    (line,) = (line for line in first[0].report["disk"].splitlines() if line.split()[0] == "/data")
    assert int(line.split()[1]) > 5000


def test_a_card_keeps_its_identity(first: tuple[Boot, list[object]], second: tuple[Boot, list[object]]) -> None:
    assert len(first[0].report["identity"].split()[0]) == 32
    assert second[0].report["identity"] == first[0].report["identity"]


def test_another_card_is_somebody_else(first: tuple[Boot, list[object]], another_card: Boot) -> None:
    """Machine id, host name, device UUID, SSH host key."""
    ours, others = (boot.report["identity"].splitlines() for boot in (first[0], another_card))
    assert len(ours) == len(others) == 4
    assert all(one.split()[:2] != other.split()[:2] for one, other in zip(ours, others, strict=True))
    assert "/setup" in another_card.page or "no machine" in another_card.page.lower()


def test_from_the_second_boot_on_nothing_writes_to_the_root(
    first: tuple[Boot, list[object]], second: tuple[Boot, list[object]]
) -> None:
    roots = [line for line in second[0].report["mounts"].splitlines() if line.startswith("/ ")]
    assert ["overlay" in line for line in roots] == [True]
    assert second[0].ready_s < first[0].ready_s


def test_what_was_dropped_is_gone_from_the_card_and_the_card_tells(
    card: Card, second: tuple[Boot, list[object]]
) -> None:
    """After the second boot: the bad file is still there, and beside it why."""
    assert second
    status, problems = card.text("edge-agent/status.txt"), card.text("edge-agent/config-problems.txt")
    assert "opc.tcp://" in status
    assert "mark-1: printing" in status
    assert "http://10.0.2.15:8080/" in status
    for text in (status, problems):
        assert text.count("\r\n") == text.count("\n")
    assert "line 1, column" in problems
    assert "ftp://" in problems
    assert card.take("edge-agent/config.json").read_bytes() == BAD_CONFIG
    names = {name.rpartition("/")[2] for name in card.names("edge-agent")}
    assert names == {"README.txt", "status.txt", "config-problems.txt", "config.json"}
    assert not card.firmware_has(KEY.encode())
    assert not card.firmware_has(PASSWORD.encode())
