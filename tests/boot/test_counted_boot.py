"""How long a boot takes, in a scale that does not depend on this computer: instructions."""

from __future__ import annotations

from .card import Card
from .emulated import Board
from .machines import COUNTED, INSTRUCTIONS_PER_S

MOST_INSTRUCTIONS = 60e9


def test_how_many_instructions_a_boot_takes() -> None:
    card = Card("counted")
    board = Board(card, machine=COUNTED)
    found = []
    for boot in ("first", "second"):
        with board.boot():
            board.wait_until(board.reported, "the boot is complete", within_s=1800)
            report = board.report()
            board.power_off()
        ready_s = int(report["ready at microseconds"]) / 1e6
        line, per_s = report["processor"].splitlines()
        user, nice, system = map(int, line.split()[1:4])
        busy_s = (user + nice + system) / int(per_s)
        found.append(busy_s * INSTRUCTIONS_PER_S)
        print(f"\n{boot} boot: READY after {ready_s:.0f} s of one core with {INSTRUCTIONS_PER_S / 1e6:.0f} million")
        print(f"instructions a second; {found[-1] / 1e9:.0f} billion in all until the boot was complete")
        print(report["memory"], report["times"], sep="\n")
    card.remove()
    assert found[1] < found[0] < MOST_INSTRUCTIONS
