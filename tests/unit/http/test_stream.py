"""Server-sent events: what changed, once, to each who listens and keeps up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from typing import Any

import aiohttp
from msgspec.structs import replace

from edge_agent.model import Job
from edge_agent.sinks.http.stream import Pace
from tests.observations import PRINTING

from .bench import STATUS, Bench, observed

EVENTS = "/api/v1/events"
QUICK = Pace(rest_s=0.01, heartbeat_s=30.0, read_s=5.0, clients=3)


def printing(ratio: float) -> Any:
    return replace(PRINTING, job=Job(file_name="gear.gcode", file_path="gear.gcode", progress_ratio=ratio))


async def event(answer: aiohttp.ClientResponse) -> tuple[str, Any]:
    """The next event, comments left out."""
    name = ""
    while True:
        line = (await asyncio.wait_for(answer.content.readline(), 5)).decode().rstrip("\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            return name, json.loads(line.removeprefix("data: "))


async def begun(answer: aiohttp.ClientResponse, machines: int) -> list[str]:
    """Read the first turn: every machine, and the agent."""
    found = [await event(answer) for _ in range(machines + 1)]
    assert [name for name, _ in found] == ["machine"] * machines + ["agent"]
    return [told["id"] for _, told in found[:-1]]


async def test_all_machines_come_first_then_what_changes() -> None:
    bench = Bench(pace=QUICK)
    bench.store.publish(observed(1))
    bench.store.publish(observed(2))
    async with bench.running() as client, client.get(EVENTS) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert await begun(answer, 2) == ["machine-1", "machine-2"]
        bench.store.publish(observed(2, snapshot=printing(0.5)))
        name, told = await event(answer)
        assert (name, told["id"], told["print"]["progress_ratio"]) == ("machine", "machine-2", 0.5)
        bench.store.remove("machine-1")
        assert await event(answer) == ("removed", {"id": "machine-1"})
        bench.store.publish_agent(replace(STATUS, config_status="reloaded"))
        name, told = await event(answer)
        assert (name, told["config_status"]) == ("agent", "reloaded")


async def test_an_answer_that_says_the_same_is_no_event() -> None:
    bench = Bench(pace=QUICK)
    bench.store.publish(observed(1))
    async with bench.running() as client, client.get(EVENTS) as answer:
        await begun(answer, 1)
        bench.store.publish(observed(1, last_seen=None))
        bench.store.publish(observed(1))
        await asyncio.sleep(0.05)
        bench.store.publish(observed(1, snapshot=printing(0.75)))
        assert (await event(answer))[1]["print"]["progress_ratio"] == 0.75


async def test_between_two_turns_values_are_skipped() -> None:
    bench = Bench(pace=replace(QUICK, rest_s=0.2))
    bench.store.publish(observed(1))
    async with bench.running() as client, client.get(EVENTS) as answer:
        await begun(answer, 1)
        for step in range(100):
            bench.store.publish(observed(1, snapshot=printing(step / 100)))
        assert (await event(answer))[1]["print"]["progress_ratio"] == 0.99


async def test_silence_is_broken_by_a_comment() -> None:
    bench = Bench(pace=replace(QUICK, heartbeat_s=0.05))
    async with bench.running() as client, client.get(EVENTS) as answer:
        await begun(answer, 0)
        await asyncio.wait_for(answer.content.readuntil(b": nothing new\n\n"), 5)


async def test_so_many_may_listen_and_a_place_becomes_free() -> None:
    bench = Bench(pace=replace(QUICK, heartbeat_s=0.02))
    async with bench.running() as client:
        answers = [await client.get(EVENTS) for _ in range(3)]
        async with client.get(EVENTS) as refused:
            assert refused.status == 503
            assert refused.headers["Retry-After"]
            assert "too many" in (await refused.json())["error"]
        answers[0].close()
        async with asyncio.timeout(5):
            while True:
                async with client.get(EVENTS) as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.01)
        for answer in answers:
            answer.close()


async def test_a_head_request_does_not_listen() -> None:
    bench = Bench(pace=QUICK)
    async with bench.running() as client:
        for _ in range(5):
            async with client.head(EVENTS) as answer:
                assert answer.status == 200


async def test_who_does_not_read_is_cut_and_keeps_no_place() -> None:
    bench = Bench(pace=Pace(rest_s=0.0, heartbeat_s=30.0, read_s=0.3, clients=1))
    bench.store.publish(observed(1))
    async with bench.running() as client:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", bench.sink.port))
            deaf.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            refused = False
            async with asyncio.timeout(20):
                while True:
                    async with client.get(EVENTS) as answer:
                        if refused and answer.status == 200:
                            break
                        refused = refused or answer.status == 503
                    bench.store.publish(observed(1, snapshot=long_named()))
                    await asyncio.sleep(0.01)


def long_named() -> Any:
    """More than the buffers of two kernels' sockets have room for, and never the same."""
    name = f"{'x' * 1_000_000}{random.random()}"
    return replace(PRINTING, job=Job(file_name=name, file_path="a"))


async def test_at_the_end_everybody_is_let_go_at_once() -> None:
    bench = Bench(pace=QUICK)
    async with bench.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.sink.port)
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"event: agent"), 5)
        ending = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - ending < 1
    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    writer.close()
