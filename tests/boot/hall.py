"""OctoPrint doubles in the hall around an emulated board: it reaches them at addresses of its own network."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from tests.double import KEY, OctoPrintDouble

from .card import Card

PASSWORD = "a reader's password"
_FIRST_ADDRESS, _PORT = 101, 5000


class Hall:
    """So many printers, each idle at first; they run inside ``with``, also while a board has no power."""

    def __init__(self, count: int) -> None:
        self._doubles = [OctoPrintDouble(log_limit=100) for _ in range(count)]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="printers", daemon=True)

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

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for double in self._doubles:
                await stack.enter_async_context(double)
            self._up.set()
            await self._stop.wait()

    def __len__(self) -> int:
        return len(self._doubles)

    @property
    def relays(self) -> list[str]:
        """For QEMU's network: from an address of the board's world to each printer."""
        ports = [double.url.rpartition(":")[2].rstrip("/") for double in self._doubles]
        return [
            f"guestfwd=tcp:10.0.2.{address}:{_PORT}-cmd:python3 /source/tests/boot/relay.py {port}"
            for address, port in enumerate(ports, _FIRST_ADDRESS)
        ]

    def configuration(self, **others: Any) -> dict[str, Any]:
        """config.json for all of them, with a user ``reader``; keys and password are in files."""
        machines = [
            {
                "type": "OCTOPRINT",
                "url": f"http://10.0.2.{address}:{_PORT}/",
                "custom_name": f"mark-{number}",
                "authentication_file_path": "octoprint.key",
                "mes_id": [1],
            }
            for number, address in enumerate(range(_FIRST_ADDRESS, _FIRST_ADDRESS + len(self)), 1)
        ]
        users = {"users": [{"name": "reader", "password_file": "reader.password"}]}
        return {"machines": machines, "opcua": users, **others}

    def put_configuration(self, card: Card, configuration: Mapping[str, Any] | None = None) -> None:
        """Lay it into the drop box, as a technician does."""
        text = json.dumps(configuration or self.configuration(), indent=2).replace("\n", "\r\n")
        card.put("edge-agent/config.json", text.encode())
        card.put("edge-agent/octoprint.key", KEY.encode())
        card.put("edge-agent/reader.password", PASSWORD.encode())

    def tell(self, index: int, verb: Callable[[OctoPrintDouble], None]) -> None:
        """Have one do something, as in ``tell(0, lambda octoprint: octoprint.silence())``; it is done on return."""
        done = threading.Event()

        def act() -> None:
            verb(self._doubles[index])
            done.set()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(act)
        assert done.wait(10)

    def tell_all(self, verb: Callable[[OctoPrintDouble], None]) -> None:
        """Have each do something."""
        for index in range(len(self)):
            self.tell(index, verb)
