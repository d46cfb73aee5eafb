"""The double says what OctoPrint says, fails as it is told to, and counts."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.double import KEY, Heater, OctoPrintDouble, Printer, User, recorded, situations

NOW = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


@pytest.fixture
async def octoprint() -> AsyncIterator[OctoPrintDouble]:
    async with OctoPrintDouble(clock=lambda: NOW) as double:
        yield double


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(headers={"X-Api-Key": KEY}, timeout=timeout) as session:
        yield session


async def get(session: aiohttp.ClientSession, octoprint: OctoPrintDouble, path: str) -> tuple[int, bytes]:
    async with session.get(octoprint.url + path, allow_redirects=False) as response:
        return response.status, await response.read()


async def get_json(session: aiohttp.ClientSession, octoprint: OctoPrintDouble, path: str) -> Any:
    status, body = await get(session, octoprint, path)
    assert status == 200, body
    return json.loads(body)


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("never came true")


# What OctoPrint says.


def printing(printer: Printer) -> None:
    printer.print(1080 / 2050, elapsed_s=6, left_s=5)


def paused(printer: Printer) -> None:
    printing(printer)
    printer.pause()


def pausing(printer: Printer) -> None:
    printing(printer)
    printer.pausing()


def done(printer: Printer) -> None:
    printer.print(0.9, elapsed_s=11)
    printer.done()


def cancelled(printer: Printer) -> None:
    printing(printer)
    printer.cancelling()
    printer.idle()


RUNAWAY = "Thermal Runaway, system stopped! Heater_ID: bed - Printer halted. kill() called!"


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        ("02_disconnected", Printer.power_off),
        ("03_just_connected", Printer.idle),
        ("05_idle_file_selected", lambda printer: printer.select("demo.gcode")),
        ("09_printing_6s", printing),
        ("10_pausing", pausing),
        ("11_paused", paused),
        ("15_done_idle", done),
        ("17_after_cancel", cancelled),
        ("31_fatal_error_marlin_printing", lambda printer: printer.fault(RUNAWAY)),
        ("38_api_disconnect_while_printing", Printer.power_off),
    ],
)
async def test_each_state_reads_as_recorded(
    octoprint: OctoPrintDouble,
    session: aiohttp.ClientSession,
    state: str,
    verb: Callable[[Printer], None],
) -> None:
    status, body = recorded(state, "printer")
    octoprint.printer.heaters.clear()
    if status == 200:
        for name, heater in json.loads(body)["temperature"].items():
            octoprint.printer.heaters[name] = Heater(**heater)
    verb(octoprint.printer)
    job = json.loads(recorded(state, "job")[1])["job"]
    octoprint.printer.job.update({name: job[name] for name in ("averagePrintTime", "lastPrintTime")})
    assert await get(session, octoprint, "/api/printer") == (status, body)
    assert await get(session, octoprint, "/api/job") == recorded(state, "job")
    assert await get(session, octoprint, "/api/connection") == recorded(state, "connection")
    assert await get(session, octoprint, "/api/version") == recorded("11_paused", "version")


@pytest.mark.parametrize("state", situations())
async def test_a_recording_is_played_verbatim(
    octoprint: OctoPrintDouble,
    session: aiohttp.ClientSession,
    state: str,
) -> None:
    octoprint.printer.play(state)
    assert await get(session, octoprint, "/api/job") == recorded(state, "job")
    if state != "70_unicode_folder":
        assert await get(session, octoprint, "/api/printer") == recorded(state, "printer")
        assert await get(session, octoprint, "/api/connection") == recorded(state, "connection")


async def test_a_verb_ends_a_recording(octoprint: OctoPrintDouble, session: aiohttp.ClientSession) -> None:
    octoprint.printer.play("11_paused")
    octoprint.printer.idle()
    assert (await get_json(session, octoprint, "/api/job"))["state"] == "Operational"


async def test_history_has_the_time_of_the_temperatures(
    octoprint: OctoPrintDouble,
    session: aiohttp.ClientSession,
) -> None:
    path = "/api/printer?history=true&limit=1"
    octoprint.printer.heaters["tool0"] = Heater(209.9, 210.0)
    history = (await get_json(session, octoprint, path))["temperature"]["history"]
    assert history == [
        {"time": NOW.timestamp(), "tool0": {"actual": 209.9, "target": 210.0}, "bed": {"actual": 21.3, "target": 0.0}},
    ]
    octoprint.printer.temperatures_at = datetime(2026, 2, 1, tzinfo=UTC)
    history = (await get_json(session, octoprint, path))["temperature"]["history"]
    assert history[0]["time"] == datetime(2026, 2, 1, tzinfo=UTC).timestamp()
    octoprint.printer.heaters.clear()
    assert (await get_json(session, octoprint, path))["temperature"] == {"history": []}


async def test_keys_as_in_octoprint(octoprint: OctoPrintDouble, session: aiohttp.ClientSession) -> None:
    octoprint.users["STATUSLESS"] = User("poor", permissions=())
    octoprint.users["LEFT"] = User("left", active=False)
    for key, status, name in (("STATUSLESS", 403, "poor"), ("LEFT", 403, "left"), ("x", 403, None), ("", 403, None)):
        session.headers["X-Api-Key"] = key
        assert (await get(session, octoprint, "/api/job"))[0] == status
        assert (await get_json(session, octoprint, "/api/currentuser"))["name"] == name
    assert (await get_json(session, octoprint, "/api/currentuser"))["groups"] == ["guests"]
    session.headers["X-Api-Key"] = KEY
    assert (await get(session, octoprint, "/api/job"))[0] == 200
    assert (await get(session, octoprint, "/api/files"))[0] == 404


@pytest.mark.parametrize(
    ("version", "unknown_key", "current_user", "fault"),
    [
        ("1.3.6", (401, b"Invalid API key"), 404, {"state": "Offline (Error: boom)"}),
        (
            "1.9.3",
            (403, b'{\n  "error": "Invalid API key"\n}\n'),
            200,
            {"state": "Offline after error", "error": "boom"},
        ),
        ("2.0.0rc7", None, 200, {"state": "Offline after error", "error": None}),
    ],
)
async def test_other_versions(
    session: aiohttp.ClientSession,
    version: str,
    unknown_key: tuple[int, bytes] | None,
    current_user: int,
    fault: dict[str, str | None],
) -> None:
    async with OctoPrintDouble(version) as octoprint:
        octoprint.printer.fault("boom")
        job = await get_json(session, octoprint, "/api/job")
        assert {name: job[name] for name in job if name in {"state", "error"}} == fault
        assert (await get(session, octoprint, "/api/printer"))[0] == 409
        assert (await get(session, octoprint, "/api/currentuser"))[0] == current_user
        assert octoprint.connections == (1 if version == "2.0.0rc7" else 3)
        session.headers["X-Api-Key"] = "unknown"
        assert unknown_key is None or await get(session, octoprint, "/api/job") == unknown_key


# What goes wrong.


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        (OctoPrintDouble.silence, aiohttp.ClientConnectorError),
        (OctoPrintDouble.hang, TimeoutError),
        (OctoPrintDouble.trickle, TimeoutError),
        (OctoPrintDouble.truncate, aiohttp.ClientPayloadError),
        (OctoPrintDouble.reset, aiohttp.ClientError),
        (OctoPrintDouble.starting, aiohttp.ClientResponseError),
    ],
)
async def test_no_usable_answer_and_then_all_well(
    octoprint: OctoPrintDouble,
    session: aiohttp.ClientSession,
    verb: Callable[[OctoPrintDouble], None],
    error: type[Exception],
) -> None:
    assert (await get(session, octoprint, "/api/job"))[0] == 200
    verb(octoprint)
    with pytest.raises(error):
        async with asyncio.timeout(0.2):
            await get(session, octoprint, "/api/job")
    octoprint.well()
    assert (await get(session, octoprint, "/api/job"))[0] == 200


async def test_reset_is_a_reset(octoprint: OctoPrintDouble) -> None:
    octoprint.reset()
    reader, writer = await asyncio.open_connection("127.0.0.1", octoprint.port)
    writer.write(f"GET /api/job HTTP/1.1\r\nX-Api-Key: {KEY}\r\n\r\n".encode())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("verb", "status", "body"),
    [
        (lambda double: double.refuse(500, "no", "text/plain"), 500, b"no"),
        (lambda double: double.refuse(403), 403, None),
        (lambda double: double.garble(b"\xff{"), 200, b"\xff{"),
        (lambda double: double.redirect("http://127.0.0.1:9/"), 302, b""),
        (lambda double: double.proxy_down(502), 502, None),
        (lambda double: double.proxy_down(503, after_s=0.05), 503, None),
        (lambda double: double.slow(0.05), 200, None),
        (lambda double: double.hang(0.05), 200, None),
        (lambda double: double.huge(3_000_000), 200, b"x" * 3_000_000),
        (lambda double: double.huge(3_000_000, declared=False), 200, b"x" * 3_000_000),
    ],
)
async def test_an_answer_of_the_wrong_kind(
    octoprint: OctoPrintDouble,
    session: aiohttp.ClientSession,
    verb: Callable[[OctoPrintDouble], None],
    status: int,
    body: bytes | None,
) -> None:
    verb(octoprint)
    answer = await get(session, octoprint, "/api/job")
    assert answer[0] == status
    assert body is None or answer[1] == body


async def test_a_fault_of_one_path_and_a_fault_that_passes(
    octoprint: OctoPrintDouble,
    session: aiohttp.ClientSession,
) -> None:
    octoprint.refuse(500, path="/api/printer")
    octoprint.refuse(502, path="/api/job", times=2)
    assert [(await get(session, octoprint, "/api/job"))[0] for _ in range(3)] == [502, 502, 200]
    assert (await get(session, octoprint, "/api/printer"))[0] == 500


@pytest.mark.parametrize("announce", [True, False])
async def test_closing_after_each_answer(
    octoprint: OctoPrintDouble,
    session: aiohttp.ClientSession,
    announce: bool,
) -> None:
    octoprint.close_each(announce=announce)
    for _ in range(3):
        assert (await get(session, octoprint, "/api/job"))[0] == 200
    assert octoprint.connections == 3
    octoprint.well()
    for _ in range(3):
        assert (await get(session, octoprint, "/api/job"))[0] == 200
    assert octoprint.connections == 4


@pytest.mark.parametrize(("name", "text"), [("moonraker", "OctoPrint (Moonraker"), ("prusalink", "PrusaLink")])
async def test_lookalikes(octoprint: OctoPrintDouble, session: aiohttp.ClientSession, name: Any, text: str) -> None:
    octoprint.lookalike(name)
    assert (await get_json(session, octoprint, "/api/version"))["text"].startswith(text)
    assert (await get_json(session, octoprint, "/api/job"))["state"] == "Printing"


# What it counts.


async def test_the_log(octoprint: OctoPrintDouble, session: aiohttp.ClientSession) -> None:
    await get(session, octoprint, "/api/printer?history=true&limit=1")
    await get(session, octoprint, f"/api/job?apikey={KEY}")
    session.headers["X-Api-Key"] = "wrong"
    await get(session, octoprint, "/api/job")
    first, second, third = octoprint.log
    assert (first.method, first.path, first.query) == ("GET", "/api/printer", "history=true&limit=1")
    assert (first.status, first.connection, first.key) == (200, 1, "right")
    assert first.headers["x-api-key"] == "(key)"
    assert (second.query, second.key) == ("apikey=(key)", "right")
    assert (third.status, third.key) == (403, "wrong")
    assert KEY not in str(octoprint.log)
    assert octoprint.connections == 1
    octoprint.clear_log()
    assert octoprint.log == []


async def test_a_client_that_goes_away_leaves_nothing_behind(octoprint: OctoPrintDouble) -> None:
    octoprint.hang()
    _, writer = await asyncio.open_connection("127.0.0.1", octoprint.port)
    writer.write(b"GET /api/job HTTP/1.1\r\n\r\n")
    await until(lambda: bool(octoprint.log))
    assert octoprint.log[0].status is None
    writer.close()
    await until(lambda: not octoprint.open_connections)
    octoprint.well()


# Where it runs.


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_the_same_on_every_loop(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        async with OctoPrintDouble() as octoprint, aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session:
            for _ in range(3):
                port = octoprint.port
                octoprint.silence()
                with pytest.raises(aiohttp.ClientConnectorError):
                    await get(session, octoprint, "/api/job")
                octoprint.speak()
                assert (octoprint.port, (await get(session, octoprint, "/api/job"))[0]) == (port, 200)
            for verb in (octoprint.truncate, octoprint.reset, octoprint.starting):
                verb()
                with pytest.raises(aiohttp.ClientError):
                    await get(session, octoprint, "/api/job")
            octoprint.huge(3_000_000)
            assert len((await get(session, octoprint, "/api/job"))[1]) == 3_000_000
            octoprint.silence()
            octoprint.well()
            assert (await get(session, octoprint, "/api/job"))[0] == 200

    run(main())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_https(run: Callable[[Coroutine[Any, Any, None]], None], tmp_path: Path) -> None:
    certificate, fingerprint = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)

    async def main() -> None:
        async with OctoPrintDouble(tls=tls) as octoprint, aiohttp.ClientSession(headers={"X-Api-Key": KEY}) as session:
            async with session.get(octoprint.url + "/api/job", ssl=aiohttp.Fingerprint(fingerprint)) as response:
                assert (octoprint.url[:5], response.status) == ("https", 200)
            with pytest.raises(aiohttp.ClientConnectorError):
                await get(session, octoprint, "/api/job")

    run(main())


def self_signed(folder: Path) -> tuple[Path, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "octopi")])
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW.replace(year=2036)).sign(
        key, hashes.SHA256()
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return file, certificate.fingerprint(hashes.SHA256())


async def test_a_request_sent_before_an_unannounced_close_dies_with_the_connection(octoprint: OctoPrintDouble) -> None:
    octoprint.close_each(announce=False, linger_s=0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", octoprint.port)
    request = f"GET /api/version HTTP/1.1\r\nX-Api-Key: {KEY}\r\n\r\n".encode()
    writer.write(request + request)
    assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 1
    writer.close()


async def test_requests_in_a_row_are_answered_in_order(octoprint: OctoPrintDouble) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", octoprint.port)
    requests = [f"GET /api/{name} HTTP/1.1\r\nX-Api-Key: {KEY}\r\n\r\n" for name in ("version", "job", "server")]
    octoprint.hang(0.02)
    writer.write("".join(requests).encode())
    for word in (b'"api"', b'"progress"', b'"safemode"'):
        await reader.readuntil(word)
    writer.close()
