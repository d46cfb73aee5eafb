"""``edge-agent doctor``, as a person and a script use it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli import main
from edge_agent.cli.doctor import leave
from edge_agent.cli.doctor.examination import CHECKS
from edge_agent.cli.doctor.patient import Aside
from edge_agent.errors import ExitCode
from tests.double import KEY, OctoPrintDouble
from tests.unit.http.bench import Bench


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that is late ends the process at once: not this one."""
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail(f"it would have ended at once, with {code}"))


def config(folder: Path, **more: Any) -> list[str]:
    """Writes config.json; gives the arguments that name it."""
    (folder / "config.json").write_text(json.dumps({"machines": []} | more))
    (folder / "config.json").chmod(0o600)
    return ["--config", str(folder / "config.json"), "--state-dir", str(folder / "state")]


async def doctor(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["doctor", *arguments])


async def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a printer and the page of an agent, which stand for the real ones."""
    bench = Bench()
    async with OctoPrintDouble() as octoprint, bench.running():
        machine = {"type": "OCTOPRINT", "url": octoprint.url, "authentication_file_path": KEY, "mes_id": [1]}
        page = {"port": bench.sink.port, "bind": "127.0.0.1"}
        named = config(tmp_path, machines=[machine], http=page, opcua={"port": 1, "bind": "127.0.0.1"})
        began = time.monotonic()
        code = await doctor(*named, "--json")
        assert time.monotonic() - began < 15
    told = json.loads(capsys.readouterr().out)
    assert [check["title"] for check in told["checks"]] == [check.title for check in CHECKS]
    found = {check["title"]: [finding["level"] for finding in check["findings"]] for check in told["checks"]}
    assert found["configuration"] == ["ok"]
    assert found["printers"] == ["ok"]
    assert found["status page"] == ["ok"]
    assert found["agent"] == ["look", "ok"]  # it is of version 1.2.3
    assert code == told["exit_code"] == 1


async def test_a_configuration_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await doctor(*config(tmp_path, machines=3)) == 78
    page = capsys.readouterr().out
    assert page.startswith("configuration  BAD   ")
    assert "-> " in page
    assert KEY not in page


def test_it_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = config(tmp_path)
    before = set(tmp_path.rglob("*"))
    main(["doctor", *named])
    assert set(tmp_path.rglob("*")) == before
    assert "config.json: 0 machines" in capsys.readouterr().out


def test_a_name_service_that_hangs_does_not_keep_it(tmp_path: Path) -> None:
    """Neither within a check nor at the end of the process, which would wait for its threads."""
    machine = {"type": "OCTOPRINT", "url": "http://printer.example", "authentication_file_path": KEY, "mes_id": [1]}
    named = config(tmp_path, machines=[machine], http={"port": 2, "bind": "127.0.0.1"}, opcua={"port": 1})
    program = f"""
import socket, sys, time
from edge_agent.cli import main
from edge_agent.cli.doctor import printers
known = socket.getaddrinfo
asked = []
def getaddrinfo(host, *more, **options):
    if host != "printer.example":
        return known(host, *more, **options)
    asked.append(host)
    if len(asked) == 1:
        return known("127.0.0.1", 9)
    time.sleep(300)
socket.getaddrinfo = getaddrinfo
printers._PROBE_S = 0.5
sys.exit(main({["doctor", *named]!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=45, check=False)
    assert done.returncode == 1, done
    assert "printer-example-80: no answer in 0.5 s" in done.stdout
    assert done.stdout.endswith("could not be seen\n")


def test_whoever_else_has_threads_goes_on() -> None:
    release = threading.Event()
    other = threading.Thread(target=release.wait)
    other.start()
    assert leave(ExitCode.OK, before=set(threading.enumerate())) is ExitCode.OK
    release.set()
    other.join()


def test_what_is_asked_aside_is_waited_for_only_so_long() -> None:
    release = threading.Event()
    asked = Aside(lambda: release.wait(30) and "late")
    assert asked.result(time.monotonic() + 0.05, otherwise="never") == "never"
    release.set()
    assert asked.result(time.monotonic() + 10, otherwise="never") == "late"
