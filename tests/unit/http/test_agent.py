"""The whole agent with its page: no secret in any answer, and nothing loaded where there is no page."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from msgspec.structs import replace as with_fields

from edge_agent.agent import Agent
from edge_agent.cli.demo import demo_config
from edge_agent.config import Config, load
from edge_agent.sinks.opcua.security.credentials import Credentials

from .test_site import PATHS

KEYS = ("0123456789ABCDEF0123456789ABCDEF", "FEDCBA9876543210FEDCBA9876543210")
PASSWORDS = ("first reader's password", "second reader's password")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def with_secrets(folder: Path, http_port: int) -> Config:
    """Two machines that nobody answers for, with a secret in every place that has room for one."""
    (folder / "key.txt").write_text(KEYS[1])
    (folder / "password.txt").write_text(PASSWORDS[1])
    machines = [
        {"type": "OCTOPRINT", "url": "http://127.0.0.1:9", "api_key": KEYS[0], "mes_id": [1], "custom_name": "One"},
        {"type": "OCTOPRINT", "url": "http://127.0.0.1:19", "authentication_file_path": "key.txt", "mes_id": [2]},
    ]
    users = [{"name": "scada", "password": PASSWORDS[0]}, {"name": "line", "password_file": "password.txt"}]
    sections = {
        "machines": machines,
        "opcua": {"bind": "127.0.0.1", "hostname": "127.0.0.1", "users": users},
        "http": {"bind": "127.0.0.1", "port": http_port},
    }
    (folder / "config.json").write_text(json.dumps(sections))
    config = load(folder / "config.json", state_dir=folder / "state", remember=True)
    return replace(config, opcua=with_fields(config.opcua, port=0))


@asynccontextmanager
async def running(agent: Agent, http_port: int) -> AsyncIterator[aiohttp.ClientSession]:
    serving = asyncio.ensure_future(agent._serve())
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{http_port}") as client:
            async with asyncio.timeout(30):
                while not await is_well(client):
                    if serving.done():
                        serving.result()
                    await asyncio.sleep(0.02)
            yield client
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def is_well(client: aiohttp.ClientSession) -> bool:
    try:
        async with client.get("/healthz") as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def test_no_secret_is_in_any_answer(tmp_path: Path) -> None:
    port = free_port()
    config = with_secrets(tmp_path, port)
    agent = Agent(config, state_dir=tmp_path / "state")
    told = b""
    async with running(agent, port) as client:
        machines = [entry.machine.id for entry in config.machines]
        of_machines = [f"{folder}/{machine}" for folder in ("/api/v1/machines", "/machines") for machine in machines]
        for path in (*PATHS, *of_machines):
            async with client.get(path) as answer:
                told += str(answer.headers).encode() + await answer.read()
        async with client.get("/api/v1/events") as answer:
            told += await answer.content.readuntil(b"event: agent")
            told += await answer.content.readuntil(b"\n\n")
    generated = [password.reveal() for password in Credentials(tmp_path / "state").passwords().values()]
    assert len(generated) == 2
    assert b"127.0.0.1:19" in told  # it did tell of them
    for secret in (*KEYS, *PASSWORDS, *generated):
        assert secret.encode() not in told


async def test_readers_come_and_go_with_a_reload_and_the_port_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    config = with_secrets(tmp_path, port)
    written = json.loads((tmp_path / "config.json").read_text())
    written["http"] |= {"users": [{"name": "wall", "password": "screen in the hall"}], "port": port + 1}

    def reloaded() -> Config:
        (tmp_path / "config.json").write_text(json.dumps(written))
        new = load(tmp_path / "config.json", state_dir=tmp_path / "state", remember=True)
        return replace(new, opcua=with_fields(new.opcua, port=0))

    agent = Agent(config, state_dir=tmp_path / "state", load=reloaded)
    async with running(agent, port) as client:
        with caplog.at_level(logging.WARNING):
            agent._reload_wanted.set()
            async with asyncio.timeout(10):
                while True:
                    async with client.get("/api/v1/agent") as answer:
                        if answer.status == 401:
                            break
                    await asyncio.sleep(0.02)
        assert "screen in the hall" in agent.secrets
    assert [record for record in caplog.records if "http.port" in record.getMessage()]


class Systemd:
    """Hears what the agent says of itself."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def notify(self, state: str) -> None:
        self.told.append(state)

    async def hears(self, pattern: str) -> None:
        async with asyncio.timeout(30):
            while not any(re.match(pattern, one) for one in self.told):  # noqa: ASYNC110 - a list tells nobody
                await asyncio.sleep(0.02)


async def test_without_its_port_there_is_an_agent_without_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd = Systemd()
    monkeypatch.setattr("edge_agent.watchdog._systemd", lambda: systemd)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        config = demo_config(printers=1, port=0, speed=1, http_port=other.getsockname()[1])
        running = asyncio.ensure_future(Agent(config, state_dir=tmp_path).run())
        await systemd.hears("READY=1")
        await systemd.hears(
            r"STATUS=1 of 1 machines reachable, OPC UA on :\d+;.* no status page: HTTP port \d+ is in use"
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_without_a_page_none_of_it_is_loaded(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path; from edge_agent.agent import Agent; "
        "from edge_agent.cli.demo import demo_config; "
        "agent = Agent(demo_config(printers=1, port=0, speed=1), state_dir=Path(sys.argv[1])); agent._page(None); "
        "print(sorted(name for name in sys.modules if name.startswith(('aiohttp.web', 'edge_agent.sinks.http'))))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = done.stdout.strip().strip("[]").replace("'", "").split(", ")
    rooms = [name for name in loaded if name.startswith("edge_agent")]
    assert rooms == ["edge_agent.sinks.http"] + [
        f"edge_agent.sinks.http.{room}" for room in ("about", "options", "setting_up")
    ]
    assert "aiohttp.web" not in loaded
