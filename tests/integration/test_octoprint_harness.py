"""Whether the OctoPrint servers of the integration tests do what the tests tell them to."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.integration.octoprint import (
    ADMIN,
    AGENT,
    FAULT,
    IDLE,
    LEAVER,
    NOBODY,
    SERIES,
    OctoPrintError,
    OctoPrintServer,
    octoprint_venvs,
)
from tests.integration.printing import gcode


@pytest_asyncio.fixture(params=SERIES)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OctoPrintServer]:
    async with OctoPrintServer(tmp_path, series=request.param) as server:
        yield server


async def read(server: OctoPrintServer, path: str, user: str | None = AGENT) -> Any:
    status, body = await server.request("GET", path, user=user)
    assert status == 200, body
    return body


async def test_prints_from_idle_to_the_end(server: OctoPrintServer) -> None:
    assert (await read(server, "/api/version"))["server"].startswith(f"{server.series}.")
    await server.upload("short.gcode", gcode(2))
    await server.upload("long.gcode", gcode(60))

    await server.start_print("long.gcode")
    await server.wait_for_state("Printing")
    await server.pause()
    await server.wait_for_state("Paused")
    await server.resume()
    await server.wait_for_state("Printing")
    await server.cancel()
    await server.wait_for_state(IDLE)
    assert (await read(server, "/api/job"))["progress"]["completion"] is None

    started = time.monotonic()
    await server.start_print("short.gcode")
    await server.wait_for_state("Printing")
    await server.wait_for_state(IDLE)
    assert 1.5 < time.monotonic() - started < 6
    assert (await read(server, "/api/job"))["progress"]["completion"] == 100
    assert (await server.wait_for_heaters("tool0", "bed"))["tool0"]["target"] == 205


async def test_breaks_and_recovers(server: OctoPrintServer) -> None:
    await server.upload("long.gcode", gcode(60))
    await server.start_print("long.gcode")
    await server.wait_for_state("Printing")

    await server.firmware_fault()
    await server.wait_for_state(FAULT)
    assert (await server.request("GET", "/api/printer", user=AGENT))[0] == 409
    error = (await read(server, "/api/job"))["error"]
    # Series 2 loses the text.
    assert error is None if server.series == "2" else "Thermal Runaway" in error

    await server.connect()
    await server.wait_for_state(IDLE)
    await server.drop_serial()
    await server.wait_for_state(FAULT)

    await server.connect()
    await server.wait_for_state(IDLE)
    await server.silence_printer()
    await server.wait_for_state(FAULT, timeout_s=30)

    await server.connect()
    await server.wait_for_state(IDLE)
    await server.disconnect()
    await server.wait_for_state("Offline")


async def test_lets_in_whom_it_should(server: OctoPrintServer) -> None:
    async def answers(user: str | None) -> tuple[int, Any]:
        status, _ = await server.request("GET", "/api/job", user=user)
        return status, (await read(server, "/api/currentuser", user))["name"]

    assert await answers(ADMIN) == (200, ADMIN)
    assert await answers(AGENT) == (200, AGENT)
    assert await answers(NOBODY) == (403, NOBODY)
    assert await answers("an unknown key") == (403, None)
    assert await answers(None) == (403, None)
    assert (await server.request("POST", "/api/job", user=AGENT, json={"command": "cancel"}))[0] == 403

    assert await answers(LEAVER) == (200, LEAVER)
    await server.deactivate_user(LEAVER)
    assert await answers(LEAVER) == (403, LEAVER)
    await server.activate_user(LEAVER)
    assert await answers(LEAVER) == (200, LEAVER)
    await server.revoke_key(LEAVER)
    assert await answers(LEAVER) == (403, None)
    await server.issue_key(LEAVER)
    assert await answers(LEAVER) == (200, LEAVER)


async def test_hangs_dies_and_comes_back(server: OctoPrintServer) -> None:
    server.freeze()
    with pytest.raises(TimeoutError):
        await server.request("GET", "/api/version", timeout=aiohttp.ClientTimeout(total=0.5))
    server.thaw()
    await read(server, "/api/version")

    await server.restart()
    await read(server, "/api/version")

    await server.kill()
    with pytest.raises(aiohttp.ClientConnectorError):
        await read(server, "/api/version")
    await server.start()
    assert await server.state_text() == IDLE

    server.freeze()  # and is stopped all the same


@pytest.mark.parametrize("series", SERIES)
async def test_lingers_and_has_the_heaters_asked_for(series: str, tmp_path: Path) -> None:
    async with OctoPrintServer(tmp_path, series=series, linger_s=1, extruders=3, chamber=True) as server:
        await server.upload("short.gcode", gcode(1))
        await server.start_print("short.gcode")
        for state in ("Starting", "Printing", "Finishing", IDLE):
            await server.wait_for_state(state)
        await server.wait_for_heaters("tool0", "tool1", "tool2", "bed", "chamber")
        await server.upload("long.gcode", gcode(60))
        await server.start_print("long.gcode")
        await server.wait_for_state("Printing")
        await server.pause()
        for state in ("Pausing", "Paused"):
            await server.wait_for_state(state)
        await server.resume()
        for state in ("Resuming", "Printing"):
            await server.wait_for_state(state)
        await server.cancel()
        for state in ("Cancelling", IDLE):
            await server.wait_for_state(state)


async def test_tells_what_ended_it(tmp_path: Path) -> None:
    async with OctoPrintServer(tmp_path / "first") as first:
        second = OctoPrintServer(tmp_path / "second")
        second.port = first.port
        with pytest.raises(OctoPrintError, match=r"(?s)ended while starting.*in use"):
            await second.start()


def test_missing_venvs_name_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_AGENT_CACHE", str(tmp_path))
    with pytest.raises(OctoPrintError, match="scripts/install-octoprint"):
        octoprint_venvs()
