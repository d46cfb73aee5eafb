"""A Raspberry Pi 3 B as QEMU knows it: its device tree from the image, card reader, serial line, Ethernet by USB."""

from __future__ import annotations

from .card import Card
from .emulated import Board
from .hall import Hall
from .machines import RASPI3B
from .watching import patiently, read_values, watched


def test_a_raspberry_pi_3_serves_its_clients() -> None:
    card = Card("raspi3b")
    with Hall(2) as hall:
        hall.put_configuration(card)
        with Board(card, machine=RASPI3B, hall=hall) as board:
            found = watched(board)
            patiently(lambda: _both_answer(board))
    card.remove()
    # The watchdog is blacklisted on this board, and looking for it is what fails.
    failed = [line.split()[0] for line in found.report["failed"].splitlines()]
    assert set(failed) <= {"edge-agent-watchdog.service"}
    assert (found.report["cycles"], found.endpoints > 0) == ("", True)


def _both_answer(board: Board) -> None:
    values = read_values(board, "mark-1/Source/Reachable", "mark-2/Source/Reachable")
    assert values == [True, True], values
