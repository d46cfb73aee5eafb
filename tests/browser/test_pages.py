"""A machine's page, the agent's, and some of many machines, used as a person does."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from edge_agent.sinks.http.setting_up import Found
from tests.unit.http.person import PASSWORD

from .hall import Hall
from .machines import printing
from .visitor import Chromium

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "\"'><img src=/evil onerror='window.evil = 1'><script>window.evil = 2</script>"
NAMED = "printers.test"
"""A name that leads here by http, which a browser trusts less than 127.0.0.1."""


async def test_a_machines_page_follows_it(browser: Chromium, tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    async with hall.running(), browser.window(hall.url) as visitor:
        await visitor.open("/")
        await visitor.page.get_by_role("link", name="Machine 0", exact=True).click()
        await visitor.reads("h1", "Machine 0")
        await visitor.page.evaluate("window.still = true")
        hall.store.publish(printing(0, ratio=0.88))
        await visitor.reads("#now", "88 %")
        await visitor.reads("table.items", "Job/Progress")
        assert await visitor.page.evaluate("window.still")
        printers_own = visitor.page.get_by_role("link", name="Open the printer's own page")
        assert await printers_own.get_attribute("href") == "http://printer.local"


@pytest.mark.parametrize(
    ("name", "what", "text"),
    [("127.0.0.1", "Its certificate", "3f" * 32), (NAMED, "opc.tcp", "opc.tcp://pi:4840")],
    ids=["trusted", "as usual"],
)
async def test_what_an_integrator_needs_is_copied(
    browser: Chromium, tmp_path: Path, name: str, what: str, text: str
) -> None:
    hall = Hall(tmp_path)
    hall.options = replace(hall.options, hostnames=(NAMED,))
    async with hall.running():
        origin = f"http://{name}:{hall.sink.port}"
        # Reading the clipboard is the test's business, and only allowed at a trusted origin.
        async with (
            browser.window(origin) as visitor,
            browser.window(hall.url, permissions=["clipboard-read"]) as reader,
        ):
            await visitor.open("/agent")
            button = visitor.page.get_by_role("button", name=f"Copy: {what}")
            await button.click()
            await visitor.reads("#connect", "Copied")
            await reader.open("/agent")
            await reader.page.bring_to_front()
            assert await reader.page.evaluate("navigator.clipboard.readText()") == text


async def test_the_agents_page_tells_who_is_connected_and_what_is_wrong(browser: Chromium, tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    async with hall.running(), browser.window(hall.url) as visitor:
        await visitor.open("/agent")
        for text in (
            "opc.tcp://pi:4840", "MES line 1", "config.json:7:12: machines[1].url", "stopped by SIGTERM",
            "Raspberry Pi 4", "too low before",
        ):  # fmt: skip
            assert text in await visitor.text("main"), text


async def test_some_of_many_machines_are_found_and_followed(browser: Chromium, tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    async with hall.running(), browser.window(hall.url) as visitor:
        await visitor.open("/")
        tiles = visitor.page.locator("#tiles > li")
        assert await tiles.count() == 12
        await visitor.page.get_by_role("searchbox").fill("machine 1")
        await visitor.page.keyboard.press("Enter")
        await visitor.page.wait_for_url("**q=machine+1*")
        assert await tiles.count() == 3  # 1, 10 and 11
        await visitor.page.get_by_role("searchbox").fill("")
        await visitor.page.get_by_role("combobox").select_option("attention")
        await visitor.page.get_by_role("search").get_by_role("button").click()
        await visitor.page.wait_for_url("**show=attention*")
        before = await visitor.text("#tiles")
        assert "Machine 0" not in before
        assert "Machine 3" in before
        hall.store.publish(printing(3, ratio=0.01))
        await visitor.page.wait_for_selector("#m-machine-3", state="detached")
        await visitor.page.get_by_role("search").get_by_role("link").click()
        assert await tiles.count() == 12


async def test_a_wrong_key_is_told_with_its_remedy_in_the_readers_language(browser: Chromium, tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    async with hall.running():
        for language, words in (("en", "get a new one under Set up"), ("de", "unter Einrichten einen neuen holen")):
            async with browser.window(hall.url, language=language) as visitor:
                await visitor.open("/")
                assert words in await visitor.text("#m-machine-6")


async def test_who_is_about_to_ask_a_printer_stays_there_as_others_are_found(browser: Chromium, tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    await hall.set_password()
    async with hall.running(), browser.window(hall.url) as visitor:
        await visitor.open("/login")
        await visitor.page.get_by_label("Admin password").fill(PASSWORD)
        await visitor.page.keyboard.press("Enter")
        await visitor.page.wait_for_url("**/setup")
        await visitor.open("/setup/add")
        await visitor.page.focus("#found button")
        await visitor.page.get_by_label("Address of OctoPrint").evaluate("(field) => { field.value = 'http://half' }")
        another = Found(name="A new one", url="http://another.local")
        hall.guided.octoprints = (another, *hall.guided.octoprints)
        await visitor.reads("#found", "A new one")
        focused = await visitor.page.evaluate("document.activeElement.closest('li')?.innerText ?? 'nowhere'")
        assert "OctoPi in the corner" in focused
        assert await visitor.page.get_by_label("Address of OctoPrint").input_value() == "http://half"


async def test_what_printers_say_is_shown_and_never_done(browser: Chromium, tmp_path: Path) -> None:
    hall = Hall(tmp_path)
    await hall.set_password()
    hostile = printing(0, ratio=0.5)
    assert hostile.snapshot is not None
    job = replace(hostile.snapshot.job, file_name=EVIL, user=EVIL)
    machine = replace(hostile.machine, name=EVIL, identification=replace(hostile.machine.identification, location=EVIL))
    hall.store.publish(replace(hostile, machine=machine, snapshot=replace(hostile.snapshot, job=job, state_text=EVIL)))
    hall.guided.octoprints = (Found(name=EVIL, url="http://octopi.local", version=EVIL, model=EVIL),)
    async with hall.running(), browser.window(hall.url) as visitor:
        await visitor.open("/login")
        await visitor.page.get_by_label("Admin password").fill(PASSWORD)
        await visitor.page.keyboard.press("Enter")
        await visitor.page.wait_for_url("**/setup")
        for path in ("/", "/machines/machine-0", "/agent", "/setup/add", f"/?q={quote(EVIL)}"):
            await visitor.open(path)
            assert "<img src=/evil" in await visitor.text("main") or path.startswith("/?")
            assert await visitor.page.locator("main img").count() == 0
            assert await visitor.page.evaluate("window.evil") is None
        await visitor.open("/")
        hall.store.publish(printing(1, ratio=0.5))  # so that the script exchanges parts
        await visitor.reads("#m-machine-1", "50 %")
        assert await visitor.page.locator("main img").count() == 0
