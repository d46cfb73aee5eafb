"""The page of tiles in a real browser: it follows, it stays where it is, and it says when it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import ViewportSize

from edge_agent.model import MachineState
from tests.unit.http.bench import Bench

from .hall import Hall, fill
from .machines import busy_hall, printing
from .visitor import DESK, PHONE, WALL, Chromium

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_BYTES = 60_000


async def test_a_change_is_seen_without_a_reload(browser: Chromium) -> None:
    bench = Bench()
    fill(bench)
    async with bench.running(), browser.window(bench.url) as visitor:
        await visitor.open("/")
        assert "printing" in await visitor.text("#m-machine-0 .state")
        await visitor.page.evaluate("window.still = true")
        before = printing(0, ratio=0.5)
        assert before.snapshot is not None
        paused = replace(before.snapshot, state=MachineState.PAUSED, state_text="Paused")
        bench.store.publish(replace(before, snapshot=paused))
        await visitor.reads("#m-machine-0 .state", "paused")
        assert "50 %" in await visitor.text("#m-machine-0")
        assert await visitor.page.evaluate("window.still")


async def test_machines_come_and_go_with_the_configuration(browser: Chromium) -> None:
    bench = Bench()
    fill(bench, 2)
    async with bench.running(), browser.window(bench.url) as visitor:
        await visitor.open("/")
        bench.store.publish(printing(7, ratio=0.1))
        await visitor.page.wait_for_selector("#m-machine-7")
        bench.store.remove("machine-7")
        await visitor.page.wait_for_selector("#m-machine-7", state="detached")


async def test_who_was_at_a_machine_with_the_keyboard_stays_there(browser: Chromium) -> None:
    bench = Bench()
    fill(bench)
    async with bench.running(), browser.window(bench.url) as visitor:
        await visitor.open("/")
        await visitor.page.focus("#m-machine-0 a")
        bench.store.publish(printing(0, ratio=0.9))
        await visitor.reads("#m-machine-0", "90 %")
        assert await visitor.page.evaluate("document.activeElement.closest('#m-machine-0') !== null")


async def test_an_agent_that_is_gone_is_told_and_one_that_is_back_too(browser: Chromium) -> None:
    bench = Bench()
    fill(bench)
    async with browser.window(bench.url, forgiving=True) as visitor:
        async with bench.running():
            port = bench.sink.port
            await visitor.page.goto(f"http://127.0.0.1:{port}/")
            assert not await visitor.page.is_visible("#stale")
        await visitor.page.wait_for_selector("#stale", state="visible")
        assert "may be old" in await visitor.text("#stale")
        back = Bench()
        back.options = replace(back.options, port=port)
        back.store.publish(printing(0, ratio=0.77))
        async with back.running():
            await visitor.page.wait_for_selector("#stale", state="hidden", timeout=40_000)
            assert "77 %" in await visitor.text("#m-machine-0")


async def test_without_a_script_everything_is_there_and_a_reload_has_what_is_new(browser: Chromium) -> None:
    bench = Bench()
    fill(bench)
    async with bench.running(), browser.window(bench.url, java_script_enabled=False) as visitor:
        await visitor.open("/")
        assert "printing" in await visitor.text("#m-machine-0 .state")
        bench.store.publish(printing(0, ratio=0.66))
        await visitor.page.reload()
        assert "66 %" in await visitor.text("#m-machine-0")


@pytest.mark.parametrize(
    ("machines", "path"), [(0, "/"), (12, "/"), (50, "/"), (12, "/machines/machine-0"), (12, "/agent")]
)
async def test_the_first_load_is_small(browser: Chromium, tmp_path: Path, machines: int, path: str) -> None:
    hall = Hall(tmp_path, machines=busy_hall(machines))
    await hall.set_password()
    async with hall.running(), browser.window(hall.url) as visitor:
        size = await visitor.weigh()
        await visitor.open(path)
        total = size()
        print(f"{path} with {machines} machines: {total / 1000:.1f} kB")
        assert 3_000 < total < MOST_BYTES


@pytest.mark.parametrize("size", [PHONE, DESK, WALL], ids=["phone", "desk", "wall"])
async def test_fifty_machines_fit_every_screen(browser: Chromium, size: ViewportSize) -> None:
    bench = Bench()
    fill(bench, 50)
    async with bench.running(), browser.window(bench.url, size=size) as visitor:
        await visitor.open("/")
        assert await visitor.page.locator(".tile").count() == 50
        assert await visitor.too_wide() == []
