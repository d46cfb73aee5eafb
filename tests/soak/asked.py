"""What one printer was asked, held against what the agent promises to ask.

Requests are kept as letters: v(ersion), u(ser), c(onnection), j(ob), p(rinter), and q for a printer that was not
operational after all. So a stretch of hours is a text, and the promise is a pattern.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from edge_agent.model import MachineState
from tests.double import OctoPrintDouble

IDLE_INTERVALS = 5
IDENTIFY_EVERY_S = 60.0
PUNCTUALITY = 0.97  # at short intervals a slow server is late whenever it is also asked who answers
IDLE_STATES = {MachineState.OFF, MachineState.FAULT}

_LETTERS = {"/api/version": "v", "/api/currentuser": "u", "/api/connection": "c", "/api/job": "j", "/api/printer": "p"}
_CYCLE = "(?:vu?c)?j(?:p|qj)?"
_PROMISED = re.compile(f"(?:{_CYCLE})*(?:v|vu|vu?c)?")
_SHORTEST_LONG_WAIT_S = 60 / 1.2 * 0.8
_SHORTEST_WAIT_WHILE_STARTING_S = 5 * 0.8


class Asked:
    """One double's requests since ``since``, and the states that its printer went through meanwhile."""

    def __init__(self, double: OctoPrintDouble, *, interval_s: float) -> None:
        self._double = double
        self._interval_s = interval_s
        self.total = 0
        self.begin()

    def begin(self) -> None:
        """Begin a new stretch, now."""
        self.drain()
        self.since = asyncio.get_running_loop().time()
        self._letters = ""
        self._states: list[tuple[MachineState, float]] = []

    def drain(self) -> None:
        """Take over what the double has noted, before it gets long."""
        noted = self._double.log
        self._double.clear_log()
        self.total += len(noted)
        self._letters = getattr(self, "_letters", "") + "".join(
            "q" if request.status == 409 else _LETTERS.get(request.path, "x") for request in noted
        )

    def state_ended(self, state: MachineState, entered_at: float) -> None:
        """The printer was in this state until now."""
        self._states.append((state, asyncio.get_running_loop().time() - max(entered_at, self.since)))

    def check_fit(self) -> int:
        """Hold a stretch without faults against the promise; the number of its cycles."""
        self.drain()
        letters, url = self._letters, self._double.url
        assert _PROMISED.fullmatch(letters), f"{url} was asked {_strange(letters)}"
        reconsidered = letters.count("q")
        assert reconsidered <= len(self._states), f"{url}: more changes of mind than of state"
        cycles = letters.count("j") - reconsidered
        least, most = self._cycles_promised()
        assert least <= cycles <= most, f"{url}: {cycles} cycles, promised were {least:.1f} to {most:.1f}"
        self._check_identifying(letters.count("v"))
        return cycles

    def _cycles_promised(self) -> tuple[float, float]:
        least = most = 0.0
        unnoticed_s = 0.0  # a printer that was idle is asked seldom until it is found busy
        for state, seconds in self._states:
            idle = state in IDLE_STATES
            interval_s = self._interval_s * (IDLE_INTERVALS if idle else 1)
            most += seconds / interval_s + 1
            lost_s = min(seconds, unnoticed_s)
            least += max(0.0, (seconds - lost_s) / interval_s - 1)
            unnoticed_s = interval_s if idle else unnoticed_s - lost_s
        return PUNCTUALITY * least, most + 1

    def _check_identifying(self, times: int) -> None:
        seconds = sum(seconds for _, seconds in self._states)
        least = seconds / (IDENTIFY_EVERY_S + IDLE_INTERVALS * self._interval_s) - 1
        most = seconds / IDENTIFY_EVERY_S + 1
        assert least <= times <= most, f"{self._double.url}: {times} times asked who answers in {seconds:.0f} s"

    def check_fault(self, name: str) -> None:
        """Hold the stretch of a fault against the back-off."""
        self.drain()
        seconds = asyncio.get_running_loop().time() - self.since
        shortest_s = _SHORTEST_WAIT_WHILE_STARTING_S if name == "starting" else _SHORTEST_LONG_WAIT_S
        cycles = seconds / max(shortest_s, self._interval_s) + 8
        # At worst two requests each: one more on a new connection, or to say why the first was refused.
        assert len(self._letters) <= 2 * cycles + 6, f"{len(self._letters)} requests in {seconds:.0f} s of {name}"


def _strange(letters: str) -> str:
    """The place from which on the letters are no cycles."""
    end = max((found.end() for found in _complete(letters)), default=0)
    return f"{letters[max(0, end - 12) : end]} and then {letters[end : end + 12]}"


def _complete(letters: str) -> Iterable[re.Match[str]]:
    found = re.compile(f"(?:{_CYCLE})*").match(letters)
    return [found] if found else []
