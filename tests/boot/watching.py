"""Wait for a board, ask it what a client and a browser ask, and let it tell how its boot went."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from tests.integration.endpoint import CLIENT_URI, client_certificate

from .emulated import Board
from .hall import PASSWORD

READY_WITHIN_S = 900.0
REPORT_WITHIN_S = 900.0


@dataclass(frozen=True, kw_only=True)
class Boot:
    """How one went."""

    ready_s: float
    report: dict[str, str]
    endpoints: int
    page: str

    def has(self, part: str, *words: str) -> bool:
        """Whether a line of a part of the report begins with these words."""
        return any(tuple(line.split()[: len(words)]) == words for line in self.report[part].splitlines())


def ready(board: Board) -> float:
    """Wait until a client is greeted; the seconds since the power came."""
    return board.wait_until(lambda: board.answers(board.opcua), "port 4840 answers", within_s=READY_WITHIN_S)


def watched(board: Board) -> Boot:
    ready_s = ready(board)
    endpoints = asyncio.run(_endpoints(board.opcua))
    page = patiently(lambda: get(board, "/"))
    board.wait_until(board.reported, "the boot is complete", within_s=REPORT_WITHIN_S)
    report = board.report()
    print(f"\npower to an answer on port 4840: {ready_s:.0f} s")
    for name, text in report.items():
        print(f"--- {name}\n{text}")
    return Boot(ready_s=ready_s, report=report, endpoints=endpoints, page=page)


def get(board: Board, path: str) -> str:
    """What a browser gets."""
    with urllib.request.urlopen(f"http://127.0.0.1:{board.page}{path}", timeout=30) as answer:
        told: str = answer.read().decode()
    return told


def patiently(act: Callable[[], Any], *, within_s: float = 300.0) -> Any:
    """Do it again until it does not fail: an emulated board takes its time."""
    until = time.monotonic() + within_s
    while True:
        try:
            return act()
        except (OSError, urllib.error.URLError, AssertionError, TimeoutError, ua.UaError):
            if time.monotonic() > until:
                raise
            time.sleep(1)


async def _endpoints(port: int) -> int:
    client = Client(f"opc.tcp://127.0.0.1:{port}", timeout=60)
    return len(await client.connect_and_get_server_endpoints())


def read_values(board: Board, *names: str) -> list[Any]:
    """Values of machines as the user ``reader`` reads them over an encrypted line, as ``mark-1/MesStatus/Running``.

    A value that cannot be trusted is its status' name.
    """
    return asyncio.run(_read(board, names))


async def _read(board: Board, names: tuple[str, ...]) -> list[Any]:
    async with mes(board) as client:
        index = len(await client.get_namespace_array()) - 1
        nodes = [client.get_node(f"ns={index};s={name}") for name in names]
        found = [await node.read_data_value(raise_on_bad_status=False) for node in nodes]
    return [_told(one) for one in found]


def _told(found: ua.DataValue) -> Any:
    if found.StatusCode is not None and not found.StatusCode.is_good():
        return found.StatusCode.name
    return found.Value.Value if found.Value is not None else None


@asynccontextmanager
async def mes(board: Board) -> AsyncIterator[Client]:
    """An MES's session: encrypted, with a user. An emulated board takes seconds for its cryptography."""
    certificate, key = client_certificate(board.folder)
    client = Client(f"opc.tcp://127.0.0.1:{board.opcua}", timeout=60, watchdog_intervall=60)
    client.application_uri = CLIENT_URI
    client.set_user("reader")
    client.set_password(PASSWORD)
    await client.set_security(
        SecurityPolicyBasic256Sha256, str(certificate), str(key), mode=ua.MessageSecurityMode.SignAndEncrypt
    )
    async with client:
        yield client
