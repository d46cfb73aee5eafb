"""What the compiler knows of a node, whichever source it was read from."""

from typing import Any, NamedTuple, Self

import msgspec

Json = Any
"""A value as it is written: the forms are listed in `edge_agent/sinks/opcua/models/README.md`."""

Text = str | tuple[str, str]
"""A LocalizedText: its text, or its text and its locale."""


class NodeId(NamedTuple):
    """A NodeId, its namespace index being one of `namespaces`."""

    namespace: int
    identifier: int | str

    def __str__(self) -> str:
        """`ns:123`, or `ns:=text`."""
        mark = "=" if isinstance(self.identifier, str) else ""
        return f"{self.namespace}:{mark}{self.identifier}"

    @property
    def order(self) -> tuple[int, bool, int, str]:
        """Numbers numerically, then strings."""
        if isinstance(self.identifier, int):
            return self.namespace, False, self.identifier, ""
        return self.namespace, True, 0, self.identifier

    @classmethod
    def parse(cls, text: str) -> Self:
        """The reverse of `str`."""
        namespace, _, identifier = text.partition(":")
        if identifier.startswith("="):
            return cls(int(namespace), identifier[1:])
        return cls(int(namespace), int(identifier))


class Reference(NamedTuple):
    """A reference as it stands at one of its two nodes."""

    type: NodeId
    forward: bool
    target: NodeId

    def __str__(self) -> str:
        """`TYPE>TARGET` or `TYPE<TARGET`; a type of namespace 0 goes without its namespace."""
        kind = str(self.type.identifier) if self.type.namespace == 0 else str(self.type)
        return f"{kind}{'>' if self.forward else '<'}{self.target}"

    @property
    def order(self) -> tuple[bool, tuple[int, bool, int, str], tuple[int, bool, int, str]]:
        """Forward ones first, then by type, then by target."""
        return not self.forward, self.type.order, self.target.order


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A Variant: the number of its VariantType and its JSON form."""

    type: int
    array: bool = False
    dims: tuple[int, ...] | None = None
    value: Json


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field of a structure."""

    name: str
    data_type: str
    rank: int = -1
    dims: tuple[int, ...] | None = None
    optional: bool = False
    max_length: int = 0


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A DataTypeDefinition: of an enumeration or option set, or else of a structure."""

    enum: tuple[tuple[str, int] | tuple[str, int, str], ...] | None = None
    struct: tuple[Field, ...] | None = None
    kind: int | None = None
    """StructureType: 0 plain, 1 with optional fields, 2 union, 3 and 4 the same with fields that take subtypes."""
    base: str | None = None
    encoding: str | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One node: what its line will say, besides its references."""

    id: NodeId
    node_class: int
    name: str
    """The BrowseName as `ns:Name`."""
    display: Text | None = None
    """None: the text of the BrowseName."""
    data_type: str = "0:24"
    rank: int = -1
    dims: tuple[int, ...] | None = None
    access: int = 1
    sampling: float = 0
    historizing: bool = False
    abstract: bool = False
    symmetric: bool = False
    inverse: str | None = None
    notifier: int = 0
    executable: bool = True
    value: Value | None = None
    definition: Definition | None = None


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes of one model and the references that the model states, at whichever node it states them."""

    version: str
    published: str
    nodes: dict[NodeId, Node]
    references: frozenset[tuple[NodeId, Reference]]


OBJECT, VARIABLE, METHOD, OBJECT_TYPE, VARIABLE_TYPE, REFERENCE_TYPE, DATA_TYPE, VIEW = (1 << bit for bit in range(8))


HAS_MODELLING_RULE, HAS_ENCODING, HAS_TYPE_DEFINITION, HAS_SUBTYPE = (NodeId(0, number) for number in (37, 38, 40, 45))
DICTIONARY_TYPE = NodeId(0, 72)


def display_of(name: str, text: str | None, locale: str | None) -> Text | None:
    """What a node's line says of its DisplayName: nothing, when it says no more than the BrowseName."""
    if locale:
        return text or "", locale
    return None if text in (None, name.partition(":")[2]) else text
