"""What holds for every page: for whom cannot see, has no mouse, has a phone, reads German, or works in the dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from msgspec import Struct
from playwright.async_api import ViewportSize

from edge_agent.sinks.http.setting_up import Complaint
from tests.unit.http.person import PASSWORD

from .hall import Hall
from .visitor import PHONE, WALL, Chromium, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Place(Struct, frozen=True, kw_only=True):
    """A page. ``inside`` is only for who is logged in; ``new`` has no password yet; ``typed`` is sent with its form."""

    path: str
    inside: bool = False
    new: bool = False
    typed: dict[str, str] = {}


PLACES = {
    "machines": Place(path="/"),
    "some-machines": Place(path="/?show=attention&q=hall"),
    "no-machines": Place(path="/?q=there+is+none"),
    "printing": Place(path="/machines/machine-0"),
    "switched-off": Place(path="/machines/machine-2"),
    "fault": Place(path="/machines/machine-3"),
    "unreachable": Place(path="/machines/machine-5"),
    "agent": Place(path="/agent"),
    "log-in": Place(path="/login"),
    "wrong-password": Place(path="/login", typed={"password": "wrong"}),
    "first-password": Place(path="/password", new=True),
    "short-password": Place(path="/password", new=True, typed={"new": "short", "again": "shorter"}),
    "change-password": Place(path="/password", inside=True),
    "set-up": Place(path="/setup", inside=True),
    "add": Place(path="/setup/add", inside=True),
    "waiting": Place(path="/setup/pairing?id=waiting", inside=True),
    "granted": Place(path="/setup/pairing?id=granted", inside=True),
    "too-much": Place(path="/setup/pairing?id=too-much", inside=True),
    "denied": Place(path="/setup/pairing?id=denied", inside=True),
    "new-machine": Place(path="/setup/machine?pairing=granted", inside=True),
    "machine-form": Place(path="/setup/machine?id=machine-1", inside=True),
    "mistakes": Place(path="/setup/machine?id=machine-1", inside=True, typed={"mes_id": "one"}),
    "remove": Place(path="/setup/remove?id=machine-1", inside=True),
    "states": Place(path="/setup/states", inside=True),
    "config-json": Place(path="/setup/written?saved=machine-1", inside=True),
}
every_place = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
NARROWEST = ViewportSize(width=320, height=600)
"""What is left of a screen 1280 pixels wide for somebody who needs everything four times as large."""

_REACHABLE = ", ".join(
    f"{element}:visible"
    for element in ("a[href]", "button", "input:not([type=hidden])", "select", "textarea", "summary", "[tabindex='0']")
)


class Halls(Struct, frozen=True):
    """A new agent, and one that somebody has set up, with that person's cookies."""

    new: Hall
    old: Hall
    cookies: Any


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def halls(browser: Chromium, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Halls]:
    new, old = (Hall(tmp_path_factory.mktemp("state")) for _ in range(2))
    old.guided.complaints = (Complaint(field="mes_id", text="expected numbers"), Complaint(field="", text="disk full"))
    await old.set_password()
    async with new.running(), old.running():
        async with browser.window(old.url) as visitor:
            await visitor.open("/login")
            await send(visitor, password=PASSWORD)
            cookies = await visitor.page.context.storage_state()
        yield Halls(new, old, cookies)


@asynccontextmanager
async def visiting(browser: Chromium, halls: Halls, place: Place, **options: Any) -> AsyncIterator[Visitor]:
    """Somebody who is there."""
    if place.inside:
        options["storage_state"] = halls.cookies
    async with browser.window((halls.new if place.new else halls.old).url, **options) as visitor:
        visitor.expected = "responded with a status of 4" if place.typed else ""
        await visitor.open(place.path)
        if place.typed:
            await send(visitor, **place.typed)
        yield visitor


async def send(visitor: Visitor, **typed: str) -> None:
    """Fill in a form and send it."""
    for name, text in typed.items():
        await visitor.page.fill(f"main [name={name}]", text)
    async with visitor.page.expect_navigation():
        await visitor.page.click(f"main form:has([name={next(iter(typed))}]) button")


@every_place
async def test_in_english_with_the_keyboard(browser: Chromium, halls: Halls, place: Place) -> None:
    async with visiting(browser, halls, place) as visitor:
        assert await visitor.page.get_attribute("html", "lang") == "en"
        assert await visitor.page.locator("h1").count() == 1
        await no_barriers(visitor)
        stops = await visitor.focus_walk()
        order = [stop["index"] for stop in stops]
        assert sorted(order) == order
        assert len(order) == await visitor.page.locator(_REACHABLE).count()
        assert [stop for stop in stops if stop["outline"] < 2 or not stop["seen"]] == []
        assert [stop for stop in stops if not stop["text"]] == []


@every_place
async def test_in_german_on_every_screen(browser: Chromium, halls: Halls, place: Place) -> None:
    async with visiting(browser, halls, place, language="de-DE") as visitor:
        assert await visitor.page.get_attribute("html", "lang") == "de"
        await no_barriers(visitor)
        for size in (NARROWEST, PHONE, WALL):
            await visitor.page.set_viewport_size(size)
            assert await visitor.too_wide() == [], size


async def no_barriers(visitor: Visitor) -> None:
    """In the light, and nothing of which in the dark could differ."""
    assert await visitor.barriers() == []
    await visitor.page.emulate_media(color_scheme="dark")
    assert await visitor.barriers("color-contrast", "link-in-text-block") == []
