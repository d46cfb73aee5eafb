"""A client that reads a whole server: ``python -m tests.bench.crawl URL [--tree FILE]``.

Every node that can be reached from Root by any reference in any direction, all its references and all its attributes.
It prints what it counted. With ``--tree`` it also writes what belongs to our own namespaces (see `tree`).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

import msgspec
from asyncua import Client, ua
from msgspec import Struct

from .tree import Reference, TreeNode, own, parents_first, to_text, write_tree

T = TypeVar("T")
ATTRIBUTES = tuple(ua.AttributeIds)
BROWSES = 100
READS = 1000
_MAX_NODES_PER_READ = 11705
_MAX_NODES_PER_BROWSE = 11710
TIMEOUT_S = 120.0


class Crawled(Struct, frozen=True, kw_only=True):
    """What was seen: ``attributes`` are those that nodes have, references are counted at both ends."""

    nodes: int
    references: int
    attributes: int
    seconds: float


async def limited(client: Client, limit: int, otherwise: int) -> int:
    """How many nodes a request may name; many servers leave the limit open by 0 or null."""
    value = await client.get_node(standard(limit)).read_data_value(raise_on_bad_status=False)
    given = value.Value.Value if value.Value is not None else None
    return min(otherwise, given or otherwise)


async def references(client: Client) -> dict[ua.NodeId, list[ua.ReferenceDescription]]:
    """All nodes with their references, level by level from Root."""
    root = standard(ua.ObjectIds.RootFolder)
    found: dict[ua.NodeId, list[ua.ReferenceDescription]] = {root: []}
    level = [root]
    size = await limited(client, _MAX_NODES_PER_BROWSE, BROWSES)
    while level:
        following: list[ua.NodeId] = []
        for batch in batches(level, size):
            async for node_id, node_references in browse(client, batch):
                found[node_id] = node_references
                for reference in node_references:
                    target = plain(reference.NodeId)
                    if target not in found:
                        found[target] = []
                        following.append(target)
        level = following
    return found


async def browse(
    client: Client, node_ids: Sequence[ua.NodeId]
) -> AsyncIterator[tuple[ua.NodeId, list[ua.ReferenceDescription]]]:
    """The references of each node in both directions, also of servers that hand them out piecemeal."""
    wanted = [
        ua.BrowseDescription(
            NodeId=node_id,
            BrowseDirection=ua.BrowseDirection.Both,
            ReferenceTypeId=standard(ua.ObjectIds.References),
            IncludeSubtypes=True,
            NodeClassMask=0,
            ResultMask=ua.BrowseResultMask.All,
        )
        for node_id in node_ids
    ]
    results = await client.uaclient.browse(ua.BrowseParameters(NodesToBrowse=wanted))
    for node_id, result in zip(node_ids, results, strict=True):
        found = list(result.References or ())
        point = result.ContinuationPoint
        while point:
            (more,) = await client.uaclient.browse_next(ua.BrowseNextParameters(ContinuationPoints=[point]))
            found += more.References or ()
            point = more.ContinuationPoint
        yield node_id, found


async def attributes(
    client: Client, node_ids: Iterable[ua.NodeId]
) -> AsyncIterator[tuple[ua.NodeId, ua.AttributeIds, ua.DataValue]]:
    """Every attribute that a node has."""
    wanted = [(node_id, attribute) for node_id in node_ids for attribute in ATTRIBUTES]
    size = await limited(client, _MAX_NODES_PER_READ, READS)
    for batch in batches(wanted, size):
        parameters = ua.ReadParameters(
            NodesToRead=[ua.ReadValueId(NodeId=node_id, AttributeId=attribute) for node_id, attribute in batch],
            TimestampsToReturn=ua.TimestampsToReturn.Both,
        )
        values = await client.uaclient.read(parameters)
        for (node_id, attribute), value in zip(batch, values, strict=True):
            if value.StatusCode is None or value.StatusCode.value != ua.StatusCodes.BadAttributeIdInvalid:
                yield node_id, attribute, value


async def crawl(url: str, tree: Path | None) -> Crawled:
    """Read it all; write the tree if asked to."""
    began = time.monotonic()
    async with Client(url, timeout=TIMEOUT_S) as client:
        found = await references(client)
        nodes = {node_id: TreeNode(id=to_text(node_id)) for node_id in found if own(node_id)}
        count = 0
        async for node_id, attribute, value in attributes(client, found):
            count += 1
            if node_id in nodes and tree is not None:
                nodes[node_id].attributes[int(attribute)] = ua.ua_binary.struct_to_binary(value).hex()
    crawled = Crawled(
        nodes=len(found),
        references=sum(len(ends) for ends in found.values()),
        attributes=count,
        seconds=time.monotonic() - began,
    )
    if tree is not None:
        ours = tuple(own_references(found))
        write_tree(tree, parents_first(nodes.values(), ours, hierarchical=hierarchical_types(found)), ours)
    return crawled


def own_references(found: dict[ua.NodeId, list[ua.ReferenceDescription]]) -> Iterator[Reference]:
    """Every reference with one end in our namespaces, as each end has it."""
    for source, node_references in found.items():
        for reference in node_references:
            target = plain(reference.NodeId)
            if own(source) or own(target):
                yield Reference(
                    to_text(source), to_text(reference.ReferenceTypeId), reference.IsForward, to_text(target)
                )


def hierarchical_types(found: dict[ua.NodeId, list[ua.ReferenceDescription]]) -> set[str]:
    """The reference types that make a tree: HierarchicalReferences and all below it."""
    below = [standard(ua.ObjectIds.HierarchicalReferences)]
    for node_id in below:
        below += [
            plain(reference.NodeId)
            for reference in found[node_id]
            if reference.IsForward and reference.ReferenceTypeId == standard(ua.ObjectIds.HasSubtype)
        ]
    return {to_text(node_id) for node_id in below}


def standard(identifier: int) -> ua.NodeId:
    """A NodeId of OPC UA's own namespace."""
    return ua.NodeId(cast("ua.Int32", identifier))


def plain(node_id: ua.NodeId) -> ua.NodeId:
    """A NodeId that equals others with the same identifier; browsing gives ExpandedNodeIds."""
    return ua.NodeId(node_id.Identifier, node_id.NamespaceIndex, node_id.NodeIdType)


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Pieces of at most this size."""
    return (items[start : start + size] for start in range(0, len(items), size))


def main() -> None:
    """Crawl and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--tree", type=Path)
    options = parser.parse_args()
    print(msgspec.json.encode(asyncio.run(crawl(options.url, options.tree))).decode())


if __name__ == "__main__":
    main()
