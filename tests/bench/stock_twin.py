"""The twin to measure against: asyncua as it comes, the same models from XML, and the agent's own nodes and values.

A process of its own: ``python -m tests.bench.stock_twin --tree FILE --changes FILE --nodesets FOLDER --port 4841``. It
replays the recorded changes for ever, or, with ``--obey``, when it is told to.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import signal
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from asyncua import Server, ua
from msgspec import Struct

from tests.stock.server import load

from .control import obey
from .loop_watch import LoopWatch
from .tree import Change, Reference, TreeNode, node_class, read_changes, read_tree, to_value

_ATTRIBUTES: dict[ua.NodeClass, Callable[[], Any]] = {
    ua.NodeClass.Object: ua.ObjectAttributes,
    ua.NodeClass.Variable: ua.VariableAttributes,
    ua.NodeClass.Method: ua.MethodAttributes,
    ua.NodeClass.ObjectType: ua.ObjectTypeAttributes,
    ua.NodeClass.VariableType: ua.VariableTypeAttributes,
    ua.NodeClass.ReferenceType: ua.ReferenceTypeAttributes,
    ua.NodeClass.DataType: ua.DataTypeAttributes,
}


class Write(Struct, frozen=True):
    """One change, ready to be written."""

    after_s: float
    node_id: ua.NodeId
    value: ua.Variant
    status: ua.StatusCode


async def add_tree(server: Server, path: Path) -> None:
    """Add the agent's own nodes and references, with their values.

    Raises:
        UaError: the server will not have a node.
    """
    lost = 0
    for entry in read_tree(path):
        if isinstance(entry, TreeNode):
            await _add_node(server, entry)
        else:
            lost += not await _add_reference(server, entry)
    if lost:
        raise ValueError(f"{lost} references lead to nodes that the stock server has not")


async def _add_node(server: Server, node: TreeNode) -> None:
    kind = node_class(node)
    values = {ua.AttributeIds(attribute): to_value(encoded) for attribute, encoded in node.attributes.items()}
    attributes = _ATTRIBUTES[kind]()
    for attribute, value in values.items():
        if hasattr(attributes, attribute.name) and value.Value is not None and value.Value.Value is not None:
            given = value.Value if attribute is ua.AttributeIds.Value else value.Value.Value
            setattr(attributes, attribute.name, given)
    name = values[ua.AttributeIds.BrowseName].Value
    assert name is not None
    node_id = ua.NodeId.from_string(node.id)
    item = ua.AddNodesItem(
        ParentNodeId=ua.NodeId.from_string(node.parent),
        ReferenceTypeId=ua.NodeId.from_string(node.parent_reference),
        RequestedNewNodeId=node_id,
        BrowseName=name.Value,
        NodeClass=kind,
        NodeAttributes=attributes,
    )
    (result,) = await server.iserver.isession.add_nodes([item])
    result.StatusCode.check()
    if kind is ua.NodeClass.Variable:
        await server.write_attribute_value(node_id, values[ua.AttributeIds.Value])


async def _add_reference(server: Server, reference: Reference) -> bool:
    item = ua.AddReferencesItem(
        SourceNodeId=ua.NodeId.from_string(reference.source),
        ReferenceTypeId=ua.NodeId.from_string(reference.type),
        IsForward=reference.forward,
        TargetNodeId=ua.NodeId.from_string(reference.target),
    )
    (status,) = await server.iserver.isession.add_references([item])
    return bool(status.is_good())


class Replay:
    """Writes recorded changes again and again, at the pace they were recorded at."""

    def __init__(self, server: Server, changes: list[Change]) -> None:
        self._server = server
        nodes = {change.node: ua.NodeId.from_string(change.node) for change in changes}
        first_s = changes[0].after_s if changes else 0.0
        self._writes = [_write(change, nodes[change.node], change.after_s - first_s) for change in changes]

    async def run(self, seconds: float) -> int:
        """Write for so long; the result is the number of writes."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        count = 0
        for write in self._endless():
            if write.after_s >= seconds:
                break
            if (wait_s := began + write.after_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            value = ua.DataValue(write.value, write.status, SourceTimestamp=cast("ua.DateTime", datetime.now(UTC)))
            await self._server.write_attribute_value(write.node_id, value)
            count += 1
        await asyncio.sleep(max(0.0, began + seconds - loop.time()))
        return count

    def _endless(self) -> Iterator[Write]:
        if not self._writes:
            return
        period_s = self._writes[-1].after_s + 0.1
        for turn in itertools.count():
            for write in self._writes:
                yield Write(turn * period_s + write.after_s, write.node_id, write.value, write.status)


def _write(change: Change, node_id: ua.NodeId, after_s: float) -> Write:
    value = to_value(change.value)
    assert value.Value is not None
    assert value.StatusCode is not None
    return Write(after_s, node_id, value.Value, value.StatusCode)


async def serve(options: argparse.Namespace) -> None:
    """Load, listen, and have values change, until SIGTERM."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await load(server, options.nodesets)
    await server.register_namespace("urn:edge-agent:machines")
    await add_tree(server, options.tree)
    replay = Replay(server, read_changes(options.changes))
    async with server:
        if options.obey:
            await obey(replay.run)
        else:
            await replay.run(float("inf"))


def run(main: Coroutine[Any, Any, None], *, loop: str, watch: Path | None) -> None:
    """Run on asyncio's own loop, as most servers on asyncua do, or on uvloop."""

    def new_loop() -> asyncio.AbstractEventLoop:
        made: asyncio.AbstractEventLoop = _uvloop() if loop == "uvloop" else asyncio.new_event_loop()
        if watch is not None:
            LoopWatch(watch).start(made)
        return made

    with asyncio.Runner(loop_factory=new_loop) as runner:
        try:
            runner.run(main)
        except asyncio.CancelledError:
            return


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop  # whoever is measured without it must not have it in memory

    return uvloop.new_event_loop()


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--changes", type=Path, required=True)
    parser.add_argument("--nodesets", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--obey", action="store_true")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--watch-loop", type=Path)
    options = parser.parse_args()
    run(serve(options), loop=options.loop, watch=options.watch_loop)


if __name__ == "__main__":
    main()
