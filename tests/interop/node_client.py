"""node-opcua as a client: a process of its own (client.mjs), spoken to in JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

_HERE = Path(__file__).parent
_INSTALL = _HERE.parents[1] / "scripts" / "install-node-opcua"
_ANSWER_S = 20.0
_LINE_BYTES = 4 << 20


class RefusedError(Exception):
    """The server, or the client on seeing what the server offers, said no; the text is node-opcua's."""


class NodeValue(Struct, frozen=True, rename="camel"):
    """A DataValue as node-opcua decoded it, times to the millisecond."""

    node_id: str
    data_type: str
    is_array: bool
    value: Any
    status_code: str
    source_timestamp: datetime | None
    server_timestamp: datetime | None


class NodeClient:
    """One node-opcua process with at most one session; runs inside ``async with``.

    Args:
        folder: for the client's certificates and its log.

    Attributes:
        changes: what its subscriptions have told of values since the last `forget`, oldest first.
        events: what its subscriptions have told of events since then, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.changes: list[NodeValue] = []
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0

    async def __aenter__(self) -> Self:
        packages = await asyncio.to_thread(_installed)
        environment = {
            **os.environ,
            "NODE_OPCUA_FOLDER": packages,
            "NODE_OPCUA_PKI": str(self._folder / "pki"),
        }
        with self._log_path.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                "node",
                str(_HERE / "client.mjs"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=environment,
                limit=_LINE_BYTES,
            )
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._listening

    @property
    def log(self) -> str:
        """What node-opcua had to complain about."""
        return self._log_path.read_text(errors="replace")

    async def command(self, name: str, /, **parameters: Any) -> Any:
        """Have a command of client.mjs done.

        Raises:
            RefusedError: it could not be done.
        """
        assert self._process.stdin is not None
        self._count += 1
        question = {"id": self._count, "command": name, **parameters}
        answer = self._answers[self._count] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        try:
            told = await asyncio.wait_for(answer, _ANSWER_S)
        except TimeoutError:
            raise AssertionError(
                f"no answer to {name} in {_ANSWER_S} s; node-opcua's log:\n{self.log[-3000:]}"
            ) from None
        if "error" in told:
            raise RefusedError(told["error"])
        return told["result"]

    async def read(self, *node_ids: str) -> list[NodeValue]:
        """Values with their status and times."""
        return msgspec.convert(await self.command("read", nodeIds=node_ids), list[NodeValue])

    async def attributes(self, name: str, *node_ids: str) -> list[Any]:
        """An attribute other than Value, of each node."""
        told = await self.command("read", nodeIds=node_ids, attribute=name)
        return [value["value"] for value in told]

    def forget(self) -> None:
        """Begin `changes` and `events` anew."""
        self.changes.clear()
        self.events.clear()

    async def until(self, node_id: str, fits: Callable[[NodeValue], bool], within_s: float = 15.0) -> NodeValue:
        """Wait for a notification, or take one that has come already."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for change in self.changes:
                        if change.node_id == node_id and fits(change):
                            return change
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            told = [change for change in self.changes if change.node_id == node_id]
            raise AssertionError(f"in {within_s} s {node_id} was only {told}") from None

    async def until_value(self, node_id: str, value: object, within_s: float = 15.0) -> None:
        """Wait until a variable has a value, by asking again and again."""
        async with asyncio.timeout(within_s):
            while (await self.read(node_id))[0].value != value:  # noqa: ASYNC110 - it stands for a person who looks
                await asyncio.sleep(0.05)

    async def event(self, fits: Callable[[dict[str, Any]], bool], within_s: float = 15.0) -> dict[str, Any]:
        """Wait for an event, or take one that has come already."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for event in self.events:
                        if fits(event):
                            return event
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"in {within_s} s there were only {self.events}") from None

    @property
    def _log_path(self) -> Path:
        return self._folder / "node-opcua.log"

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            if "change" in told:
                self.changes.append(msgspec.convert(told["change"], NodeValue))
                self._changed.set()
            elif "event" in told:
                self.events.append(told["event"])
                self._changed.set()
            else:
                self._answers.pop(told["id"]).set_result(told)
        for answer in self._answers.values():
            answer.set_exception(AssertionError(f"node-opcua ended:\n{self.log[-3000:]}"))


def _installed() -> str:
    done = subprocess.run([_INSTALL], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
