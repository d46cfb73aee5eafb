"""Does a variable hold what its attributes promise: the right built-in type, rank, structure and enumeration value?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncua import ua

from .opcua_tree import Id, Node, Tree, id_of

A = ua.AttributeIds
HAS_PROPERTY, HAS_TYPE_DEFINITION, HAS_COMPONENT = Id(0, 46), Id(0, 40), Id(0, 47)
ENUMERATION, STRUCTURE = Id(0, 29), Id(0, 22)
FINITE_STATE_VARIABLE = Id(0, 2760)
LAST_BUILT_IN = 25


def value_findings(tree: Tree, variable: Node) -> Iterator[str]:
    """What is wrong with a variable's value, a sentence each."""
    data_type, rank = variable.data_type, variable.get(A.ValueRank)
    if tree[data_type].get(A.IsAbstract):
        yield f"its DataType {tree[data_type].name} is abstract"
        return
    held = variable.attributes.get(A.Value)
    if held is None:
        yield "has no Value"
        return
    good = held.StatusCode is None or held.StatusCode.is_good()
    value = held.Value
    if value is None or value.Value is None:
        if good:
            yield "is null with a good status"
        return
    if value.VariantType is not built_in(tree, data_type):
        yield f"holds a {value.VariantType.name}, its DataType is {tree[data_type].name}"
        return
    depth = _depth(value)
    if not (rank == -2 or depth == max(rank, 0) or (rank == -3 and depth < 2) or (rank == 0 and depth)):
        yield f"holds {depth} dimensions, its ValueRank is {rank}"
    for item in _flat(value.Value):
        yield from _item_findings(tree, data_type, item)


def built_in(tree: Tree, data_type: Id) -> ua.VariantType | None:
    """The type on the wire; ``None`` if it is abstract."""
    for ancestor in tree.supertypes(data_type):
        if ancestor == ENUMERATION:
            return ua.VariantType.Int32
        if ancestor.namespace == 0 and 1 <= int(ancestor.identifier) < LAST_BUILT_IN:
            return ua.VariantType(int(ancestor.identifier))
    return None


def _item_findings(tree: Tree, data_type: Id, item: Any) -> Iterator[str]:
    if tree.is_a(data_type, STRUCTURE):
        shown = getattr(item, "data_type", None)
        if shown is None or not tree.is_a(id_of(shown), data_type):
            yield f"holds a {type(item).__name__}, its DataType is {tree[data_type].name}"
    elif tree.is_a(data_type, ENUMERATION):
        definition = tree[data_type].get(A.DataTypeDefinition)
        values = {field.Value for field in definition.Fields}
        if item not in values:
            yield f"holds {item}, {tree[data_type].name} has {sorted(values)}"


def _depth(value: ua.Variant) -> int:
    if not isinstance(value.Value, list):
        return 0
    return len(value.Dimensions) if value.Dimensions else 1


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def state_findings(tree: Tree, variable: Node) -> Iterator[str]:
    """What is wrong with the CurrentState of a state machine: it, its Id and its Number name one state of its type."""
    if not any(tree.is_a(kind, FINITE_STATE_VARIABLE) for kind in tree.targets(variable.id, HAS_TYPE_DEFINITION)):
        return
    properties = {tree[child].name: tree[child] for child in tree.targets(variable.id, HAS_PROPERTY)}
    state = properties["0:Id"].get(A.Value) if "0:Id" in properties else None
    if state is None:
        if variable.get(A.Value) is not None and variable.get(A.Value).Text:
            yield "names a state, its Id none"
        return
    known = _states(tree, variable)
    if id_of(state) not in known:
        yield f"its Id {state.to_string()} is no state of its machine"
        return
    number, text = known[id_of(state)]
    if variable.get(A.Value).Text != text:
        yield f"is {variable.get(A.Value).Text}, its Id is {text}"
    if "0:Number" in properties and properties["0:Number"].get(A.Value) != number:
        yield f"its Number is {properties['0:Number'].get(A.Value)}, its Id has {number}"


def _states(tree: Tree, variable: Node) -> dict[Id, tuple[int, str]]:
    """Number and name of every state of the state machine whose CurrentState this is."""
    machine = next(link.target for link in variable.links if link.type == HAS_COMPONENT and not link.forward)
    found = {}
    for kind in tree.targets(machine, HAS_TYPE_DEFINITION):
        for source in tree.supertypes(kind):
            for child in tree.targets(source, HAS_COMPONENT):
                for number in tree.targets(child, HAS_PROPERTY):
                    if tree[number].name == "0:StateNumber":
                        found[child] = (tree[number].get(A.Value), tree[child].get(A.DisplayName).Text)
    return found
