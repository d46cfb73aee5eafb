"""The ports: does the agent answer at each, or who has it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from urllib.parse import urlsplit

from ...sinks.http.options import HttpOptions
from ...sinks.opcua.options import OpcUaOptions
from ...sinks.opcua.transport.loopback import Loopback
from .finding import Finding, bad, look, ok, unseen
from .patient import Patient
from .rights import text_of

_ANSWER_S = 4.0
_LISTENING = "0A"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on is asked on loopback


def opcua_ports(patient: Patient) -> Iterator[Finding]:
    """Each port of the endpoint, asked as a client asks."""
    config = patient.reading.config
    options = config.opcua if config else OpcUaOptions()
    if patient.agent is not None and not patient.agent.endpoint.open:
        yield bad("the endpoint is not open yet", "wait a minute; if it stays so, see what is said of the clock")
        return
    for port in _opcua_ports(patient, options):
        yield _asked(patient, options, port)


def _opcua_ports(patient: Patient, options: OpcUaOptions) -> tuple[int, ...]:
    """As the running agent has them: ``"4840+"`` may have become another."""
    if patient.agent is not None:
        with suppress(ValueError):
            return tuple(urlsplit(url).port or options.port for url in patient.agent.endpoint.urls)
    return (options.port, *options.extra_ports)


def _asked(patient: Patient, options: OpcUaOptions, port: int) -> Finding:
    host = _ANYWHERE.get(options.bind, options.bind)
    if not _is_open(host, port):
        return _closed(patient, f"port {port} (OPC UA)")
    # Without the right to read our identity, an agent's name in front of it has to do.
    uri = f"urn:edge-agent:{_device_uuid(patient.state_dir)}"
    loopback = Loopback(
        [(host, port)],
        url=f"opc.tcp://{host}:{port}",
        application_uri=uri,
        expecting=lambda _: nullcontext(),
        timeout_s=_ANSWER_S,
    )
    wrong = asyncio.run(loopback.ask())
    if not wrong:
        return ok(f"port {port} (OPC UA): the agent answers")
    held_by = holder(port)
    by = f"; held by {held_by}" if held_by else ""
    return bad(
        f"{wrong}{by}",
        "stop that program, or set opcua.port in config.json; if it is the agent, restart it",
    )


def page_port(patient: Patient) -> Iterator[Finding]:
    """The status page's port."""
    config = patient.reading.config
    options = config.http if config else HttpOptions()
    if not options.enabled:
        yield ok("no status page is wanted (http.enabled is false)")
    elif patient.agent is not None:
        yield ok(f"port {options.port} (status page): the agent answers")
    elif not _is_open(_ANYWHERE.get(options.bind, options.bind), options.port):
        yield _closed(patient, f"port {options.port} (status page)")
    elif patient.silence.endswith("run this as root on that computer"):
        yield unseen(f"port {options.port} (status page): only users may read it", "run this with sudo")
    else:
        held_by = holder(options.port)
        by = f" (held by {held_by})" if held_by else ""
        yield look(
            f"port {options.port} (status page){by}: {patient.silence}",
            "stop that program, or set http.port in config.json and restart the agent",
        )


def _closed(patient: Patient, port: str) -> Finding:
    if patient.runs:
        return bad(
            f"{port}: the agent runs, and nobody answers there",
            "has config.json been changed since its start? See: journalctl -u edge-agent -n 50",
        )
    return ok(f"{port} is free; the agent does not run")


def _is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_ANSWER_S).close()
    except OSError:
        return False
    return True


def _device_uuid(state_dir: Path) -> str:
    try:
        return text_of(state_dir / "device-uuid", state_dir).strip()
    except OSError:
        return ""


def holder(port: int, proc: Path = Path("/proc")) -> str:
    """The program that listens at a port, with its process id; empty if it is not ours to see."""
    inodes = {f"socket:[{inode}]" for name in ("tcp", "tcp6") for inode in _listeners(proc / "net" / name, port)}
    if not inodes:
        return ""
    for process in proc.iterdir():
        if process.name.isdigit() and _has_one_of(process / "fd", inodes):
            with suppress(OSError):
                return f"{(process / 'comm').read_text(encoding='utf-8', errors='replace').strip()}, pid {process.name}"
    return ""


def _listeners(table: Path, port: int) -> Iterator[str]:
    with suppress(OSError, ValueError, IndexError):
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _has_one_of(folder: Path, inodes: set[str]) -> bool:
    with suppress(OSError):
        for file in folder.iterdir():
            with suppress(OSError):
                if os.readlink(file) in inodes:  # noqa: PTH115 - no path, but "socket:[number]"
                    return True
    return False
