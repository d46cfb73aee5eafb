"""What a cycle costs, and what each way of failing is called."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from edge_agent.errors import (
    DeactivatedUser,
    NoPermission,
    ProxyFault,
    ServerFault,
    SourceError,
    Starting,
    UnexpectedAnswer,
    Unreachable,
    WrongKey,
    WrongTarget,
)
from edge_agent.model import MachineState
from edge_agent.secret import Secret
from edge_agent.session import open_session
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from tests import raw_server, virtual_time
from tests.double import KEY, Heater, OctoPrintDouble, User, recorded

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
OTHER_KEY = "SOMEOTHERKEYSOMEOTHERKEYSOMEOTHE"
FIRST = ["/api/version", "/api/currentuser", "/api/connection", "/api/job", "/api/printer"]


@pytest.fixture
async def octoprint() -> AsyncIterator[OctoPrintDouble]:
    async with OctoPrintDouble(clock=lambda: NOW) as double:
        yield double


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


def source_of(url: str, session: aiohttp.ClientSession, key: str = KEY) -> OctoPrint:
    options = OctoPrintOptions(url=url, api_key=Secret(key))
    return OctoPrint(options, session=session, now=lambda: NOW, monotonic=asyncio.get_running_loop().time)


@pytest.fixture
async def source(octoprint: OctoPrintDouble, session: aiohttp.ClientSession) -> OctoPrint:
    return source_of(octoprint.url, session)


def paths(octoprint: OctoPrintDouble) -> list[str]:
    return [request.path for request in octoprint.log]


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and everything it drags along."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def assert_fit_to_show(error: BaseException, *keys: str) -> None:
    """One line that says something, and no key in it nor in anything it drags along."""
    assert len(str(error)) > 20
    assert "\n" not in str(error)
    for key in keys or (KEY,):
        assert all(key not in f"{part} {part!r} {vars(part)!r}" for part in chain(error))


async def cycles(
    version: str, count: int, act: Callable[[OctoPrintDouble], None]
) -> tuple[OctoPrintDouble, Counter[str], set[int]]:
    """So many cycles, one a second: the double, how often each path was asked, and on which connections."""
    async with OctoPrintDouble(version, clock=virtual_time.now) as octoprint, open_session() as session:
        act(octoprint)
        source = source_of(octoprint.url, session)
        for _ in range(count):
            await source.fetch()
            await asyncio.sleep(1)
        log = octoprint.log
        assert {request.method for request in log} == {"GET"}
        assert {request.key for request in log} == {"right"}
        return octoprint, Counter(paths(octoprint)), {request.connection for request in log}


def test_a_printing_printer_costs_two_requests_a_second_and_two_a_minute_on_one_connection() -> None:
    _, asked, connections = virtual_time.run(
        lambda: cycles("1.11.8", 300, lambda octoprint: octoprint.printer.print(0.4)), start=NOW
    )
    assert asked == {
        "/api/job": 300,
        "/api/printer": 300,
        "/api/version": 5,
        "/api/connection": 5,
        "/api/currentuser": 1,
    }
    assert connections == {1}


@pytest.mark.parametrize("version", ["1.3.6", "1.9.3", "1.11.8", "2.0.0rc7"])
def test_a_printer_that_is_off_costs_one_request_a_cycle(version: str) -> None:
    _, asked, _ = virtual_time.run(
        lambda: cycles(version, 60, lambda octoprint: octoprint.printer.power_off()), start=NOW
    )
    assert asked == {"/api/job": 60, "/api/version": 1, "/api/connection": 1, "/api/currentuser": 1}


@pytest.mark.parametrize("version", ["1.3.6", "1.9.3"])
def test_a_server_that_closes_each_connection_costs_no_request_more(version: str) -> None:
    octoprint, asked, _ = virtual_time.run(
        lambda: cycles(version, 60, lambda octoprint: octoprint.printer.print(0.4)), start=NOW
    )
    assert asked["/api/job"] == asked["/api/printer"] == 60
    assert octoprint.connections == asked.total()


async def test_the_printer_is_asked_for_its_own_time_and_for_no_more_than_the_newest_entry(
    source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    snapshot = await source.fetch()
    assert [request.query for request in octoprint.log if request.path == "/api/printer"] == ["history=true&limit=1"]
    assert snapshot.temperatures_at == NOW


async def test_the_first_cycle_asks_who_answers_before_anything_else(
    source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    await source.fetch()
    assert paths(octoprint) == FIRST


async def test_after_a_failure_who_answers_is_asked_again(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    await source.fetch()
    octoprint.refuse(500, times=1)
    with pytest.raises(ServerFault):
        await source.fetch()
    octoprint.clear_log()
    await source.fetch()
    assert paths(octoprint) == ["/api/version", "/api/connection", "/api/job", "/api/printer"]


async def test_a_probe_asks_only_who_answers(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    identity = await source.identify()
    assert (identity.version, identity.user) == ("OctoPrint 1.11.8", "agent")
    assert paths(octoprint) == FIRST[:3]


# What goes wrong, by name.

Act = Callable[[OctoPrintDouble], object]


def user(octoprint: OctoPrintDouble, **changes: Any) -> None:
    octoprint.users[KEY] = User(**changes)


FAILURES: dict[str, tuple[Act, type[SourceError], str]] = {
    "refused": (lambda o: o.silence(), Unreachable, "connection refused"),
    "reset": (lambda o: o.reset(), SourceError, ""),
    "truncated": (lambda o: o.truncate(), UnexpectedAnswer, "cut off"),
    "garbled": (lambda o: o.garble(b'{"state": "Oper'), UnexpectedAnswer, "not valid JSON"),
    "not UTF-8": (lambda o: o.garble(b'{"state": "\xff"}', path="/api/job"), UnexpectedAnswer, "not valid JSON"),
    "empty": (lambda o: o.garble(b""), UnexpectedAnswer, "not valid JSON"),
    "a list": (lambda o: o.garble(b"[]"), UnexpectedAnswer, "Expected `object`"),
    "wrong type": (lambda o: o.garble(b'{"state": 7}', path="/api/job"), UnexpectedAnswer, "$.state"),
    "deep": (lambda o: o.garble(b'{"x":' + b"[" * 100_000), UnexpectedAnswer, "not valid JSON"),
    "huge": (lambda o: o.huge(50_000_000), UnexpectedAnswer, "larger than 1 MiB"),
    "huge, undeclared": (lambda o: o.huge(50_000_000, declared=False), UnexpectedAnswer, "larger than 1 MiB"),
    "starting": (lambda o: o.starting(), Starting, "still starting"),
    "starting, a page": (lambda o: o.garble(b"<h1>OctoPrint is still starting up</h1>", "text/html"), Starting, ""),
    "proxy 502": (lambda o: o.proxy_down(502), ProxyFault, "502"),
    "proxy 503": (lambda o: o.proxy_down(503), ProxyFault, "503"),
    "proxy 504": (lambda o: o.refuse(504), ProxyFault, "504"),
    "500": (lambda o: o.refuse(500), ServerFault, "octoprint.log"),
    "429": (lambda o: o.refuse(429), Unreachable, "slow down"),
    "418": (lambda o: o.refuse(418), UnexpectedAnswer, "418"),
    "unknown key": (lambda o: o.users.clear(), WrongKey, "does not know the API key"),
    "no permission": (lambda o: user(o, permissions=()), NoPermission, "'agent' lacks the STATUS permission"),
    "deactivated": (lambda o: user(o, active=False), DeactivatedUser, "'agent' is deactivated"),
    "401": (lambda o: o.refuse(401, "Invalid API key", "text/html"), WrongKey, "does not know the API key"),
    "403 everywhere": (lambda o: o.refuse(403), WrongKey, "does not know the API key"),
    "404": (lambda o: o.refuse(404), WrongTarget, "has no /api/"),
    "redirect": (lambda o: o.redirect("https://127.0.0.1/"), WrongTarget, "final address"),
    "a page": (lambda o: o.garble(b"<html>Welcome</html>", "text/html"), WrongTarget, "web page"),
    "no state": (lambda o: o.garble(b"{}", path="/api/job"), UnexpectedAnswer, "tells no state"),
}
STRANGERS: dict[str, tuple[Act, str]] = {
    "Moonraker": (lambda o: o.lookalike("moonraker"), "Moonraker"),
    "PrusaLink": (lambda o: o.lookalike("prusalink"), "PrusaLink"),
    "other": (lambda o: o.garble(b'{"text": "Spooler 4"}'), "'Spooler 4'"),
    "anonymous": (lambda o: o.garble(b"{}"), "does not say"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_is_called_by_its_name_and_passes(
    failure: str, source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    act, kind, words = FAILURES[failure]
    await source.fetch()
    before = dict(octoprint.users)
    act(octoprint)
    for _ in range(2):
        with pytest.raises(kind) as caught:
            await source.fetch()
        assert caught.type is kind or kind is SourceError
        assert words in str(caught.value)
        assert_fit_to_show(caught.value)
    octoprint.users.update(before)
    octoprint.well()
    assert (await source.fetch()).state is MachineState.READY


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failure_at_the_very_first_request_is_called_by_its_name(
    failure: str, source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    act, kind, _ = FAILURES[failure]
    act(octoprint)
    with pytest.raises(kind) as caught:
        await source.fetch()
    assert_fit_to_show(caught.value)


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_stranger_is_called_by_its_name_also_when_it_moves_in_later(
    stranger: str, source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    act, words = STRANGERS[stranger]
    await source.fetch()
    octoprint.silence()
    with pytest.raises(Unreachable):
        await source.fetch()
    octoprint.speak()
    act(octoprint)
    for _ in range(2):
        with pytest.raises(WrongTarget, match=words) as caught:
            await source.fetch()
        assert_fit_to_show(caught.value)
    octoprint.well()
    assert (await source.fetch()).state is MachineState.READY


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", Unreachable),
        (b"SSH-2.0-OpenSSH_9.2\r\n", WrongTarget),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: many\r\n\r\n{}", WrongTarget),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", WrongTarget),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n{}", UnexpectedAnswer),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", SourceError),
        (b"HTTP/1.1 200 OK\r\nContent-Type: \xff/\xfe;;=\r\n\r\n{}", WrongTarget),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", WrongTarget),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n", WrongTarget),
    ],
)
async def test_whatever_else_answers_is_a_failure_of_ours_and_no_bug(
    answer: bytes, kind: type[SourceError], session: aiohttp.ClientSession
) -> None:
    async with raw_server.saying(answer) as url:
        with pytest.raises(kind) as caught:
            await source_of(url, session).fetch()
    assert_fit_to_show(caught.value)


async def test_a_body_that_unpacks_to_more_than_is_read_of_any_is_refused(session: aiohttp.ClientSession) -> None:
    body = gzip.compress(b" " * 20_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n"
    async with raw_server.saying(head + body) as url:
        with pytest.raises(UnexpectedAnswer, match="larger than 1 MiB"):
            await source_of(url, session).fetch()


async def test_an_unknown_host_name_says_so(session: aiohttp.ClientSession) -> None:
    with pytest.raises(Unreachable, match="host name is unknown"):
        await source_of("http://no-such-printer.invalid", session).fetch()


@pytest.mark.parametrize("kind", [WrongKey, NoPermission, DeactivatedUser, WrongTarget])
def test_what_a_person_must_mend_is_not_asked_about_often(kind: type[SourceError]) -> None:
    assert kind.patient


# The cycle's deadline is the caller's.


@pytest.mark.parametrize("wait", [lambda o: o.hang(), lambda o: o.trickle(0.5), lambda o: o.slow(20)])
def test_a_cycle_never_gives_up_by_itself_and_survives_being_given_up(wait: Act) -> None:
    async def wait_for_it() -> None:
        async with OctoPrintDouble(clock=virtual_time.now) as octoprint, open_session() as session:
            source = source_of(octoprint.url, session)
            await source.fetch()
            wait(octoprint)
            began = asyncio.get_running_loop().time()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(8):
                    await source.fetch()
            assert asyncio.get_running_loop().time() - began == pytest.approx(8)
            octoprint.well()
            assert (await source.fetch()).state is MachineState.READY

    virtual_time.run(wait_for_it, start=NOW)


# The key.


async def test_the_key_is_not_sent_to_the_target_of_a_redirect(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    async with OctoPrintDouble() as elsewhere:
        octoprint.redirect(elsewhere.url + "/api/version")
        with pytest.raises(WrongTarget):
            await source.fetch()
        assert elsewhere.log == []
    assert len(octoprint.log) == 1


async def test_the_key_travels_in_its_header_and_nowhere_else(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    await source.fetch()
    for request in octoprint.log:
        assert request.headers["x-api-key"] == "(key)"
        assert "authorization" not in request.headers
        assert "apikey" not in request.query


async def test_no_repr_shows_the_key(source: OctoPrint) -> None:
    await source.fetch()
    options = OctoPrintOptions(url="http://127.0.0.1", api_key=Secret(KEY))
    assert KEY not in f"{source!r} {options!r} {options.api_key}"


@pytest.mark.parametrize("key", ["k\u00e9y" * 10, "key\r\nX-Evil: 1", "\ud800"])
async def test_a_key_that_no_header_can_carry_fails_as_a_source_does(
    key: str, octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(SourceError) as caught:
        await source_of(octoprint.url, session, key).fetch()
    assert_fit_to_show(caught.value, key)


@pytest.mark.parametrize("version", ["1.3.6", "1.9.3", "1.11.8", "2.0.0rc7"])
async def test_a_wrong_key_is_told_by_every_version_and_a_right_one_then_works(
    version: str, session: aiohttp.ClientSession
) -> None:
    async with OctoPrintDouble(version) as octoprint:
        with pytest.raises(WrongKey):
            await source_of(octoprint.url, session, OTHER_KEY).fetch()
        source = source_of(octoprint.url, session)
        assert (await source.fetch()).software_version == f"OctoPrint {version}"


async def test_a_refusal_is_looked_into_once_for_each_time_it_happens(
    source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    await source.fetch()
    octoprint.clear_log()
    user(octoprint, permissions=())
    with pytest.raises(NoPermission):
        await source.fetch()
    assert paths(octoprint) == ["/api/job", "/api/currentuser"]


async def test_a_key_that_was_replaced_is_looked_up_anew(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    octoprint.users[KEY] = User("_api")
    assert (await source.fetch()).advice
    octoprint.users[KEY] = User("_api", active=False)
    with pytest.raises(DeactivatedUser):
        await source.fetch()
    octoprint.users[KEY] = User("agent")
    assert (await source.fetch()).advice == ""


# Two requests are no snapshot.


async def test_a_fault_between_the_two_requests_is_a_fault(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    octoprint.printer.print(0.5)
    await source.fetch()
    octoprint.printer.fault("Heating failed")
    octoprint.garble(recorded("09_printing_6s", "job")[1], path="/api/job", times=1)
    octoprint.clear_log()
    snapshot = await source.fetch()
    assert (snapshot.state, snapshot.error) == (MachineState.FAULT, "Heating failed")
    assert paths(octoprint) == ["/api/job", "/api/printer", "/api/job"]


async def test_a_printer_switched_off_between_the_two_requests_is_off(
    source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    octoprint.printer.power_off()
    octoprint.garble(recorded("05_idle_file_selected", "job")[1], path="/api/job", times=1)
    snapshot = await source.fetch()
    assert (snapshot.state, snapshot.job.file_name) == (MachineState.OFF, None)


async def test_operational_while_the_printer_does_not_agree_yet_is_still_connecting(
    session: aiohttp.ClientSession,
) -> None:
    async with OctoPrintDouble("2.0.0rc7") as octoprint:
        octoprint.refuse(409, path="/api/printer")
        snapshot = await source_of(octoprint.url, session).fetch()
        assert (snapshot.state, snapshot.temperatures) == (MachineState.CONNECTING, {})
        octoprint.well()
        assert (await source_of(octoprint.url, session).fetch()).state is MachineState.READY


# What is not worth a machine's status, and what changes under way.


@pytest.mark.parametrize(
    "spoil",
    [
        lambda o: o.garble(b"\xff{", path="/api/connection"),
        lambda o: o.garble(b"[]", path="/api/connection"),
        lambda o: o.refuse(403, path="/api/connection"),
        lambda o: o.refuse(500, path="/api/connection"),
        lambda o: o.refuse(404, path="/api/currentuser"),
        lambda o: o.garble(b"<html>", "text/html", path="/api/currentuser"),
    ],
)
async def test_a_name_that_cannot_be_had_costs_no_status(
    spoil: Act, source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    spoil(octoprint)
    snapshot = await source.fetch()
    assert (snapshot.state, snapshot.profile_name) == (MachineState.READY, None)


def test_an_upgrade_and_a_renamed_profile_are_noticed_within_a_minute() -> None:
    async def upgraded() -> None:
        async with OctoPrintDouble(clock=virtual_time.now) as octoprint, open_session() as session:
            source = source_of(octoprint.url, session)
            octoprint.close_each(announce=False)
            await source.fetch()
            assert octoprint.log[-1].headers.get("connection") == "close"
            octoprint.well()
            octoprint.garble(b'{"text": "OctoPrint 1.12.0"}', path="/api/version")
            octoprint.garble(
                b'{"current": {"printerProfile": "d"}, "options": {"printerProfiles": [{"id": "d", "name": "Delta"}]}}',
                path="/api/connection",
            )
            seen = []
            for _ in range(61):
                await asyncio.sleep(1)
                snapshot = await source.fetch()
                seen.append((snapshot.software_version, snapshot.profile_name))
            assert seen[0] == ("OctoPrint 1.11.8", None)
            assert seen[-1] == ("OctoPrint 1.12.0", "Delta")
            assert octoprint.log[-1].headers.get("connection") != "close"  # another server now

    virtual_time.run(upgraded, start=NOW)


async def test_a_server_that_is_back_from_a_failure_is_trusted_to_keep_connections_again(
    source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    octoprint.close_each(announce=False)
    await source.fetch()
    assert octoprint.log[-1].headers.get("connection") == "close"
    octoprint.well()
    octoprint.proxy_down(502, times=1)
    with pytest.raises(ProxyFault):
        await source.fetch()
    await source.fetch()
    assert octoprint.log[-1].headers.get("connection") != "close"


async def test_the_response_time_is_one_requests_and_not_the_cycles(
    source: OctoPrint, octoprint: OctoPrintDouble
) -> None:
    octoprint.slow(0.1, path="/api/printer")
    octoprint.slow(0.02, path="/api/job")
    assert 0.02 <= (await source.fetch()).response_time_s < 0.1


async def test_sensors_come_and_go_as_the_printer_reports_them(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    octoprint.printer.heaters["mcu"] = Heater(41.5, None)
    assert set((await source.fetch()).temperatures) == {"bed", "mcu", "tool0"}
    del octoprint.printer.heaters["mcu"]
    assert set((await source.fetch()).temperatures) == {"bed", "tool0"}


async def test_many_cycles_at_once_share_two_connections(source: OctoPrint, octoprint: OctoPrintDouble) -> None:
    calls: list[Awaitable[object]] = [source.fetch() for _ in range(20)]
    await asyncio.gather(*calls)
    assert octoprint.connections <= 2
