"""Each printer: is its name known, does it answer, is it what the file says, and what may our key do there."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from ...config import MachineConfig
from ...errors import EdgeAgentError
from ...session import HttpHost, open_session
from ...sources.octoprint import OctoPrintOptions
from ...sources.octoprint.wire import USER, decode
from ..check import ProbeResult
from .finding import Finding, Level, bad, look, ok, parted, unseen
from .patient import Patient

_LOOKUP_S = 4.0
_PROBE_S = 6.0
_SLOW_S = 1.0
_HARMLESS = {
    *("STATUS", "WEBCAM", "FILES_LIST", "FILES_DOWNLOAD", "GCODE_VIEWER", "MONITOR_TERMINAL", "SETTINGS_READ"),
    *("TIMELAPSE_LIST", "TIMELAPSE_DOWNLOAD"),
}
"""Permissions that change nothing at a printer."""
_LEAST = "a user of OctoPrint's with the permission STATUS and no group is enough for the agent; see docs/octoprint.md"


def printers(patient: Patient) -> Iterator[Finding]:
    """One finding for each printer at least."""
    config = patient.reading.config
    if config is None:
        yield unseen("which printers there are, config.json does not say")
        return
    if not config.machines:
        yield unseen("there are none in config.json")
        return
    unknown = look_up({_host(machine) for machine in config.machines})
    for machine in config.machines:
        if error := unknown.get(_host(machine)):
            yield _unknown_name(machine, error)
    asked = [machine for machine in config.machines if _host(machine) not in unknown]
    for findings in asyncio.run(_ask_all(patient, asked)):
        yield from findings


def look_up(hosts: Iterable[str], *, limit_s: float = _LOOKUP_S) -> dict[str, str]:
    """The names that have no address, and why.

    A look-up cannot be broken off: each has a thread that nobody waits for longer than ``limit_s``.
    """
    answers: dict[str, str] = {}

    def ask(host: str) -> None:
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers[host] = getattr(error, "strerror", None) or "it is no name"
        else:
            answers[host] = ""

    names = [host for host in hosts if not _is_address(host)]
    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer from the name service in {limit_s:g} s"
    return {name: reason for name in names if (reason := answers.get(name, late))}


def _host(machine: MachineConfig) -> str:
    return urlsplit(machine.machine.url).hostname or ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _unknown_name(machine: MachineConfig, reason: str) -> Finding:
    host = _host(machine)
    remedy = f"is it switched on? Try: getent hosts {host}; an IP address in url needs no name service"
    if host.endswith(".local"):
        remedy += "; names that end with .local need the package libnss-mdns here"
    return bad(f"{machine.machine.id}: the name {host} has no address ({reason})", remedy)


async def _ask_all(patient: Patient, machines: Iterable[MachineConfig]) -> list[list[Finding]]:
    return await asyncio.gather(*(_ask(patient, machine) for machine in machines))


async def _ask(patient: Patient, machine: MachineConfig) -> list[Finding]:
    name = machine.machine.id
    try:
        async with asyncio.timeout(_PROBE_S):
            answer = await patient.probe(machine)
            permissions = await _permissions(machine) if answer.good else ()
    except TimeoutError:
        return [bad(f"{name}: no answer in {_PROBE_S:g} s", "is it switched on, and is url right?")]
    except EdgeAgentError as error:
        text, remedy = parted(str(error))
        return [bad(f"{name}: {text}", remedy)]
    return _judged(name, answer, permissions)


async def _permissions(machine: MachineConfig) -> tuple[str, ...]:
    """What the key's user may do; empty where OctoPrint does not say (before 1.4)."""
    if not isinstance(machine.source, OctoPrintOptions):
        return ()
    source = machine.source
    async with open_session() as session:
        headers = {"X-Api-Key": source.api_key.reveal()}
        answer = await HttpHost(session, url=source.url, headers=headers, tls=source.tls).get("/api/currentuser")
    if answer.status != 200 or not answer.is_json:
        return ()
    return tuple(decode(USER, answer.body, "/api/currentuser").permissions or ())


def _judged(name: str, answer: ProbeResult, permissions: Iterable[str]) -> list[Finding]:
    if not answer.good:
        text, remedy = parted(answer.problem or "it does not answer as it should")
        return [bad(f"{name}: {text}", remedy or "see: edge-agent check --probe")]
    latency_s = answer.latency_s or 0.0
    whose = f", key of {answer.user!r}" if answer.user else ""
    told = f"{name}: {answer.server_version or 'it'} answers in {latency_s * 1000:.0f} ms{whose}"
    slow = "is its computer busy, or the network poor? Values are older by so much"
    found = [look(told, slow) if latency_s > _SLOW_S else ok(told)]
    if answer.advice:
        text, remedy = parted(answer.advice)
        found.append(look(f"{name}: {text}", remedy))
    if more := sorted(set(permissions) - _HARMLESS):
        listed = ", ".join(more[:4]) + (f" and {len(more) - 4} more" if len(more) > 4 else "")
        # It works, and many have it so: told with advice, and no reason to look again at every run.
        found.append(Finding(level=Level.OK, text=f"{name}: the key may do more than read: {listed}", remedy=_LEAST))
    return found
