"""A changed file: machines come, go and change, and no client's session notices more than that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.double import KEY, OctoPrintDouble

from .agent import AgentProcess, machine
from .endpoint import Endpoint

pytestmark = pytest.mark.timeout(60)


@pytest_asyncio.fixture
async def agent(tmp_path: Path) -> AgentProcess:
    return AgentProcess(tmp_path / "agent")


@pytest_asyncio.fixture
async def left() -> AsyncIterator[OctoPrintDouble]:
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.idle()
        yield octoprint


@pytest_asyncio.fixture
async def right() -> AsyncIterator[OctoPrintDouble]:
    async with OctoPrintDouble() as octoprint:
        octoprint.printer.print(0.5)
        yield octoprint


async def test_machines_come_and_go_in_a_session_that_stays(
    agent: AgentProcess, left: OctoPrintDouble, right: OctoPrintDouble
) -> None:
    secret = agent.secret("key", KEY)
    one, two = machine(left.url, secret, custom_name="Left"), machine(right.url, secret, custom_name="Right")
    agent.configure([one])
    async with agent, Endpoint(agent) as mes:
        await mes.watch("left")
        await mes.until("left/MesStatus", "Idle")
        connections = left.connections

        agent.configure([two, one])  # the agent sees the changed file by itself
        async with Endpoint(agent) as other:
            await _appears(other, "right")
            await other.watch("right")
            await other.until("right/MesStatus", "Running")
        assert left.connections == connections  # the unchanged machine was not even reconnected

        agent.configure([two])
        agent.reload()
        await mes.until("left/MesStatus", None, status="BadNodeIdUnknown")
        assert await mes.machine_ids() == ["right"]

        agent.configure([one, two])
        agent.reload()
        await _appears(mes, "left")
        assert (await mes.read("left/MesStatus")) is not None


async def test_a_bad_file_is_refused_and_the_old_one_stays_in_force(agent: AgentProcess, left: OctoPrintDouble) -> None:
    agent.configure([machine(left.url, agent.secret("key", KEY), custom_name="Left")])
    async with agent, Endpoint(agent) as mes:
        await mes.watch("left")
        await mes.until("left/MesStatus", "Idle")
        agent.config_path.write_text('{"machines": [{"type": "OCTOPRINT", "url": "ftp://x", "mes_id": [1]}]}')
        agent.reload()
        await mes.watch("Agent")
        await mes.until("Agent/ConfigStatus", lambda text: "refused" in text and ":1:15: machines[0]" in text)
        left.printer.print(0.1)
        await mes.until("left/MesStatus", "Running")
        assert "refused, the old one stays in force" in agent.log


async def test_a_renamed_machine_keeps_its_nodes_and_shows_its_new_name(
    agent: AgentProcess, left: OctoPrintDouble
) -> None:
    secret = agent.secret("key", KEY)
    agent.configure([machine(left.url, secret, custom_name="Left")])
    async with agent, Endpoint(agent) as mes:
        await mes.watch("left")
        await mes.until("left/MesStatus", "Idle")
        agent.configure([machine(left.url, secret, custom_name="Far left", mes_id=[7])])
        agent.reload()
        await mes.until("left/MesIds", [7])
        root = mes.client.get_node(await mes.node_id("left"))
        assert (await root.read_display_name()).Text == "Far left"


async def test_ids_namespaces_and_nodes_survive_a_power_cut_and_another_order(
    agent: AgentProcess, left: OctoPrintDouble, right: OctoPrintDouble
) -> None:
    secret = agent.secret("key", KEY)
    one, two = machine(left.url, secret, custom_name="Left"), machine(right.url, secret, custom_name="Right")
    agent.configure([one, two])
    await agent.start()
    async with Endpoint(agent) as mes:
        namespaces = await mes.client.get_namespace_array()
        assert await mes.machine_ids() == ["left", "right"]
    await agent.kill()
    agent.configure([two, {**one, "custom_name": "Renamed"}])
    async with agent, Endpoint(agent) as mes:
        assert await mes.client.get_namespace_array() == namespaces
        assert sorted(await mes.machine_ids()) == ["left", "right"]


async def test_a_port_in_use_ends_the_agent_with_69_and_a_sentence(agent: AgentProcess, left: OctoPrintDouble) -> None:
    agent.configure([machine(left.url, agent.secret("key", KEY))])
    other = AgentProcess(agent.folder / "other")
    other.port = agent.port
    other.configure([machine(left.url, other.secret("key", KEY))])
    async with agent:
        assert await other.exit_code() == 69
        assert f"OPC UA port {agent.port} is in use" in other.log
        assert "Traceback" not in other.log


async def test_a_bad_configuration_at_the_start_ends_the_agent_with_78(agent: AgentProcess) -> None:
    agent.config_path.write_text("[{]")
    assert await agent.exit_code() == 78
    assert f"{agent.config_path}:1:" in agent.log
    assert "Traceback" not in agent.log


async def test_a_state_folder_that_cannot_be_used_ends_the_agent_with_69_and_a_sentence(
    agent: AgentProcess, left: OctoPrintDouble
) -> None:
    agent.configure([machine(left.url, agent.secret("key", KEY))])
    agent.state_dir.write_text("a file in its place")
    assert await agent.exit_code() == 69
    assert f"state folder {agent.state_dir}" in agent.log
    assert "Traceback" not in agent.log


async def test_sigterm_ends_the_agent_with_0(agent: AgentProcess, left: OctoPrintDouble) -> None:
    agent.configure([machine(left.url, agent.secret("key", KEY))])
    await agent.start()
    assert await agent.stop() == 0
    assert "Traceback" not in agent.log


async def _appears(mes: Endpoint, machine_id: str) -> None:
    """Wait for a machine below ``Objects/Machines``; there is no event for it yet."""
    async with asyncio.timeout(10):
        while machine_id not in await mes.machine_ids():  # noqa: ASYNC110 - nothing tells an OPC UA client yet
            await asyncio.sleep(0.1)
