"""Looking for OctoPrints: what they announce, and what strangers announce."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edge_agent.setup.announced import Announced
from edge_agent.setup.discovery import MOST_FOUND, Discovery, read
from edge_agent.setup.listen import Listener
from edge_agent.sinks.http.setting_up import Found

from .responder import responding, service

# As `python -m edge_agent.setup.listen`, also where the package is not installed.
_ROOT = str(Path(__file__).parents[3])
_LISTEN = f"import sys; sys.path.insert(0, {_ROOT!r}); from edge_agent.setup.listen import main; sys.exit(main())"

NAMES = {"name": 'OctoPrint instance "Mark One"', "port": 80, "addresses": ("192.168.1.41",)}


def heard(**given: object) -> Announced:
    return msgspec.convert({**NAMES, **given}, Announced)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://192.168.1.41"),
        ({"port": 5000}, "http://192.168.1.41:5000"),
        ({"port": 443}, "https://192.168.1.41"),
        ({"path": "/octoprint/"}, "http://192.168.1.41/octoprint"),
        ({"host": "octopi.local"}, "http://octopi.local"),
        ({"addresses": ("fe80::1", "2001:db8::7", "10.0.0.7")}, "http://10.0.0.7"),
        ({"addresses": ("fe80::1", "fd00::7")}, "http://[fd00::7]"),
        ({"addresses": ("127.0.0.1", "169.254.3.4")}, "http://169.254.3.4"),
    ],
)
def test_announcement_becomes_the_address_that_lasts_longest(given: dict[str, object], url: str) -> None:
    found = read(heard(**given))
    assert found is not None
    assert found.url == url


@pytest.mark.parametrize(
    "given",
    [
        {"addresses": ("127.0.0.1", "::1", "127.8.8.8")},
        {"addresses": ("224.0.0.251", "ff02::fb", "0.0.0.0", "::")},
        {"addresses": ("fe80::1",)},
        {"addresses": ("no address", "", "1.2.3.4.5", "999.1.1.1")},
        {"addresses": ()},
        {"port": 0},
        {"port": -1},
        {"port": 70000},
        {"path": "/a?b=c"},
        {"path": "//evil.example/"},
        {"path": "@evil.example"},
        {"path": '/"><script>'},
        {"path": "/a b"},
    ],
)
def test_announcement_without_a_usable_address_is_left_out(given: dict[str, object]) -> None:
    assert read(heard(**given)) is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('OctoPrint instance "Mark One"', "Mark One"),
        ("OctoPrint instance on octopi", "octopi"),
        ("Something else", "Something else"),
        ('OctoPrint instance "\x1b[2J\u202eevil\n"', "[2J evil"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # the page escapes it
    ],
)
def test_name_is_the_one_that_a_person_gave_in_one_line(said: str, shown: str) -> None:
    found = read(heard(name=said))
    assert found is not None
    assert found.name == shown
    assert read(heard(name="x" * 5000)) is not None


def test_printer_that_is_configured_is_known_by_any_of_its_addresses() -> None:
    given = heard(host="octopi.local", addresses=("192.168.1.41", "10.0.0.7"))
    for url, configured in (("http://octopi.local", True), ("http://10.0.0.7", True), ("http://10.0.0.8", False)):
        found = read(given, {url})
        assert found is not None
        assert found.configured is configured


async def gathered(listener_for: int, ask: int, *, enough: int) -> list[Announced]:
    """What a listener tells of a responder's port within ``listener_for`` seconds, or until it is ``enough``."""
    told: list[Announced] = []
    done = asyncio.Event()

    def tell(found: Announced) -> None:
        told.append(found)
        if len(told) >= enough:
            done.set()

    listening = asyncio.create_task(Listener(tell, ask=("127.0.0.1", ask)).run())
    try:
        async with asyncio.timeout(listener_for):
            await done.wait()
    except TimeoutError:
        pass
    finally:
        listening.cancel()
        await asyncio.wait([listening])
    return told


async def test_listener_tells_what_is_announced_and_no_password() -> None:
    texts = {"path": "/", "version": "1.11.8", "model": "Pi 4", "u": "anna", "p": "of anna", "uuid": "x" * 36}
    async with responding([service('OctoPrint instance "Mark One"', texts=texts)]) as (_, port):
        (found,) = await gathered(20, port, enough=1)
    assert found == Announced(
        name='OctoPrint instance "Mark One"',
        port=80,
        addresses=("192.168.1.41",),
        path="/",
        version="1.11.8",
        model="Pi 4",
    )


async def test_listener_survives_what_is_no_dns_and_cuts_what_is_long() -> None:
    rubbish = [os.urandom(size) for size in (1, 11, 12, 60, 1400)]
    rubbish += [b"\x00\x00\x84\x00\xff\xff\xff\xff\xff\xff\xff\xff" + b"\xc0\x0c" * 600]
    texts = {"version": "v" * 240, "model": "m" * 240}
    services = [service("Long", texts=texts, addresses=[f"10.0.0.{number}" for number in range(1, 40)])]
    async with responding(services, rubbish) as (responder, port):
        (found,) = await gathered(20, port, enough=1)
        assert responder.asked
    assert (len(found.version), len(found.addresses)) == (200, 8)


async def found_by(discovery: Discovery, *, enough: int) -> tuple[Found, ...]:
    async with asyncio.timeout(30):
        while len(found := await discovery.found(())) < enough:  # noqa: ASYNC110 - as a page does it
            await asyncio.sleep(0.05)
    return found


async def test_search_finds_a_printer_and_ends_when_nobody_asks_any_more() -> None:
    async with responding([service("OctoPrint instance on octopi", texts={"version": "1.11.8"})]) as (_, port):
        command = (sys.executable, "-I", "-c", _LISTEN, "--ask", f"127.0.0.1:{port}")
        discovery = Discovery(command=command, stop_after_s=0.5)
        try:
            assert await found_by(discovery, enough=1) == (
                Found(name="octopi", url="http://192.168.1.41", version="1.11.8"),
            )
            assert discovery.name_of("http://192.168.1.41") == "octopi"
            async with asyncio.timeout(10):
                while discovery.looking:  # noqa: ASYNC110 - what is awaited is that nothing happens
                    await asyncio.sleep(0.05)
        finally:
            await discovery.close()
    assert discovery.trouble == ""


async def test_flood_of_printers_is_cut_off() -> None:
    line = '\'{"name": "n%d", "port": 80, "addresses": ["10.1.%d.%d"]}\' % (n, n // 250, n % 250)'
    discovery = Discovery(command=(sys.executable, "-c", f"for n in range(5000): print({line})"))
    assert len(await found_by(discovery, enough=MOST_FOUND)) == MOST_FOUND
    await discovery.close()


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print('x' * 100000, flush=True); input()", "announces too much"),
        ("import sys; sys.exit('cannot listen for mDNS: Permission denied')", "Permission denied"),
        ("import os; os.kill(os.getpid(), 9)", "does not say why"),
    ],
)
async def test_search_that_ends_says_why(program: str, told: str) -> None:
    discovery = Discovery(command=(sys.executable, "-c", program))
    await discovery.found(())
    async with asyncio.timeout(20):
        while discovery.looking:  # noqa: ASYNC110 - another process's end
            await asyncio.sleep(0.05)
    assert told in discovery.trouble
    await discovery.close()


async def test_program_that_is_not_there_is_told() -> None:
    discovery = Discovery(command=("/nowhere/python",))
    await discovery.found(())
    while discovery.looking:  # noqa: ASYNC110 - a turn or two
        await asyncio.sleep(0)
    assert "No such file" in discovery.trouble
    await discovery.close()


async def test_lines_that_are_none_are_left_out() -> None:
    lines = ["{", '{"name": 1, "port": 80}', "\xff", '{"name": "good", "port": 80, "addresses": ["10.0.0.1"]}']
    discovery = Discovery(command=(sys.executable, "-c", f"print({chr(10).join(lines)!r})"))
    assert [found.name for found in await found_by(discovery, enough=1)] == ["good"]
    await discovery.close()


def test_agent_does_not_carry_the_library_of_the_search() -> None:
    program = "import sys, edge_agent.setup.room; sys.exit(any(name.startswith('zeroconf') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
