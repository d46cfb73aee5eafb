"""What goes wrong in a year, on one sealed card: no memory, updates by stick, an agent or a kernel that fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.archives import Archives

from .card import Card, run_tool
from .emulated import Board
from .hall import Hall
from .signing import Signer
from .watching import Boot, patiently, read_values, ready, watched

PUBLIC_KEY = "/usr/share/edge-agent-image/update.pub"
GROUP = "/sys/fs/cgroup/system.slice/edge-agent.service"
DROP_IN = "/run/systemd/system/edge-agent.service.d"
REASON = """/opt/edge-agent/current/bin/edge-agent status --json |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["agent"]["last_restart"])'"""


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    return Archives(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def board(signer: Signer) -> Iterator[Board]:
    card = Card("trouble")
    card.put_into_root(PUBLIC_KEY, signer.public)
    with Hall(1) as hall:
        hall.put_configuration(card)
        board = Board(card, hall=hall, more=("-device", "qemu-xhci,id=usb"))
        with board.boot():
            watched(board)
            board.power_off()
            yield board
    card.remove()


@pytest.fixture(scope="module")
def sealed(board: Board) -> Boot:
    return watched(board.boot())


def is_seen(board: Board) -> None:
    assert read_values(board, "mark-1/Source/Reachable") == [True]


def test_memory_in_the_place_of_swap_on_the_card(board: Board, sealed: Boot) -> None:
    assert [line.split()[0] for line in sealed.report["swap"].splitlines()] == ["/dev/zram0"]
    assert board.ask("zramctl --noheadings --output ALGORITHM").strip() == "zstd"


def test_only_what_is_served_gets_through_the_firewall(board: Board, sealed: Boot) -> None:
    assert "elements = { 4840, 8080 }" in sealed.report["firewall"]
    assert board.ask("systemctl is-active ssh.service || true").strip() != "active"


@pytest.mark.usefixtures("sealed")
def test_the_agent_is_the_one_that_ends_when_its_memory_runs_out(board: Board) -> None:
    """By the kernel's hand, not by a word of systemd's: nobody else is touched."""
    before = board.ask("systemctl show --value --property MainPID edge-agent.service")
    most = board.ask("systemctl show --value --property MemoryMax edge-agent.service").strip()
    assert most.isdigit()
    assert board.ask(f"cat {GROUP}/memory.max").strip() == most  # it is in force
    board.ask(f"echo 0 >{GROUP}/memory.swap.max; echo 16M >{GROUP}/memory.max || true", within_s=300)
    killed = "journalctl --boot --dmesg --output cat --grep 'oom-kill:.*edge-agent.service' || true"
    board.wait_until(lambda: "oom_memcg" in board.ask(killed), "the kernel ends it", within_s=600)
    patiently(lambda: is_seen(board))
    after = board.ask("systemctl show --value --property MainPID edge-agent.service")
    assert after != before
    assert "memory" in board.ask(REASON)
    assert board.ask("systemctl --failed --no-legend").strip() == ""


@pytest.mark.usefixtures("sealed")
def test_an_update_by_stick(board: Board, signer: Signer, archives: Archives) -> None:
    good = archives.build(version="9.0.0", architecture="arm64")
    broken = archives.build(version="9.0.1", architecture="arm64", broken=True)
    assert "REFUSED: its signature is not of the key" in by_stick(board, good, Signer().sign(good.read_bytes()))
    assert "REFUSED: its signature is missing" in by_stick(board, good, None)
    assert "9.0.0" not in board.ask("/opt/edge-agent/current/bin/edge-agent --version")
    assert "Installed." in by_stick(board, good, signer.sign(good.read_bytes()))
    assert "9.0.0" in board.ask("/opt/edge-agent/current/bin/edge-agent --version")
    told = by_stick(board, broken, signer.sign(broken.read_bytes()))
    assert "NOT INSTALLED." in told
    assert "The version before runs again." in told
    patiently(lambda: is_seen(board))
    assert "9.0.0" in board.ask("/opt/edge-agent/current/bin/edge-agent --version")


def by_stick(board: Board, archive: Path, signature: bytes | None) -> str:
    """Plug in a stick with an update, wait, and say what it says when it is back in the PC."""
    stick = board.folder / "stick.img"
    inside = f"/build/boot/{board.folder.name}/stick.img"
    stick.unlink(missing_ok=True)
    run_tool("mkfs.vfat", "-n", "STICK", "-C", inside, str(100 * 1024))
    for name, content in ((archive.name, archive.read_bytes()), (f"{archive.name}.sig", signature)):
        if content is not None:
            (board.folder / "put").write_bytes(content)
            run_tool("mcopy", "-i", inside, f"/build/boot/{board.folder.name}/put", f"::{name}")
    done = "journalctl -b -o cat 2>/dev/null | grep -c '^Finished edge-agent-update-from@' || true"
    count = int(board.ask(done))
    board.plug(inside)
    board.wait_until(lambda: int(board.ask(done)) > count, "the stick is read", within_s=1800)
    board.unplug()
    run_tool("mcopy", "-n", "-i", inside, "::update-result-*.txt", f"/build/boot/{board.folder.name}/told")
    return (board.folder / "told").read_bytes().decode("utf-8-sig")


@pytest.mark.usefixtures("sealed")
def test_an_agent_that_fails_again_and_again_makes_the_board_start_anew(board: Board) -> None:
    """Perhaps it is the board; what is broken here is in memory, so the new start finds all well."""
    board.ask(f"mkdir -p {DROP_IN} && printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >{DROP_IN}/broken.conf")
    board.say("systemctl daemon-reload; systemctl restart edge-agent.service")
    board.wait_for_end(within_s=600)
    assert "edge-agent.service" in board.console
    ready(board.boot())
    patiently(lambda: is_seen(board))
    board.wait_until(board.reported, "the boot is complete", within_s=900)


def test_a_kernel_that_stops_is_reset_by_the_watchdog(board: Board, sealed: Boot) -> None:
    """And everything is there again. Last, since this board does not start again by itself."""
    assert "armed" in sealed.report["watchdog"]
    board.say("(sleep 1; echo c >/proc/sysrq-trigger) &")
    board.wait_for_end(within_s=300)
    with board.boot():
        ready(board)
        patiently(lambda: is_seen(board))
        board.wait_until(board.reported, "the boot is complete", within_s=900)
        assert board.report()["identity"] == sealed.report["identity"]
