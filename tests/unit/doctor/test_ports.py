"""Both ports: the agent answers, nobody does, somebody else does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge_agent.cli.doctor.finding import Finding, Level
from edge_agent.cli.doctor.patient import Patient
from edge_agent.cli.doctor.ports import holder, opcua_ports, page_port
from edge_agent.sinks.http.report import EndpointReport
from tests.endpoint import DEVICE, Bench
from tests.raw_server import saying
from tests.unit.doctor.patients import UNIT, agent, only, patient

_STOPPED = UNIT | {"ActiveState": "inactive"}


def _patient(folder: Path, port: int, *, runs: bool = True) -> Patient:
    settings = {"opcua": {"port": port, "bind": "127.0.0.1"}, "http": {"port": port, "bind": "127.0.0.1"}}
    (folder / "config.json").write_text(json.dumps({"machines": [], "opcua": settings["opcua"]}))
    if not (folder / "state").exists():
        (folder / "state").mkdir()
        (folder / "state" / "device-uuid").write_text(f"{DEVICE}\n")
    return patient(folder, agent=None, silence="no agent answers", unit=UNIT if runs else _STOPPED)


async def _asked(check: Callable[[Patient], Iterator[Finding]], whom: Patient) -> Finding:
    found = await asyncio.to_thread(lambda: only(check(whom)))
    for _ in range(10):  # who was asked sees the end of the connection, before its loop ends
        await asyncio.sleep(0)
    return found


@contextmanager
def _free_port() -> Iterator[int]:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_the_agent_answers(tmp_path: Path) -> None:
    async with Bench(tmp_path / "pki-of-it").running() as bench:
        whom = _patient(tmp_path, bench.sink.port)
        found = await _asked(opcua_ports, whom)
        assert found.level is Level.OK, found
        (tmp_path / "state" / "device-uuid").unlink()  # not ours to read
        assert (await _asked(opcua_ports, whom)).level is Level.OK
        (tmp_path / "state" / "device-uuid").write_text("22222222-2222-3333-4444-555555555555")
        other = await _asked(opcua_ports, whom)
        assert other.level is Level.BAD  # another agent is another program
        assert "another program answers there" in other.text


async def test_another_program_has_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.cli.doctor.ports._ANSWER_S", 0.5)
    async with saying(b"HTTP/1.1 200 OK\r\n\r\nhello, and what would you like to know") as url:
        whom = _patient(tmp_path, int(url.rpartition(":")[2]))
        found = await _asked(opcua_ports, whom)
    assert found.level is Level.BAD
    assert f"pid {os.getpid()}" in found.text
    assert "opcua.port" in found.remedy


async def test_nobody_has_the_port(tmp_path: Path) -> None:
    with _free_port() as port:
        assert (await _asked(opcua_ports, _patient(tmp_path, port))).level is Level.BAD
        free = await _asked(opcua_ports, _patient(tmp_path, port, runs=False))
    assert (free.level, free.text) == (Level.OK, f"port {port} (OPC UA) is free; the agent does not run")


async def test_an_endpoint_that_waits(tmp_path: Path) -> None:
    waits = agent(endpoint=EndpointReport(urls=(), open=False, anonymous=False, certificate_sha256=None))
    assert (await _asked(opcua_ports, patient(tmp_path, agent=waits))).level is Level.BAD


async def test_the_port_that_the_agent_found_free(tmp_path: Path) -> None:
    """``"4840+"``: it says itself which one it took."""
    async with Bench(tmp_path / "pki-of-it").running() as bench:
        _patient(tmp_path, 1)
        urls = (f"opc.tcp://pi:{bench.sink.port}",)
        took = agent(endpoint=EndpointReport(urls=urls, open=True, anonymous=False, certificate_sha256=None))
        assert (await _asked(opcua_ports, patient(tmp_path, agent=took))).level is Level.OK


def _page(folder: Path, **options: object) -> None:
    (folder / "config.json").write_text(json.dumps({"machines": [], "http": {"bind": "127.0.0.1"} | options}))


async def test_the_page(tmp_path: Path) -> None:
    _page(tmp_path, enabled=False)
    assert (await _asked(page_port, patient(tmp_path, agent=None))).level is Level.OK
    _page(tmp_path)
    assert (await _asked(page_port, patient(tmp_path))).level is Level.OK
    with _free_port() as port:
        _page(tmp_path, port=port)
        assert (await _asked(page_port, patient(tmp_path, agent=None))).level is Level.BAD
        stopped = patient(tmp_path, agent=None, unit=_STOPPED)
        assert (await _asked(page_port, stopped)).level is Level.OK


async def test_a_webcam_has_the_pages_port(tmp_path: Path) -> None:
    async with saying(b"HTTP/1.1 200 OK\r\n\r\nmjpg") as url:
        _page(tmp_path, port=int(url.rpartition(":")[2]))
        found = await _asked(page_port, patient(tmp_path, agent=None, silence="what answers is no agent"))
        assert (found.level, "http.port" in found.remedy) == (Level.LOOK, True)
        assert f"pid {os.getpid()}" in found.text
        closed = patient(tmp_path, agent=None, silence="x: only users may read it; run this as root on that computer")
        assert (await _asked(page_port, closed)).level is Level.UNSEEN


def test_whose_port_it_is() -> None:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert holder(port) == ""
        listening.listen()
        assert holder(port).endswith(f", pid {os.getpid()}")
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            assert holder(client.getsockname()[1]) == ""  # who is connected from a port does not hold it


def test_no_proc(tmp_path: Path) -> None:
    assert holder(4840, proc=tmp_path) == ""
