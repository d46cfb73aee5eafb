"""The agent with simulated machines, as ``edge-agent demo`` has them, with a state folder that is kept and no table.

A process of its own: ``python -m tests.bench.agent_twin --printers 20 --port 4840 --state FOLDER``.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import uvloop

from edge_agent.agent import Agent
from edge_agent.cli.demo import demo_config
from edge_agent.cli.run import run_agent, start_logging


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--printers", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--http-port", type=int, help="with a status page")
    parser.add_argument("--watch-loop", type=Path)
    options = parser.parse_args()
    start_logging("warning")
    config = demo_config(printers=options.printers, port=options.port, speed=1.0, http_port=options.http_port)
    agent = Agent(config, state_dir=options.state)
    if options.watch_loop is not None:
        run_watched(agent, options.watch_loop)
    else:
        run_agent(agent)


def run_watched(agent: Agent, path: Path) -> None:
    """Like `run_agent`, but with somebody on the loop who was there first."""
    from .loop_watch import LoopWatch

    def new_loop() -> asyncio.AbstractEventLoop:
        loop = uvloop.new_event_loop()
        LoopWatch(path).start(loop)
        return loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(agent.run())


if __name__ == "__main__":
    main()
