"""``edge-agent doctor``, as a person and a script use it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli import main
from edge_agent.cli.doctor.examination import CHECKS
from tests.double import KEY, OctoPrintDouble
from tests.unit.http.bench import Bench


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
