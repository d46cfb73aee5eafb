"""Instances from types, made once and shared: a template is every node that machines of one shape have.

`Builder` walks a type, its supertypes and its declarations as OPC 10000-3, 6.4 says: mandatory children always,
optional ones when asked for, placeholders never; a declaration that two parents share is one node with two references.
Paths are BrowseNames joined by ``/``, without namespaces; the empty path is the instance itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from .nodeset import (
    HAS_INTERFACE,
    HAS_MODELLING_RULE,
    HAS_TYPE_DEFINITION,
    ORGANIZES,
    Key,
    Nodeset,
    Row,
    Value,
)

_AGGREGATES = Key(0, 44)
_MANDATORY = Key(0, 78)
_OPTIONAL = Key(0, 80)

Scope = dict[Key, str]
"""Which path a declaration became. One per instance: declarations of a type used twice are not the same nodes."""


class Link(NamedTuple):
    """A reference whose target may be another node of the same instance (a path)."""

    type: Key
    forward: bool
    target: str | Key


class Declared(Struct, frozen=True):
    """One node of a template. Its row has no references; ``declaration`` is the model's node it follows, if any."""

    row: Row
    links: tuple[Link, ...]
    type_definition: Key | None
    declaration: Key | None


Template = Mapping[str, Declared]


class _Child(Struct):
    """A child that the type declares: where, and by what reference; the most specific declaration first."""

    reference: Key
    row: Row
    origins: list[tuple[Key, Scope]]


class _Draft(Struct):
    row: Row
    links: list[Link]
    type_definition: Key | None
    declaration: Key | None


class Builder:
    """Collects the nodes of one template.

    ``optional`` are the paths of optional children that are wanted, ``types`` subtypes to use in place of declared
    types; ``begun`` is a template to be made larger.
    """

    def __init__(
        self,
        nodeset: Nodeset,
        *,
        optional: Collection[str] = (),
        types: Mapping[str, Key] | None = None,
        begun: Template | None = None,
    ) -> None:
        self._nodeset = nodeset
        self._optional = frozenset(optional)
        self._types = types or {}
        self._drafts = {
            path: _Draft(declared.row, list(declared.links), declared.type_definition, declared.declaration)
            for path, declared in (begun or {}).items()
        }
        self._left_out: list[tuple[str, _Child]] = []

    def instance(self, type_definition: Key) -> None:
        """Begin with the instance itself."""
        self._place("", _instance_row(self._nodeset[type_definition], "0:"), type_definition, [])

    def variable(self, type_definition: Key, *, data_type: str) -> None:
        """Begin with a variable as the instance itself."""
        row = replace(_instance_row(self._nodeset[type_definition], "0:"), data_type=data_type)
        self._place("", row, type_definition, [])

    def add(
        self,
        path: str,
        *,
        type_definition: Key,
        reference: Key,
        namespace: int,
        data_type: str | None = None,
        rank: int = -1,
        description: str | None = None,
    ) -> None:
        """Add a node of our own choice below one that is there, with what its type demands.

        Args:
            path: where; the last step is its BrowseName, in ``namespace``.
            type_definition: an object or variable type.
            reference: from the parent.
            namespace: of the BrowseName.
            data_type: of a variable whose type leaves it open.
            rank: of a variable; 1 for a list.
            description: one sentence.
        """
        parent, _, name = path.rpartition("/")
        of_type = self._nodeset[type_definition]
        row = replace(_instance_row(of_type, f"{namespace}:{name}"), description=description)
        if data_type is not None:
            row = replace(row, data_type=data_type, rank=rank, dims=(0,) if rank == 1 else None)
        self._place(path, row, type_definition, [])
        self._link(parent, reference, path)

    def change(
        self,
        path: str,
        *,
        data_type: str | None = None,
        rank: int | None = None,
        notifier: int | None = None,
        value: Value | None = None,
    ) -> None:
        """Make a declared node more special: a concrete DataType for an abstract one, events, a constant value."""
        draft = self._drafts[path]
        changes = {"data_type": data_type, "rank": rank, "notifier": notifier, "value": value}
        draft.row = replace(draft.row, **{name: change for name, change in changes.items() if change is not None})

    def describe(self, path: str, sentence: str) -> None:
        """Give a node its Description."""
        draft = self._drafts[path]
        draft.row = replace(draft.row, description=sentence)

    def has(self, path: str) -> bool:
        """Is there such a node already."""
        return path in self._drafts

    def refer(self, path: str, reference: Key, target: str | Key) -> None:
        """Add a reference that types do not declare; of another template's or model's node only this side."""
        if isinstance(target, str):
            self._link(path, reference, target)
        else:
            self._drafts[path].links.append(Link(reference, True, target))

    def template(self) -> Template:
        """What has been collected."""
        for parent, child in self._left_out:
            # Not wanted here, but wanted elsewhere: a shared declaration is one node, so here it is too.
            shared = _shared(child)
            if shared is not None:
                self._link(parent, child.reference, shared)
        self._left_out.clear()
        return {
            path: Declared(draft.row, tuple(dict.fromkeys(draft.links)), draft.type_definition, draft.declaration)
            for path, draft in self._drafts.items()
        }

    def _place(self, path: str, row: Row, type_definition: Key | None, origins: list[tuple[Key, Scope]]) -> None:
        links = [] if type_definition is None else [Link(HAS_TYPE_DEFINITION, True, type_definition)]
        self._drafts[path] = _Draft(row, links, type_definition, origins[0][0] if origins else None)
        for child in self._children(type_definition, origins):
            self._place_child(path, child)

    def _place_child(self, parent: str, child: _Child) -> None:
        shared = _shared(child)
        if shared is not None:
            self._link(parent, child.reference, shared)
            return
        path = f"{parent}/{child.row.name.partition(':')[2]}".lstrip("/")
        rule = _target(child.row, HAS_MODELLING_RULE)
        if rule == _MANDATORY or (rule == _OPTIONAL and path in self._optional):
            for declaration, scope in child.origins:
                scope[declaration] = path
            kind = self._types.get(path) or _target(child.row, HAS_TYPE_DEFINITION)
            self._place(path, _instance_row(child.row), kind, child.origins)
            self._link(parent, child.reference, path)
        elif rule == _OPTIONAL:
            self._left_out.append((parent, child))

    def _children(self, type_definition: Key | None, origins: list[tuple[Key, Scope]]) -> list[_Child]:
        """What the declaration and the type's whole line ask for, by BrowseName."""
        children: dict[str, _Child] = {}
        of_type: Scope = {}
        line = self._line(type_definition) if type_definition else ()
        for source, scope in (*origins, *((key_, of_type) for key_ in line)):
            for reference in self._nodeset[source].references:
                if not (reference.forward and self._is_child(reference.type)):
                    continue
                row = self._nodeset[reference.target]
                known = children.setdefault(row.name, _Child(reference.type, row, []))
                known.origins.append((reference.target, scope))
        return list(children.values())

    def _line(self, type_definition: Key) -> Iterator[Key]:
        """A type, its supertypes, and the interfaces that each of them has."""
        for source in self._nodeset.supertypes(type_definition):
            yield source
            for reference in self._nodeset[source].references:
                if reference.type == HAS_INTERFACE and reference.forward:
                    yield from self._nodeset.supertypes(reference.target)

    def _is_child(self, reference: Key) -> bool:
        return reference == ORGANIZES or self._nodeset.is_subtype(reference, _AGGREGATES)

    def _link(self, parent: str, reference: Key, child: str) -> None:
        self._drafts[parent].links.append(Link(reference, True, child))
        self._drafts[child].links.append(Link(reference, False, parent))


def _shared(child: _Child) -> str | None:
    return next((scope[declaration] for declaration, scope in child.origins if declaration in scope), None)


def _target(row: Row, reference: Key) -> Key | None:
    return next((item.target for item in row.references if item.type == reference and item.forward), None)


_CLASS_OF_INSTANCE = {8: 1, 16: 2}  # ObjectType to Object, VariableType to Variable


def _instance_row(row: Row, name: str | None = None) -> Row:
    """A row for an instance of a type or declaration: nothing in it that is the type's own."""
    return Row(
        id="",
        node_class=_CLASS_OF_INSTANCE.get(row.node_class, row.node_class),
        name=row.name if name is None else name,
        display=None if name else row.display,
        data_type=row.data_type,
        rank=row.rank,
        dims=row.dims,
        notifier=row.notifier if row.node_class == 1 else 0,
        value=row.value if row.node_class == 2 else None,
    )
