"""OctoPrint doubles in the network of a box, in a thread of their own: they answer while the test waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from tests.double import KEY, OctoPrintDouble

from .box import Box
from .installed import machine


class Printers:
    """So many doubles on 127.0.0.1 of the box, each printing; they run inside ``with``, also through a power cut.

    A box that is booted again has a network of its own again: `follow` brings them there.

    Args:
        box: it is on.
        count: how many.
        address: where they listen, one of 127.0.0.0/8.
    """

    def __init__(self, box: Box, count: int, *, address: str = "127.0.0.1") -> None:
        self._box = box
        self._doubles = [OctoPrintDouble(log_limit=100, address=address) for _ in range(count)]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="printers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with self._box.network():
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for double in self._doubles:
                await stack.enter_async_context(double)
                double.printer.print(0.42)
            self._up.set()
            await self._stop.wait()

    @property
    def urls(self) -> list[str]:
        """Their base URLs."""
        return [double.url for double in self._doubles]

    def machines(self) -> list[dict[str, Any]]:
        """What config.json says of them: mark-1, mark-2, ...; their keys are written."""
        return [machine(self._box, f"mark-{number}", url, KEY) for number, url in enumerate(self.urls, 1)]

    def follow(self) -> None:
        """Into the network that the box has since it was booted again: the same printers at the same URLs."""

        def move(octoprint: OctoPrintDouble) -> None:
            with self._box.network():
                octoprint.silence()
                octoprint.speak()

        for index in range(len(self._doubles)):
            self.tell(index, move)

    def tell(self, index: int, verb: Callable[[OctoPrintDouble], None]) -> None:
        """Have one do something, as in ``tell(0, lambda octoprint: octoprint.silence())``; it is done on return."""
        done = threading.Event()

        def act() -> None:
            verb(self._doubles[index])
            done.set()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)
        assert done.wait(10)
