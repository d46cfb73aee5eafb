"""All checks, side by side, none of which can keep the others from being told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from ...restarts import last_line
from .certificate import certificate
from .configuration import configuration
from .finding import Finding, Level, bad
from .host import clock, memory, power, storage, time_zone, versions
from .patient import Patient
from .ports import opcua_ports, page_port
from .printers import printers
from .prints import prints
from .running import running
from .service import service

LIMIT_S = 11.0
"""With what is read before the checks begin, the whole takes at most 15 s."""


class Check(Struct, frozen=True):
    """Something to look at, and the room of the report it stands in."""

    title: str
    examine: Callable[[Patient], Iterable[Finding]]


CHECKS = (
    Check("configuration", configuration),
    Check("printers", printers),
    Check("unit", service),
    Check("agent", running),
    Check("OPC UA port", opcua_ports),
    Check("status page", page_port),
    Check("certificate", certificate),
    Check("print journal", prints),
    Check("clock", clock),
    Check("time zone", time_zone),
    Check("disk", storage),
    Check("power", power),
    Check("memory", memory),
    Check("versions", versions),
)


class Examined(Struct, frozen=True, kw_only=True):
    """What one check found."""

    title: str
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Level:
        """The level of its worst finding."""
        order = list(Level)
        return max((finding.level for finding in self.findings), key=order.index, default=Level.OK)


class _Running:
    """A check in a thread of its own, which nobody waits for at the end: a look-up cannot be broken off."""

    def __init__(self, check: Check, patient: Patient) -> None:
        self.title = check.title
        self.found: list[Finding] = []
        self._check = check
        self._patient = patient
        self.thread = threading.Thread(target=self._run, name=check.title, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for finding in self._check.examine(self._patient):
                self.found.append(finding)  # one by one: what is found before a check is late or breaks is told
        except Exception as error:  # noqa: BLE001 - a doctor who dies of a patient is of no use
            self.found.append(
                bad(
                    f"this check broke: {last_line(error, self._patient.secrets)}",
                    "that is a bug of edge-agent; the other checks are as told",
                )
            )


def examine(patient: Patient, checks: Sequence[Check] = CHECKS, *, limit_s: float = LIMIT_S) -> tuple[Examined, ...]:
    """Run all checks at the same time; the findings in the order of the checks."""
    deadline = time.monotonic() + limit_s
    running = [_Running(check, patient) for check in checks]
    for one in running:
        one.thread.join(max(0.0, deadline - time.monotonic()))
    return tuple(Examined(title=one.title, findings=_found(one, limit_s)) for one in running)


def _found(one: _Running, limit_s: float) -> tuple[Finding, ...]:
    late = bad(f"not finished after {limit_s:g} s", "something it asked does not answer; try again")
    return (*one.found, *([late] if one.thread.is_alive() else []))
