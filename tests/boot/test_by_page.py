"""A card with nothing on it but the image: the printer is set up with a browser."""

from __future__ import annotations

import asyncio
import json

from tests.double import KEY
from tests.system.test_guide import paired
from tests.unit.http.person import at

from .card import Card
from .emulated import Board
from .hall import Hall
from .watching import get, patiently, ready, watched


def test_a_machine_is_set_up_with_a_browser_and_stays() -> None:
    card = Card("by-page")
    with Hall(1) as hall:
        board = Board(card, hall=hall)
        with board.boot():
            ready(board)
            patiently(lambda: get(board, "/healthz"))
            said = asyncio.run(_set_up(board))
            assert "mark-one" in said
            patiently(lambda: _answers(board))
            watched(board)
            log = board.ask("journalctl --boot --output cat --unit edge-agent.service")
            assert "cannot look for printers" not in log  # avahi-daemon has the port as well
            assert KEY not in log
            assert board.ask("systemctl is-active avahi-daemon.service").strip() == "active"
            board.power_off()
        assert "No machines yet" not in card.text("edge-agent/status.txt")
        with board.boot():
            ready(board)
            patiently(lambda: _answers(board))
    card.remove()


async def _set_up(board: Board) -> str:
    async with at(f"http://127.0.0.1:{board.page}") as browser:
        return await paired(browser, "http://10.0.2.101:5000/", "Mark One")


def _answers(board: Board) -> None:
    machines = json.loads(get(board, "/api/v1/machines"))["machines"]
    assert [(machine["id"], machine["reachable"]) for machine in machines] == [("mark-one", True)], machines
