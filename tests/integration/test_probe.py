"""``edge-agent check --probe`` and ``demo``, as a person runs them."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from .agent import AgentProcess, free_port, listens, machine
from .octoprint import ADMIN, AGENT, NOBODY, OctoPrintServer

pytestmark = pytest.mark.timeout(90)


async def edge_agent(*arguments: str) -> tuple[int, str]:
    """Run a command to its end: exit code, and everything it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge_agent", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def probe(agent: AgentProcess) -> tuple[int, dict[str, Any], str]:
    """Exit code, each machine's probe, and all that was printed."""
    where = ("--config", str(agent.config_path), "--state-dir", str(agent.state_dir))
    code, output = await edge_agent("check", "--probe", "--json", *where)
    return code, {entry["id"]: entry["probe"] for entry in json.loads(output)["machines"]}, output


async def test_a_probe_says_of_each_printer_what_is_right_or_wrong(tmp_path: Path) -> None:
    async with OctoPrintServer(tmp_path / "octoprint") as octoprint:
        agent = AgentProcess(tmp_path / "agent")
        # One printer by four names, since a file may name an address once.
        port = octoprint.port
        agent.configure(
            [
                machine(f"http://127.0.0.1:{port}", agent.secret("good", octoprint.keys[AGENT]), id="good"),
                machine(f"http://127.0.0.2:{port}", agent.secret("gone", octoprint.keys[AGENT]), id="elsewhere"),
                machine(f"http://localhost:{port}", agent.secret("weak", octoprint.keys[NOBODY]), id="weak"),
                machine(f"http://127.0.0.1:{free_port()}", agent.secret("dead", "k" * 32), id="dead"),
                machine(
                    f"http://ip6-localhost.localdomain.invalid:{port}", agent.secret("no", "k" * 32), id="nameless"
                ),
            ]
        )
        code, answers, output = await probe(agent)
        assert code == 69
        good = answers["good"]
        assert (good["reachable"], good["kind_ok"], good["key_ok"], good["permission_ok"]) == (True, True, True, True)
        assert good["server_version"].startswith("OctoPrint 1.")
        assert good["user"] == AGENT
        assert 0 < good["latency_s"] < 5
        assert (answers["weak"]["key_ok"], answers["weak"]["permission_ok"]) == (True, False)
        assert "lacks the STATUS permission" in answers["weak"]["problem"]
        assert answers["dead"]["reachable"] is False
        assert "refused" in answers["dead"]["problem"]
        assert "host name is unknown" in answers["nameless"]["problem"]
        for user in (ADMIN, AGENT, NOBODY):
            assert octoprint.keys[user] not in output


async def test_a_probe_of_good_printers_alone_ends_with_0(tmp_path: Path) -> None:
    async with OctoPrintServer(tmp_path / "octoprint", series="2") as octoprint:
        agent = AgentProcess(tmp_path / "agent")
        agent.configure([machine(octoprint.url, agent.secret("good", octoprint.keys[AGENT]), id="good")])
        code, answers, _ = await probe(agent)
        assert code == 0
        assert answers["good"]["problem"] == ""
        agent.secret("good", "0" * 32)
        code, answers, _ = await probe(agent)
        assert code == 69
        assert answers["good"]["key_ok"] is False


async def test_the_demo_tells_its_endpoint_serves_it_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge_agent", "demo", "--printers", "3", "--port", str(port),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode()
    assert f"opc.tcp://127.0.0.1:{port}" in first
    async with asyncio.timeout(30):
        while not await listens(port):  # noqa: ASYNC110 - another process's port
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    rest, _ = await process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in rest.decode()
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a look into an empty folder
