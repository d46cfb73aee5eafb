"""The customisation on the card: what Raspberry Pi Imager writes passes through, what is wrong is left out and told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from edge_agent_image.customisation import FILES, NOTHING, lay_seed, problems
from edge_agent_image.identity import make_identity
from edge_agent_image.sealing import seal
from edge_agent_image.shell import TIMED_OUT, Said
from edge_agent_image.shell import run as really

from .boards import Answer, Board, Programs
from .imager import CHOICES, PSK, SSH, wifi

FIRMWARE = Path(__file__).resolve().parents[2] / "image/firmware"


class Parsing(Programs):
    """Asks a real Python whether something is YAML; netplan says what it was seen to say."""

    def __call__(self, *command: str, timeout_s: float = 0.0, stdin: str = "") -> Said:
        if command[0] == "python3":
            return really(sys.executable, *command[1:], stdin=stdin)
        return super().__call__(*command, timeout_s=timeout_s, stdin=stdin)


def flashed(board: Board, files: dict[str, str | bytes]) -> Board:
    """A card as the image has it, with these files written over it."""
    for folder in ("etc/ssh", "etc/cloud"):
        (board.paths.root / folder).mkdir(parents=True, exist_ok=True)
    (board.paths.root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    for name in FILES:
        board.paths.firmware.joinpath(name).write_bytes((FIRMWARE / name).read_bytes())
    for name, content in files.items():
        board.paths.firmware.joinpath(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return board


def seed(board: Board) -> dict[str, str]:
    """What cloud-init gets."""
    return {name: (board.paths.run / "seed" / name).read_text() for name in FILES}


@pytest.mark.parametrize("choice", CHOICES)
def test_what_imager_writes_passes_through(board: Board, choice: str) -> None:
    flashed(board, dict(CHOICES[choice]))
    assert lay_seed(board.paths, Parsing()) == []
    assert seed(board).items() >= CHOICES[choice].items()
    make_identity(board.paths, Programs())
    assert (board.paths.root / "etc/ssh/sshd_not_to_be_run").exists() is (choice not in SSH)


def test_what_the_image_has_is_a_customisation_that_asks_for_nothing(board: Board) -> None:
    programs = Programs()
    assert lay_seed(flashed(board, {}).paths, programs) == []
    assert programs.asked == []
    assert seed(board) == {name: (FIRMWARE / name).read_text() for name in FILES}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_encoding_of_windows_is_made_one_that_cloud_init_reads(board: Board, encoding: str) -> None:
    text = {name: content.replace("\n", "\r\n") for name, content in CHOICES["everything"].items()}
    flashed(board, {name: content.encode(encoding) for name, content in text.items()})
    assert lay_seed(board.paths, Parsing()) == []
    assert seed(board) == CHOICES["everything"]
    make_identity(board.paths, Programs())
    assert not (board.paths.root / "etc/ssh/sshd_not_to_be_run").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("#cloud-config\nssh_pwauth: true\nhostname: [hall\n", "line 4, column 1: expected"),
        ("#cloud-config\nssh_pwauth: true\n\tusers: 7\n", "line 3, column 1: found character"),
        ("#cloud-config\n- ssh_pwauth: true\n", "settings with names and values were expected"),
        ("ssh_pwauth: true\n", "first line has to be #cloud-config"),
        (b"\x89PNG\r\n\xff\xff", "it is no text"),
        (b"ssh_pwauth: true\x00\x00", "it is no text"),
        ("#cloud-config\npassword: *geheim\n", "line 2, column 11: found undefined alias ..."),
    ],
)
def test_user_data_that_is_wrong_is_left_out_and_asks_for_no_ssh(
    board: Board, content: str | bytes, words: str
) -> None:
    flashed(board, {"user-data": content, "network-config": CHOICES["wifi"]["network-config"]})
    (problem,) = lay_seed(board.paths, Parsing())
    assert problem.startswith("user-data on the boot partition was left out: ")
    assert words in problem
    assert seed(board) == {**NOTHING, "network-config": CHOICES["wifi"]["network-config"]}
    make_identity(board.paths, Programs())
    assert (board.paths.root / "etc/ssh/sshd_not_to_be_run").exists()


@pytest.mark.parametrize("name", FILES)
def test_an_empty_file_is_no_mistake(board: Board, name: str) -> None:
    flashed(board, {name: "\r\n"})
    assert lay_seed(board.paths, Parsing()) == []
    assert seed(board)[name] == NOTHING[name]


NETPLAN_SAID = [
    (
        "/run/x/etc/netplan/network-config.yaml:3:13: Error in network definition: unknown renderer 'bogus'\n ^\n",
        "line 3, column 13: unknown renderer ...",
    ),
    (
        "/run/x/etc/netplan/network-config.yaml:4:12: Error in network definition: unknown key 'speed'\n",
        "line 4, column 12: unknown key 'speed'",
    ),
    (
        "/run/x/etc/netplan/network-config.yaml:2:1: Invalid YAML: tabs are not allowed for indent:\n\tversion: 2\n",
        "line 2, column 1: Invalid YAML: tabs are not allowed for indent",
    ),
    (
        "ERROR: Hall: ASCII passphrase must be between 8 and 63 characters (inclusive)\n",
        "ASCII passphrase must be between 8 and 63 characters",
    ),
    ("Traceback (most recent call last):\n  password: geheim\n", "netplan cannot use it"),
]


@pytest.mark.parametrize(("said", "words"), NETPLAN_SAID)
def test_a_network_that_netplan_refuses_costs_neither_cable_nor_user(board: Board, said: str, words: str) -> None:
    files = {**CHOICES["everything"], "network-config": wifi('          password: "geheim"\n')}
    flashed(board, dict(files))
    refusing: Answer = Said(code=1, errors=f"{said}Failed to send reload request: No such file or directory\n")
    (problem,) = lay_seed(board.paths, Parsing({"netplan generate": refusing}))
    assert problem.startswith("network-config on the boot partition was left out: ")
    assert words in problem
    assert problem.endswith("the cable works")
    assert "geheim" not in problem
    assert seed(board) == {**files, "network-config": NOTHING["network-config"]}


def test_netplan_that_cannot_be_asked_is_no_refusal(board: Board) -> None:
    flashed(board, dict(CHOICES["wifi"]))
    assert lay_seed(board.paths, Parsing({"netplan generate": Said(code=TIMED_OUT)})) == []
    assert PSK in seed(board)["network-config"]


def test_a_manager_of_networks_that_is_not_there_is_replaced_by_ours(board: Board) -> None:
    of_a_guide = CHOICES["wifi"]["network-config"].replace(
        "  version: 2\n", "  version: 2\n  renderer: NetworkManager\n"
    )
    flashed(board, {"network-config": of_a_guide})
    assert lay_seed(board.paths, Parsing()) == []
    assert "\n  renderer: networkd\n" in seed(board)["network-config"]


def test_the_form_that_only_cloud_init_knows_is_left_to_it(board: Board) -> None:
    flashed(board, {"network-config": "version: 1\nconfig: []\n"})
    programs = Parsing({"netplan generate": Said(code=1)})
    assert lay_seed(board.paths, programs) == []
    assert not any(question.startswith("netplan") for question in programs.asked)


def test_nobody_else_can_read_the_passwords_in_it(board: Board) -> None:
    lay_seed(flashed(board, dict(CHOICES["everything"])).paths, Parsing())
    folder = board.paths.run / "seed"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_what_is_wrong_is_told_in_later_boots_as_well(board: Board) -> None:
    flashed(board, {"user-data": "hostname: hall-2\n"})
    told = lay_seed(board.paths, Parsing())
    assert problems(board.paths) == told != []
    seal(board.paths, Programs({"systemctl show": "12345\n"}))
    (board.paths.run / "customisation.json").unlink()
    assert problems(board.paths) == told


def test_a_corrected_file_is_told_no_longer(board: Board) -> None:
    flashed(board, {"user-data": "hostname: hall-2\n"})
    lay_seed(board.paths, Parsing())
    seal(board.paths, Programs({"systemctl show": "12345\n"}))
    flashed(board, {"user-data": "#cloud-config\nhostname: hall-2\n"})
    lay_seed(board.paths, Parsing())
    assert problems(board.paths) == []
