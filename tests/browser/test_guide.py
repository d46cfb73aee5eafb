"""The guide as a technician goes through it, in a real browser, with real OctoPrints: from nothing to a machine.

Somebody presses Allow through OctoPrint's own API, as its admin. No OctoPrint may be asked for more than three keys in
a minute: that is how many all tests ask for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.integration.octoprint import ADMIN, AGENT, SERIES, OctoPrintServer

from .visitor import PHONE, Chromium, Visitor
from .whole_agent import new_agent

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

PASSWORD = "the technician's own words"
one_is_enough = pytest.mark.parametrize("octoprint", SERIES[:1], indirect=True, scope="module")


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=SERIES, ids=lambda series: f"OctoPrint {series}")
async def octoprint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[OctoPrintServer]:
    async with OctoPrintServer(tmp_path_factory.mktemp("octoprint"), series=request.param) as server:
        yield server


async def set_password(visitor: Visitor) -> None:
    """The first to come sets it."""
    await visitor.open("/")
    await visitor.page.get_by_role("link", name="Set up").first.click()
    await visitor.page.get_by_label("New password", exact=True).fill(PASSWORD)
    await visitor.page.get_by_label("New password, once more").fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Set the password").click()
    await visitor.reads("main", "No printer is set up yet.")


async def ask_by_hand(visitor: Visitor, url: str, key: str = "") -> None:
    """By its address."""
    await visitor.page.get_by_role("link", name="Add a printer").first.click()
    await visitor.page.get_by_label("Address of OctoPrint").fill(url)
    await visitor.page.get_by_label("Key, if you have one").fill(key)
    await visitor.page.get_by_role("button", name="Go on").click()


async def decide(octoprint: OctoPrintServer, *, allow: bool) -> None:
    """Press Allow or Deny as OctoPrint's admin."""
    _, told = await octoprint.request("GET", "/api/plugin/appkeys")
    (pending,) = told["pending"]
    status, _ = await octoprint.request("POST", f"/plugin/appkeys/decision/{pending}", json={"decision": allow})
    assert status == 204


async def name_it(visitor: Visitor, name: str, mes_id: str) -> None:
    """Fill in the last form."""
    await visitor.page.get_by_label("Name", exact=True).fill(name)
    await visitor.page.get_by_label("MES instances").fill(mes_id)
    await visitor.page.get_by_role("button", name="Save").click()


def only_key(folder: Path) -> tuple[str, Path]:
    """What stands in the one key file, which nobody else may read, and which it is."""
    (file,) = (folder / "secrets").glob("*.key")
    assert file.stat().st_mode & 0o777 == 0o600
    return file.read_text().strip(), file


async def test_from_nothing_to_a_machine(browser: Chromium, octoprint: OctoPrintServer, tmp_path: Path) -> None:
    async with new_agent(tmp_path, announced=[octoprint.port]) as url, browser.window(url) as visitor:
        await set_password(visitor)
        await visitor.page.get_by_role("link", name="Add a printer").first.click()
        await visitor.reads("#found", f"Bench {octoprint.port}")
        await visitor.page.get_by_role("button", name="Ask it for a key").click()
        await visitor.reads("main", "Waiting for somebody to press Allow")
        assert await visitor.page.get_by_role("link", name=f"{octoprint.url}/plugin/appkeys/auth/").is_visible()
        await decide(octoprint, allow=True)
        await visitor.reads("main [role=status]", "OctoPrint has given a key")
        await visitor.reads("main", ADMIN)
        await visitor.reads("main", "The key may do more than the agent needs")
        await visitor.page.get_by_role("link", name="Go on with the key there is").click()
        await name_it(visitor, "Mark Zwei", "1, 7")
        await visitor.reads("main", "Saved.")
        key, file = only_key(tmp_path)
        assert key not in await visitor.page.content()
        written = json.loads((tmp_path / "config.json").read_text())
        (machine,) = written["machines"]
        assert (machine["url"], machine["custom_name"], machine["mes_id"]) == (octoprint.url, "Mark Zwei", [1, 7])
        assert tmp_path / machine["authentication_file_path"] == file
        assert key not in (tmp_path / "config.json").read_text()
        await visitor.page.get_by_role("link", name="See the machines").click()
        await visitor.reads("#tiles", "Mark Zwei")
        await visitor.reads("#tiles", "ready")


@one_is_enough
async def test_the_least_that_is_needed(browser: Chromium, octoprint: OctoPrintServer, tmp_path: Path) -> None:
    """Whoever follows the three lines has a key that can only read."""
    async with new_agent(tmp_path) as url, browser.window(url) as visitor:
        await set_password(visitor)
        await ask_by_hand(visitor, octoprint.url, octoprint.keys[AGENT])
        await visitor.reads("main", "The key may do no more than the agent needs.")
        await visitor.page.get_by_role("link", name="Go on", exact=True).click()
        await name_it(visitor, "Reader", "1")
        await visitor.reads("main", "Saved.")
        assert only_key(tmp_path)[0] == octoprint.keys[AGENT]


async def test_a_wrong_key_says_what_to_do(browser: Chromium, octoprint: OctoPrintServer, tmp_path: Path) -> None:
    async with new_agent(tmp_path) as url, browser.window(url) as visitor:
        await set_password(visitor)
        await ask_by_hand(visitor, octoprint.url, "W" * 32)
        told = await visitor.text("main .alarm")
        assert "key" in told
        assert len(told) > 60, told  # what is wrong, and what to do
        assert "W" * 32 not in await visitor.page.content()
        assert not (tmp_path / "config.json").exists()


async def test_nobody_there_says_what_to_do(browser: Chromium, tmp_path: Path) -> None:
    async with new_agent(tmp_path) as url, browser.window(url) as visitor:
        await set_password(visitor)
        await ask_by_hand(visitor, "http://127.0.0.1:9")
        assert "127.0.0.1:9" in await visitor.text("main .alarm")


async def test_a_denied_request_can_be_made_again(
    browser: Chromium, octoprint: OctoPrintServer, tmp_path: Path
) -> None:
    async with new_agent(tmp_path) as url, browser.window(url) as visitor:
        await set_password(visitor)
        await ask_by_hand(visitor, octoprint.url)
        await visitor.reads("main", "Waiting for somebody to press Allow")
        await decide(octoprint, allow=False)
        await visitor.page.get_by_role("button", name="Ask again").click()
        await visitor.reads("main", "Waiting for somebody to press Allow")
        await visitor.page.get_by_role("button", name="Cancel").click()
        await expect(visitor.page.get_by_label("Address of OctoPrint")).to_be_visible()


@one_is_enough
async def test_mistakes_in_the_form_stand_where_they_are(
    browser: Chromium, octoprint: OctoPrintServer, tmp_path: Path
) -> None:
    async with new_agent(tmp_path) as url, browser.window(url, size=PHONE) as visitor:
        await set_password(visitor)
        await ask_by_hand(visitor, octoprint.url, octoprint.keys[AGENT])
        await visitor.page.get_by_role("link", name="Go on", exact=True).click()
        await name_it(visitor, "Reader", "one")
        await visitor.reads("#mes_id-wrong", "numbers of the MES instances")
        assert await visitor.page.get_by_label("Name", exact=True).input_value() == "Reader"
        assert await visitor.page.get_attribute("#mes_id", "aria-invalid") == "true"
        assert await visitor.too_wide() == []
        assert await visitor.barriers() == []
        assert not (tmp_path / "config.json").exists()
        await name_it(visitor, "Reader", "1")
        await visitor.reads("main", "Saved.")


@one_is_enough
async def test_it_goes_without_a_script_and_in_german(
    browser: Chromium, octoprint: OctoPrintServer, tmp_path: Path
) -> None:
    async with (
        new_agent(tmp_path) as url,
        browser.window(url, language="de-DE", java_script_enabled=False) as visitor,
    ):
        await visitor.open("/setup")
        await visitor.page.get_by_label("Neues Passwort", exact=True).fill(PASSWORD)
        await visitor.page.get_by_label("Neues Passwort, noch einmal").fill(PASSWORD)
        await visitor.page.get_by_role("button", name="Passwort setzen").click()
        await visitor.page.get_by_role("link", name="Drucker hinzufügen").first.click()
        await visitor.page.fill("main [name=url] >> visible=true", octoprint.url)
        await visitor.page.fill("main [name=key] >> visible=true", octoprint.keys[AGENT])
        await visitor.page.get_by_role("button", name="Weiter").click()
        await visitor.page.get_by_role("link", name="Weiter", exact=True).click()
        await visitor.page.fill("[name=custom_name]", "Gerät №1")
        await visitor.page.fill("[name=mes_id]", "3")
        await visitor.page.get_by_role("button", name="Speichern").click()
        await visitor.reads("main", "Gespeichert.")
        await visitor.page.get_by_role("link", name="Zu den Maschinen").click()
        async with asyncio.timeout(15):
            while "Gerät №1" not in await visitor.text("main"):
                await visitor.page.reload()
