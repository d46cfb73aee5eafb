"""A card with what Raspberry Pi Imager writes for host name, place, user, SSH and Wi-Fi, on a booted board.

The choices one by one, and wrong ones, are in tests/system/test_customisation.py, which needs no emulation.
"""

from __future__ import annotations

import socket
from dataclasses import replace

from tests.image.imager import CHOICES

from .card import Card
from .emulated import Board
from .machines import VIRT
from .watching import patiently, ready, watched

# A radio, and nobody in the air: where there is none, all that waits for the network waits for it.
WITH_WIFI = replace(VIRT, command_line="modules_load=mac80211_hwsim mac80211_hwsim.radios=1")


def test_what_was_chosen_in_imager_is_so_after_the_first_boot_and_stays() -> None:
    card = Card("by-imager")
    for name, text in CHOICES["everything"].items():
        card.put(name, text.encode())
    board = Board(card, machine=WITH_WIFI)
    with board.boot():
        first = watched(board)
        check(board)
        patiently(lambda: board.ask("grep hall-2.local: /boot/firmware/edge-agent/status.txt"))
        board.power_off()
    with board.boot():
        ready(board)
        again = watched(board)
        check(board)
    assert first.report["identity"] == again.report["identity"]
    assert (first.report["failed"], again.report["failed"]) == ("", "")
    card.remove()


def check(board: Board) -> None:
    patiently(lambda: greets(board.ssh))
    assert "22" in board.ask("nft list set inet board admitted")
    assert board.ask("uname -n").strip() == "hall-2"
    assert board.ask("readlink /etc/localtime").strip().endswith("Europe/Berlin")
    assert "anna" in board.ask("id anna")
    assert "wlan0" in board.ask(
        "wpa_cli -p /run/wpa_supplicant interface; systemctl is-active netplan-wpa-wlan0.service"
    )


def greets(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert connection.recv(64).startswith(b"SSH-2.0-")
