"""Users who log in, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_agent.attempts import FAILURES_BEFORE_LOCK
from edge_agent.secret import Secret
from edge_agent.sinks.opcua import OpcUaOptions, OpcUaUser
from edge_agent.sinks.opcua.security.credentials import Credentials
from edge_agent.sinks.opcua.security.users import LogInRefused, Reader, Users
from tests import virtual_time

START = datetime(2026, 11, 22, tzinfo=UTC)
SCADA = OpcUaUser(name="scada", password=Secret("correct horse"))
OPTIONS = OpcUaOptions(users=(SCADA,), mes_ids=frozenset({1, 2}))
HERE, THERE = "192.0.2.1", "192.0.2.2"

Scene = Callable[["Door"], Coroutine[Any, Any, None]]


class Door:
    """The users of a state folder, and what time a log-in takes."""

    def __init__(self, folder: Path, options: OpcUaOptions) -> None:
        self.options = options
        self.credentials = Credentials(folder)
        self.refusal: tuple[str, bool] = "", False  # the last
        self.users = Users(lambda: self.options, credentials=self.credentials)

    def password(self, name: str) -> str:
        return self.credentials.passwords()[name].reveal()

    async def knock(self, name: str | None, password: str | None, address: str = HERE, **more: Any) -> Reader | None:
        try:
            return await self.users.log_in(name, password, address=address, **({"encrypted": True} | more))
        except LogInRefused as refused:
            self.refusal = str(refused), refused.known
            return None

    async def lock(self, name: str, address: str = HERE) -> None:
        for _ in range(FAILURES_BEFORE_LOCK):
            assert await self.knock(name, "wrong", address) is None


def play(folder: Path, scene: Scene, options: OpcUaOptions = OPTIONS) -> None:
    async def main() -> None:
        door = Door(folder, options)
        await door.users.prepare()
        try:
            await scene(door)
        finally:
            door.users.close()

    virtual_time.run(main, start=START)


def seconds() -> float:
    return asyncio.get_running_loop().time()
