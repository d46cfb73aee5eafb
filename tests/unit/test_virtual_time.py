"""Virtual time: order and distances as in real time, and no waiting."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from tests.double import KEY, OctoPrintDouble
from tests.virtual_time import EPOCH_S, StuckError, VirtualTimeLoop, now, run

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


def test_a_day_of_sleeps_takes_no_time() -> None:
    async def day() -> int:
        for _ in range(24 * 60):
            await asyncio.sleep(60)
        assert now() == START + timedelta(days=1)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return loop.leaps

    before = time.monotonic()
    assert run(day, start=START) == 24 * 60
    assert time.monotonic() - before < 2


def test_tasks_wake_in_the_order_of_their_timers() -> None:
    async def main() -> list[tuple[str, float]]:
        woken: list[tuple[str, float]] = []
        loop = asyncio.get_running_loop()

        async def every(name: str, interval_s: float, times: int) -> None:
            for _ in range(times):
                await asyncio.sleep(interval_s)
                woken.append((name, round(loop.time() - EPOCH_S, 3)))

        async with asyncio.TaskGroup() as group:
            group.create_task(every("slow", 2.5, 2))
            group.create_task(every("fast", 1.0, 4))
        return woken

    expected = [("fast", 1.0), ("fast", 2.0), ("slow", 2.5), ("fast", 3.0), ("fast", 4.0), ("slow", 5.0)]
    assert run(main, start=START) == expected
    assert run(main, start=START) == expected


def test_a_timeout_runs_out_in_virtual_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.sleep(1e6)
        assert loop.time() == pytest.approx(EPOCH_S + 3600)

    run(main, start=START)


def test_work_in_a_thread_is_waited_for_and_takes_no_virtual_time() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.to_thread(time.sleep, 0.1)
        assert now() == START

    run(main, start=START)


def test_an_exception_comes_out() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise LookupError("as thrown")

    with pytest.raises(LookupError, match="as thrown"):
        run(main, start=START)


def test_waiting_for_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.virtual_time.STUCK_S", 0.01)

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StuckError):
        run(main, start=START)


def test_loopback_traffic_comes_before_the_next_timer() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for number in range(2000):
            async with asyncio.timeout(0.001):
                writer.write(b"%d\n" % number)
                assert await reader.readline() == b"%d\n" % number
        assert now() == START
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    run(main, start=START)


def test_an_http_client_and_its_timeouts_live_in_virtual_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with OctoPrintDouble(clock=now) as octoprint, aiohttp.ClientSession() as session:

            async def poll() -> int:
                async with asyncio.timeout(8), session.get(octoprint.url, headers={"X-Api-Key": KEY}) as response:
                    await response.read()
                    return response.status

            for _ in range(3600):
                assert await poll() == 200
                await asyncio.sleep(1)
            assert now() == START + timedelta(hours=1)
            assert octoprint.connections == 1

            before = loop.time()
            octoprint.hang()
            with pytest.raises(TimeoutError):
                await poll()
            assert loop.time() - before == pytest.approx(8)
            octoprint.slow(7)
            assert await poll() == 200
            assert loop.time() - before == pytest.approx(15)
            octoprint.hang(3)
            assert await poll() == 200
            assert loop.time() - before == pytest.approx(18)
            octoprint.silence()
            with pytest.raises(aiohttp.ClientConnectorError):
                await poll()
            assert loop.time() - before == pytest.approx(18)

    run(main, start=START)


def test_many_printers_for_ten_minutes_twice_the_same() -> None:
    async def main() -> list[tuple[float, int, str, int | None]]:
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(601):
            session = await stack.enter_async_context(aiohttp.ClientSession())
            doubles = [await stack.enter_async_context(OctoPrintDouble(clock=now)) for _ in range(10)]

            async def watch(octoprint: OctoPrintDouble) -> None:
                for second in range(600):
                    octoprint.printer.print(second / 600)
                    # So short that one leap too early, while an answer is on its way, would show.
                    async with asyncio.timeout(0.001), session.get(f"{octoprint.url}/api/job?apikey={KEY}") as response:
                        assert (await response.json())["progress"]["completion"] == pytest.approx(second / 6)
                    await asyncio.sleep(1)

            async with asyncio.TaskGroup() as group:
                for octoprint in doubles:
                    group.create_task(watch(octoprint))
            return [
                (request.time, number, request.path, request.status)
                for number, octoprint in enumerate(doubles)
                for request in octoprint.log
            ]

    first = run(main, start=START)
    assert len(first) == 6000
    assert run(main, start=START) == first
