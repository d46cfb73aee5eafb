"""Everything that a client can see of a server, as a dump: every node, every attribute, every reference."""

from collections.abc import Iterator

from asyncua import Client, ua

from .dump import Dump, Entry, attribute, id_text, reference_text

ATTRIBUTES = tuple(ua.AttributeIds)
BROWSE_BATCH = 500
READ_BATCH = 200
ROOT = ua.NodeId.from_string("i=84")
REFERENCES = ua.NodeId.from_string("i=31")

Found = dict[ua.NodeId, list[ua.ReferenceDescription]]


async def crawl(client: Client) -> Dump:
    """Follow every reference in both directions from Root, and read all attributes of every node.

    Args:
        client: connected.

    Raises:
        UaError: the server refuses a whole request.
    """
    references = await _references(client)
    nodes = list(references)
    found: Dump = {}
    for batch in _batches(nodes, READ_BATCH):
        for node_id, attributes in zip(batch, await _attributes(client, batch), strict=True):
            texts = frozenset(reference_text(reference) for reference in references[node_id])
            found[id_text(node_id)] = Entry(attributes=attributes, references=texts)
    return found


def _batches(nodes: list[ua.NodeId], size: int) -> Iterator[list[ua.NodeId]]:
    for start in range(0, len(nodes), size):
        yield nodes[start : start + size]


async def _references(client: Client) -> Found:
    found: Found = {}
    edge = [ROOT]
    while edge:
        beyond: dict[ua.NodeId, None] = {}
        for batch in _batches(edge, BROWSE_BATCH):
            for node_id, references in zip(batch, await _browse(client, batch), strict=True):
                found[node_id] = references
                beyond |= dict.fromkeys(reference.NodeId for reference in references)
        edge = [node_id for node_id in beyond if node_id not in found]
    return found


async def _browse(client: Client, nodes: list[ua.NodeId]) -> list[list[ua.ReferenceDescription]]:
    parameters = ua.BrowseParameters(
        NodesToBrowse=[
            ua.BrowseDescription(
                NodeId=node_id,
                BrowseDirection=ua.BrowseDirection.Both,
                ReferenceTypeId=REFERENCES,
                IncludeSubtypes=True,
                NodeClassMask=0,
                ResultMask=ua.BrowseResultMask.All,
            )
            for node_id in nodes
        ]
    )
    found = []
    for result in await client.uaclient.browse(parameters):
        references = list(result.References or ())
        while result.ContinuationPoint:
            following = ua.BrowseNextParameters(ContinuationPoints=[result.ContinuationPoint])
            (result,) = await client.uaclient.browse_next(following)  # noqa: PLW2901 -- the next page of the same
            references += result.References or ()
        result.StatusCode.check()
        found.append(references)
    return found


async def _attributes(client: Client, nodes: list[ua.NodeId]) -> list[dict[str, object]]:
    wanted = [ua.ReadValueId(NodeId=node_id, AttributeId=each) for node_id in nodes for each in ATTRIBUTES]
    results = iter(await client.uaclient.read(ua.ReadParameters(NodesToRead=wanted)))
    return [_shown({each: next(results) for each in ATTRIBUTES}) for _ in nodes]


def _shown(results: dict[ua.AttributeIds, ua.DataValue]) -> dict[str, object]:
    found: dict[str, object] = {}
    for attribute_id, result in results.items():
        status = result.StatusCode or ua.StatusCode()
        if status.value == ua.StatusCodes.BadAttributeIdInvalid:
            continue
        if not status.is_good():
            found[attribute_id.name] = {"status": status.name}
            continue
        held = attribute(attribute_id, result.Value)
        if held is not None or (attribute_id is ua.AttributeIds.Value and found["NodeClass"] == ua.NodeClass.Variable):
            found[attribute_id.name] = held
    return found
