"""Who takes more of the listener than a reader needs is cut; who reads is served all the while."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest
from aiohttp import web
from msgspec.structs import replace

from edge_agent.sinks.http.listener import Limits, Listener

from .bench import Bench, observed

SHORT = Limits(connections=5, idle_s=0.2, answer_s=0.5)


async def connect(bench: Bench) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", bench.sink.port)


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """What still comes until the other side ends it."""
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b""


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it does not come")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HT"])
async def test_who_sends_no_request_or_half_of_one_is_cut(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.sinks.http.listener._POLITE_S", 0.1)
    bench = Bench(limits=SHORT)
    async with bench.running():
        reader, writer = await connect(bench)
        writer.write(sent)
        assert await rest_of(reader) == b""
        writer.close()


async def test_trickling_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.sinks.http.listener._POLITE_S", 0.1)
    bench = Bench(limits=SHORT)
    async with bench.running():
        reader, writer = await connect(bench)
        writer.write(b"GET / HTTP/1.1\r\n")
        ended = asyncio.ensure_future(rest_of(reader))
        for number in range(200):
            if ended.done():
                break
            writer.write(b"X-%d: y\r\n" % number)
            await asyncio.sleep(0.02)
        assert ended.done()
        writer.close()


async def test_so_many_idle_connections_as_one_likes_keep_nobody_out() -> None:
    bench = Bench(limits=replace(SHORT, idle_s=30.0))
    bench.store.publish(observed(1))
    async with bench.running() as client:
        crowd = [await connect(bench) for _ in range(20)]
        assert "machine-1" in await bench.text(client, "/api/v1/machines")
        gone = await asyncio.gather(*(rest_of(reader) for reader, _ in crowd[:15]))
        assert set(gone) == {b""}
        for _, writer in crowd:
            writer.close()


async def test_a_head_too_long_is_refused_and_not_kept() -> None:
    bench = Bench(limits=replace(SHORT, answer_s=5.0, idle_s=5.0))
    async with bench.running():
        many = b"".join(b"\r\nX-%d: aaaa" % number for number in range(100))
        long = (b"GET /" + b"a" * 9000, b"GET / HTTP/1.1\r\nX: " + b"a" * 9000, b"GET / HTTP/1.1" + many)
        for head in (*long, b"\x16\x03\x01 nonsense"):
            reader, writer = await connect(bench)
            writer.write(head + b"\r\n\r\n")
            answer = await rest_of(reader)
            assert answer.startswith(b"HTTP/1.0 400 ")
            assert b"aaaa" not in answer
            writer.close()


async def test_a_body_is_not_waited_for() -> None:
    bench = Bench(limits=replace(SHORT, idle_s=30.0, answer_s=30.0))
    async with bench.running():
        reader, writer = await connect(bench)
        writer.write(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\nhalf")
        assert (await rest_of(reader)).startswith(b"HTTP/1.1 405")
        writer.close()


async def test_who_does_not_read_an_answer_is_cut() -> None:
    async def answer(*_: object) -> web.StreamResponse:
        return web.Response(body=b"x" * 8_000_000)

    listener = Listener(answer, limits=replace(SHORT, idle_s=30.0))
    port = await listener.open("127.0.0.1", 0)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port))
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: bool(listener.connections))
        await until(lambda: not listener.connections)
    await listener.close()


async def test_who_takes_an_answer_for_ever_is_cut_although_we_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.sinks.http.listener._POLITE_S", 0.1)

    async def answer(request: web.BaseRequest, _: object) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return web.Response(body=b"x" * 50_000)  # more than the kernel takes, less than is waited for

    listener = Listener(answer, limits=SHORT)
    port = await listener.open("127.0.0.1", 0)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port))
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: bool(listener.connections))
        connection = next(iter(listener.connections))
        await until(lambda: connection.transport is None and not listener.connections)
    await listener.close()


async def test_one_connection_serves_many_requests() -> None:
    bench = Bench()
    async with bench.running():
        reader, writer = await connect(bench)
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
            assert (await asyncio.wait_for(reader.readuntil(b"ok\n"), 5)).endswith(b"ok\n")
        writer.close()
