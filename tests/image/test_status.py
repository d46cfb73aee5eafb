"""``status.txt``, and the ports of the firewall."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from edge_agent_image.agent import Agent
from edge_agent_image.ports import open_ports
from edge_agent_image.shell import Said
from edge_agent_image.status import MOST_WRITES, StatusFile, keep_outcome

from .boards import KEY, Board, Programs, config

ADDRESSES = [
    {
        "addr_info": [
            {},
            {"family": "inet6", "local": "2001:db8::7"},
            {"family": "inet", "local": "192.168.1.7"},
            {"family": "inet6", "local": "2001:db8::8", "temporary": True},
        ]
    }
]
AGENT = {
    "version": "1.2.3",
    "config_status": "good",
    "complaints": [],
    "warnings": [],
    "endpoint": {"urls": ["opc.tcp://edge-agent-c3d4:4840"], "open": True, "certificate_sha256": "AB:CD"},
}
MACHINES = [
    {"id": "mark", "name": "Mark", "state": "printing", "quality": "good", "reachable": True, "reason": ""},
    {"id": "twin", "name": "", "state": None, "quality": "no communication", "reachable": False, "reason": "refused"},
]


def status_file(board: Board, *, said: Said | None = None) -> StatusFile:
    """With an agent that says this."""
    kernel = board.paths.root / "proc/sys/kernel"
    kernel.mkdir(parents=True, exist_ok=True)
    (kernel / "hostname").write_text("edge-agent-c3d4\n")
    told = said or Said(code=0, output=json.dumps({"agent": AGENT, "machines": MACHINES}))
    programs = Programs({"ip -json": json.dumps(ADDRESSES), str(board.paths.agent_command): told})
    return StatusFile(board.paths, Agent(board.paths, programs, user=None), programs, board.writable)


def text(board: Board) -> str:
    """What stands on the card."""
    return (board.paths.card / "status.txt").read_bytes().decode("utf-8-sig")


def test_it_says_what_a_technician_asks(board: Board) -> None:
    assert status_file(board).update(datetime(2026, 11, 22, 8, 30, tzinfo=UTC))
    for line in (
        "Host name:     edge-agent-c3d4",
        "Addresses:     192.168.1.7, 2001:db8::7",
        "Page:          http://192.168.1.7:8080/",
        "Page:          http://[2001:db8::7]:8080/",
        "OPC UA:        opc.tcp://192.168.1.7:4840",
        "OPC UA:        opc.tcp://[2001:db8::7]:4840",
        "OPC UA:        opc.tcp://edge-agent-c3d4.local:4840",
        "Certificate:   AB:CD",
        "Version:       1.2.3",
        "  * Mark: printing",
        "  * twin: NO ANSWER: refused",
        "Written 2026-11-22 08:30 UTC, by this board's clock",
    ):
        assert f"\r\n{line}\r\n" in text(board)
    assert text(board).count("\n") == text(board).count("\r\n")


def test_an_address_of_the_owners_choice_is_told_as_it_is(board: Board) -> None:
    endpoint = AGENT["endpoint"] | {"urls": ["opc.tcp://mes.factory.example:4840"]}  # type: ignore[operator]
    said = Said(code=0, output=json.dumps({"agent": AGENT | {"endpoint": endpoint}, "machines": MACHINES}))
    status_file(board, said=said).update()
    assert [line for line in text(board).splitlines() if "OPC UA" in line] == [
        "OPC UA:        opc.tcp://mes.factory.example:4840"
    ]


def test_it_is_written_only_when_something_is_new(board: Board) -> None:
    assert status_file(board).update(datetime(2026, 11, 22, tzinfo=UTC))
    assert not status_file(board).update(datetime(2026, 11, 23, tzinfo=UTC))
    assert board.opened == 1


def test_it_is_written_a_few_times_in_a_boot_and_then_no_more(board: Board) -> None:
    for number in range(MOST_WRITES + 3):
        status_file(board, said=Said(code=69, errors=f"reason {number}")).update()
    assert board.opened == MOST_WRITES
    assert (board.paths.run / "status-done").exists()


def test_an_agent_that_does_not_answer_is_told(board: Board) -> None:
    status_file(board, said=Said(code=69, errors="edge-agent: no agent answers at port 8080")).update()
    assert "DOES NOT ANSWER: edge-agent: no agent answers at port 8080" in text(board)
    assert "192.168.1.7" in text(board)


def test_of_machines_that_are_configured_nobody_says_there_are_none(board: Board) -> None:
    board.install("mark.key", KEY)
    board.install("config.json", config())
    status_file(board, said=Said(code=69, errors="edge-agent: no agent answers at port 8080")).update()
    assert "No machines yet" not in text(board)
    assert "is not known while the agent does not answer" in text(board)


def test_what_the_drop_box_did_stands_in_it(board: Board) -> None:
    keep_outcome(board.paths, taken=("config.json",), remarks=("line 3: unknown key",))
    status_file(board).update()
    assert "  * Taken from the card: config.json" in text(board)
    assert "  * line 3: unknown key" in text(board)


@pytest.mark.parametrize(("port", "opened"), [(4840, ()), (4841, (4841,))])
def test_the_firewall_lets_in_what_the_configuration_names(board: Board, port: int, opened: tuple[int, ...]) -> None:
    board.install("mark.key", KEY)
    board.install("config.json", json.dumps(json.loads(config()) | {"opcua": {"port": port}}))
    programs = Programs()
    assert open_ports(board.paths, board.agent, programs) == opened
    assert programs.asked == [f"nft add element inet board admitted {{ {number} }}" for number in opened]


def test_without_a_configuration_the_firewall_stays_as_it_is(board: Board) -> None:
    assert open_ports(board.paths, board.agent, Programs()) == ()


def test_a_board_without_machines_says_how_to_begin(board: Board) -> None:
    status_file(board, said=Said(code=0, output=json.dumps({"agent": AGENT, "machines": []}))).update()
    assert "No machines yet. Put config.json into this folder: see README.txt\r\n" in text(board)
    assert "Or in a browser, within 15 minutes after switching on: http://192.168.1.7:8080/setup\r\n" in text(board)


def test_a_page_that_does_not_answer_is_nothing_to_begin_with(board: Board) -> None:
    status_file(board, said=Said(code=69, errors="refused")).update()
    assert "see README.txt" in text(board)
    assert "/setup" not in text(board)


def test_an_image_without_a_key_says_that_it_takes_no_updates(board: Board) -> None:
    status_file(board).update()
    assert "Updates:       none are accepted" in text(board)
    board.paths.share.mkdir(parents=True)
    (board.paths.share / "update.pub").write_text("a key")
    status_file(board).update()
    assert "Updates:" not in text(board)


def test_what_is_wrong_with_the_customisation_stands_in_it(board: Board) -> None:
    (board.paths.run / "customisation.json").write_text('["network-config was left out"]')
    keep_outcome(board.paths, taken=(), remarks=("line 3: unknown key",))
    status_file(board).update()
    assert "  * network-config was left out\r\n  * line 3: unknown key\r\n" in text(board)
