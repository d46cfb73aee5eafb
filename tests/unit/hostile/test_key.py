"""Whoever answers, the key goes to the host, port and scheme in the configuration and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edge_agent.errors import SourceError, Unreachable, WrongTarget
from edge_agent.model import MachineState
from edge_agent.secret import Secret
from edge_agent.session import HttpHost, Tls, open_session
from edge_agent.sources.octoprint import OctoPrint, OctoPrintOptions
from tests import raw_server, server_certificates
from tests.double import KEY, OctoPrintDouble

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
PATH = "/api/version"


@pytest.fixture
async def octoprint() -> AsyncIterator[OctoPrintDouble]:
    async with OctoPrintDouble() as double:
        yield double


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


@pytest.fixture
def certificate(tmp_path: Path) -> server_certificates.Certificate:
    return server_certificates.self_signed(tmp_path)


def source_of(url: str, session: aiohttp.ClientSession, tls: Tls | None = None) -> OctoPrint:
    options = OctoPrintOptions(url=url, api_key=Secret(KEY), tls=tls or Tls())
    return OctoPrint(options, session=session, now=lambda: NOW, monotonic=asyncio.get_running_loop().time)


@asynccontextmanager
async def ear() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port of loopback, and everything that anybody says to it."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        heard.append(b"")
        while said := await reader.read(4096):
            heard.append(said)

    async with raw_server.serving(listen) as url:
        yield int(url.rpartition(":")[2]), heard


LOCATIONS = {
    "another port": "http://127.0.0.1:{ear}/api/job",
    "another scheme": "https://127.0.0.1:{ear}/api/job",
    "another scheme, same port": "https://127.0.0.1:{same}/api/job",
    "another name": "http://localhost:{ear}/api/job",
    "no scheme": "//127.0.0.1:{ear}/api/job",
    "a user before it": "http://127.0.0.1:{same}@127.0.0.1:{ear}/",
    "a fragment": "http://127.0.0.1:{ear}/#http://127.0.0.1:{same}/",
    "itself": "http://127.0.0.1:{same}/api/version",
    "a path": "/api/version",
    "a file": "file:///etc/passwd",
    "nothing": "",
    "a broken address": "http://[::1",
    "bytes": "http://\xff\xfe/",
}  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", LOCATIONS)
async def test_no_redirect_is_followed_wherever_it_leads(
    to: str, status: int, octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    async with ear() as (port, heard):
        octoprint.redirect(LOCATIONS[to].format(ear=port, same=octoprint.port), status=status)
        with pytest.raises(WrongTarget, match=r"redirects elsewhere.*final address"):
            await source_of(octoprint.url, session).fetch()
        assert heard == []
    assert [request.path for request in octoprint.log] == [PATH]


HEADERS = [
    "Refresh: 0; url=http://127.0.0.1:{ear}/",
    'Alt-Svc: http/1.1="127.0.0.1:{ear}"',
    "Link: <http://127.0.0.1:{ear}/>; rel=preload",
    "Content-Location: http://127.0.0.1:{ear}/",
    "Upgrade: h2c",
    "Set-Cookie: a=b; Domain=localhost",
]


@pytest.mark.parametrize("header", HEADERS)
async def test_no_other_header_leads_anywhere_either(
    header: str, octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    async with ear() as (port, heard):
        body = b'{"server": "1.11.8", "text": "OctoPrint 1.11.8"}'
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{header}\r\n\r\n"
        octoprint.babble(head.format(ear=port).encode() + body, path=PATH)
        assert (await source_of(octoprint.url, session).fetch()).state is MachineState.READY
        assert heard == []
    assert not any("cookie" in request.headers for request in octoprint.log)


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log-in for everybody, where curl and its like would find it."""
    (tmp_path / ".netrc").write_text("default login somebody password something\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("status", [401, 407, 403])
@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Bearer", "Negotiate", "NTLM", "Basic, Digest"])
async def test_nobody_gets_a_log_in_for_asking(
    scheme: str, status: int, octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    asks = f'{"Proxy" if status == 407 else "WWW"}-Authenticate: {scheme} realm="x", nonce="y"'
    octoprint.babble(f"HTTP/1.1 {status} No\r\n{asks}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(SourceError):
        await source_of(octoprint.url, session).fetch()
    assert octoprint.log
    for request in octoprint.log:
        assert "authorization" not in request.headers
        assert "proxy-authorization" not in request.headers


async def test_a_certificate_is_looked_at_before_the_key_is_sent(
    certificate: server_certificates.Certificate, session: aiohttp.ClientSession
) -> None:
    async with OctoPrintDouble(tls=certificate.server) as impostor:
        for tls in (Tls(), Tls(fingerprint=bytes(32))):
            with pytest.raises(WrongTarget):
                await source_of(impostor.url, session, tls).fetch()
        assert impostor.log == []


async def test_a_server_that_lost_its_certificate_is_not_spoken_to_in_the_clear(
    session: aiohttp.ClientSession, certificate: server_certificates.Certificate
) -> None:
    async with ear() as (port, heard):
        url = f"https://127.0.0.1:{port}"
        with pytest.raises((SourceError, TimeoutError)):
            async with asyncio.timeout(0.3):
                await source_of(url, session, Tls(fingerprint=certificate.fingerprint)).fetch()
        assert heard
        assert KEY.encode() not in b"".join(heard)


# Names.


class Names:
    """Says where a name leads; loopback's addresses are told apart by their ports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.port = 0
        self.asked = 0
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: str, port: int, *rest: Any, **named: Any) -> Any:
        """As `socket.getaddrinfo`."""
        if host != "printer.local":
            return self._real(host, port, *rest, **named)
        self.asked += 1
        return self._real("127.0.0.1", self.port, *rest, **named)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


async def test_a_name_that_moves_does_not_move_a_connection_that_is_open(
    names: Names, octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    source = source_of("http://printer.local", session)
    names.port = octoprint.port
    await source.fetch()
    async with ear() as (port, heard):
        names.port = port
        assert (await source.fetch()).state is MachineState.READY
        assert heard == []
    assert octoprint.connections == 1


async def test_a_name_with_a_certificate_may_move_and_an_impostor_there_hears_no_key(
    names: Names, session: aiohttp.ClientSession, certificate: server_certificates.Certificate, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = server_certificates.self_signed(tmp_path / "other")
    tls = Tls(fingerprint=certificate.fingerprint)
    async with OctoPrintDouble(tls=certificate.server) as octoprint, OctoPrintDouble(tls=other.server) as impostor:
        source = source_of("https://printer.local", session, tls)
        names.port = octoprint.port
        await source.fetch()
        names.port = impostor.port
        octoprint.silence()
        with pytest.raises(Unreachable):
            await source.fetch()  # the name is remembered for a minute
        assert isinstance(session.connector, aiohttp.TCPConnector)
        session.connector.clear_dns_cache()  # that minute is over
        with pytest.raises(WrongTarget, match="fingerprint"):
            await source.fetch()
        assert impostor.log == []
        assert names.asked == 2


# What is planted for the next question.


@pytest.mark.parametrize("after_s", [0.0, 0.02])
async def test_what_nobody_asked_for_is_not_taken_for_the_next_answer(
    after_s: float, octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    planted = b'{"planted": true}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(planted) + planted
    host = HttpHost(session, url=octoprint.url, headers={"X-Api-Key": KEY}, tls=Tls())
    octoprint.go_on(answer, after_s=after_s)
    for _ in range(4):
        assert b"planted" not in (await host.get(PATH)).body
        await asyncio.sleep(0.05)
    assert octoprint.connections == 4


async def test_a_server_that_goes_on_talking_to_an_idle_agent_is_hung_up_on(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    host = HttpHost(session, url=octoprint.url, headers={"X-Api-Key": KEY}, tls=Tls())
    octoprint.go_on(b"\r\n", after_s=0.02, for_ever=True)
    await host.get(PATH)
    assert len(octoprint.open_connections) == 1
    await asyncio.sleep(0.2)
    assert octoprint.open_connections == set()
    octoprint.well()
    assert (await host.get(PATH)).status == 200


# Words that get out.


async def test_nothing_that_is_logged_at_any_level_has_the_key_in_it(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    source = source_of(octoprint.url, session)
    await source.fetch()
    spoils: list[Callable[[], None]] = [octoprint.truncate, octoprint.reset, lambda: octoprint.babble(b"x")]
    for spoil in spoils:
        spoil()
        with pytest.raises(SourceError) as caught:
            await source.fetch()
        logging.getLogger("test").error("as a bug would be", exc_info=caught.value)
    assert "as a bug would be" in caplog.text
    assert KEY not in caplog.text


async def test_a_servers_words_stay_on_their_line(octoprint: OctoPrintDouble, session: aiohttp.ClientSession) -> None:
    escape = "\\u001b]0;x\\u0007\\u0085\\u2028\\u202egnp\\r\\nm: fault"
    octoprint.garble(
        b'{"state": "Printing%s", "error": "e%s", "job": {"user": "u%s", "file": {"name": "n%s", "path": "%s"}}}'
        % (*[escape.encode()] * 4, b"x" * 5000),
        path="/api/job",
    )
    octoprint.garble(b'{"text": "OctoPrint %s"}' % escape.encode(), path=PATH)
    snapshot = await source_of(octoprint.url, session).fetch()
    job = snapshot.job
    words = [snapshot.software_version, snapshot.state_text, job.user, job.file_name, job.file_path]
    for text in words:
        assert text
        assert len(text) <= 1024
        assert not set(text) & set("\x1b\x07\x85\u2028\u202e\r\n")
    assert job.file_name == "n ]0;x    gnp  m: fault"


@pytest.mark.parametrize("name", ["Würfel ✓.gcode", "می‌خواهم.gcode", "👩‍🔧.gcode", "ねじ　二.gcode"])
async def test_a_file_may_be_called_anything_that_people_write(
    name: str, octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    octoprint.printer.select(name)
    assert (await source_of(octoprint.url, session).fetch()).job.file_name == name
