"""Our own port, asked by ourselves: what is found out, and that it takes nobody's place."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.health import Health
from edge_agent.sinks.opcua import server
from edge_agent.sinks.opcua.options import Limits
from edge_agent.sinks.opcua.sessions.door import Door
from edge_agent.sinks.opcua.transport.listener import Listener
from edge_agent.sinks.opcua.transport.loopback import Loopback
from tests.endpoint import Bench
from tests.opcua_wire import EndedError, connected

LIMITS = Limits(max_connections=3, activation_timeout_s=60.0)
TURNED_AWAY = 32
URI = "urn:edge-agent:mine"


@pytest.fixture
def listeners(monkeypatch: pytest.MonkeyPatch) -> list[Listener]:
    """Those that endpoints make from now on."""
    made: list[Listener] = []

    class Noted(Listener):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(server, "Listener", Noted)
    return made


@asynccontextmanager
async def endpoint(folder: Path, **options: Any) -> AsyncIterator[Bench]:
    async with Bench(folder, limits=LIMITS, **options).running() as bench:
        yield bench


async def asked(bench: Bench) -> str:
    assert bench.sink._ask_port is not None
    return await bench.sink._ask_port()


@contextmanager
def expecting(_: tuple[str, int]) -> Iterator[None]:
    yield


def loopback(port: int, *, host: str = "127.0.0.1", timeout_s: float = 5.0) -> Loopback:
    return Loopback(
        [(host, port)], url="opc.tcp://here:4840", application_uri=URI, expecting=expecting, timeout_s=timeout_s
    )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize("anonymous", [True, False])
async def test_an_endpoint_that_answers_has_nothing_to_complain_of(tmp_path: Path, anonymous: bool) -> None:
    async with endpoint(tmp_path, anonymous=anonymous, extra_ports=(free_port(),)) as bench:
        assert await asked(bench) == ""


async def test_a_port_that_is_closed_is_found_out(tmp_path: Path, listeners: list[Listener]) -> None:
    async with endpoint(tmp_path) as bench:
        listeners[0]._servers[0].close()
        assert await asked(bench) == f"port {bench.sink.port}: Connection refused"


async def test_one_port_of_several_that_is_closed_is_found_out(tmp_path: Path, listeners: list[Listener]) -> None:
    extra = free_port()
    async with endpoint(tmp_path, extra_ports=(extra,)) as bench:
        listeners[0]._servers[1].close()
        assert await asked(bench) == f"port {extra}: Connection refused"


async def test_a_port_that_another_agent_took_is_found_out(
    tmp_path: Path, listeners: list[Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with endpoint(tmp_path / "a") as bench:
        listeners[0]._servers[0].close()
        monkeypatch.setattr("tests.endpoint.DEVICE", "99999999-2222-3333-4444-555555555555")
        async with endpoint(tmp_path / "b", port=bench.sink.port) as other:
            assert await asked(other) == ""
            assert await asked(bench) == f"port {bench.sink.port}: another program answers there"


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "another program answers there"),
        (b"ACKF\x08\0\0\0OPNF\x0c\0\0\0\0\0\0\0", "unpack_from requires a buffer of at least 8 bytes"),
        (b"ACKF\x00\0\0\0", "another program answers there"),
        (b"ERRF\x10\0\0\0\0\0\x7d\x80\xff\xff\xff\xff", "it ends the connection (status code 0x807D0000)"),
    ],
)
async def test_what_answers_something_else_is_found_out(says: bytes, complaint: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(50)
        writer.write(says)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        assert (await loopback(port).ask()).startswith(f"port {port}: {complaint[:30]}")


async def test_what_never_answers_is_found_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        assert await loopback(port, timeout_s=0.1).ask() == f"port {port} does not answer within 0.1 s"


async def test_an_address_that_this_host_lost_is_no_fault_of_ours() -> None:
    assert await loopback(4840, host="192.0.2.1").ask() == ""


@pytest.mark.parametrize(
    ("address", "reached"),
    [
        (("0.0.0.0", 4840), ("127.0.0.1", 4840)),
        (("::", 4840), ("::1", 4840)),
        (("127.0.0.5", 4841), ("127.0.0.5", 4841)),
    ],
)
def test_a_wildcard_is_reached_by_loopback(address: tuple[str, int], reached: tuple[str, int]) -> None:
    made = Loopback([address], url="", application_uri=URI, expecting=expecting)
    assert made._addresses == [reached]


async def test_it_is_answered_while_every_place_is_taken_by_somebody_who_has_logged_in(tmp_path: Path) -> None:
    async with endpoint(tmp_path, anonymous=True) as bench, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(bench.sink.port)) for _ in range(3)]
        for client in clients:
            await client.log_in()
        with pytest.raises(EndedError):  # a newcomer finds no place
            async with connected(bench.sink.port) as newcomer:
                await newcomer.greet()
        assert await asked(bench) == ""
        for client in clients:
            assert await client.read() is not None


async def test_it_takes_no_place_of_those_who_have_not_logged_in_yet(tmp_path: Path) -> None:
    async with endpoint(tmp_path) as bench, AsyncExitStack() as stack:
        waiting = [await stack.enter_async_context(connected(bench.sink.port)) for _ in range(3)]
        for client in waiting:
            await client.greet()
        assert await asked(bench) == ""
        for client in waiting:
            await client.open()


async def test_it_is_answered_while_there_are_so_many_connections_that_others_get_no_answer(tmp_path: Path) -> None:
    async with endpoint(tmp_path, anonymous=True) as bench, AsyncExitStack() as stack:
        for _ in range(LIMITS.max_connections):
            client = await stack.enter_async_context(connected(bench.sink.port))
            await client.log_in()
        for number in range(TURNED_AWAY):  # they are let wait for a second
            await stack.enter_async_context(connected(bench.sink.port, address=f"127.0.0.{number + 2}"))
        async with connected(bench.sink.port) as newcomer:
            with pytest.raises(EndedError, match="nothing said"):
                await newcomer.greet()
        assert await asked(bench) == ""


async def test_it_is_answered_in_a_flood_of_connections(tmp_path: Path) -> None:
    async with endpoint(tmp_path) as bench:
        done = asyncio.Event()

        async def flood(address: str) -> int:
            opened = 0
            while not done.is_set():
                async with connected(bench.sink.port, address=address) as client:
                    opened += 1
                    try:
                        await client.greet()
                        await client.open()
                    except (EndedError, OSError):
                        continue
            return opened

        attackers = [asyncio.create_task(flood(f"127.0.0.{number}")) for number in range(2, 12)]
        await asyncio.sleep(0.2)
        for _ in range(20):
            assert await asked(bench) == ""
        done.set()
        assert sum(await asyncio.gather(*attackers)) > 20


async def test_nobody_else_hears_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(Door, "tell", lambda door, happened: heard.append(happened) if door._listeners else None)
    async with endpoint(tmp_path) as bench:
        assert await asked(bench) == ""
        assert heard == []
        async with connected(bench.sink.port) as client:
            await client.greet()
            await client.open()
        assert heard


async def test_a_listener_that_died_is_late_and_one_that_lives_is_not(
    tmp_path: Path, listeners: list[Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_ASKED_EVERY_S", 0.01)
    monkeypatch.setattr(server, "_DEADLINE_S", 0.3)
    async with endpoint(tmp_path) as bench:
        health: Health = bench.sink._health
        health.forget("OPC UA endpoint")  # whose turn comes every second
        proving = asyncio.create_task(bench.sink.prove())
        await asyncio.sleep(0.5)
        assert health.late() == []
        listeners[0]._servers[0].close()
        await asyncio.sleep(0.4)
        (late,) = health.late()
        assert late.part == "OPC UA port"
        assert late.reason == f"port {bench.sink.port}: Connection refused"
        proving.cancel()
        await asyncio.wait([proving])
        assert health.late() == []
