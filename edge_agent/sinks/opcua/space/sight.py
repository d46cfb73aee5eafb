"""What one session sees of the address space: an MES its own machines, and nothing that tells of the others'."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from asyncua import ua

from . import wire
from .address_space import MACHINES, AddressSpace, Viewer
from .nodeset import Key, Nodeset, Reference, Row


class Readable(Protocol):
    """An address space to read: the whole of it, or what one session sees."""

    nodeset: Nodeset

    def row(self, node: Key) -> Row | None:
        """A node's row, ``None`` if there is no such node."""

    def references(self, node: Key) -> Iterable[Reference]:
        """A node's references, both directions."""

    def read(self, node: Key, which: int = ua.AttributeIds.Value) -> ua.DataValue:
        """One attribute."""


class Sight:
    """An address space without the nodes that must not be seen: they answer as nodes that do not exist.

    Values that are made when they are read are made for ``viewer``; without one they are denied.
    """

    def __init__(self, space: AddressSpace, sees: Callable[[Key], bool], viewer: Viewer | None = None) -> None:
        self.nodeset = space.nodeset
        self.viewer = viewer
        self.sees = sees
        self._space = space

    def row(self, node: Key) -> Row | None:
        """A node's row."""
        return self._space.row(node) if self.sees(node) else None

    def references(self, node: Key) -> Iterable[Reference]:
        """A node's references; those to what must not be seen are left out."""
        if not self.sees(node):
            return ()
        return (reference for reference in self._space.references(node) if self.sees(reference.target))

    def read(self, node: Key, which: int = ua.AttributeIds.Value) -> ua.DataValue:
        """One attribute."""
        if self.sees(node):
            return self._space.read(node, which, viewer=self.viewer)
        return ua.DataValue(ua.Variant(None, ua.VariantType.Null), wire.status(ua.StatusCodes.BadNodeIdUnknown))

    def for_one_request(self) -> Sight:
        """The same; what is made when it is read is made once, however often the request asks for it."""
        return _Once(self._space, self.sees, self.viewer)

    def unmade(self) -> Sight:
        """The same, without what is made when it is read: to see what there is costs nothing."""
        return Sight(self._space, self.sees)


class _Once(Sight):
    def __init__(self, space: AddressSpace, sees: Callable[[Key], bool], viewer: Viewer | None) -> None:
        super().__init__(space, sees, viewer)
        self._made: dict[Key, ua.DataValue] = {}

    def read(self, node: Key, which: int = ua.AttributeIds.Value) -> ua.DataValue:
        """One attribute, of one moment."""
        if not self._space.is_made(node, which):
            return super().read(node, which)
        if node not in self._made:
            self._made[node] = super().read(node, which)
        return self._made[node]


MesIdsOf = Callable[[str], Collection[int] | None]
"""The MES instances a machine belongs to; ``None`` if there is no such machine."""

_MES_FOLDERS = ("Agent", "MesInstances")


def sees_all(_: Key) -> bool:
    """For a user that no MES instance limits."""
    return True


def sees_of(mes_ids: Collection[int], mes_ids_of: MesIdsOf) -> Callable[[Key], bool]:
    """What users of these MES instances see: their machines, their folders, and all that belongs to no machine."""

    def sees(node: Key) -> bool:
        if node.namespace != MACHINES or not isinstance(node.identifier, str):
            return True
        root, *steps = node.identifier.split("/")
        if (root, *steps[:1]) == _MES_FOLDERS and len(steps) > 1:
            return steps[1] in {str(mes_id) for mes_id in mes_ids}
        of_machine = mes_ids_of(root)
        return of_machine is None or not set(of_machine).isdisjoint(mes_ids)

    return sees
