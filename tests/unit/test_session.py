"""The one HTTP session: what it sends, whom it trusts, how it lives with servers that hang up and names that hang."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edge_agent.errors import ConfigError, SourceError, Unreachable, WrongTarget
from edge_agent.session import Answer, HttpHost, Tls, open_session
from edge_agent.session.library import authorities
from tests import raw_server, server_certificates, virtual_time
from tests.double import KEY, OctoPrintDouble

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
PATH = "/api/version"
KEPT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CLOSED = KEPT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture
async def octoprint() -> AsyncIterator[OctoPrintDouble]:
    async with OctoPrintDouble() as double:
        yield double


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


def host_at(url: str, session: aiohttp.ClientSession, tls: Tls | None = None) -> HttpHost:
    return HttpHost(session, url=url, headers={"X-Api-Key": KEY}, tls=tls or Tls())


# What is sent, and what is not followed.


async def test_it_asks_for_uncompressed_answers_and_says_who_it_is(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    await host_at(octoprint.url, session).get(PATH)
    headers = octoprint.log[0].headers
    assert (headers["accept-encoding"], headers["user-agent"]) == ("identity", "edge-agent")


async def test_a_redirect_is_an_answer_and_is_not_followed(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    octoprint.redirect(octoprint.url + "/api/job", status=301)
    answer = await host_at(octoprint.url, session).get(PATH)
    assert (answer.status, answer.location) == (301, octoprint.url + "/api/job")
    assert [request.path for request in octoprint.log] == [PATH]


async def test_no_cookie_is_kept(session: aiohttp.ClientSession) -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(CLOSED.replace(b"\r\n\r\n", b"\r\nSet-Cookie: session=1; Path=/\r\n\r\n"))

    async with raw_server.serving(serve) as url:
        host = host_at(url.replace("127.0.0.1", "localhost"), session)
        for _ in range(2):
            await host.get(PATH)
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


async def test_a_proxy_named_in_the_environment_is_not_used(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert (await host_at(octoprint.url, session).get(PATH)).status == 200


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [("application/json", True), ("application/problem+json", True), ("text/html", False), ("", False)],
)
def test_an_answer_is_json_when_it_says_so(content_type: str, is_json: bool) -> None:
    assert Answer(200, content_type, b"{}", "", 0.0).is_json is is_json


async def test_the_path_of_the_base_url_is_kept(session: aiohttp.ClientSession, octoprint: OctoPrintDouble) -> None:
    await host_at(octoprint.url + "/octoprint", session).get(PATH)
    assert octoprint.log[0].path == "/octoprint" + PATH


# Servers that hang up.


async def test_a_request_that_dies_on_a_pooled_connection_is_repeated_on_a_new_one(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    octoprint.close_each(announce=False, linger_s=0.02)
    host = host_at(octoprint.url, session)
    for _ in range(2):
        assert (await host.get(PATH)).status == 200
    assert [request.connection for request in octoprint.log] == [1, 2]


async def test_a_request_is_repeated_once_and_not_for_ever(session: aiohttp.ClientSession) -> None:
    heard: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the first request of all, and hang up at each later one."""
        while await reader.readuntil(b"\r\n\r\n"):
            heard.append(1)
            if len(heard) > 1:
                return
            writer.write(KEPT)

    async with raw_server.serving(serve) as url:
        host = host_at(url, session)
        await host.get(PATH)
        with pytest.raises(Unreachable, match="closed before the answer"):
            await host.get(PATH)
    assert len(heard) == 3


class SilentCloser:
    """As OctoPrint up to 1.9: closes after each answer, a moment later, and says so only when it was asked to."""

    def __init__(self) -> None:
        self.asked_to_close: list[bool] = []
        self.lost = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked = b"connection: close" in head.lower()
        self.asked_to_close.append(asked)
        writer.write(CLOSED if asked else KEPT)
        await asyncio.sleep(0.5)
        self.lost += bool(reader._buffer)  # type: ignore[attr-defined]


def test_a_host_that_closes_without_a_word_is_learned_and_loses_no_request_after_that() -> None:
    async def learn() -> None:
        closer = SilentCloser()
        async with raw_server.serving(closer.serve) as url, open_session() as session:
            host = host_at(url, session)
            for _ in range(6):
                assert (await host.get(PATH)).status == 200
            lost = closer.lost
            assert host.closes_silently
            assert closer.asked_to_close == [False] * 4 + [True] * 2  # the first connection was no reconnection
            for _ in range(20):
                assert (await host.get(PATH)).status == 200
            await asyncio.sleep(1)
            assert closer.asked_to_close[6:] == [True] * 20
            assert closer.lost == lost

    virtual_time.run(learn, start=NOW)


async def test_after_an_upgrade_connections_are_kept_again(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    octoprint.close_each(announce=False)
    host = host_at(octoprint.url, session)
    for _ in range(5):
        await host.get(PATH)
    assert octoprint.log[-1].headers.get("connection") == "close"
    octoprint.well()
    host.forget_habits()
    octoprint.clear_log()
    for _ in range(5):
        await host.get(PATH)
    assert {request.headers.get("connection") for request in octoprint.log} <= {None, "keep-alive"}
    assert len({request.connection for request in octoprint.log}) == 1


@pytest.mark.parametrize("announce", [True, False])
def test_closing_is_no_habit_when_it_is_announced_or_rare(announce: bool) -> None:
    async def rarely() -> None:
        async with OctoPrintDouble() as octoprint, open_session() as session:
            host = host_at(octoprint.url, session)
            octoprint.close_each(announce=announce)
            for _ in range(10):
                await host.get(PATH)
                await asyncio.sleep(0 if announce else 20)
            assert not host.closes_silently

    virtual_time.run(rarely, start=NOW)


async def test_two_closed_connections_and_a_kept_one_are_no_habit(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    host = host_at(octoprint.url, session)
    for _ in range(5):
        octoprint.close_each(announce=False)
        for _ in range(2):
            await host.get(PATH)
        octoprint.well()
        for _ in range(2):
            await host.get(PATH)
    assert not host.closes_silently


async def test_a_connection_that_is_kept_is_used_again(
    octoprint: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    host = host_at(octoprint.url, session)
    for _ in range(10):
        await host.get(PATH)
    assert octoprint.connections == 1


# Names.


@pytest.fixture
def dead_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Looking up dead-... takes until the end of the test, as a .local name of a printer that is off takes seconds."""
    real, released = socket.getaddrinfo, threading.Event()

    def look_up(host: str, *rest: Any, **named: Any) -> Any:
        if host.startswith("dead-"):
            released.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real("127.0.0.1" if host == "live.local" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    released.set()


@pytest.mark.usefixtures("dead_names")
async def test_names_that_nobody_answers_for_delay_no_printer_that_is_there(octoprint: OctoPrintDouble) -> None:
    async with open_session() as session:
        dead = [asyncio.create_task(host_at(f"http://dead-{number}.local", session).get(PATH)) for number in range(50)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(2):
            answer = await host_at(f"http://live.local:{octoprint.port}", session).get(PATH)
        assert answer.status == 200
        assert not any(task.done() for task in dead)
        for task in dead:
            task.cancel()
        await asyncio.gather(*dead, return_exceptions=True)


async def test_an_unknown_name_says_so(session: aiohttp.ClientSession) -> None:
    with pytest.raises(Unreachable, match="host name is unknown"):
        await host_at("http://no-such-printer.invalid", session).get(PATH)


# Trust.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> server_certificates.Certificate:
    return server_certificates.self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def trusted(certificate: server_certificates.Certificate) -> AsyncIterator[OctoPrintDouble]:
    async with OctoPrintDouble(tls=certificate.server) as double:
        yield double


async def test_a_self_signed_certificate_is_refused_and_the_way_out_named(
    trusted: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(WrongTarget, match=r"not trusted.*tls\.ca_file or tls\.fingerprint") as caught:
        await host_at(trusted.url, session).get(PATH)
    assert "self-signed certificate" in str(caught.value)
    assert trusted.log == []


async def test_a_self_signed_certificate_is_accepted_by_its_file(
    trusted: OctoPrintDouble, session: aiohttp.ClientSession, certificate: server_certificates.Certificate
) -> None:
    assert (await host_at(trusted.url, session, Tls(ca_file=certificate.pem)).get(PATH)).status == 200


async def test_a_self_signed_certificate_is_accepted_by_its_fingerprint(
    trusted: OctoPrintDouble, session: aiohttp.ClientSession, certificate: server_certificates.Certificate
) -> None:
    assert (await host_at(trusted.url, session, Tls(fingerprint=certificate.fingerprint)).get(PATH)).status == 200


async def test_another_certificate_than_the_one_fingerprinted_is_refused_and_its_own_told(
    trusted: OctoPrintDouble, session: aiohttp.ClientSession, certificate: server_certificates.Certificate
) -> None:
    with pytest.raises(WrongTarget, match=certificate.fingerprint.hex()):
        await host_at(trusted.url, session, Tls(fingerprint=bytes(32))).get(PATH)
    assert trusted.log == []


async def test_anybody_is_trusted_when_told_so(trusted: OctoPrintDouble, session: aiohttp.ClientSession) -> None:
    assert (await host_at(trusted.url, session, Tls(verify=False)).get(PATH)).status == 200


async def test_an_expired_certificate_is_refused_even_with_its_file(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    expired = server_certificates.self_signed(tmp_path, days=0)
    async with OctoPrintDouble(tls=expired.server) as double:
        with pytest.raises(WrongTarget, match="expired"):
            await host_at(double.url, session, Tls(ca_file=expired.pem)).get(PATH)


async def test_a_certificate_for_another_name_is_refused(
    trusted: OctoPrintDouble, session: aiohttp.ClientSession, certificate: server_certificates.Certificate
) -> None:
    with pytest.raises(WrongTarget, match="localhost"):
        await host_at(f"https://localhost:{trusted.port}", session, Tls(ca_file=certificate.pem)).get(PATH)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_an_authority_that_cannot_be_read_is_a_problem_of_the_configuration(
    content: str | None, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"tls\.ca_file .*ca\.pem"):
        host_at("https://127.0.0.1", session, Tls(ca_file=path))


async def test_https_to_a_server_without_it_says_to_use_http(session: aiohttp.ClientSession) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with raw_server.serving(serve) as url:
        with pytest.raises(WrongTarget, match="put http:// in url"):
            await host_at(url.replace("http:", "https:"), session).get(PATH)


async def test_http_to_a_server_that_wants_https_is_no_bug(
    trusted: OctoPrintDouble, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(SourceError):
        await host_at(trusted.url.replace("https:", "http:"), session).get(PATH)


async def test_whom_the_system_trusts_is_trusted(
    session: aiohttp.ClientSession,
    trusted: OctoPrintDouble,
    certificate: server_certificates.Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.pem))
    authorities.cache_clear()
    try:
        assert (await host_at(trusted.url, session).get(PATH)).status == 200
    finally:
        authorities.cache_clear()


def test_importing_the_session_reads_no_authorities_and_leaves_the_environment_alone() -> None:
    script = (
        "import os; os.environ['SSL_CERT_DIR'] = '/somewhere';"
        "import edge_agent.session; from aiohttp import connector;"
        "assert connector._SSL_CONTEXT_VERIFIED.get_ca_certs() == [], 'authorities were read';"
        "assert os.environ['SSL_CERT_DIR'] == '/somewhere'; assert 'SSL_CERT_FILE' not in os.environ"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT")}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
