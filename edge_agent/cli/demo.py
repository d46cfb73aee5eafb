"""``edge-agent demo``: the agent with simulated printers, on loopback, open to anonymous clients.

Nothing is written outside a temporary folder, and nothing can be reached from another computer.
"""

from __future__ import annotations

import logging
import socket
import tempfile
from pathlib import Path
from typing import TextIO

from ..agent import Agent, utc_now
from ..config import Config, HttpOptions, MachineConfig, Position
from ..errors import ExitCode, UnavailableError
from ..model import DEFAULT_STATE_TABLE, Machine
from ..poller import Polling
from ..sinks.opcua import OpcUaOptions
from ..sources.simulated import SimulatedOptions, demo_options
from .run import run_agent
from .table import LiveTable

LOOPBACK = "127.0.0.1"
_NEXT_PORTS = 50


def demo(*, printers: int, port: int, http_port: int, speed: float, out: TextIO) -> ExitCode:
    """Run until Ctrl-C: the endpoint's URL, then a live table of the machines.

    Raises:
        UnavailableError: no port is free.
    """
    logging.basicConfig(level=logging.CRITICAL)  # the table owns the terminal
    port, http_port = _free_port(port), _free_port(http_port)
    header = (
        f"OPC UA endpoint: opc.tcp://{LOOPBACK}:{port}  (anonymous, SecurityPolicy None: this computer only)",
        f"Status page:     http://{LOOPBACK}:{http_port}/",
        f"{printers} simulated printers, {speed:g} times as fast as life. Ctrl-C ends it.",
        "",
    )
    config = demo_config(printers=printers, port=port, http_port=http_port, speed=speed)
    with tempfile.TemporaryDirectory(prefix="edge-agent-demo-") as folder:
        table = LiveTable(stream=out, now=utc_now, header=header)
        run_agent(Agent(config, state_dir=Path(folder), sinks=[table]))
    return ExitCode.OK


def demo_config(*, printers: int, port: int, speed: float, http_port: int | None = None) -> Config:
    """A configuration that needs no file; without ``http_port`` there is no status page."""
    return Config(
        machines=tuple(
            _machine(number, options) for number, options in enumerate(demo_options(printers, time_scale=speed), 1)
        ),
        opcua=OpcUaOptions(port=port, bind=LOOPBACK, hostname=LOOPBACK, anonymous=True),
        http=HttpOptions(enabled=http_port is not None, port=http_port or 0, bind=LOOPBACK),
        polling=Polling(idle_interval_s=2.0),
        states=DEFAULT_STATE_TABLE,
    )


def _machine(number: int, options: SimulatedOptions) -> MachineConfig:
    return MachineConfig(
        machine=Machine(
            id=f"printer-{number}",
            name=None,
            address=f"printer-{number}",
            url="simulated:",
            kind="SIMULATED",
            mes_ids=(1,),
        ),
        source=options,
        poll_interval_s=None,
        dialect="simulated",
        position=Position(0, 0),
    )


def _free_port(first: int) -> int:
    for port in range(first, min(first + _NEXT_PORTS, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise UnavailableError(f"no free port from {first} on; choose another with --port")
