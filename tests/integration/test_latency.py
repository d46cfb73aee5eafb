"""How soon an MES sees a change: two real OctoPrints and a dead address in one file, at the default interval."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from statistics import median

import pytest

from .agent import AgentProcess, free_port, machine
from .endpoint import Endpoint
from .octoprint import AGENT, OctoPrintServer
from .printing import gcode

CHANGES = 50
LIMIT_S = 1.5

Command = Callable[[OctoPrintServer], Awaitable[object]]

# What is done to a printer, and the state text an MES must then see; it ends where it began.
ROUND: tuple[tuple[Command, str], ...] = (
    (lambda octoprint: octoprint.start_print("long.gcode"), "Printing"),
    (lambda octoprint: octoprint.pause(), "Paused"),
    (lambda octoprint: octoprint.resume(), "Printing"),
    (lambda octoprint: octoprint.pause(), "Paused"),
    (lambda octoprint: octoprint.cancel(), "Operational"),
)


@pytest.mark.timeout(240)
async def test_fifty_changes_are_each_visible_within_a_second_and_a_half(tmp_path: Path) -> None:
    async with OctoPrintServer(tmp_path / "one") as one, OctoPrintServer(tmp_path / "two") as two:
        shop = {"one": one, "two": two}
        agent = AgentProcess(tmp_path / "agent")
        machines = [
            machine(octoprint.url, agent.secret(name, octoprint.keys[AGENT]), custom_name=name)
            for name, octoprint in shop.items()
        ]
        dead = machine(f"http://127.0.0.1:{free_port()}", agent.secret("dead", "k" * 32), custom_name="dead")
        agent.configure([*machines, dead])
        async with agent, Endpoint(agent) as mes:
            for name, octoprint in shop.items():
                await octoprint.upload("long.gcode", gcode(300))
                await mes.watch(name)
                await mes.until(f"{name}/MesStatus", "Idle")
            await mes.watch("dead")
            await mes.until("dead/Source/Reachable", wanted=False)
            mes.changes.clear()
            delays_s = await _change_by_turns(mes, shop)

            print(f"\n{len(delays_s)} changes: median {median(delays_s):.3f} s, worst {max(delays_s):.3f} s")
            assert len(delays_s) == CHANGES
            assert max(delays_s) < LIMIT_S
            for name in shop:  # and the dead one never made them wait
                seen = [change.arrived for change in mes.changes if change.path == f"{name}/Source/LastSeen"]
                assert max(later - earlier for earlier, later in itertools.pairwise(seen)) < LIMIT_S


async def _change_by_turns(mes: Endpoint, shop: dict[str, OctoPrintServer]) -> list[float]:
    """Seconds from each change of state, by OctoPrint's own log, to its arrival at the client."""
    delays_s = []
    dice = random.Random(50)
    steps = itertools.cycle((name, command, text) for command, text in ROUND for name in shop)
    for name, command, text in itertools.islice(steps, CHANGES):
        await asyncio.sleep(dice.random())  # at any moment between two polls, not always just after one
        await command(shop[name])
        seen = await mes.until(f"{name}/Source/State", text)
        arrived = time.time() - (time.monotonic() - seen.arrived)
        delays_s.append(arrived - _changed_at(shop[name], text))
    return delays_s


def _changed_at(octoprint: OctoPrintServer, text: str) -> float:
    """When OctoPrint last changed to a state, in Unix seconds: its log says so to the millisecond."""
    log = (octoprint.basedir / "logs" / "octoprint.log").read_text(errors="replace")
    times = re.findall(rf"^(\S+ \S+),(\d+) - .*Changing monitoring state from .* to \"{text}\"", log, re.MULTILINE)
    moment, milliseconds = times[-1]
    return datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").timestamp() + int(milliseconds) / 1000  # noqa: DTZ007 - local
