"""Asking an OctoPrint for a key: what is told of each way it can end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from edge_agent.session import open_session
from edge_agent.setup.pairing import MOST_WAITING, Pairings
from edge_agent.sinks.http.setting_up import Pairing, PairingState
from tests import virtual_time
from tests.double import KEY, OctoPrintDouble
from tests.double.octoprint import User

T = TypeVar("T")

OTHER_KEY = "K" * 43
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return virtual_time.run(main, start=NOW)


@asynccontextmanager
async def pairings() -> AsyncIterator[Pairings]:
    async with open_session() as session:
        room = Pairings(session, app="edge-agent on test", name_of=lambda _: "Mark One")
        yield room
        await room.close()


def paired(
    decide: Callable[[OctoPrintDouble], object] = lambda _: None,
    *,
    version: str = "1.11.8",
    key: str = "",
    after_s: float = 10.0,
) -> Pairing:
    """A pairing's end, for which something was done 10 s after it began."""

    async def main() -> Pairing:
        async with OctoPrintDouble(version) as octoprint, pairings() as room:
            octoprint.printer.idle()
            pairing = await room.pair(octoprint.url, key)
            if pairing.state is PairingState.WAITING:
                assert pairing.dialog_url.startswith(octoprint.url)
                await asyncio.sleep(after_s)
                decide(octoprint)
            found = await room.settled(pairing.id)
            assert found is not None
            granted = room.granted(pairing.id)
            assert (granted is not None) is (found.state is PairingState.GRANTED)
            return found

    return run(main)


def test_allow_brings_a_key_that_can_read_the_status_and_no_more() -> None:
    pairing = paired(lambda octoprint: octoprint.appkeys.allow(KEY))
    assert pairing.state is PairingState.GRANTED
    assert (pairing.user, pairing.version, pairing.name) == ("agent", "OctoPrint 1.11.8", "Mark One")
    assert (pairing.permissions, pairing.more_than_needed) == (("STATUS",), False)


def test_key_of_somebody_who_may_print_is_told_as_more_than_needed() -> None:
    def allow(octoprint: OctoPrintDouble) -> None:
        octoprint.users[OTHER_KEY] = User(name="anna", permissions=("STATUS", "PRINT", "CONTROL"))
        octoprint.appkeys.allow(OTHER_KEY)

    pairing = paired(allow)
    assert pairing.state is PairingState.GRANTED
    assert (pairing.permissions, pairing.more_than_needed) == (("CONTROL", "PRINT", "STATUS"), True)


def test_deny_is_told_as_that() -> None:
    pairing = paired(lambda octoprint: octoprint.appkeys.deny())
    assert pairing.state is PairingState.DENIED
    assert "Deny" in pairing.reason


def test_nobody_decides_for_five_minutes() -> None:
    pairing = paired(after_s=400)
    assert pairing.state is PairingState.EXPIRED
    assert "5 minutes" in pairing.reason


def test_outage_of_ten_seconds_ends_it_and_one_of_two_does_not() -> None:
    async def main(outage_s: float) -> Pairing | None:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            octoprint.printer.idle()
            pairing = await room.pair(octoprint.url)
            await asyncio.sleep(10)
            octoprint.silence()
            await asyncio.sleep(outage_s)
            octoprint.speak()
            await asyncio.sleep(0)
            if octoprint.appkeys.pending:
                octoprint.appkeys.allow(KEY)
            return await room.settled(pairing.id)

    short, long = run(lambda: main(2.0)), run(lambda: main(10.0))
    assert short is not None
    assert long is not None
    assert short.state is PairingState.GRANTED
    assert long.state is PairingState.EXPIRED
    assert "ask again" in long.reason


def test_four_requests_in_a_minute_are_too_many_for_octoprint() -> None:
    async def main() -> Pairing:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            for _ in range(3):
                await room.forget((await room.pair(octoprint.url)).id)
            return await room.pair(octoprint.url)

    pairing = run(main)
    assert pairing.state is PairingState.FAILED
    assert "too often" in pairing.reason


def test_second_request_for_the_same_printer_is_the_first_one() -> None:
    async def main() -> None:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            first = await room.pair(octoprint.url)
            assert (await room.pair(f"{octoprint.url}/")).id == first.id
            assert len(octoprint.appkeys.pending) == 1

    run(main)


def test_four_wait_at_a_time_and_a_fifth_when_one_is_cancelled() -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack, pairings() as room:
            printers = [await stack.enter_async_context(OctoPrintDouble()) for _ in range(MOST_WAITING + 1)]
            made = [await room.pair(printer.url) for printer in printers]
            assert [pairing.state for pairing in made] == [PairingState.WAITING] * MOST_WAITING + [PairingState.FAILED]
            assert "cancel one" in made[-1].reason
            await room.forget(made[0].id)
            assert (await room.pair(printers[-1].url)).state is PairingState.WAITING

    run(main)


def test_dialog_elsewhere_is_not_what_our_page_links_to() -> None:
    async def main() -> None:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            for told in (
                "https://evil.example/",
                "javascript:alert(1)",
                f"http://x@127.0.0.1:{octoprint.port + 1}/",
                "",
            ):
                octoprint.appkeys.dialog = told
                octoprint.appkeys.limited = False
                pairing = await room.pair(octoprint.url)
                assert pairing.dialog_url == f"{octoprint.url}/"
                await room.forget(pairing.id)

    run(main)


def test_plugin_that_is_off_is_told_with_what_to_do_instead() -> None:
    async def main() -> Pairing:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            octoprint.appkeys.enabled = False
            return await room.pair(octoprint.url)

    pairing = run(main)
    assert pairing.state is PairingState.FAILED
    assert "type a user's API key" in pairing.reason


@pytest.mark.parametrize(
    ("do", "told"),
    [
        (lambda octoprint: octoprint.lookalike("moonraker"), "Moonraker's imitation"),
        (lambda octoprint: octoprint.lookalike("prusalink"), "PrusaLink"),
        (lambda octoprint: octoprint.silence(), "connection refused"),
        (lambda octoprint: octoprint.hang(), "no answer in"),
        (lambda octoprint: octoprint.starting(), "still starting"),
        (lambda octoprint: octoprint.proxy_down(), "a proxy"),
        (lambda octoprint: octoprint.redirect("https://elsewhere.example/"), "redirects elsewhere"),
        (lambda octoprint: octoprint.garble(b"<html>router</html>", "text/html"), "no OctoPrint answers there"),
        (lambda octoprint: octoprint.garble(b"[1,", path="/plugin/appkeys/request"), "request for a key"),
        (lambda octoprint: octoprint.huge(1 << 24), "larger than"),
    ],
)
def test_what_is_no_octoprint_is_told_in_a_sentence(do: Callable[[OctoPrintDouble], object], told: str) -> None:
    async def main() -> Pairing:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            do(octoprint)
            return await room.pair(octoprint.url)

    pairing = run(main)
    assert pairing.state is PairingState.FAILED
    assert told in pairing.reason


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://x", "expected http"),
        ("http://anna:secret@printer/", "credentials"),
        ("file:///etc/passwd", "expected http"),
        ("", "expected http"),
        ("http://printer/?x=1", "?"),
    ],
)
def test_address_that_cannot_be_one_is_not_asked(url: str, told: str) -> None:
    async def main() -> Pairing:
        async with pairings() as room:
            return await room.pair(url)

    pairing = run(main)
    assert pairing.state is PairingState.FAILED
    assert told in pairing.reason
    assert "secret" not in pairing.reason


@pytest.mark.parametrize("version", ["1.3.6", "1.9.3", "1.11.8", "2.0.0rc7"])
def test_typed_key_is_checked_in_every_edition(version: str) -> None:
    assert paired(version=version, key=f" {KEY}\n").state is PairingState.GRANTED
    wrong = paired(version=version, key=OTHER_KEY)
    assert wrong.state is PairingState.FAILED
    assert "does not know this key" in wrong.reason


@pytest.mark.parametrize("key", ["schlüsselschlüssel", "two words", "x" * 600, "a\nb"])
def test_text_that_is_no_key_is_never_sent(key: str) -> None:
    async def main() -> list[str]:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            pairing = await room.pair(octoprint.url, key)
            assert pairing.state is PairingState.FAILED
            assert key not in pairing.reason
            return [request.path for request in octoprint.log]

    assert run(main) == []


def test_user_without_the_permission_is_named_with_the_remedy() -> None:
    async def main() -> Pairing:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            octoprint.users[OTHER_KEY] = User(name="guest", permissions=())
            return await room.pair(octoprint.url, OTHER_KEY)

    pairing = run(main)
    assert pairing.state is PairingState.FAILED
    assert "'guest' lacks the STATUS permission" in pairing.reason


def test_forgotten_pairing_stops_asking_and_its_key_is_gone() -> None:
    async def main() -> None:
        async with OctoPrintDouble() as octoprint, pairings() as room:
            pairing = await room.pair(octoprint.url)
            await room.forget(pairing.id)
            octoprint.clear_log()
            await asyncio.sleep(60)
            assert octoprint.log == []
            assert room.pairing(pairing.id) is None
            granted = await room.pair(octoprint.url, KEY)
            assert room.granted(granted.id) is not None
            await asyncio.sleep(3600)
            assert room.granted(granted.id) is None
            assert room.pairing(granted.id) is None

    run(main)


def test_no_key_is_in_anything_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    told = [
        repr(paired(lambda octoprint: octoprint.appkeys.allow(KEY))),
        repr(paired(key=OTHER_KEY)),
        caplog.text,
    ]
    assert not any(secret in text for secret in (KEY, OTHER_KEY) for text in told)
