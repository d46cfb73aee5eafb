"""Keys asked of real OctoPrint servers: Allow and Deny pressed by its admin, and what the agent makes of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from edge_agent.session import open_session
from edge_agent.setup.pairing import Pairings
from edge_agent.setup.room import app_name
from edge_agent.sinks.http.setting_up import Pairing, PairingState

from .agent import AgentProcess, free_port
from .octoprint import ADMIN, AGENT, NOBODY, SERIES, OctoPrintServer

pytestmark = pytest.mark.timeout(120)

KEYS = "/api/plugin/appkeys"


@pytest_asyncio.fixture(params=SERIES)
async def octoprint(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OctoPrintServer]:
    async with OctoPrintServer(tmp_path / "octoprint", series=request.param) as server:
        yield server


async def requested(octoprint: OctoPrintServer) -> tuple[str, str]:
    """The request that somebody has to decide on: its token, and the name it is made under."""
    async with asyncio.timeout(20):
        while True:
            status, body = await octoprint.request("GET", KEYS)
            assert status == 200, body
            for token, pending in body["pending"].items():
                return str(token), str(pending["app_id"])
            await asyncio.sleep(0.1)


async def decide(octoprint: OctoPrintServer, *, allow: bool, user: str = ADMIN) -> int:
    token, name = await requested(octoprint)
    assert name == app_name()
    path = f"/plugin/appkeys/decision/{token}"
    status, _ = await octoprint.request("POST", path, user=user, json={"decision": allow})
    return status


async def paired(octoprint: OctoPrintServer, *, allow: bool) -> Pairing:
    async with open_session() as session:
        pairings = Pairings(session, app=app_name())
        try:
            pairing = await pairings.pair(octoprint.url)
            assert pairing.state is PairingState.WAITING, pairing
            assert pairing.dialog_url.startswith(f"{octoprint.url}/plugin/appkeys/auth/")
            status, _ = await octoprint.request("GET", pairing.dialog_url.removeprefix(octoprint.url), user=None)
            assert status == 200  # the dialog, or the log-in before it
            assert await decide(octoprint, allow=allow) == 204
            return await pairings.settled(pairing.id) or pairing
        finally:
            await pairings.close()


async def test_what_admin_allows_is_more_than_needed_and_that_is_told(octoprint: OctoPrintServer) -> None:
    pairing = await paired(octoprint, allow=True)
    assert pairing.state is PairingState.GRANTED, pairing
    assert pairing.user == ADMIN
    assert pairing.version.startswith(f"OctoPrint {octoprint.series}.")
    assert pairing.more_than_needed
    assert {"STATUS", "PRINT", "CONTROL"} <= set(pairing.permissions)


async def test_what_admin_denies_is_told_as_that(octoprint: OctoPrintServer) -> None:
    pairing = await paired(octoprint, allow=False)
    assert (pairing.state, "Deny" in pairing.reason) == (PairingState.DENIED, True)


async def test_request_that_is_forgotten_is_gone_in_octoprint_seconds_later(octoprint: OctoPrintServer) -> None:
    async with open_session() as session:
        pairings = Pairings(session, app=app_name())
        pairing = await pairings.pair(octoprint.url)
        await requested(octoprint)
        await pairings.forget(pairing.id)
        async with asyncio.timeout(15):
            while (await octoprint.request("GET", KEYS))[1]["pending"]:  # noqa: ASYNC110 - OctoPrint's own timer
                await asyncio.sleep(0.2)


async def test_keys_that_are_typed_are_checked(octoprint: OctoPrintServer) -> None:
    """The least privilege way: an application key for a user with STATUS alone."""
    command = {"command": "generate", "app": "edge-agent", "user": AGENT}
    status, body = await octoprint.request("POST", KEYS, json=command)
    assert status == 200, body
    async with open_session() as session:
        pairings = Pairings(session, app=app_name())
        least = await pairings.pair(octoprint.url, str(body["api_key"]))
        assert (least.state, least.user) == (PairingState.GRANTED, AGENT)
        assert (least.permissions, least.more_than_needed) == (("STATUS",), False)
        wrong = await pairings.pair(octoprint.url, "0" * 43)
        assert (wrong.state, "does not know this key" in wrong.reason) == (PairingState.FAILED, True)
        weak = await pairings.pair(octoprint.url, octoprint.keys[NOBODY])
        assert (weak.state, "lacks the STATUS permission" in weak.reason) == (PairingState.FAILED, True)
        await pairings.close()


async def test_plugin_that_is_switched_off_is_told(tmp_path: Path) -> None:
    disabled = ["appkeys", "discovery", "softwareupdate", "announcements", "tracking", "errortracking", "backup"]
    async with OctoPrintServer(tmp_path / "octoprint", overlay={"plugins": {"_disabled": disabled}}) as server:
        async with open_session() as session:
            pairing = await Pairings(session, app=app_name()).pair(server.url)
        assert pairing.state is PairingState.FAILED
        assert "Application Keys is switched off" in pairing.reason


async def test_machine_that_was_paired_from_a_shell_appears_in_the_running_agent(
    octoprint: OctoPrintServer, tmp_path: Path
) -> None:
    agent = AgentProcess(tmp_path / "agent")
    page = free_port()
    agent.configure([], http={"port": page, "bind": "127.0.0.1"})
    async with agent:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent", "pair", octoprint.url, "--name", "Mark One", "--mes-id", "3", "--yes",
            "--config", str(agent.config_path), "--state-dir", str(agent.state_dir),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert await decide(octoprint, allow=True) == 204
        output, _ = await process.communicate()
        said = output.decode()
        assert process.returncode == 0, said
        key = (agent.folder / "secrets/mark-one.key").read_text().strip()
        assert len(key) > 30
        assert key not in said
        machine = await _appears(page, "mark-one")
        assert (machine["name"], machine["mes_ids"], machine["quality"]) == ("Mark One", [3], "good")
        assert key not in agent.log


async def _appears(page: int, machine_id: str) -> dict[str, Any]:
    """The machine on the agent's own page, as soon as it has answered."""
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{page}/api/v1/machines") as response:
                for machine in json.loads(await response.text())["machines"]:
                    if machine["id"] == machine_id and machine["quality"] == "good":
                        return dict(machine)
            await asyncio.sleep(0.2)
