"""Browse and TranslateBrowsePathsToNodeIds, straight from rows (OPC 10000-4, 5.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import cast

from asyncua import ua
from asyncua.common.utils import ServiceError
from msgspec import Struct
from msgspec.structs import replace

from . import wire
from .limits import NODES_AT_ONCE, REFERENCES_PER_BROWSE, REFERENCES_PER_NODE
from .nodeset import HAS_TYPE_DEFINITION, Key, Reference, Row
from .sight import Readable

ELEMENTS_PER_PATH = 64
"""A message holds a hundred thousand; a path that goes up and down for ever would keep the thread busy for a minute."""
_WHOLE_PATH = 2**32 - 1
_NULL = Key(0, 0)
_DIRECTIONS = {ua.BrowseDirection.Forward, ua.BrowseDirection.Inverse, ua.BrowseDirection.Both}
_TYPED = {ua.NodeClass.Object.value, ua.NodeClass.Variable.value}


_Named = dict[tuple[bool, str], list[tuple[Key, Key]]]
"""By direction (forward) and BrowseName: reference types and targets."""


class Rest(Struct, frozen=True):
    """What a client has yet to be told of a node."""

    references: tuple[Reference, ...]
    most: int
    mask: int


class View:
    """In place of asyncua's, which keeps a description of the target in every reference of every node.

    It shows what can be seen of an address space, and keeps nothing: see `Rest`.
    """

    def __init__(self, space: Readable) -> None:
        self._space = space

    async def browse(self, params: ua.BrowseParameters) -> list[tuple[ua.BrowseResult, Rest | None]]:
        """Browse; every result has a status of its own, and what is left to tell if that is too much.

        Raises:
            ServiceError: the request as a whole makes no sense.
        """
        if not params.NodesToBrowse:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        if params.View.ViewId is not None and not params.View.ViewId.is_null():
            raise ServiceError(ua.StatusCodes.BadViewIdUnknown)
        most = min(params.RequestedMaxReferencesPerNode or REFERENCES_PER_NODE, REFERENCES_PER_NODE)
        results: list[tuple[ua.BrowseResult, Rest | None]] = []
        found = 0
        for number, description in enumerate(params.NodesToBrowse):
            if number % NODES_AT_ONCE == NODES_AT_ONCE - 1:
                await asyncio.sleep(0)
            if found >= REFERENCES_PER_BROWSE:  # the whole answer would be too long to send
                results.append((_refused(ua.StatusCodes.BadNoContinuationPoints), None))
                continue
            results.append(self._browse(description, most))
            found += len(results[-1][0].References)
        return results

    def go_on(self, rest: Rest) -> tuple[ua.BrowseResult, Rest | None]:
        """What comes next, of references that still are."""
        described = ua.BrowseResult()
        for reference in rest.references[: rest.most]:
            row = self._space.row(reference.target)
            if row is not None:
                described.References.append(self._describe(reference, row, rest.mask))
        left = rest.references[rest.most :]
        return described, replace(rest, references=left) if left else None

    def translate(self, browsepaths: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        """Follow relative paths.

        Raises:
            ServiceError: there is none.
        """
        if not browsepaths:
            raise ServiceError(ua.StatusCodes.BadNothingToDo)
        names = _Names(self._space)
        return [self._translate(path, names) for path in browsepaths]

    def _browse(self, wanted: ua.BrowseDescription, most: int) -> tuple[ua.BrowseResult, Rest | None]:
        node, kind = wire.key(wanted.NodeId), wire.key(wanted.ReferenceTypeId)
        if self._space.row(node) is None:
            return _refused(ua.StatusCodes.BadNodeIdUnknown), None
        if kind != _NULL and not self._is_reference_type(kind):
            return _refused(ua.StatusCodes.BadReferenceTypeIdInvalid), None
        if wanted.BrowseDirection not in _DIRECTIONS:
            return _refused(ua.StatusCodes.BadBrowseDirectionInvalid), None
        suitable = (
            reference
            for reference in self._space.references(node)
            if _suits(wanted.BrowseDirection, reference)
            and self._is_a(reference.type, kind, bool(wanted.IncludeSubtypes))
            and self._is_of(reference.target, wanted.NodeClassMask)
        )
        return self.go_on(Rest(tuple(suitable), most, wanted.ResultMask))

    def _is_of(self, node: Key, classes: int) -> bool:
        """Is there such a node, and of one of these classes; 0 asks for all."""
        row = self._space.row(node)
        return row is not None and (not classes or bool(classes & row.node_class))

    def _describe(self, reference: Reference, row: Row, mask: int) -> ua.ReferenceDescription:
        """What the client wants to know of a reference; what it does not want stays null."""
        wants = ua.BrowseResultMask
        description = ua.ReferenceDescription(NodeId=cast("ua.ExpandedNodeId", wire.node_id(reference.target)))
        description.IsForward = cast("ua.Boolean", False)
        if mask & wants.ReferenceTypeId:
            description.ReferenceTypeId = wire.node_id(reference.type)
        if mask & wants.IsForward:
            description.IsForward = cast("ua.Boolean", reference.forward)
        if mask & wants.NodeClass:
            description.NodeClass = ua.NodeClass(row.node_class)
        if mask & wants.BrowseName:
            description.BrowseName = wire.qualified_name(row.name)
        if mask & wants.DisplayName:
            shown = self._space.read(reference.target, ua.AttributeIds.DisplayName).Value
            description.DisplayName = shown.Value if shown else ua.LocalizedText()
        if mask & wants.TypeDefinition and row.node_class in _TYPED:
            description.TypeDefinition = cast("ua.ExpandedNodeId", self._type_definition(reference.target))
        return description

    def _type_definition(self, node: Key) -> ua.NodeId:
        references = self._space.references(node)
        found = (item.target for item in references if item.type == HAS_TYPE_DEFINITION and item.forward)
        return wire.node_id(next(found, _NULL))

    def _is_reference_type(self, node: Key) -> bool:
        row = self._space.row(node)
        return row is not None and row.node_class == ua.NodeClass.ReferenceType.value

    def _is_a(self, kind: Key, wanted: Key, subtypes: bool) -> bool:
        """Is a reference of the kind a client asked for; null asks for all."""
        return wanted in {_NULL, kind} or (subtypes and self._space.nodeset.is_subtype(kind, wanted))

    def _translate(self, path: ua.BrowsePath, names: _Names) -> ua.BrowsePathResult:
        elements = path.RelativePath.Elements
        start = wire.key(path.StartingNode)
        if not elements:
            return ua.BrowsePathResult(StatusCode=wire.status(ua.StatusCodes.BadNothingToDo))
        if self._space.row(start) is None:
            return ua.BrowsePathResult(StatusCode=wire.status(ua.StatusCodes.BadNodeIdUnknown))
        if any(not element.TargetName or not element.TargetName.Name for element in elements):
            return ua.BrowsePathResult(StatusCode=wire.status(ua.StatusCodes.BadBrowseNameInvalid))
        if len(elements) > ELEMENTS_PER_PATH:
            return ua.BrowsePathResult(StatusCode=wire.status(ua.StatusCodes.BadQueryTooComplex))
        found = [start]
        for element in elements:
            # A dict: two ways may lead to one node, and a client wants it once.
            found = list(dict.fromkeys(target for node in found for target in self._step(names[node], element)))
        if not found:
            return ua.BrowsePathResult(StatusCode=wire.status(ua.StatusCodes.BadNoMatch))
        return ua.BrowsePathResult(
            Targets=[
                ua.BrowsePathTarget(
                    TargetId=cast("ua.ExpandedNodeId", wire.node_id(target)),
                    RemainingPathIndex=cast("ua.Index", _WHOLE_PATH),
                )
                for target in found
            ]
        )

    def _step(self, named: _Named, element: ua.RelativePathElement) -> Iterator[Key]:
        name = f"{element.TargetName.NamespaceIndex}:{element.TargetName.Name}"
        wanted = wire.key(element.ReferenceTypeId)
        for kind, target in named.get((not bool(element.IsInverse), name), ()):
            if self._is_a(kind, wanted, bool(element.IncludeSubtypes)):
                yield target


class _Names:
    """The references of nodes by direction and name, each node's once in a request: many paths go through the same."""

    def __init__(self, space: Readable) -> None:
        self._space = space
        self._known: dict[Key, _Named] = {}

    def __getitem__(self, node: Key) -> _Named:
        if node not in self._known:
            found: _Named = {}
            for reference in self._space.references(node):
                row = self._space.row(reference.target)
                if row is not None:
                    found.setdefault((reference.forward, row.name), []).append((reference.type, reference.target))
            self._known[node] = found
        return self._known[node]


def _refused(code: int) -> ua.BrowseResult:
    return ua.BrowseResult(StatusCode=wire.status(code))


def _suits(direction: ua.BrowseDirection, reference: Reference) -> bool:
    if direction == ua.BrowseDirection.Both:
        return True
    return reference.forward is (direction == ua.BrowseDirection.Forward)
