"""The tests' own eyes: each thing that no page may have is seen once it is there."""

from __future__ import annotations

import pytest

from tests.unit.http.bench import Bench

from .hall import fill
from .visitor import PHONE, Chromium, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

INLINE = "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.evil = 1'}))"
STRANGER = "document.body.append(Object.assign(document.createElement('img'), {src: 'http://192.0.2.1/a.png'}))"
WIDE = "document.querySelector('header').style.width = '400px'"
NO_FOCUS = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(':focus-visible { outline: none !important }');
  document.adoptedStyleSheets = [sheet];
}"""
BARRIERS = """() => {
  document.documentElement.removeAttribute('lang');
  document.querySelector('h1').style.color = '#ddd';
}"""


async def spoiled(visitor: Visitor, script: str) -> None:
    await visitor.open("/")
    visitor.well_behaved()
    await visitor.page.evaluate(script)


@pytest.mark.parametrize("script", [INLINE, STRANGER, "console.warn('?')", "setTimeout(() => { throw Error('?') })"])
async def test_what_the_console_says_is_heard(browser: Chromium, script: str) -> None:
    bench = Bench()
    async with bench.running(), browser.window(bench.url, forgiving=True) as visitor:
        await spoiled(visitor, script)
        await visitor.page.evaluate("new Promise((after) => setTimeout(after, 100))")
        assert visitor.errors
        assert await visitor.page.evaluate("window.evil") is None


async def test_what_is_too_wide_is_seen(browser: Chromium) -> None:
    bench = Bench()
    async with bench.running(), browser.window(bench.url, size=PHONE) as visitor:
        await spoiled(visitor, WIDE)
        assert len(await visitor.too_wide()) >= 2


async def test_a_barrier_is_found(browser: Chromium) -> None:
    bench = Bench()
    async with bench.running(), browser.window(bench.url) as visitor:
        await spoiled(visitor, BARRIERS)
        assert {"html-has-lang", "color-contrast"} <= {finding.rule for finding in await visitor.barriers()}


async def test_a_focus_that_cannot_be_seen_is_noticed(browser: Chromium) -> None:
    bench = Bench()
    fill(bench, 2)
    async with bench.running(), browser.window(bench.url) as visitor:
        await spoiled(visitor, NO_FOCUS)
        stops = await visitor.focus_walk()
        assert stops
        assert not [stop for stop in stops if stop["outline"]]
