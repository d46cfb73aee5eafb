"""Twenty power cuts: in the first boot, while the data partition grows, in an update, and in prints.

A cut loses by chance some of what was written and not yet flushed: see `lost_writes`. The moments are chance as well,
most of them among the writes and not in time, since a board mostly writes nothing. Chance has a seed that is printed:
``EDGE_AGENT_SEED=17 image/boot-test tests/boot/test_power_cuts.py``.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from asyncua import Client

from tests.system.archives import Archives

from .card import Card
from .emulated import Board
from .hall import Hall
from .signing import Signer
from .watching import mes, patiently, read_values, ready, watched

FIRST_BOOT, GROWING, PRINTING = 6, 4, 5
TWICE, THREE_TIMES = 2, 3
RESULTS = "MachineryBuildingBlocks/JobManagement/JobOrderResults/JobOrderResponseList"
RUNNING, ENDED = 3, 5  # ISA95JobResponseDataType/JobState
PUBLIC_KEY = "/usr/share/edge-agent-image/update.pub"
PRINT_S = 3600.0
JOURNAL_IS_WHOLE = """python3 -c 'import sqlite3
for row in sqlite3.connect("/var/lib/edge-agent/journal.db").execute("PRAGMA integrity_check"): print(row)'"""


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    seed = int(os.environ.get("EDGE_AGENT_SEED") or random.randrange(1_000_000))
    print(f"\n{request.node.name}: EDGE_AGENT_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def hall() -> Iterator[Hall]:
    with Hall(2) as hall:
        yield hall


@pytest.fixture
def card(request: pytest.FixtureRequest, hall: Hall) -> Iterator[Card]:
    card = Card(request.node.name.removeprefix("test_")[:20])
    hall.put_configuration(card)
    yield card
    card.remove()


def cut(board: Board, dice: random.Random, *, at: float = 1.0) -> None:
    after_s = time.monotonic() - board.began
    print(f"cut after {after_s:.0f} s, at {at:.2f} of its writes: {board.fail_power(dice, at=at)}")


def sees_both(board: Board) -> None:
    values = read_values(board, "mark-1/Source/Reachable", "mark-2/Source/Reachable")
    assert values == [True, True], values


def lived_in(board: Board) -> None:
    """Through the first boot, and off."""
    with board.boot():
        watched(board)
        patiently(lambda: sees_both(board))
        board.power_off()


def test_in_the_first_boot(card: Card, hall: Hall, dice: random.Random) -> None:
    board = Board(card, hall=hall)
    for _ in range(FIRST_BOOT):
        with board.boot(may_fail=True):
            wait_or_report(board, dice.uniform(30, 200))
            cut(board, dice, at=dice.random())
    with board.boot():
        found = watched(board)
        patiently(lambda: sees_both(board))
        assert (found.report["state"], found.report["failed"]) == ("running", "")
        board.power_off()
    names = {name.rpartition("/")[2] for name in card.names("edge-agent")}
    assert names == {"README.txt", "status.txt"}
    with board.boot():
        again = watched(board)
        assert again.report["identity"] == found.report["identity"]
        assert again.has("mounts", "/", "overlayroot")


def wait_or_report(board: Board, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not board.reported():
        assert board.is_on
        time.sleep(0.2)


def test_while_the_data_partition_grows(card: Card, hall: Hall, dice: random.Random) -> None:
    board = Board(card, hall=hall)
    for _ in range(GROWING):
        with board.boot(may_fail=True):
            board.wait_until(lambda: "edge-agent-grow" in board.console, "it grows", within_s=600)
            time.sleep(dice.uniform(0, 12))
            cut(board, dice, at=dice.uniform(0.5, 1.0))
    with board.boot():
        found = watched(board)
        patiently(lambda: sees_both(board))
        (line,) = (line for line in found.report["disk"].splitlines() if line.split()[0] == "/data")
        assert int(line.split()[1]) > 5000
        assert "clean" in board.ask("dumpe2fs -h $(findmnt -no SOURCE /data) | grep 'Filesystem state'")


# In prints


@dataclass(frozen=True, kw_only=True)
class Told:
    """A print, as the list of results has it."""

    id: str
    file: str
    state: int
    began: str
    ended: str


@dataclass(kw_only=True)
class Mark:
    """A printer, and what a client was told of its prints."""

    hall: Hall
    index: int
    prints: int = 0
    began: float = 0.0
    done: bool = False
    told: dict[str, Told] = field(default_factory=dict)
    turn: threading.RLock = field(default_factory=threading.RLock)

    def begin(self) -> None:
        with self.turn:
            self.prints, self.began, self.done = self.prints + 1, time.monotonic(), False
            self.hall.tell(self.index, lambda octoprint: octoprint.printer.select(f"part-{self.prints}.gcode"))
            self.go_on()

    def go_on(self) -> None:
        """Time passes, also while nobody asks."""
        with self.turn:
            elapsed_s = time.monotonic() - self.began
            if not self.done:
                self.hall.tell(
                    self.index,
                    lambda octoprint: octoprint.printer.print(elapsed_s / PRINT_S, elapsed_s=round(elapsed_s)),
                )

    def finish(self) -> None:
        with self.turn:
            self.go_on()
            self.done = True
            self.hall.tell(self.index, lambda octoprint: octoprint.printer.done())

    async def results(self, session: Client) -> list[Told]:
        index = len(await session.get_namespace_array()) - 1
        node = session.get_node(f"ns={index};s=mark-{self.index + 1}/{RESULTS}")
        return [
            Told(
                id=response.JobOrderID,
                file=response.Description.Text,
                state=response.JobState[0].StateNumber,
                began=str(response.StartTime),
                ended=str(response.EndTime),
            )
            for response in await node.read_value()
        ]

    def look(self, now: list[Told]) -> None:
        """All that was told is told again, each print once."""
        assert len({told.file for told in now}) == len(now) <= self.prints, now
        for before in self.told.values():
            after = next((told for told in now if told.id == before.id), None)
            assert after is not None, f"lost: {before}, there is {now}"
            assert (after.file, after.began) == (before.file, before.began)
            assert before.state != ENDED or after == before
        self.told |= {told.id: told for told in now}


@contextmanager
def time_passes(marks: list[Mark]) -> Iterator[None]:
    """They print on, whether the board has power or not."""
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(0.5):
            for mark in marks:
                mark.go_on()

    thread = threading.Thread(target=tick, name="printing", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_while_both_print(card: Card, hall: Hall, dice: random.Random) -> None:
    board = Board(card, hall=hall)
    lived_in(board)
    marks = [Mark(hall=hall, index=index) for index in range(len(hall))]
    for mark in marks:
        mark.begin()
    with time_passes(marks):
        for _ in range(PRINTING):
            with board.boot(may_fail=True):
                ready(board)
                patiently(lambda: asyncio.run(live(board, marks, dice)))
                cut(board, dice)
        with board.boot():
            watched(board)
            patiently(lambda: asyncio.run(live(board, marks, dice)))
            assert board.ask(JOURNAL_IS_WHOLE).strip() == "('ok',)"
    print(f"{sum(mark.prints for mark in marks)} prints, {sum(len(mark.told) for mark in marks)} told")
    assert sum(len(mark.told) for mark in marks) > PRINTING


async def live(board: Board, marks: list[Mark], dice: random.Random) -> None:
    """Some moments in the hall: a print ends and the next begins, and a client reads on and on."""
    async with mes(board) as session:
        await session.load_data_type_definitions(overwrite_existing=False)
        for mark in marks:
            mark.look(await mark.results(session))
        ending = dice.choice(marks)
        until = time.monotonic() + dice.uniform(10, 30)
        while time.monotonic() < until:
            for mark in marks:
                mark.look(await mark.results(session))
            await asyncio.sleep(0.2)
        ending.finish()
        await asyncio.sleep(dice.uniform(0, 4))
        ending.look(await ending.results(session))
        ending.begin()
        await asyncio.sleep(dice.uniform(0, 4))
        ending.look(await ending.results(session))


# In an update


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    return Archives(tmp_path_factory.mktemp("archives"))


def drop_update(card: Card, archive: Path, signer: Signer) -> None:
    content = archive.read_bytes()
    card.put(f"edge-agent/{archive.name}", content)
    card.put(f"edge-agent/{archive.name}.sig", signer.sign(content))


def test_in_an_update(card: Card, hall: Hall, dice: random.Random, archives: Archives) -> None:
    signer = Signer()
    card.put_into_root(PUBLIC_KEY, signer.public)
    board = Board(card, hall=hall)
    lived_in(board)
    drop_update(card, archives.build(version="9.0.0", architecture="arm64"), signer)
    for _ in range(TWICE):
        interrupt_update(board, dice)
    version, told = update(card, board)
    assert (version, told[:2]) == ("9.0.0", ["edge-agent-9.0.0-linux-arm64.tar.gz", "    Installed."])
    drop_update(card, archives.build(version="9.0.1", architecture="arm64"), signer)
    for _ in range(THREE_TIMES):
        interrupt_update(board, dice)
    version, told = update(card, board)
    left = [name for name in card.names("edge-agent") if "9.0.1" in name]
    if version == "9.0.1":  # one of the cuts came when all had been done
        assert (told[1], left) == ("    Installed.", [])
    else:
        assert version == "9.0.0"
        assert "begun 3 times" in told[1]
        assert "edge-agent/edge-agent-9.0.1-linux-arm64.tar.gz.failed" in left


def interrupt_update(board: Board, dice: random.Random) -> None:
    with board.boot(may_fail=True):
        board.wait_until(lambda: "edge-agent-update" in board.console, "it updates", within_s=900)
        time.sleep(dice.uniform(0, 75))
        cut(board, dice, at=dice.uniform(0.3, 1.0))


def update(card: Card, board: Board) -> tuple[str, list[str]]:
    """Boot, and let it come to an end; by which version the printers are seen then, and what the card says of it."""
    with board.boot():
        board.wait_until(board.reported, "the boot is complete", within_s=1800)
        patiently(lambda: sees_both(board))
        version = board.ask("/opt/edge-agent/current/bin/edge-agent --version").split()[-1]
        assert board.ask("systemctl --failed --no-legend").strip() == ""
        board.power_off()
    return version, card.text("edge-agent/update-result.txt").splitlines()
