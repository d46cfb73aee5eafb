"""``edge-agent run``: the agent, on uvloop, with its log on standard error."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from pathlib import Path

import uvloop

from .. import __version__
from ..agent import Agent
from ..config import load, load_or_wait
from ..errors import EdgeAgentError, ExitCode
from ..freeze import Freeze
from ..restarts import LastWords
from ..watchdog import say_status, watchdog_interval_s

log = logging.getLogger(__name__)

_SILENT_S = 10.0
"""Half of how long the event loop may stand still before a traceback is taken, where no systemd watches."""

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
    with contextlib.suppress(OSError):  # whoever needs the folder says what is wrong with it
        state_dir.mkdir(parents=True, exist_ok=True)
    freeze = Freeze(state_dir, silent_s=2 * (watchdog_interval_s(os.environ) or _SILENT_S))
    last_words = LastWords(state_dir, version=__version__, frozen=freeze.before)
    log.info("edge-agent %s starts; before: %s", __version__, last_words.restart)
    agent: Agent | None = None
    try:
        agent = _agent(config_path, state_dir, may_be_missing=may_be_missing, last_words=last_words, freeze=freeze)
        run_agent(agent)
    except BaseException as error:
        last_words.failed(error, agent.secrets if agent is not None else ())
        if isinstance(error, EdgeAgentError):
            say_status(f"ended: {error}")
        raise
    finally:
        freeze.close()
    last_words.stopped(f"stopped by {agent.stopped_by}")
    return ExitCode.OK


def _agent(config_path: Path, state_dir: Path, *, may_be_missing: bool, last_words: LastWords, freeze: Freeze) -> Agent:
    if may_be_missing:
        config = load_or_wait(config_path, state_dir=state_dir)
    else:
        config = load(config_path, state_dir=state_dir, remember=True)
    if config.missing:
        log.warning("%s; it is taken over as soon as it is there", config.in_words)
    for problem in config.warnings:
        log.warning("%s", problem)
    return Agent(
        config,
        state_dir=state_dir,
        load=lambda: load(config_path, state_dir=state_dir, remember=True),
        config_path=config_path,
        last_words=last_words,
        freeze=freeze,
    )


def run_agent(agent: Agent) -> None:
    """Run an agent on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(agent.run())
