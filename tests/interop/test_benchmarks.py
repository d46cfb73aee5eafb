"""The benchmarks compare like with like: the stock server is crawled into the same nodes, references and values."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from asyncua import ua

from tests.bench.processes import Memory, first_read
from tests.bench.tree import Reference, TreeNode, read_tree
from tests.bench.twins import agent, crawl, nodesets, observe_agent, stock

pytestmark = pytest.mark.timeout(240)

COMPARED = (
    ua.AttributeIds.NodeClass,
    ua.AttributeIds.BrowseName,
    ua.AttributeIds.DisplayName,
    ua.AttributeIds.EventNotifier,
    ua.AttributeIds.DataType,
    ua.AttributeIds.ValueRank,
    ua.AttributeIds.AccessLevel,
    ua.AttributeIds.Executable,
)


def test_the_twin_has_the_agents_nodes(tmp_path: Path) -> None:
    ours = agent(tmp_path, printers=2)
    scene = observe_agent(ours, tmp_path, printers=2, record_s=3.0)
    assert scene.changes_per_s > 0
    twin = stock(tmp_path, scene, nodesets=nodesets())
    crawled = tmp_path / "twin.jsonl"
    with twin.start(None) as server:
        asyncio.run(first_read(server, twin.live))
        counted = crawl(server, tree=crawled)
        memory = Memory.of(server.pid)
    assert counted.nodes > 8000
    assert memory.rss > memory.pss > memory.private_dirty > 0
    assert nodes(read_tree(crawled)) == nodes(read_tree(scene.tree))
    assert references(read_tree(crawled)) == references(read_tree(scene.tree))


def nodes(entries: Iterable[TreeNode | Reference]) -> dict[str, list[str | None]]:
    return {
        entry.id: [entry.attributes.get(attribute) for attribute in COMPARED]
        for entry in entries
        if isinstance(entry, TreeNode)
    }


def references(entries: Iterable[TreeNode | Reference]) -> set[Reference]:
    return {entry for entry in entries if isinstance(entry, Reference)}
