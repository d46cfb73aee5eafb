"""The pictures of the documentation, of the same hall each time. With EDGE_AGENT_PICTURES=1 they go to their place."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from pathlib import Path

import pytest
from msgspec import Struct, field
from msgspec.structs import replace
from playwright.async_api import ViewportSize

from edge_agent.observation import Observation
from tests.unit.http.bench import NOW
from tests.unit.http.person import PASSWORD

from .hall import Hall
from .machines import hall
from .visitor import PHONE, Chromium, Scheme, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLACE = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 80_000
LEAST_BYTES = 5_000
NAMES = ("Bench 1", "Bench 2", "Delta 200", "Corner", "Twin 300", "Window", "Cellar", "New one", "Large 400")
SIZE = ViewportSize(width=1200, height=800)


class Picture(Struct, frozen=True, kw_only=True):
    """A page, and how it is looked at."""

    path: str
    scheme: Scheme = "light"
    size: ViewportSize = field(default_factory=SIZE.copy)


PICTURES = {
    "machines-light": Picture(path="/"),
    "machines-dark": Picture(path="/", scheme="dark"),
    "machines-phone": Picture(path="/", size=PHONE),
    "machine": Picture(path="/machines/machine-0"),
    "guide": Picture(path="/setup/add", size=ViewportSize(width=900, height=720)),
}


def named(number: int, each: Observation) -> Observation:
    """With a name as people give them."""
    return replace(each, machine=replace(each.machine, name=NAMES[number]))


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture(browser: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    picture = PICTURES[name]
    monkeypatch.setattr(socket, "gethostname", lambda: "workshop")
    shown = Hall(tmp_path, machines=[named(number, each) for number, each in enumerate(hall(len(NAMES)))])
    fingerprint = hashlib.sha256(b"workshop").hexdigest()
    shown.endpoint = replace(shown.endpoint, urls=("opc.tcp://workshop.local:4840",), fingerprint=fingerprint)
    await shown.set_password()
    async with shown.running(), browser.window(shown.url, size=picture.size, scheme=picture.scheme) as visitor:
        await visitor.page.clock.set_fixed_time(NOW)
        if picture.path.startswith("/setup"):
            await visitor.open("/login")
            await visitor.page.fill("main [name=password]", PASSWORD)
            await visitor.page.keyboard.press("Enter")
            await visitor.page.wait_for_url("**/setup")
        await visitor.open(picture.path)
        seen = await taken(visitor)
    assert LEAST_BYTES < len(seen) < MOST_BYTES
    place = PLACE if os.environ.get("EDGE_AGENT_PICTURES") == "1" else tmp_path
    place.mkdir(exist_ok=True)
    (place / f"{name}.webp").write_bytes(seen)


async def taken(visitor: Visitor) -> bytes:
    """The window as it is, as WebP."""
    wire = await visitor.page.context.new_cdp_session(visitor.page)
    told = await wire.send("Page.captureScreenshot", {"format": "webp", "quality": 82})
    return base64.b64decode(told["data"])
