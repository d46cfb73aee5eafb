"""The agent on a machine where nobody has put a config.json yet: it runs, says so, and takes it over when it comes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent import agent as agent_module
from edge_agent import watchdog
from edge_agent.agent import Agent
from edge_agent.cli import main
from edge_agent.cli.run import run
from edge_agent.config import Config, ConfigFileError, load, load_or_wait
from edge_agent.errors import ExitCode

KEY = "0123456789ABCDEF0123456789ABCDEF"
NAME = "config.json"


def machines(*urls: str) -> str:
    entries = [{"type": "OCTOPRINT", "url": url, "authentication_file_path": KEY, "mes_id": [1]} for url in urls]
    return json.dumps({"machines": entries})


def on_a_free_port(config: Config) -> Config:
    """Port 0 is the system's choice; no file may say it."""
    return Config(
        machines=config.machines,
        opcua=replace(config.opcua, port=0, bind="127.0.0.1"),
        http=replace(config.http, port=0, bind="127.0.0.1"),
        polling=config.polling,
        states=config.states,
        watched_files=config.watched_files,
        missing=config.missing,
    )


def test_without_a_file_there_are_no_machines_and_its_place_is_watched(tmp_path: Path) -> None:
    config = load_or_wait(tmp_path / NAME, state_dir=tmp_path)
    assert (config.missing, config.machines, config.watched_files) == (True, (), (tmp_path / NAME,))
    assert config.in_words == f"no configuration yet: put it in {tmp_path / NAME}"


def test_a_file_that_is_there_is_used_or_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(machines("http://127.0.0.1:9"))
    config = load_or_wait(tmp_path / NAME, state_dir=tmp_path)
    assert (config.missing, config.in_words) == (False, "1 machines")
    (tmp_path / NAME).write_text("{")
    with pytest.raises(ConfigFileError):
        load_or_wait(tmp_path / NAME, state_dir=tmp_path)


def test_check_tells_which_files_and_ports_belong_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text(KEY)
    entry = {"type": "OCTOPRINT", "url": "http://a", "authentication_file_path": "key", "mes_id": [1]}
    for port, page, taken in ((4841, True, [4841, 4850]), ("4841+", False, [4850])):
        opcua = {"port": port, "extra_ports": [4850]}
        sections = {"machines": [entry], "opcua": opcua, "http": {"enabled": page}}
        (tmp_path / NAME).write_text(json.dumps(sections))
        main(["check", "--json", "--config", str(tmp_path / NAME), "--state-dir", str(tmp_path)])
        report = json.loads(capsys.readouterr().out)
        assert report["files"] == [str(tmp_path / NAME), str(tmp_path / "key")]
        assert report["ports"] == taken
        assert (report["opcua_port"], report["http_port"]) == (4841, 8080 if page else None)


def test_a_link_that_leads_nowhere_is_no_missing_file(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigFileError, match="does not exist"):
        load_or_wait(tmp_path / NAME, state_dir=tmp_path)


def test_a_file_that_somebody_named_has_to_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = ["--config", str(tmp_path / NAME), "--state-dir", str(tmp_path)]
    assert main(["run", *named]) == ExitCode.CONFIG
    assert "does not exist" in capsys.readouterr().err


def test_only_the_file_of_an_installed_system_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Config] = []
    monkeypatch.setattr("edge_agent.cli.run.run_agent", lambda agent: asked.append(agent._config))
    assert run(config_path=tmp_path / NAME, state_dir=tmp_path, log_level="info", may_be_missing=True) is ExitCode.OK
    assert asked[0].missing


async def test_the_agent_says_what_it_waits_for_and_takes_the_file_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_module, "FILE_CHECK_S", 0.05)
    file = tmp_path / NAME
    agent = Agent(
        on_a_free_port(load_or_wait(file, state_dir=tmp_path)),
        state_dir=tmp_path,
        load=lambda: on_a_free_port(load(file, state_dir=tmp_path, remember=True)),
    )
    monkeypatch.setattr(watchdog, "_systemd", lambda: SimpleNamespace(notify=lambda _: None))
    endpoint: Any = SimpleNamespace(port=4840, ready=asyncio.Event(), open_to_all=False)
    endpoint.ready.set()
    serving = asyncio.ensure_future(agent._serve())
    try:
        await until(lambda: bool(config_status(agent)))
        assert agent._status_line(endpoint) == f"no configuration yet: put it in {file}, OPC UA on :4840"
        assert config_status(agent).endswith(f"no configuration yet: put it in {file}")
        file.write_text("{")
        await until(lambda: "refused: " in config_status(agent))
        assert agent._status_line(endpoint).startswith("config.json is refused, see: edge-agent check; 0 of 0 machines")
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            file.write_text(machines(f"http://127.0.0.1:{closed.getsockname()[1]}"))
            await until(lambda: len(agent.store.observations()) == 1)
        await until(lambda: "1 machines, reloaded" in config_status(agent))
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def config_status(agent: Agent) -> str:
    return agent.store.agent.config_status if agent.store.agent else ""


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - nothing tells of these
            await asyncio.sleep(0.02)
