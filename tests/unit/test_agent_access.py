"""The whole agent: everybody can see that everybody can see."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent import watchdog
from edge_agent.agent import Agent
from edge_agent.cli.demo import demo_config
from edge_agent.config import Config
from edge_agent.sinks.opcua.options import OPEN_TO_ALL
from edge_agent.sinks.opcua.security.credentials import Credentials


def config(*, anonymous: bool) -> Config:
    made = demo_config(printers=1, port=4840, speed=1)
    options = replace(made.opcua, port=0, anonymous=anonymous, mes_ids=frozenset({1}))
    return Config(machines=made.machines, opcua=options, http=made.http, polling=made.polling, states=made.states)


async def told(systemd: socket.socket, wanted: str) -> str:
    """The first message that begins so."""
    async with asyncio.timeout(20):
        while True:
            message = (await asyncio.get_running_loop().sock_recv(systemd, 4096)).decode()
            if message.startswith(wanted):
                return message


async def test_an_endpoint_that_is_open_to_all_is_told_of_in_every_status_until_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setattr(watchdog, "_STATUS_EVERY_S", 0.1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        notifier: Any = watchdog._systemd()
        monkeypatch.setattr(watchdog, "_systemd", lambda: notifier)
        agent = Agent(config(anonymous=True), state_dir=tmp_path, load=lambda: config(anonymous=False))
        serving = asyncio.ensure_future(agent._serve())
        try:
            await told(systemd, "READY=1")
            assert (await told(systemd, "STATUS=")).endswith(f"; {OPEN_TO_ALL}")
            assert agent.store.agent is not None
            assert agent.store.agent.config_status.endswith(f" 1 machines; {OPEN_TO_ALL}")
            agent._reload_wanted.set()
            while OPEN_TO_ALL in (status := await told(systemd, "STATUS=")):
                pass
            assert "OPC UA on :" in status
            while "reloaded" not in agent.store.agent.config_status:
                await told(systemd, "STATUS=")
            assert OPEN_TO_ALL not in agent.store.agent.config_status
        finally:
            serving.cancel()
            await asyncio.wait([serving])
            notifier.socket.close()
    assert list(Credentials(tmp_path).hashes()) == ["mes-1"]


def test_the_demo_is_open_on_loopback_only_and_makes_no_passwords() -> None:
    options = demo_config(printers=1, port=4840, speed=1).opcua
    assert (options.bind, options.anonymous, options.mes_ids) == ("127.0.0.1", True, frozenset())
