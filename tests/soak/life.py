"""What happens to one printer in a day: prints, pauses, cancels, faults of its own, and faults of everything before it.

A `Life` works on an `OctoPrintDouble` and remembers the truth, for the `Inspector` to compare with what the agent says.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Never

from edge_agent.model import MachineState
from edge_agent.observation import Observation
from tests.double import OctoPrintDouble
from tests.soak.asked import IDLE_INTERVALS, IDLE_STATES, Asked
from tests.virtual_time import now

MEAN_BETWEEN_FAULTS_S = 2400.0
LONGEST_BACKOFF_S = 60.0 * 1.2
NUISANCES = 0.25  # of all that happens before a printer


@dataclass
class Figures:
    """What is counted over all lives."""

    requests: int = 0
    cycles: int = 0
    state_changes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    nuisances: Counter[str] = field(default_factory=Counter)
    recoveries: int = 0
    slowest_recovery_s: float = 0.0


class Life:
    """One printer's day.

    Attributes:
        state: what the printer does, since ``entered_at`` (seconds of the loop).
        changed_at: when state or progress last changed.
        progress_ratio: of the print, ``None`` while there is none.
        fault: the name of what keeps everybody from reaching OctoPrint since ``fault_since``; empty when nothing does.
        asked: what it was asked since the last fault began or was overcome.
    """

    def __init__(self, double: OctoPrintDouble, dice: random.Random, figures: Figures, *, interval_s: float) -> None:
        self.double = double
        self.state = MachineState.READY
        self._idle_until = -math.inf
        self.entered_at = self.changed_at = self.fault_since = _time()
        self.changed_at_utc = self._well_since_utc = now()
        self.progress_ratio: float | None = None
        self.fault = ""
        self.asked = Asked(double, interval_s=interval_s)
        self._figures = figures
        self._interval_s = interval_s
        self._dice = dice
        self._recovered = asyncio.Event()
        self._recovered.set()
        self._nuisances = _nuisances(double)
        self._faults = _faults(double)

    @property
    def fit(self) -> bool:
        """Nothing is wrong, and the agent has been heard to know it."""
        return not self.fault and self._recovered.is_set()

    @property
    def seldom_asked(self) -> bool:
        """The printer is idle, or was so a moment ago, which the agent need not know yet."""
        return self.state in IDLE_STATES or _time() - self._idle_until <= IDLE_INTERVALS * self._interval_s + 1.0

    def heard(self, observation: Observation) -> None:
        """The agent published this."""
        seen = observation.last_seen
        if not self.fault and observation.reachable and seen is not None and seen >= self._well_since_utc:
            self._recovered.set()

    def end(self) -> None:
        """The day is over."""
        if self.fit:
            self._end_fit_stretch()
        self.asked.drain()
        self._figures.requests += self.asked.total

    # --- the printer ---

    async def prints(self) -> Never:
        """Rest, then print, be switched off or break down, for ever."""
        while True:
            await self._rest(300, 2400)
            match self._dice.choices(("print", "off", "fault"), (8, 2, 1))[0]:
                case "print":
                    await self._print()
                case "off":
                    await self._away(MachineState.OFF, self.double.printer.power_off)
                case _:
                    await self._break_down()

    async def _print(self) -> None:
        printer = self.double.printer
        printer.select(f"part-{self._dice.randrange(100)}.gcode")
        self._is(MachineState.STARTING, printer.starting, progress_ratio=0.0)
        await self._rest(3, 40)
        steps = self._dice.randint(5, 60)
        for step in range(steps):
            self._progress(step / steps)
            await self._rest(20, 240)
            match self._dice.choices(("go on", "pause", "cancel", "fault"), (90, 6, 2, 1))[0]:
                case "pause":
                    await self._pause(step / steps)
                case "cancel":
                    self._is(MachineState.CANCELLING, printer.cancelling, progress_ratio=step / steps)
                    await self._rest(2, 60)
                    self._is(MachineState.READY, printer.idle)
                    return
                case "fault":
                    await self._break_down()
                    return
        self._is(MachineState.FINISHING, printer.finishing, progress_ratio=1.0)
        await self._rest(2, 60)
        self._is(MachineState.DONE, printer.done, progress_ratio=1.0)

    def _progress(self, ratio: float) -> None:
        self._is(MachineState.PRINTING, lambda: self.double.printer.print(ratio), progress_ratio=ratio)

    async def _pause(self, progress_ratio: float) -> None:
        printer = self.double.printer
        for state, verb in (
            (MachineState.PAUSING, printer.pausing),
            (MachineState.PAUSED, printer.pause),
            (MachineState.RESUMING, printer.resuming),
        ):
            self._is(state, verb, progress_ratio=progress_ratio)
            await self._rest(2, 120)
        self._progress(progress_ratio)

    async def _break_down(self) -> None:
        await self._away(MachineState.FAULT, lambda: self.double.printer.fault("MINTEMP triggered, system stopped!"))

    async def _away(self, state: MachineState, verb: Callable[[], None]) -> None:
        self._is(state, verb)
        await self._rest(60, 3600)
        self._is(MachineState.CONNECTING, self.double.printer.connecting)
        await self._rest(2, 40)
        self._is(MachineState.READY, self.double.printer.idle)

    def _is(self, state: MachineState, verb: Callable[[], None], *, progress_ratio: float | None = None) -> None:
        verb()
        self.progress_ratio = progress_ratio
        self.changed_at, self.changed_at_utc = _time(), now()
        if self.state in IDLE_STATES:
            self._idle_until = _time()
        if state is not self.state:
            self.asked.state_ended(self.state, self.entered_at)
            self.state, self.entered_at = state, _time()
            self._figures.state_changes += 1

    # --- everything before it ---

    async def suffers(self) -> Never:
        """Be hit by something now and then, and see to it that the agent is back within its back-off each time."""
        while True:
            await asyncio.sleep(self._dice.expovariate(1 / MEAN_BETWEEN_FAULTS_S))
            if self._dice.random() < NUISANCES:
                await self._nuisance()
            else:
                await self._fault()

    async def _nuisance(self) -> None:
        name, verb = self._dice.choice(sorted(self._nuisances.items()))
        self._figures.nuisances[name] += 1
        verb()
        await self._rest(5, 1200)
        self.double.well()

    async def _fault(self) -> None:
        name, verb = self._dice.choice(sorted(self._faults.items()))
        self._figures.faults[name] += 1
        self._end_fit_stretch()
        self.fault, self.fault_since = name, _time()
        self._recovered.clear()
        verb()
        await asyncio.sleep(2.0 ** self._dice.uniform(1, 10))
        self.asked.check_fault(name)
        self.fault, self._well_since_utc = "", now()
        self.double.well()
        await self._recovery(name)
        self.asked.begin()

    async def _recovery(self, name: str) -> None:
        well_since = _time()
        # At long intervals the idle one outlasts the back-off, and the agent may not know that the idling is over.
        limit_s = max(LONGEST_BACKOFF_S, IDLE_INTERVALS * self._interval_s)
        limit_s += self._interval_s * (IDLE_INTERVALS if self.seldom_asked else 1)
        try:
            async with asyncio.timeout(limit_s):
                await self._recovered.wait()
        except TimeoutError:
            raise AssertionError(f"{self.double.url}: not back {limit_s:g} s after the end of {name}") from None
        self._figures.recoveries += 1
        self._figures.slowest_recovery_s = max(self._figures.slowest_recovery_s, _time() - well_since)

    def _end_fit_stretch(self) -> None:
        self.asked.state_ended(self.state, self.entered_at)
        self._figures.cycles += self.asked.check_fit()
        self.asked.begin()

    async def _rest(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(self._dice.uniform(least_s, most_s))


def _time() -> float:
    return asyncio.get_running_loop().time()


def _faults(double: OctoPrintDouble) -> dict[str, Callable[[], None]]:
    """What keeps the agent from knowing the machine's state."""
    return {
        "silence": double.silence,
        "403": lambda: double.refuse(403),
        "500": lambda: double.refuse(500),
        "hang": double.hang,
        "garble": lambda: double.garble(b'{"state": '),
        "web page": lambda: double.garble(b"<html>", "text/html"),
        "truncate": double.truncate,
        "reset": double.reset,
        "starting": double.starting,
        "proxy without a server": lambda: double.proxy_down(503, after_s=3.0),
        "proxy, server starting": lambda: double.proxy_down(502),
    }


def _nuisances(double: OctoPrintDouble) -> dict[str, Callable[[], None]]:
    """What must not keep the agent from seeing everything as ever."""
    return {
        "closes, announced": lambda: double.close_each(announce=True),
        "closes, unannounced": lambda: double.close_each(announce=False, linger_s=0.05),
        "slow": lambda: double.slow(0.2),
        "no connection settings": lambda: double.refuse(500, path="/api/connection"),
    }
