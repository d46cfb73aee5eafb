"""Virtual time: order and distances as in real time, and no waiting."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

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
