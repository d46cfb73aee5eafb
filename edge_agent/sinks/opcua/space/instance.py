"""One instance of a template: a branch of the address space that holds values and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import cast

from asyncua import ua
from msgspec.structs import replace

from . import wire
from .address_space import MACHINES, AddressSpace
from .nodeset import Key, Reference, Row
from .template import Template


class Instance:
    """The nodes ``<root>`` and ``<root>/<path>`` of the machines' namespace.

    The template may be exchanged for a larger one at any time; values stay.
    """

    def __init__(
        self, space: AddressSpace, root: str, template: Template, *, name: str | None = None, display: str | None = None
    ) -> None:
        """Make the branch; `AddressSpace.graft` it to show it.

        Args:
            space: where it will be grafted.
            root: the first step of every identifier.
            template: its shape.
            name: the root's BrowseName as ``ns:Name``; the root in the machines' namespace if not given.
            display: the root's DisplayName, if it is not the BrowseName.
        """
        self.space = space
        self.root = root
        self.template = template
        self._row = replace(template[""].row, name=name or f"{MACHINES}:{root}", display=display)
        self._values: dict[str, ua.DataValue] = {}
        self._more: list[tuple[str, Reference]] = []

    def key(self, path: str = "") -> Key:
        """The node of a path."""
        return Key(MACHINES, f"{self.root}/{path}" if path else self.root)

    def refer(self, path: str, reference: Reference) -> None:
        """Add a reference to a node of another branch; the other side is that branch's to add."""
        self._more.append((path, reference))

    def unrefer(self, below: str) -> None:
        """Take away what `refer` added to, or towards, the nodes below a path of any instance."""

        def is_below(node: Key) -> bool:
            return node.namespace == MACHINES and str(node.identifier).startswith(below)

        self._more = [
            (path, reference)
            for path, reference in self._more
            if not (is_below(self.key(path)) or is_below(reference.target))
        ]

    def hold(self, path: str, value: ua.DataValue) -> ua.DataValue:
        """Hold a value without telling anybody; returned as it is held, with the server's time."""
        held = dataclasses.replace(value, ServerTimestamp=cast("ua.DateTime", datetime.now(UTC)))
        self._values[path] = held
        return held

    async def write(self, path: str, value: ua.DataValue) -> None:
        """Hold a value and tell who watches it."""
        await self.space.tell(self.key(path), self.hold(path, value))

    async def rename(self, display: str) -> None:
        """Change the root's DisplayName."""
        self._row = replace(self._row, display=display)
        shown = ua.DataValue(ua.Variant(wire.localized(display), ua.VariantType.LocalizedText))
        await self.space.tell(self.key(), shown, ua.AttributeIds.DisplayName)

    async def tell_end(self) -> None:
        """Tell whoever watches any of the nodes that it is going."""
        gone = ua.DataValue(ua.Variant(None, ua.VariantType.Null), wire.status(ua.StatusCodes.BadNodeIdUnknown))
        await self.space.tell_all(gone, self.root)

    # --- a branch ---

    def find(self, node: Key) -> Row | None:
        """The template's row; the root has its own names."""
        path = self._path(node)
        if path == "":
            return self._row
        declared = None if path is None else self.template.get(path)
        return declared.row if declared else None

    def references(self, node: Key) -> Iterable[Reference]:
        """The template's references, as this instance's."""
        path = self._path(node) or ""
        for link in self.template[path].links:
            target = self.key(link.target) if isinstance(link.target, str) else link.target
            yield Reference(link.type, link.forward, target)
        yield from (reference for at, reference in self._more if at == path)

    def value(self, node: Key) -> ua.DataValue | None:
        """What was written last."""
        return self._values.get(self._path(node) or "")

    def keys(self) -> Iterator[Key]:
        """Every node of this instance."""
        return (self.key(path) for path in self.template)

    def _path(self, node: Key) -> str | None:
        identifier = str(node.identifier)
        if identifier == self.root:
            return ""
        return identifier[len(self.root) + 1 :] or None
