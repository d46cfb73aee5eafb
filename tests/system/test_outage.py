"""The printers' network is gone for a while: values say so, everything else goes on, and they come back by themselves.

The printers are at 127.0.0.2, to which the box has no route meanwhile: packets of open connections vanish, new ones are
refused a route, as when a cable is pulled. To see it in seconds, the silence after which values are bad, the longest
wait between two tries and systemd's patience are shortened; a poller's deadline follows from the wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asyncua import Client

from .box import Box
from .installed import UNIT, client, configure, drop_in, installed_box
from .printers import Printers

PRINTERS_AT = "127.0.0.2"
SILENT_S = 6
LONGEST_WAIT_S = 3
TIMEOUT_S = 2
WATCHDOG_S = 4
OUTAGE_S = 1.5 * LONGEST_WAIT_S + TIMEOUT_S + WATCHDOG_S + 2  # in which a poller that does not count its tries is late
IMPATIENT = f"""
import edge_agent.poller
edge_agent.poller.SILENT_S = {SILENT_S}
edge_agent.poller.MAX_BACKOFF_S = {LONGEST_WAIT_S}
"""
DROP_IN = f"[Service]\nWatchdogSec={WATCHDOG_S}\nEnvironment=PYTHONPATH=/opt/impatient\n"
GOOD, STALE, BAD = "Good", "UncertainLastUsableValue", "BadNoCommunication"


@pytest.fixture
def box() -> Iterator[Box]:
    with installed_box("trixie") as box:
        box.write("/opt/impatient/sitecustomize.py", IMPATIENT)
        drop_in(box, "impatient", DROP_IN)
        yield box


async def test_printers_that_cannot_be_reached_turn_bad_and_come_back_and_nothing_else_happens(
    box: Box, tmp_path: Path
) -> None:
    with Printers(box, 2, address=PRINTERS_AT) as printers:
        configure(box, printers.machines(), polling={"timeout_s": TIMEOUT_S})
        box.run("systemctl", "start", UNIT)
        pid = box.main_pid(UNIT)
        with box.network():
            async with client(tmp_path) as session:  # one session, from before the outage until after it
                assert await seen(session) == {GOOD}
                began = time.monotonic()
                with no_route(box):
                    await until(session, STALE, within_s=SILENT_S)
                    await until(session, BAD, within_s=SILENT_S + 2)
                    bad_s = time.monotonic() - began
                    assert bad_s > SILENT_S - 2
                    while time.monotonic() < began + OUTAGE_S:
                        assert await seen(session) == {BAD}
                        await asyncio.sleep(0.2)
                    assert "0 of 2 machines reachable, OPC UA on :4840" in box.show(UNIT, "StatusText")
                back = time.monotonic()
                await until(session, GOOD, within_s=LONGEST_WAIT_S + TIMEOUT_S)
                print(f"\nbad after {bad_s:.1f} s; good again after {time.monotonic() - back:.1f} s")
        box.wait_until(lambda: "2 of 2 machines reachable" in box.show(UNIT, "StatusText"), "systemd hears of it")
        assert (box.main_pid(UNIT), box.show(UNIT, "NRestarts")) == (pid, "0")
        assert "no sign of life" not in box.journal(UNIT)


@contextmanager
def no_route(box: Box) -> Iterator[None]:
    """Inside, the printers cannot be reached."""
    box.run("ip", "route", "add", "unreachable", PRINTERS_AT, "table", "local")
    try:
        yield
    finally:
        box.run("ip", "route", "del", "unreachable", PRINTERS_AT, "table", "local")


async def seen(session: Client) -> set[str]:
    """How far the machines' values are to be trusted, each word once."""
    index = len(await session.get_namespace_array()) - 1
    nodes = [session.get_node(f"ns={index};s=mark-{number}/Job/Progress") for number in (1, 2)]
    values = [await node.read_data_value(raise_on_bad_status=False) for node in nodes]
    return {value.StatusCode.name for value in values if value.StatusCode is not None}


async def until(session: Client, quality: str, *, within_s: float) -> None:
    """Wait until all are of this quality."""
    deadline = time.monotonic() + within_s
    while (now := await seen(session)) != {quality}:
        assert time.monotonic() < deadline, f"after {within_s} s not {quality} but {now}"
        await asyncio.sleep(0.1)
