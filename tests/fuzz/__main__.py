"""Fuzzes the listening socket: ``scripts/fuzz --seconds 60``. Ends with 1 if the server crashed, hung, grew or erred.

A case that broke something is kept in ``corpus``, and is tried again by the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections import deque

from tests.fuzz.cases import Case, kept, made_up, read, run
from tests.fuzz.target import MOST_MB, SLOWEST_S, Target, running

ATTACKER = "127.0.0.2"
_WARM_UP = 300
_AT_ONCE = 4


async def fuzz(seconds: float, seed: int) -> int:
    """Try what comes to mind for so long; the number of findings."""
    chance = random.Random(seed)
    recent: deque[Case] = deque(maxlen=2 * _AT_ONCE)
    tried = 0
    async with running() as target:
        for path in kept():
            await run(read(path), target.port, address=ATTACKER)
        warm_up = random.Random(0)
        for _ in range(_WARM_UP // _AT_ONCE):  # what is made at the first use is no growth
            await _some(target, [made_up(warm_up) for _ in range(_AT_ONCE)])
        target.forget()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            cases = [made_up(chance) for _ in range(_AT_ONCE)]
            recent.extend(cases)
            tried += len(cases)
            await _some(target, cases)
            if found := problem(target):
                print(f"after {tried} cases: {found}")
                for case in recent:
                    print("kept", case.save(found.splitlines()[0]))
                return 1
        print(
            f"{tried} cases with seed {seed}: +{target.grown_mb:.1f} MB, "
            f"slowest answer {target.slowest_s * 1000:.0f} ms of {target.answers}"
        )
    return 0


async def _some(target: Target, cases: list[Case]) -> None:
    await asyncio.gather(*(run(case, target.port, address=ATTACKER) for case in cases))


def problem(target: Target) -> str:
    """What is wrong with the server; nothing if it is well."""
    if not target.alive:
        return "the server ended"
    if target.exceptions:
        return "\n".join(target.exceptions[:3] + target.lines[-40:])
    if target.grown_mb > MOST_MB:
        return f"the server has grown by {target.grown_mb:.0f} MB"
    if target.slowest_s > SLOWEST_S:
        return f"another client waited for {target.slowest_s:.1f} s"
    return ""


def main() -> int:
    """Read the command line, and do it."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Fuzz the OPC UA socket on loopback.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60; nightly 600)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="to try the same again")
    given = parser.parse_args()
    return asyncio.run(fuzz(given.seconds, given.seed))


if __name__ == "__main__":
    sys.exit(main())
