"""Who a board is, and when it is sealed."""

from __future__ import annotations

from pathlib import Path

import pytest
from edge_agent_image.identity import asked_for_ssh, host_name, make_identity
from edge_agent_image.sealing import NotYetError, break_seal_if_changed, customisation, seal
from edge_agent_image.watchdog import NoWatchdogError, assert_watchdog

from .boards import Board, Programs, powered

STARTED = {"systemctl show": "12345\n"}


def fresh(board: Board) -> Board:
    """As the image is before its first boot, with a machine id that systemd has made."""
    for folder in ("etc/ssh", "etc/cloud", "boot/firmware", "proc/device-tree", "proc/sys/kernel"):
        (board.paths.root / folder).mkdir(parents=True, exist_ok=True)
    (board.paths.root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (board.paths.root / "etc/ssh/sshd_not_to_be_run").touch()
    return board


def test_the_host_name_is_of_the_serial_number(board: Board) -> None:
    fresh(board)
    (board.paths.root / "proc/device-tree/serial-number").write_bytes(b"10000000A1B2C3D4\x00")
    make_identity(board.paths, Programs())
    assert board.paths.text("etc/hostname") == "edge-agent-c3d4"
    assert "127.0.1.1 edge-agent-c3d4" in board.paths.text("etc/hosts")


@pytest.mark.parametrize("serial", [b"", b"0000000000000000\x00"])
def test_without_a_serial_number_it_is_of_the_machine_id(board: Board, serial: bytes) -> None:
    fresh(board)
    (board.paths.root / "proc/device-tree/serial-number").write_bytes(serial)
    assert host_name(board.paths) == "edge-agent-cdef"


def test_a_name_that_somebody_chose_stays(board: Board) -> None:
    fresh(board)
    (board.paths.root / "etc/hostname").write_text("hall-2\n")
    make_identity(board.paths, Programs())
    assert board.paths.text("etc/hostname") == "hall-2"


def test_a_host_key_that_a_power_cut_left_empty_is_made_again(board: Board) -> None:
    fresh(board)
    (board.paths.root / "etc/ssh/ssh_host_ed25519_key").touch()
    programs = Programs()
    make_identity(board.paths, programs)
    assert any(question.startswith("ssh-keygen -q -t ed25519") for question in programs.asked)


def test_a_host_key_that_is_there_stays(board: Board) -> None:
    fresh(board)
    (board.paths.root / "etc/ssh/ssh_host_ed25519_key").write_text("a key")
    programs = Programs()
    make_identity(board.paths, programs)
    assert not any("ssh-keygen" in question for question in programs.asked)


@pytest.mark.parametrize(
    ("user_data", "asked"),
    [
        ("#cloud-config\n{}\n", False),
        ("#cloud-config\nhostname: hall-2\n", False),
        ("#cloud-config\nenable_ssh: true\nusers:\n- name: pi\n", True),
        ("#cloud-config\nenable_ssh: false\n", False),
        ("#cloud-config\nssh_pwauth: true\n", True),
        ("#cloud-config\nusers:\n- name: pi\n  ssh_authorized_keys:\n    - ssh-ed25519 AAAA\n", True),
        ("#cloud-config\n# enable_ssh: true\n", False),
        ("#cloud-config\nssh_pwauth: false\nruncmd:\n  - [ systemctl, enable, --now, ssh ]\n", True),
        ("#cloud-config\nruncmd:\n  - systemctl start ssh.service\n", True),
        ("#cloud-config\nruncmd:\n  - [ rfkill, unblock, wifi ]\n", False),
        ("\x00\xff not even a text", False),
    ],
)
def test_ssh_is_off_unless_it_is_asked_for(board: Board, user_data: str, asked: bool) -> None:
    fresh(board)
    seed = board.paths.run / "seed"
    seed.mkdir()
    (seed / "user-data").write_text(user_data)
    assert asked_for_ssh(board.paths) is asked
    make_identity(board.paths, Programs())
    assert (board.paths.root / "etc/ssh/sshd_not_to_be_run").exists() is not asked


def test_ssh_is_off_again_when_it_is_asked_for_no_longer(board: Board) -> None:
    fresh(board)
    (board.paths.root / "etc/ssh/sshd_not_to_be_run").unlink()
    make_identity(board.paths, Programs())
    assert (board.paths.root / "etc/ssh/sshd_not_to_be_run").exists()


def test_the_seal_is_made_when_the_first_boot_is_complete(board: Board) -> None:
    fresh(board)
    assert seal(board.paths, Programs(dict(STARTED)))
    assert 'overlayroot="tmpfs:recurse=0"' in board.paths.seal.read_text()
    assert (board.paths.root / "etc/cloud/cloud-init.disabled").exists()
    assert not seal(board.paths, Programs(dict(STARTED)))


def test_it_is_not_made_while_the_machine_id_is_only_lent(board: Board) -> None:
    fresh(board)
    (board.paths.root / "etc/machine-id").write_text("")
    with pytest.raises(NotYetError, match="machine-id"):
        seal(board.paths, Programs(dict(STARTED)))
    assert not board.paths.seal.exists()


def test_it_is_not_made_before_the_agent_was_started(board: Board) -> None:
    fresh(board)
    waited: list[float] = []
    with pytest.raises(NotYetError, match="not started"):
        seal(board.paths, Programs({"systemctl show": "0\n"}), sleep=waited.append)
    assert sum(waited) == 300
    assert not board.paths.seal.exists()


def test_a_power_cut_leaves_it_unmade_or_complete(tmp_path: Path) -> None:
    for cut in range(40):
        (tmp_path / str(cut)).mkdir()
        board = fresh(Board(tmp_path / str(cut)))
        done = powered(lambda board=board: seal(board.paths, Programs(dict(STARTED))), cut_after=cut)  # type: ignore[misc]
        if board.paths.seal.exists():
            assert "overlayroot=" in board.paths.seal.read_text()
            assert (board.paths.root / "etc/cloud/cloud-init.disabled").exists()
            assert (board.paths.kept / "customisation").read_text() == customisation(board.paths)
        if done:
            break
    assert board.paths.seal.exists()


def test_another_wifi_on_the_card_makes_the_next_boot_a_first_boot(board: Board) -> None:
    fresh(board)
    seal(board.paths, Programs(dict(STARTED)))
    below = board.paths.sealed_root
    for name in ("etc/overlayroot.local.conf", "etc/cloud/cloud-init.disabled", "var/lib/cloud/instance/x"):
        (below / name).parent.mkdir(parents=True, exist_ok=True)
        (below / name).touch()
    assert not break_seal_if_changed(board.paths, Programs())
    (board.paths.firmware / "network-config").write_text("network: {version: 2}")
    programs = Programs()
    assert break_seal_if_changed(board.paths, programs)
    assert [file.name for file in below.rglob("*") if file.is_file()] == []
    assert programs.asked[-1].startswith("systemctl reboot")


@pytest.mark.parametrize(
    ("state", "timeout", "words"),
    [("inactive", "60", "does not feed it"), ("active", "600", "waits for 600 s"), ("active", "", "waits for")],
)
def test_a_watchdog_that_does_not_watch_is_told(board: Board, state: str, timeout: str, words: str) -> None:
    with pytest.raises(NoWatchdogError, match="no hardware watchdog"):
        assert_watchdog(board.paths)
    watchdog(board, state=state, timeout=timeout)
    with pytest.raises(NoWatchdogError, match=words):
        assert_watchdog(board.paths)


def test_a_watchdog_that_watches_is_told_with_its_time(board: Board) -> None:
    watchdog(board, state="active", timeout="60")
    assert assert_watchdog(board.paths) == "hardware watchdog: Broadcom BCM2835, armed, 60 s"


def watchdog(board: Board, **values: str) -> None:
    """As the kernel shows it."""
    folder = board.paths.root / "sys/class/watchdog/watchdog0"
    folder.mkdir(parents=True)
    for name, value in {"identity": "Broadcom BCM2835", **values}.items():
        (folder / name).write_text(f"{value}\n")
