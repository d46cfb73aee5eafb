"""Wait for a board, ask it what a client and a browser ask, and let it tell how its boot went."""

from __future__ import annotations

import asyncio
import urllib.request
from dataclasses import dataclass

from asyncua import Client

from .emulated import Board

READY_WITHIN_S = 900.0
REPORT_WITHIN_S = 900.0


@dataclass(frozen=True, kw_only=True)
class Boot:
    """How one went."""

    ready_s: float
    report: dict[str, str]
    endpoints: int
    page: str


def watched(board: Board) -> Boot:
    ready = board.wait_until(lambda: board.answers(board.opcua), "port 4840 answers", within_s=READY_WITHIN_S)
    endpoints = asyncio.run(endpoints_of(board.opcua))
    with urllib.request.urlopen(f"http://127.0.0.1:{board.page}/", timeout=30) as answer:
        page = answer.read().decode()
    board.wait_until(board.reported, "the boot is complete", within_s=REPORT_WITHIN_S)
    report = board.report()
    print(f"\npower to an answer on port 4840: {ready:.0f} s")
    for name, text in report.items():
        print(f"--- {name}\n{text}")
    return Boot(ready_s=ready, report=report, endpoints=endpoints, page=page)


async def endpoints_of(port: int) -> int:
    client = Client(f"opc.tcp://127.0.0.1:{port}", timeout=60)
    return len(await client.connect_and_get_server_endpoints())
