"""The whole agent with its door: set in a browser, taken over from the command, and never in the log."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as with_fields

from edge_agent.agent import Agent
from edge_agent.cli import main
from edge_agent.cli.demo import demo_config
from edge_agent.config import load_or_wait
from edge_agent.errors import ExitCode
from edge_agent.sinks.http.guide_words import EN

from .person import PASSWORD, Browser, at
from .test_agent import free_port, running


def new_agent(folder: Path, port: int) -> Agent:
    """One that nobody has written a config.json for."""
    config = load_or_wait(folder / "config.json", state_dir=folder)
    opcua = with_fields(config.opcua, port=0, bind="127.0.0.1", hostname="127.0.0.1")
    http = with_fields(config.http, port=port, bind="127.0.0.1")
    config = replace(config, opcua=opcua, http=http)
    return Agent(config, state_dir=folder, config_path=folder / "config.json")


@asynccontextmanager
async def visited(agent: Agent, port: int) -> AsyncIterator[Browser]:
    async with running(agent, port), at(f"http://127.0.0.1:{port}") as person:
        yield person


async def test_the_password_is_set_in_a_browser_and_replaced_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="edge_agent")
    port = free_port()
    async with visited(new_agent(tmp_path, port), port) as person:
        assert "admin password is not set: for 15 min anybody may set it" in caplog.text
        assert (await person.get("/login")).path == "/password"
        assert (await person.set_password()).path == "/setup"
        arguments = ["credentials", "--admin", "--json", "--state-dir", str(tmp_path)]
        assert await asyncio.to_thread(main, arguments) == ExitCode.OK
        made = json.loads(capsys.readouterr().out)[0]["password"]
        assert (await person.get("/setup")).path == "/login"
        assert (await person.log_in(made)).path == "/setup"
    async with visited(new_agent(tmp_path, port), port) as person:
        assert (await person.get("/password")).path == "/login"
    assert PASSWORD not in caplog.text
    assert made not in caplog.text
    assert caplog.text.count("anybody may") == 1


async def test_a_demo_has_a_door_and_nothing_behind_it(tmp_path: Path) -> None:
    port = free_port()
    config = demo_config(printers=1, port=0, speed=5, http_port=port)
    async with visited(Agent(config, state_dir=tmp_path), port) as person:
        page = await person.set_password()
        assert (page.path, EN.not_here in page.text) == ("/setup", True)
