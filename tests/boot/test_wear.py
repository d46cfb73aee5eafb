"""What the card has to bear: bytes written an hour at rest, and while ten printers print.

``EDGE_AGENT_WEAR_S=3600`` measures for an hour each; less is a sample, of at least five of the file system's commits.
"""

from __future__ import annotations

import os
import time

from .card import Card
from .emulated import Board
from .hall import Hall
from .watching import patiently, read_values, watched

PRINTERS = 10
MEASURED_S = float(os.environ.get("EDGE_AGENT_WEAR_S", "900"))
SETTLED_S = 240.0
MOST_MB_PER_HOUR = 5.0
# Fields of Documentation/block/stat.rst; a sector is 512 bytes whatever the card has.
SECTORS_WRITTEN, SECTOR_BYTES = 6, 512


def test_it_hardly_writes() -> None:
    card = Card("wear")
    with Hall(PRINTERS) as hall:
        hall.put_configuration(card)
        board = Board(card, hall=hall)
        with board.boot():
            watched(board)
            board.power_off()
        with board.boot():
            watched(board)
            patiently(lambda: all_answer(board))
            time.sleep(SETTLED_S)
            at_rest = mb_per_hour(board, hall, printing=False)
            printing = mb_per_hour(board, hall, printing=True)
            print(board.ask("cat /proc/pressure/cpu; uptime; free -m; cat /sys/block/vda/stat"))
    card.remove()
    print(f"\nwritten an hour: {at_rest:.2f} MB at rest, {printing:.2f} MB while {PRINTERS} printers print")
    assert max(at_rest, printing) < MOST_MB_PER_HOUR


def all_answer(board: Board) -> None:
    values = read_values(board, *(f"mark-{number}/Source/Reachable" for number in range(1, PRINTERS + 1)))
    assert values == [True] * PRINTERS, values


def written_bytes(board: Board) -> int:
    return int(board.ask("cat /sys/block/vda/stat").split()[SECTORS_WRITTEN]) * SECTOR_BYTES


def mb_per_hour(board: Board, hall: Hall, *, printing: bool) -> float:
    began, before = time.monotonic(), written_bytes(board)
    while (elapsed_s := time.monotonic() - began) < MEASURED_S:
        if printing:
            ratio, seconds = elapsed_s / (2 * MEASURED_S), round(elapsed_s)
            hall.tell_all(lambda octoprint, r=ratio, s=seconds: octoprint.printer.print(r, elapsed_s=s))  # type: ignore[misc]
        time.sleep(2)
    return (written_bytes(board) - before) / 1e6 / (time.monotonic() - began) * 3600
