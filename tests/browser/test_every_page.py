"""What holds for every page: for whom cannot see, has no mouse, has a phone, reads German, or works in the dark."""

from __future__ import annotations

import pytest
from playwright.async_api import ViewportSize

from tests.unit.http.bench import Bench

from .hall import fill
from .visitor import PHONE, WALL, Chromium, Scheme

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ["/"]
every_page = pytest.mark.parametrize("path", PAGES)
NARROWEST = ViewportSize(width=320, height=600)
"""What is left of a screen 1280 pixels wide for somebody who needs everything four times as large."""


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
async def test_there_are_no_barriers(browser: Chromium, path: str, scheme: Scheme, language: str) -> None:
    bench = Bench()
    fill(bench)
    async with bench.running(), browser.window(bench.url, scheme=scheme, language=language) as visitor:
        await visitor.open(path)
        assert await visitor.page.get_attribute("html", "lang") == language[:2]
        assert await visitor.barriers() == []


@every_page
@pytest.mark.parametrize("size", [NARROWEST, PHONE, WALL], ids=lambda size: str(size["width"]))
async def test_nothing_sticks_out(browser: Chromium, path: str, size: ViewportSize) -> None:
    bench = Bench()
    fill(bench)
    async with bench.running(), browser.window(bench.url, size=size, language="de") as visitor:
        await visitor.open(path)
        assert await visitor.too_wide() == []


@every_page
async def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(browser: Chromium, path: str) -> None:
    bench = Bench()
    fill(bench)
    async with bench.running(), browser.window(bench.url) as visitor:
        await visitor.open(path)
        stops = await visitor.focus_walk()
        order = [stop["index"] for stop in stops]
        assert order == sorted(order)
        assert len(order) == await visitor.page.locator(_REACHABLE).count()
        assert [stop for stop in stops if stop["outline"] < 2 or not stop["seen"]] == []
        assert [stop for stop in stops if not stop["text"]] == []


_REACHABLE = ", ".join(
    f"{element}:visible"
    for element in ("a[href]", "button", "input:not([type=hidden])", "select", "textarea", "summary", "[tabindex='0']")
)
