"""Each printer, as the doctor asks it: against doubles on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli.doctor.finding import Finding, Level
from edge_agent.cli.doctor.patient import Patient, Reading
from edge_agent.cli.doctor.printers import look_up, printers
from edge_agent.cli.probe import probe
from tests.double import KEY, OctoPrintDouble, User
from tests.unit.doctor.patients import levels, one, only, patient


def _patient(folder: Path, *urls: str, key: str = KEY) -> Patient:
    machines = [
        {"type": "OCTOPRINT", "url": url, "custom_name": f"M{number}", "authentication_file_path": key, "mes_id": [1]}
        for number, url in enumerate(urls)
    ]
    (folder / "config.json").write_text(json.dumps({"machines": machines}))
    return patient(folder, probe=probe)


async def _examined(whom: Patient) -> list[Finding]:
    return await asyncio.to_thread(lambda: list(printers(whom)))


async def test_a_printer_that_is_well(tmp_path: Path) -> None:
    async with OctoPrintDouble() as octoprint:
        found = only(await _examined(_patient(tmp_path, octoprint.url)))
    assert found.level is Level.OK
    assert found.text.startswith("m0: OctoPrint 1.11.8 answers in ")
    assert found.text.endswith(" ms, key of 'agent'")


async def test_a_key_that_may_more_than_it_need(tmp_path: Path) -> None:
    """Advice only: it works, and is so at most places."""
    async with OctoPrintDouble() as octoprint:
        octoprint.users[KEY] = User(permissions=("STATUS", "WEBCAM", "PRINT", "CONTROL", "ADMIN", "SYSTEM", "SETTINGS"))
        found = await _examined(_patient(tmp_path, octoprint.url))
    assert levels(found) == [Level.OK, Level.OK]
    assert found[1].text == "m0: the key may do more than read: ADMIN, CONTROL, PRINT, SETTINGS and 1 more"
    assert "STATUS" in found[1].remedy


async def test_an_octoprint_that_does_not_tell_permissions(tmp_path: Path) -> None:
    async with OctoPrintDouble("1.3.6") as octoprint:
        assert levels(await _examined(_patient(tmp_path, octoprint.url))) == [Level.OK]


async def test_a_wrong_key(tmp_path: Path) -> None:
    wrong = "FEDCBA9876543210FEDCBA9876543210"
    async with OctoPrintDouble() as octoprint:
        found = only(await _examined(_patient(tmp_path, octoprint.url, key=wrong)))
    assert found.level is Level.BAD
    assert "does not know the API key" in found.text
    assert found.remedy == "put a valid one in the secret file"
    assert wrong not in str(found)


async def test_the_dead_do_not_keep_the_living_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.cli.doctor.printers._PROBE_S", 1.0)
    async with OctoPrintDouble() as well, OctoPrintDouble() as hanging:
        hanging.hang()
        found = await _examined(_patient(tmp_path, "http://127.0.0.1:9", hanging.url, well.url))
    assert levels(found) == [Level.BAD, Level.BAD, Level.OK]
    assert "connection refused" in found[0].text
    assert found[1].text == "m1: no answer in 1 s"


def _unknown(*_: object, **__: object) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_that_nobody_knows_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whom = _patient(tmp_path, "http://octopi.local")
    monkeypatch.setattr(socket, "getaddrinfo", _unknown)
    found = only(printers(whom))
    assert found.level is Level.BAD
    assert found.text == "m0: the name octopi.local has no address (Name or service not known)"
    assert "libnss-mdns" in found.remedy


def test_a_name_service_that_does_not_answer_costs_its_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30))
    try:
        found = look_up({"one", "two", "127.0.0.1", "::1"}, limit_s=0.2)
    finally:
        release.set()
    assert found == dict.fromkeys(("one", "two"), "no answer from the name service in 0.2 s")


def test_no_printers(tmp_path: Path) -> None:
    assert only(printers(_patient(tmp_path))).level is Level.UNSEEN
    assert only(printers(patient(tmp_path, reading=Reading()))).level is Level.UNSEEN


async def test_a_slow_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.cli.doctor.printers._SLOW_S", 0.0)
    async with OctoPrintDouble() as octoprint:
        assert one(await _examined(_patient(tmp_path, octoprint.url)), Level.LOOK).remedy
