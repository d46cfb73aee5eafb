"""``Server/Namespaces``: what each namespace is; the models leave some of it open, and ours are not in any model."""

from __future__ import annotations

from datetime import UTC, datetime

from asyncua import ua

from .... import __version__
from ..space.address_space import MACHINES, AddressSpace
from ..space.instance import Instance
from ..space.nodeset import HAS_COMPONENT, HAS_PROPERTY, Key, Reference
from ..space.template import Builder
from .machine_type import TYPES

_NAMESPACES = Key(0, 11715)
_NAMESPACE_METADATA = Key(0, 11616)
_T = ua.VariantType
_NO_DATE = datetime(1601, 1, 1, tzinfo=UTC)
_ID_TYPES: dict[type, int] = {int: ua.IdType.Numeric.value, str: ua.IdType.String.value}
_OPEN: dict[str, tuple[_T, object]] = {
    "0:NamespaceVersion": (_T.String, ""),
    "0:NamespacePublicationDate": (_T.DateTime, _NO_DATE),
    "0:IsNamespaceSubset": (_T.Boolean, False),
    "0:StaticNodeIdTypes": (_T.Int32, []),
    "0:StaticNumericNodeIdRange": (_T.String, []),
    "0:StaticStringNodeIdPattern": (_T.String, ""),
}


def describe_namespaces(space: AddressSpace, uris: list[str]) -> None:
    """Say what is known of every namespace."""
    for reference in list(space.references(_NAMESPACES)):
        if reference.forward and reference.type == HAS_COMPONENT:
            _fill(space, reference.target)
    for index in (TYPES, MACHINES):
        _add(space, index, uris[index])


def _fill(space: AddressSpace, metadata: Key) -> None:
    """Give what a model leaves open the value that says so."""
    for reference in space.references(metadata):
        row = space.row(reference.target)
        if reference.type == HAS_PROPERTY and row is not None and row.value is None and row.name in _OPEN:
            kind, value = _OPEN[row.name]
            if row.name == "0:StaticNodeIdTypes":
                value = _id_types(space, metadata.namespace)
            space.state(reference.target, ua.Variant(value, kind, is_array=isinstance(value, list)))


def _id_types(space: AddressSpace, namespace: int) -> list[int]:
    """The IdTypes that a model's identifiers have."""
    kinds = {type(node.identifier) for node in space.nodeset if node.namespace == namespace}
    return [_ID_TYPES[kind] for kind in (int, str) if kind in kinds]


def _add(space: AddressSpace, index: int, uri: str) -> None:
    root = f"Namespace{index}"
    builder = Builder(space.nodeset)
    builder.instance(_NAMESPACE_METADATA)
    instance = Instance(space, root, builder.template(), name=f"{index}:{uri}")
    instance.refer("", Reference(HAS_COMPONENT, False, _NAMESPACES))
    space.models.refer(_NAMESPACES, Reference(HAS_COMPONENT, True, instance.key()))
    space.graft(root, instance)
    # Machines come and go, so none of their identifiers is static.
    facts = {name: value for name, (_, value) in _OPEN.items()} | {
        "0:NamespaceUri": uri,
        "0:NamespaceVersion": __version__,
        "0:StaticNodeIdTypes": [_ID_TYPES[str]] if index == TYPES else [],
    }
    for name, value in facts.items():
        kind = _T.String if name == "0:NamespaceUri" else _OPEN[name][0]
        space.state(instance.key(name.partition(":")[2]), ua.Variant(value, kind, is_array=isinstance(value, list)))
