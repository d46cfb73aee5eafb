"""The guide in the unit: what the page writes, where it may, and that it hears printers through the unit's settings."""

from __future__ import annotations

import asyncio
import json
import socket

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from tests.double import KEY
from tests.unit.http.person import Browser, at

from .box import Box
from .installed import ETC, STATE, UNIT, drop_in
from .printers import Printers

PAGE = "http://127.0.0.1:8080"
SERVICE = "_octoprint._tcp.local."


async def paired(browser: Browser, url: str, name: str) -> str:
    """Set up one printer with a typed key; the text of the page after that."""
    await browser.set_password()
    page = await browser.fill(await browser.get("/setup/add"), "/setup/pair", url=url, key=KEY)
    link = page.text.split('href="/setup/machine?')[1].split('"')[0].replace("&amp;", "&")
    form = await browser.get(f"/setup/machine?{link}")
    return (await browser.fill(form, "/setup/machine", custom_name=name, mes_id="7")).text


async def test_machine_from_the_page_is_polled_a_moment_later_and_its_files_are_the_agents(box: Box) -> None:
    with Printers(box, 1) as printers, box.network():
        box.run("systemctl", "start", UNIT)
        async with at(PAGE) as browser:
            said = await paired(browser, printers.urls[0], "Mark One")
            assert "mark-one" in said
            assert KEY not in said
            box.wait_until(lambda: "1 of 1 machines" in box.show(UNIT, "StatusText"), "it is polled", within_s=20)
            owners = box.sh(f"stat -c '%U:%G %a' {ETC} {ETC}/config.json {ETC}/secrets {ETC}/secrets/mark-one.key")
            assert owners.split("\n")[:4] == [
                "root:edge-agent 770",
                "edge-agent:edge-agent 640",
                "edge-agent:edge-agent 700",
                "edge-agent:edge-agent 600",
            ]
            assert box.read(f"{ETC}/secrets/mark-one.key").strip() == KEY
            page = await browser.get("/setup/remove?id=mark-one")
            await browser.fill(page, "/setup/remove")
            box.wait_until(lambda: "0 of 0 machines" in box.show(UNIT, "StatusText"), "it is gone", within_s=20)
        assert not box.exists(f"{ETC}/secrets/mark-one.key")
        assert box.exists(f"{ETC}/config.json.previous")
        assert KEY not in box.journal()


async def test_configuration_of_roots_is_changed_with_its_mode(box: Box) -> None:
    box.write(f"{ETC}/config.json", '{"machines": []} // by hand', mode="640", owner="root:edge-agent")
    with Printers(box, 1) as printers, box.network():
        box.run("systemctl", "start", UNIT)
        async with at(PAGE) as browser:
            await paired(browser, printers.urls[0], "Mark One")
        assert json.loads(box.read(f"{ETC}/config.json"))["machines"][0]["id"] == "mark-one"
        assert box.sh(f"stat -c '%U %a' {ETC}/config.json").strip() == "edge-agent 640"
        assert "by hand" in box.sh(f"cat {ETC}/config.json.*.bak")
        said = box.run("edge-agent", "check", "--probe").stdout  # root, with the agent's rights
        assert "key valid" in said


async def test_unit_that_keeps_the_configuration_read_only_is_named(box: Box) -> None:
    drop_in(box, "override", "[Service]\nReadOnlyPaths=/etc/edge-agent\n")
    with Printers(box, 1) as printers, box.network():
        box.run("systemctl", "start", UNIT)
        async with at(PAGE) as browser:
            assert "ReadOnlyPaths=" in await paired(browser, printers.urls[0], "Mark One")
    assert not box.exists(f"{ETC}/config.json")


async def test_printer_that_announces_itself_is_heard_through_the_units_settings(box: Box) -> None:
    info = ServiceInfo(
        SERVICE,
        f'OctoPrint instance "Mark One".{SERVICE}',
        port=80,
        addresses=[socket.inet_aton("192.168.1.41")],
        properties={"version": "1.11.8"},
        server="octopi.local.",
    )
    with box.network():
        box.run("systemctl", "start", UNIT)
        mdns = AsyncZeroconf(interfaces=["127.0.0.1"])
        await mdns.async_register_service(info)
        try:
            async with at(PAGE) as browser:
                await browser.set_password()
                async with asyncio.timeout(30):
                    while "http://192.168.1.41" not in (page := await browser.get("/setup/add")).text:  # noqa: ASYNC110
                        await asyncio.sleep(0.5)
                assert "Mark One" in page.text
        finally:
            await mdns.async_close()
    assert "cannot look for printers" not in box.journal(UNIT)
    assert box.run("find", STATE, "-name", "*.pyc").stdout == ""
