"""The address space: what asyncua's services read, write and watch, without a node object per node.

Nodes come from branches: the compiled models, a few of our own, and each machine's. A branch is asked when a client
asks; nothing is built beforehand. Only what was written or is watched is kept here.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import Protocol, cast

from asyncua import ua

from . import wire
from .nodeset import Key, Nodeset, Reference, Row

log = logging.getLogger(__name__)

MACHINES = 13
"""Index of the namespace of machines and everything else that is this agent's own."""

Callback = Callable[[int, ua.DataValue], Awaitable[None]]


class Viewer(Protocol):
    """A session that reads, as far as the maker of a value has to know."""

    session_id: ua.NodeId


Maker = Callable[[Viewer], ua.DataValue]
"""Makes a value for whoever reads it."""


class Branch(Protocol):
    """Some nodes, and where their values are kept."""

    def find(self, node: Key) -> Row | None:
        """The node, ``None`` if it is not of this branch."""

    def references(self, node: Key) -> Iterable[Reference]:
        """The references of a node of this branch, both directions."""

    def value(self, node: Key) -> ua.DataValue | None:
        """The value held for a node; ``None`` if it is the row's own."""

    def keys(self) -> Iterable[Key]:
        """Every node of this branch."""


class Models:
    """The branch of the compiled models, plus the references that our own nodes hang on them."""

    def __init__(self, nodeset: Nodeset) -> None:
        self._nodeset = nodeset
        self._more: dict[Key, list[Reference]] = {}

    def find(self, node: Key) -> Row | None:
        """The model's row."""
        return self._nodeset.find(node)

    def references(self, node: Key) -> Iterable[Reference]:
        """The model's references, then ours."""
        return chain(self._nodeset[node].references, self._more.get(node, ()))

    def value(self, node: Key) -> ua.DataValue | None:  # noqa: ARG002 - what a model holds is in its rows
        """Nothing: what is written to a model's variable is kept by the address space."""
        return None

    def keys(self) -> Iterable[Key]:
        """Every node of every model."""
        return self._nodeset

    def refer(self, node: Key, reference: Reference) -> None:
        """Hang a reference on a model's node."""
        self._more.setdefault(node, []).append(reference)

    def unrefer(self, target: Key) -> None:
        """Take away every reference to a node that goes."""
        for node, references in list(self._more.items()):
            self._more[node] = [reference for reference in references if reference.target != target]


class AddressSpace:
    """All nodes, in the interface that asyncua's attribute and subscription services use.

    Clients only read. What the server itself writes is not checked against the DataType here: a test walks every node.
    """

    force_server_timestamp = True  # asyncua's attribute service asks

    def __init__(self, nodeset: Nodeset) -> None:
        self.nodeset = nodeset
        self.models = Models(nodeset)
        self._branches: dict[str, Branch] = {}
        self._written: dict[tuple[Key, int], ua.DataValue] = {}
        self._makers: dict[Key, Maker] = {}
        self._watches: dict[tuple[Key, int], dict[int, Callback]] = {}
        self._handles: dict[int, tuple[Key, int]] = {}
        self._last_handle = 0

    def graft(self, root: str, branch: Branch) -> None:
        """Add a branch: the nodes of the machines' namespace whose path begins with ``root``."""
        self._branches[root] = branch

    def cut(self, root: str) -> None:
        """Remove a branch and whatever watches it; who watches must have been told before.

        asyncua means to tell them when it deletes a node, but calls a coroutine without awaiting it
        (https://github.com/FreeOpcUa/opcua-asyncio/issues/1771).
        """
        del self._branches[root]
        self.models.unrefer(Key(MACHINES, root))
        for watched in [watched for watched in self._watches if self.branch(watched[0]) is None]:
            for handle in self._watches.pop(watched):
                del self._handles[handle]

    def branch(self, node: Key) -> Branch | None:
        """The branch that has a node."""
        if node.namespace != MACHINES:
            return self.models if node in self.nodeset else None
        if not isinstance(node.identifier, str):
            return None  # a machine may be called 5, which is not the number 5
        branch = self._branches.get(node.identifier.partition("/")[0])
        return None if branch is None or branch.find(node) is None else branch

    def row(self, node: Key) -> Row | None:
        """A node's row."""
        branch = self.branch(node)
        return None if branch is None else branch.find(node)

    def references(self, node: Key) -> Iterable[Reference]:
        """A node's references, both directions; none of a node that is not there."""
        branch = self.branch(node)
        return () if branch is None else branch.references(node)

    def keys(self) -> Iterator[Key]:
        """Every node there is."""
        return chain.from_iterable(branch.keys() for branch in (self.models, *self._branches.values()))

    def read(self, node: Key, which: int = ua.AttributeIds.Value, *, viewer: Viewer | None = None) -> ua.DataValue:
        """One attribute; a value that is made when it is read is denied to whoever does not say who it is for."""
        if self.is_made(node, which):
            return _bad(ua.StatusCodes.BadUserAccessDenied) if viewer is None else self._makers[node](viewer)
        branch = self.branch(node)
        row = branch.find(node) if branch else None
        if branch is None or row is None:
            return _bad(ua.StatusCodes.BadNodeIdUnknown)
        held = self._written.get((node, int(which)))
        if held is None and which == ua.AttributeIds.Value:
            held = branch.value(node)
        if held is not None:
            return held
        variant = wire.attribute(node, row, which)
        if variant is None:
            return _bad(ua.StatusCodes.BadAttributeIdInvalid)
        return ua.DataValue(variant, ServerTimestamp=_now() if which == ua.AttributeIds.Value else None)

    def hold(self, node: Key, value: ua.DataValue, which: int = ua.AttributeIds.Value) -> None:
        """Hold a value before anybody can watch."""
        self._written[node, int(which)] = value

    def make(self, node: Key, maker: Maker, *, sampling_ms: float) -> None:
        """Have a variable's value made when it is read, for the session that reads it.

        Nobody is told that it changed: who watches it looks again, every ``sampling_ms`` at most.
        """
        self._makers[node] = maker
        slowest = ua.DataValue(ua.Variant(sampling_ms, ua.VariantType.Double))
        self.hold(node, slowest, ua.AttributeIds.MinimumSamplingInterval)

    def is_made(self, node: Key, which: int = ua.AttributeIds.Value) -> bool:
        """Is this attribute one that is made when it is read."""
        return which == ua.AttributeIds.Value and node in self._makers

    def state(self, node: Key, value: ua.Variant) -> None:
        """Hold a value that is true from now on."""
        self.hold(node, ua.DataValue(value, SourceTimestamp=_now(), ServerTimestamp=_now()))

    async def write(self, node: Key, value: ua.DataValue, which: int = ua.AttributeIds.Value) -> None:
        """Hold a value for an attribute, as the server itself, and tell who watches it."""
        value = dataclasses.replace(value, ServerTimestamp=_now())
        self.hold(node, value, which)
        await self.tell(node, value, which)

    async def tell(self, node: Key, value: ua.DataValue, which: int = ua.AttributeIds.Value) -> None:
        """Tell who watches an attribute its new value."""
        for handle, callback in list(self._watches.get((node, which), {}).items()):
            try:
                await callback(handle, value)
            except Exception:
                log.exception("%s: a subscription could not take a new value", node.identifier)

    async def tell_all(self, value: ua.DataValue, root: str) -> None:
        """Tell whoever watches any attribute of any node of a branch."""
        for node, which in list(self._watches):
            if node.namespace == MACHINES and str(node.identifier).partition("/")[0] == root:
                await self.tell(node, value, which)

    async def retell(self, root: str) -> None:
        """Tell whoever watches any attribute of any node of a branch what it is: what they may see has changed."""
        for node, which in list(self._watches):
            if node.namespace == MACHINES and str(node.identifier).partition("/")[0] == root:
                await self.tell(node, self.read(node, which), which)

    # --- what asyncua calls ---

    def __contains__(self, node: ua.NodeId) -> bool:
        return self.row(wire.key(node)) is not None

    def read_attribute_value(self, nodeid: ua.NodeId, attr: ua.AttributeIds) -> ua.DataValue:
        """`read` by asyncua's name."""
        return self.read(wire.key(nodeid), attr)

    async def write_attribute_value(
        self, nodeid: ua.NodeId, attr: ua.AttributeIds, value: ua.DataValue
    ) -> ua.StatusCode:
        """`write` by asyncua's name: only its own clock and server nodes come this way, see `services`."""
        node = wire.key(nodeid)
        if self.row(node) is None:
            return wire.status(ua.StatusCodes.BadNodeIdUnknown)
        await self.write(node, value, attr)
        return ua.StatusCode()

    def add_datachange_callback(
        self, nodeid: ua.NodeId, attr: ua.AttributeIds, callback: Callback
    ) -> tuple[ua.StatusCode, int]:
        """Watch an attribute; the handle is the callback's first argument."""
        node = wire.key(nodeid)
        found = self.read(node, attr).StatusCode
        if self.row(node) is None or (found and found.value == ua.StatusCodes.BadAttributeIdInvalid):
            return found or ua.StatusCode(), 0
        self._last_handle += 1
        self._watches.setdefault((node, int(attr)), {})[self._last_handle] = callback
        self._handles[self._last_handle] = (node, int(attr))
        return ua.StatusCode(), self._last_handle

    def delete_datachange_callback(self, handle: int) -> None:
        """Watch no longer."""
        watched = self._handles.pop(handle, None)
        if watched is None:
            return
        del self._watches[watched][handle]
        if not self._watches[watched]:
            del self._watches[watched]


def _now() -> ua.DateTime:
    return cast("ua.DateTime", datetime.now(UTC))


def _bad(code: int) -> ua.DataValue:
    return ua.DataValue(ua.Variant(None, ua.VariantType.Null), wire.status(code))
