"""The servers to measure beside each other, and what they serve: how to start each."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct
from msgspec.json import decode

from tests.integration.agent import free_port

from .crawl import Crawled
from .processes import ROOT, Started, first_read, python, started
from .tree import read_changes

RECORD_S = 10.0
_NODES_OF_BARE_MACHINE = 42
_NODES_PER_ITEM = 2
_COMMAND_S = 300

Start = Callable[[Path | None], AbstractContextManager[Started]]


class Twin(Struct, frozen=True, kw_only=True):
    """One server. ``live`` is a variable of its first machine; ``start`` takes a file for its loop's blocks."""

    name: str
    live: str
    start: Start


class Scene(Struct, frozen=True, kw_only=True):
    """What the agent serves for so many printers, and how it changes; measured before anything else."""

    printers: int
    tree: Path
    changes: Path
    nodes_per_printer: float
    changes_per_s: float


def agent(folder: Path, *, printers: int) -> Twin:
    """This agent; its state folder is kept from start to start."""

    def start(blocks: Path | None) -> AbstractContextManager[Started]:
        port = free_port()
        command = python("agent_twin", "--printers", str(printers), "--port", str(port), "--state", folder / "state")
        return started([*command, *_watch(blocks)], port=port, log=folder / "agent.log")

    return Twin(name="edge-agent", live="ns=13;s=printer-1/MesStatus", start=start)


def sink(folder: Path, *, printers: int) -> Twin:
    """The agent's OPC UA sink alone, to be driven; its loop is not watched."""

    def start(_blocks: Path | None) -> AbstractContextManager[Started]:
        port = free_port()
        command = python("sink_twin", "--printers", str(printers), "--port", str(port), "--state", folder / "state")
        return started(command, port=port, log=folder / "sink.log")

    return Twin(name="edge-agent's sink", live="ns=13;s=printer-1/MesStatus", start=start)


def stock(folder: Path, scene: Scene, *, nodesets: Path, loop: str = "asyncio", obey: bool = False) -> Twin:
    """The same nodes on asyncua as it comes."""

    def start(blocks: Path | None) -> AbstractContextManager[Started]:
        port = free_port()
        command = python("stock_twin", "--port", str(port), "--tree", scene.tree, "--changes", scene.changes)
        command += ["--nodesets", str(nodesets), "--loop", loop, *(["--obey"] if obey else []), *_watch(blocks)]
        return started(command, port=port, log=folder / "stock.log")

    return Twin(name="stock asyncua", live="ns=13;s=printer-1/MesStatus", start=start)


def node_opcua(folder: Path, scene: Scene) -> Twin:
    """Something like it on node-opcua; its loop is not watched."""
    packages = output([ROOT / "scripts" / "install-node-opcua-server"])

    def start(_blocks: Path | None) -> AbstractContextManager[Started]:
        port = free_port()
        items = max(1, round((scene.nodes_per_printer - _NODES_OF_BARE_MACHINE) / _NODES_PER_ITEM))
        command = ["node", str(ROOT / "tests" / "bench" / "node" / "server.mjs"), str(port), str(scene.printers)]
        command += [f"{scene.changes_per_s:.1f}", str(items)]
        pki = str(folder / "node-pki")
        return started(command, port=port, log=folder / "node.log", NODE_OPCUA_FOLDER=packages, NODE_OPCUA_PKI=pki)

    return Twin(name="node-opcua", live="ns=1;s=printer-1/MesStatus", start=start)


def observe(server: Started, folder: Path, *, printers: int, record_s: float) -> Scene:
    """Crawl a server that is up and record what changes."""
    tree, changes = folder / "tree.jsonl", folder / "changes.jsonl"
    crawl(server, tree=tree)
    record = python("subscriber", server.url, "--tree", tree, "--record", changes, "--seconds", str(record_s))
    output(record)
    nodes = sum(line.startswith(b'{"entry":"node"') for line in tree.read_bytes().splitlines())
    return Scene(
        printers=printers,
        tree=tree,
        changes=changes,
        nodes_per_printer=nodes / printers,
        changes_per_s=len(read_changes(changes)) / record_s,
    )


def observe_agent(twin: Twin, folder: Path, *, printers: int, record_s: float = RECORD_S) -> Scene:
    """The scene of an agent that is started for it."""
    with twin.start(None) as server:
        asyncio.run(first_read(server, twin.live))
        return observe(server, folder, printers=printers, record_s=record_s)


def crawl(server: Started, *, tree: Path | None = None) -> Crawled:
    """A complete crawl by a process of its own."""
    command = python("crawl", server.url)
    if tree is not None:
        command += ["--tree", str(tree)]
    return decode(output(command), type=Crawled)


def output(command: Sequence[str | Path]) -> str:
    """What a command prints."""
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, check=False, capture_output=True, text=True, timeout=_COMMAND_S
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip()


def nodesets() -> Path:
    """The models' official XML files, of the pinned packages that `scripts/compile-models` compiles."""
    return Path(output([ROOT / "scripts" / "compile-models", "--nodesets"]))


def _watch(blocks: Path | None) -> list[str]:
    return ["--watch-loop", str(blocks)] if blocks else []
