"""A Raspberry Pi 3 B as QEMU knows it: its device tree from the image, card reader, serial line, Ethernet by USB."""

from __future__ import annotations

from .emulated import RASPI3B, Board, Card
from .watching import watched


def test_a_raspberry_pi_3_serves_its_clients() -> None:
    card = Card("raspi3b")
    with Board(card, machine=RASPI3B) as board:
        found = watched(board)
    card.remove()
    # The watchdog is blacklisted on this board, and looking for it is what fails.
    failed = [line.split()[0] for line in found.report["failed"].splitlines()]
    assert set(failed) <= {"edge-agent-watchdog.service"}
    assert (found.report["cycles"], found.endpoints > 0) == ("", True)
