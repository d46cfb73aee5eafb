"""An event loop in which waiting takes no time.

A day of polling is a few seconds of work and a great deal of waiting. On this loop ``loop.time()`` stands still while
anything can run, and leaps to the next timer when nothing can. Sleeps, timeouts, ``call_later`` and everything built
on them keep their order and their distances; loopback sockets work, because a leap is made only when none of them has
anything to say. Runs are repeatable: the same test sees the same times.

    def test_a_night() -> None:
        async def night() -> None:
            await asyncio.sleep(8 * 3600)
            assert now() == START + timedelta(hours=8)

        run(night, start=START)

What it cannot bend: ``time.time`` and ``time.monotonic`` (aiohttp stamps idle connections with the latter, so they
never grow old here), other processes, and threads not started by ``run_in_executor``. Work in an executor is waited
for, and takes no virtual time.
"""

from __future__ import annotations

import asyncio
import os
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

EPOCH_S = 1000.0  # not 0, so that a time taken for "never" by mistake shows
LOOKS = 4  # the kernel may hand loopback bytes over a moment after the write returned
STUCK_S = 10.0  # real seconds: longer than any thread of a test works, shorter than the test's own limit


class StuckError(RuntimeError):
    """Nothing can run and nothing will: no timer, no traffic, no thread at work."""


class _LeapingSelector(selectors.DefaultSelector):
    """Asks the sockets first; calls ``leap`` with the seconds that would have been waited otherwise."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap
        self.threads_at_work = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the real one, except that it does not wait."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        for _ in range(LOOKS):
            os.sched_yield()
            if ready := super().select(0):
                return ready
        if (self.threads_at_work or timeout is None) and (ready := super().select(STUCK_S)):
            return ready
        if timeout is None:
            raise StuckError(f"every task waits for something that cannot come ({STUCK_S:g} real seconds of nothing)")
        self._leap(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop; ``start`` is the wall clock's time at its first moment.

    Attributes:
        leaps: how often nothing was left to do but to let time pass.
    """

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._virtual_s = EPOCH_S
        self._leaping = _LeapingSelector(self._leap)
        self.leaps = 0
        super().__init__(self._leaping)

    def time(self) -> float:
        """Virtual monotonic seconds."""
        return self._virtual_s

    def now(self) -> datetime:
        """The virtual wall clock."""
        return self._start + timedelta(seconds=self._virtual_s - EPOCH_S)

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*Arguments], T],
        *args: *Arguments,
    ) -> asyncio.Future[T]:
        """As ever; time stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._leaping.threads_at_work += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As ever; the limit in ``args`` must not run out at a leap."""
        with self._threads():
            await super().shutdown_default_executor(*args)

    def _leap(self, seconds: float) -> None:
        self._virtual_s += seconds
        self.leaps += 1

    def _thread_done(self, _future: asyncio.Future[Any]) -> None:
        self._leaping.threads_at_work -= 1

    @contextmanager
    def _threads(self) -> Iterator[None]:
        self._leaping.threads_at_work += 1
        try:
            yield
        finally:
            self._leaping.threads_at_work -= 1


def now() -> datetime:
    """The wall clock of the running virtual loop: the ``clock`` to pass to what is tested."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop), "now() outside virtual_time.run()"
    return loop.now()


def run(main: Callable[[], Coroutine[Any, Any, T]], *, start: datetime) -> T:
    """Run ``main()`` in a new virtual loop whose wall clock begins at ``start``; its result."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start)) as runner:
        return runner.run(main())
