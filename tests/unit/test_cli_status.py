"""``edge-agent status``, as a person and a script use it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.cli import main
from edge_agent.errors import ExitCode
from edge_agent.model import MachineState, MesStatus, Quality
from edge_agent.secret import Secret
from edge_agent.sinks.http.options import HttpUser
from tests.observations import PRINTING, observation
from tests.raw_server import saying
from tests.unit.http.bench import STATUS, Bench, observed


async def status(bench: Bench, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["status", "--url", bench.url, *arguments])


async def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.store.publish(observation())
    async with bench.running():
        assert await status(bench) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "edge-agent 1.2.3, for 0 s"
    assert "OPC UA        opc.tcp://pi:4840" in lines
    assert "Machines      1 of 1 reachable" in lines
    assert lines[-2].split() == ["MACHINE", "STATE", "MES", "FILE", "%", "LEFT", "REMARK"]
    assert lines[-1].split() == ["Mark", "One", "printing", "Running", "gear.gcode", "25%"]
    assert not [line for line in lines if line.startswith(("WARNING", "PROBLEM"))]


async def test_everybody_can_see_that_everybody_can_see(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.endpoint = replace(bench.endpoint, anonymous=True, warning="everybody gets in")
    async with bench.running():
        assert await status(bench) == ExitCode.OK  # it was wanted so, and a watching script has to be of use
    assert "WARNING       everybody gets in" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("more", "remark"),
    [
        ({"quality": Quality.NO_COMMUNICATION, "error": "no answer; check the host"}, "no answer; check the host"),
        ({"quality": Quality.WAITING, "snapshot": None, "error": "refused; is it on"}, "refused; is it on"),
        (
            {
                "snapshot": replace(PRINTING, state=MachineState.FAULT, error="Thermal runaway"),
                "mes_status": MesStatus.STOPPED,
            },
            "Thermal runaway",
        ),
    ],
)
async def test_a_machine_in_trouble_is_something_to_look_at(
    more: dict[str, Any], remark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench()
    bench.store.publish(observed(1, **more))
    async with bench.running():
        assert await status(bench) == int(ExitCode.ATTENTION)
    assert remark in capsys.readouterr().out


async def test_an_agent_in_trouble_is_something_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.health.register("journal", deadline_s=10)
    bench.store.publish_agent(replace(STATUS, config_refused=True))
    async with bench.running():
        bench.seconds = 11
        assert await status(bench) == ExitCode.ATTENTION
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("PROBLEM")]
    assert "journal made no progress for 11 s" in lines[0]
    assert "edge-agent check" in lines[1]


async def test_a_machine_that_has_just_been_started_is_no_trouble() -> None:
    bench = Bench()
    bench.store.publish(observed(1, snapshot=None, quality=Quality.WAITING))
    async with bench.running():
        assert await status(bench) == ExitCode.OK


async def test_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.store.publish(observation())
    async with bench.running():
        assert await status(bench, "--json") == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["agent"]["version"], [machine["id"] for machine in told["machines"]]) == ("1.2.3", ["mark-one"])


async def test_a_terminal_obeys_no_printer(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.store.publish(observed(1, error="\x1b[2J\x1b]0;owned\x07 gone", quality=Quality.NO_COMMUNICATION))
    async with bench.running():
        await status(bench)
    assert "\x1b" not in capsys.readouterr().out


async def test_port_and_password_come_from_the_configuration(tmp_path: Path) -> None:
    bench = Bench()
    bench.options = replace(bench.options, users=(HttpUser(name="wall", password=Secret("screen in the hall")),))
    async with bench.running():
        http = {"port": bench.sink.port, "users": [{"name": "wall", "password": "screen in the hall"}]}
        (tmp_path / "config.json").write_text(json.dumps({"machines": [], "http": http}))
        here = ["--config", str(tmp_path / "config.json"), "--state-dir", str(tmp_path)]
        assert await asyncio.to_thread(main, ["status", *here]) == ExitCode.OK


async def test_who_may_not_read_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.options = replace(bench.options, users=(HttpUser(name="wall", password=Secret("screen in the hall")),))
    async with bench.running():
        assert await status(bench) == ExitCode.UNAVAILABLE
    assert "http.users" in capsys.readouterr().err


def test_no_agent_is_69_and_says_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["status", "--url", "http://127.0.0.1:9"]) == ExitCode.UNAVAILABLE
    assert "no agent answers at http://127.0.0.1:9: Connection refused" in capsys.readouterr().err
    for wrong in ("ftp://a", "127.0.0.1:8080", "http://", "http://a:x"):
        assert main(["status", "--url", wrong]) == ExitCode.UNAVAILABLE
    (tmp_path / "config.json").write_text(json.dumps({"machines": [], "http": {"enabled": False}}))
    here = ["--config", str(tmp_path / "config.json"), "--state-dir", str(tmp_path)]
    assert main(["status", *here]) == ExitCode.UNAVAILABLE
    assert "http.enabled is false" in capsys.readouterr().err


async def test_what_answers_and_is_no_agent(capsys: pytest.CaptureFixture[str]) -> None:
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"SSH-2.0-OpenSSH\r\n", b""):
        async with saying(answer) as url:
            assert await asyncio.to_thread(main, ["status", "--url", url]) == ExitCode.UNAVAILABLE
        assert "agent" in capsys.readouterr().err
