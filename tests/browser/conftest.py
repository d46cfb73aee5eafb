"""One browser for all tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import async_playwright

from .visitor import Chromium, chromium


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Chromium]:
    async with async_playwright() as playwright, chromium(playwright) as started:
        yield started
