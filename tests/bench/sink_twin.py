"""The agent's OPC UA sink alone, with printing machines that are observed a known number of times a second.

A process of its own: ``python -m tests.bench.sink_twin --printers 20 --port 4842 --state FOLDER``; it does as
`control.obey` says.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from msgspec.structs import replace

from edge_agent.health import Health
from edge_agent.model import Job, Temperature
from edge_agent.observation import AgentStatus, Observation
from edge_agent.sinks.opcua import OpcUaOptions
from edge_agent.sinks.opcua.server import OpcUaSink
from edge_agent.store import Store
from tests.observations import MACHINE, PRINTING, observation

from .control import obey

DEVICE = "11111111-2222-3333-4444-555555555555"
EVERY_S = 0.25


def printing(number: int, turn: int) -> Observation:
    """The machine's observation number ``turn``: two temperatures, the progress, the times and the answer are new."""
    now = datetime.now(UTC)
    machine = replace(MACHINE, id=f"printer-{number}", name=f"Printer {number}", address=f"printer-{number}")
    assert PRINTING.job is not None
    job: Job = replace(PRINTING.job, progress_ratio=turn % 1000 / 1000, elapsed_s=turn * 1.0, remaining_s=9e6 - turn)
    snapshot = replace(
        PRINTING,
        observed_at=now,
        response_time_s=0.01 + turn % 7 / 1000,
        job=job,
        temperatures={"bed": Temperature(60 + turn % 9 / 10, 60.0), "tool0": Temperature(205 + turn % 11 / 10, 205.0)},
        temperatures_at=now,
    )
    return observation(snapshot, machine=machine, last_seen=now)


class Shop:
    """Publishes observations of all its machines, by turns, each every 250 ms."""

    def __init__(self, store: Store, *, printers: int) -> None:
        self._store = store
        self._printers = printers
        self._turn = 0
        self._publish_all()

    async def drive(self, seconds: float) -> int:
        """Publish for so long; the result is the number of observations."""
        loop = asyncio.get_running_loop()
        began, count = loop.time(), 0
        due = began
        while due < began + seconds:
            self._turn += 1
            for number in range(1, self._printers + 1):
                due += EVERY_S / self._printers
                if (wait_s := due - loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                self._store.publish(printing(number, self._turn))
                count += 1
        return count

    def _publish_all(self) -> None:
        for number in range(1, self._printers + 1):
            self._store.publish(printing(number, self._turn))


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    running = asyncio.current_task()
    assert running is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, running.cancel)
    store = Store()
    store.publish_agent(AgentStatus(version="0", started_at=datetime.now(UTC), config_status="fine"))
    shop = Shop(store, printers=options.printers)
    sink = OpcUaSink(
        OpcUaOptions(port=options.port, bind="127.0.0.1", hostname="127.0.0.1", anonymous=True),
        device_uuid=DEVICE,
        state_dir=options.state,
        health=Health(monotonic=loop.time),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sink.run(store))
        await sink.ready.wait()
        await obey(shop.drive)


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--printers", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(serve(options))
        except asyncio.CancelledError:
            return


if __name__ == "__main__":
    main()
