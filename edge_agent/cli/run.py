"""``edge-agent run``: the agent, on uvloop, with its log on standard error."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import uvloop

from ..agent import Agent
from ..config import load, load_or_wait
from ..errors import ExitCode

log = logging.getLogger(__name__)

# systemd's journal reads a level as "<N>" in front of a line.
_JOURNAL_LEVELS = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = _JOURNAL_LEVELS.get(record.levelno, 6)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines())


def start_logging(level: str) -> None:
    """Log to standard error: plain for the journal, which has its own clock, and with the time for a terminal."""
    stream = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        stream.setFormatter(_JournalFormatter("%(message)s"))
    else:
        stream.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    # asyncua tells each request at info, and what clients do wrong at warning.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL if level != "debug" else logging.INFO)


def run(*, config_path: Path, state_dir: Path, log_level: str, may_be_missing: bool) -> ExitCode:
    """Run until SIGTERM or SIGINT.

    Args:
        config_path: config.json.
        state_dir: where everything is kept that must survive.
        log_level: of standard error.
        may_be_missing: without the file run without machines until it comes. Not for a file that somebody named: that
            is a wrong name.

    Raises:
        EdgeAgentError: the configuration cannot be used, or something the agent needs cannot be had.
    """
    start_logging(log_level)
    if may_be_missing:
        config = load_or_wait(config_path, state_dir=state_dir)
    else:
        config = load(config_path, state_dir=state_dir, remember=True)
    if config.missing:
        log.warning("%s; it is taken over as soon as it is there", config.in_words)
    for problem in config.warnings:
        log.warning("%s", problem)
    agent = Agent(config, state_dir=state_dir, load=lambda: load(config_path, state_dir=state_dir, remember=True))
    run_agent(agent)
    return ExitCode.OK


def run_agent(agent: Agent) -> None:
    """Run an agent on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(agent.run())
