"""The whole agent with simulated printers, looked at for a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from .visitor import Chromium
from .whole_agent import demo

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_demo_prints_before_ones_eyes(browser: Chromium, tmp_path: Path) -> None:
    async with demo(tmp_path) as url, browser.window(url) as visitor:
        await visitor.open("/")
        assert await visitor.page.locator(".tile").count() == 6
        before = await visitor.text("#tiles")
        await visitor.page.evaluate("window.still = true")
        await visitor.changes("#tiles", before)
        assert await visitor.page.evaluate("window.still")
