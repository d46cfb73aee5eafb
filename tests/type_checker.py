"""Does an instance keep what its type promises (OPC 10000-3, 6.4)? Written without a look at how instances are made.

What an instance must have is said in several places at once: its type, the type's supertypes, their interfaces, and,
for a node below it, the declaration that it stands for, whose own children may be stricter than its type's. All count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from asyncua import ua
from msgspec import Struct

from .opcua_tree import HAS_SUBTYPE, Id, Link, Tree, id_of
from .value_checker import state_findings, value_findings

A = ua.AttributeIds
HIERARCHICAL, EVENT_SOURCES = Id(0, 33), Id(0, 36)
HAS_MODELLING_RULE, HAS_TYPE_DEFINITION, HAS_INTERFACE = Id(0, 37), Id(0, 40), Id(0, 17603)
MANDATORY, OPTIONAL, MANDATORY_PLACEHOLDER, OPTIONAL_PLACEHOLDER = (
    Id(0, 78),
    Id(0, 80),
    Id(0, 11510),
    Id(0, 11508),
)
OURS = 12
# Properties that OPC 10000-3 gives every node leave to have, without a type that says so.
ANYWHERE = {"0:NodeVersion"}
TYPED = {ua.NodeClass.Object, ua.NodeClass.Variable}
ANY_RANK, SCALAR_OR_LIST, ANY_LIST = -2, -3, 0


class Origin(Struct, frozen=True):
    """A declaration that a node stands for. ``scope`` is the instance whose types hold it: once per instance."""

    declaration: Id
    scope: Id


class Child(Struct, frozen=True):
    """A child as one declaration has it."""

    kind: Id
    origin: Origin
    rule: Id


class Checker:
    """Collects what is wrong with one instance and all below it."""

    def __init__(self, tree: Tree, root: Id) -> None:
        self.tree = tree
        self.root = root
        self.findings: dict[str, None] = {}
        self._seen: set[tuple[Id, frozenset[Origin]]] = set()
        self._stands_for: dict[Origin, set[Id]] = {}
        self._declared: list[tuple[Id, Child]] = []

    def run(self) -> list[str]:
        """All findings, a sentence each."""
        self._node(self.root, [])
        self._shared_declarations()
        return list(self.findings)

    def _say(self, node: Id, text: str) -> None:
        self.findings[f"{node.identifier}: {text}"] = None

    # --- one node ---

    def _node(self, node: Id, origins: list[Origin]) -> None:
        if (node, frozenset(origins)) in self._seen:
            return
        self._seen.add((node, frozenset(origins)))
        for origin in origins:
            self._stands_for.setdefault(origin, set()).add(node)
            self._compare(node, origin.declaration)
        types = self.tree.targets(node, HAS_TYPE_DEFINITION)
        if self.tree[node].node_class in TYPED and len(types) != 1:
            self._say(node, f"{len(types)} type definitions")
            return
        self._own(node, types)
        children = list(self._children_of_instance(node))
        declared = list(self._declarations(node, types, origins))
        used = self._named(node, children, declared)
        self._others(node, [link for link in children if link.target not in used], declared)

    def _own(self, node: Id, types: list[Id]) -> None:
        """What every node must be, whatever its declaration."""
        seen = self.tree[node]
        if "<" in seen.name:
            self._say(node, f"{seen.name} is a placeholder's name")
        for type_ in types:
            if self.tree[type_].get(A.IsAbstract):
                self._say(node, f"its type {self.tree[type_].name} is abstract")
        if seen.node_class is ua.NodeClass.Variable:
            for text in value_findings(self.tree, seen):
                self._say(node, text)
            for type_ in types:
                self._compare_variable(node, type_)
        for text in state_findings(self.tree, seen):
            self._say(node, text)
        for link in seen.links:
            back = Link(link.type, not link.forward, node)
            ours = link.target.namespace == node.namespace and link.target in self.tree
            if ours and back not in self.tree[link.target].links:
                self._say(node, f"{self._name(link.type)} of {link.target.identifier} is one-sided")

    # --- its children ---

    def _named(self, node: Id, children: list[Link], declared: list[Child]) -> set[Id]:
        """Check the children that are declared by name; give those that are there."""
        used = set()
        for name in dict.fromkeys(self._name(child.origin.declaration) for child in declared):
            alike = [child for child in declared if self._name(child.origin.declaration) == name]
            if alike[0].rule in {MANDATORY_PLACEHOLDER, OPTIONAL_PLACEHOLDER}:
                continue
            there = [link for link in children if self._name(link.target) == name]
            if not there:
                if any(child.rule == MANDATORY for child in alike):
                    self._say(node, f"{name} is missing")
                self._declared += [(node, child) for child in alike]
                continue
            if len({link.target for link in there}) > 1:
                self._say(node, f"{len(there)} children are called {name}")
            for child in alike:
                if not any(self.tree.is_a(link.type, child.kind) for link in there):
                    self._say(
                        there[0].target, f"{self._name(child.kind)} would lead here, not {self._name(there[0].type)}"
                    )
            used |= {link.target for link in there}
            self._node(there[0].target, [child.origin for child in alike])
        return used

    def _others(self, node: Id, children: list[Link], declared: list[Child]) -> None:
        """Check the children that are not declared by name: a placeholder's, or ours."""
        places = [child for child in declared if child.rule in {MANDATORY_PLACEHOLDER, OPTIONAL_PLACEHOLDER}]
        filled: set[Id] = set()
        for link in children:
            fitting = [place for place in places if self._fits(link, place)]
            filled |= {place.origin.declaration for place in fitting}
            ours = self.tree[link.target].name.startswith(f"{OURS}:") or self._name(link.target) in ANYWHERE
            if not fitting and not ours and self.tree[node].name.partition(":")[0] != str(OURS):
                self._say(node, f"nobody declares {self._name(link.target)}")
            # What is below a placeholder is declared once, and there for each that stands for it.
            self._node(link.target, [Origin(place.origin.declaration, link.target) for place in fitting])
        for place in places:
            if place.rule == MANDATORY_PLACEHOLDER and place.origin.declaration not in filled:
                self._say(node, f"nothing stands for {self._name(place.origin.declaration)}")

    def _fits(self, link: Link, place: Child) -> bool:
        wanted = self.tree.targets(place.origin.declaration, HAS_TYPE_DEFINITION)
        has = self.tree.targets(link.target, HAS_TYPE_DEFINITION)
        return (
            self.tree.is_a(link.type, place.kind)
            and self.tree[link.target].node_class is self.tree[place.origin.declaration].node_class
            and all(any(self.tree.is_a(mine, type_) for mine in has) for type_ in wanted)
        )

    def _shared_declarations(self) -> None:
        """A declaration that several parents have is one node of the instance, and all of them refer to it."""
        for origin, nodes in self._stands_for.items():
            rule = self.tree.targets(origin.declaration, HAS_MODELLING_RULE)
            if len(nodes) > 1 and rule[0] not in {MANDATORY_PLACEHOLDER, OPTIONAL_PLACEHOLDER}:
                names = sorted(str(node.identifier) for node in nodes)
                self._say(self.root, f"{self._name(origin.declaration)} is declared once, and is {' and '.join(names)}")
        for parent, child in self._declared:
            for node in self._stands_for.get(child.origin, ()):
                self._say(parent, f"{node.identifier} is declared here too, without a reference to it")

    # --- what is declared ---

    def _declarations(self, node: Id, types: list[Id], origins: list[Origin]) -> Iterator[Child]:
        sources = [(origin.declaration, origin.scope) for origin in origins]
        sources += [(source, node) for type_ in types for source in self._line(type_)]
        for source, scope in sources:
            for link in self._children(source):
                rules = self.tree.targets(link.target, HAS_MODELLING_RULE)
                if rules and rules[0] in {MANDATORY, OPTIONAL, MANDATORY_PLACEHOLDER, OPTIONAL_PLACEHOLDER}:
                    yield Child(link.type, Origin(link.target, scope), rules[0])

    def _line(self, type_: Id) -> Iterator[Id]:
        for source in self.tree.supertypes(type_):
            yield source
            for interface in self.tree.targets(source, HAS_INTERFACE):
                yield from self.tree.supertypes(interface)

    def _children(self, node: Id) -> Iterator[Link]:
        return (
            link
            for link in self.tree[node].links
            if link.forward
            and link.type != HAS_SUBTYPE
            and self.tree.is_a(link.type, HIERARCHICAL)
            and not self.tree.is_a(link.type, EVENT_SOURCES)
        )

    def _children_of_instance(self, node: Id) -> Iterator[Link]:
        """Without other machines, and without what belongs to no machine."""
        below = f"{self.root.identifier}/"
        return (link for link in self._children(node) if str(link.target.identifier).startswith(below))

    # --- one node against one declaration ---

    def _compare(self, node: Id, declaration: Id) -> None:
        seen, declared = self.tree[node], self.tree[declaration]
        if seen.node_class is not declared.node_class:
            self._say(node, f"is {seen.node_class.name}, declared {declared.node_class.name}")
            return
        for type_ in self.tree.targets(declaration, HAS_TYPE_DEFINITION):
            has = self.tree.targets(node, HAS_TYPE_DEFINITION)
            if not any(self.tree.is_a(mine, type_) for mine in has):
                self._say(node, f"is a {', '.join(map(self._name, has))}, declared {self._name(type_)}")
        if seen.node_class is ua.NodeClass.Variable:
            self._compare_variable(node, declaration)
            if declared.name in {"0:InputArguments", "0:OutputArguments"}:
                self._compare_arguments(node, declaration)

    def _compare_variable(self, node: Id, declaration: Id) -> None:
        """Against a declaration, or a variable type."""
        seen, declared = self.tree[node], self.tree[declaration]
        if not self.tree.is_a(seen.data_type, declared.data_type):
            self._say(node, f"has DataType {self._name(seen.data_type)}, declared {self._name(declared.data_type)}")
        rank, allowed = seen.get(A.ValueRank), declared.get(A.ValueRank)
        if not _rank_fits(rank, allowed):
            self._say(node, f"has ValueRank {rank}, declared {allowed}")
        dims, limits = seen.get(A.ArrayDimensions) or [], declared.get(A.ArrayDimensions) or []
        if not _dimensions_fit(dims, limits):
            self._say(node, f"has ArrayDimensions {dims}, declared {limits}")

    def _compare_arguments(self, node: Id, declaration: Id) -> None:
        seen, declared = _arguments(self.tree[node].get(A.Value)), _arguments(self.tree[declaration].get(A.Value))
        if seen != declared:
            self._say(node, f"has arguments {seen}, declared {declared}")

    def _name(self, node: Id) -> str:
        return self.tree[node].name if node in self.tree else str(node)


def _rank_fits(rank: int, allowed: int) -> bool:
    if allowed == ANY_RANK:
        return True
    if allowed == SCALAR_OR_LIST:
        return rank in {SCALAR_OR_LIST, -1, 1}
    return rank >= ANY_LIST if allowed == ANY_LIST else rank == allowed


def _dimensions_fit(dims: list[int], limits: list[int]) -> bool:
    if not any(limits):
        return True
    return len(dims) == len(limits) and all(limit in {0, length} for length, limit in zip(dims, limits, strict=True))


def _arguments(value: Iterable[Any] | None) -> list[tuple[Any, ...]]:
    return [
        (each.Name, id_of(each.DataType), each.ValueRank, tuple(each.ArrayDimensions or ())) for each in value or ()
    ]


def findings(tree: Tree, root: Id) -> list[str]:
    """Everything that is wrong with an instance and the nodes below it, a sentence each."""
    return Checker(tree, root).run()
