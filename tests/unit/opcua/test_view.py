"""Browse and TranslateBrowsePathsToNodeIds, as OPC 10000-4 has them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError

from edge_agent.sinks.opcua.objects.machine_type import MachineType
from edge_agent.sinks.opcua.space.address_space import AddressSpace
from edge_agent.sinks.opcua.space.instance import Instance
from edge_agent.sinks.opcua.space.limits import REFERENCES_PER_NODE as MOST_REFERENCES
from edge_agent.sinks.opcua.space.nodeset import HAS_COMPONENT, HAS_PROPERTY, ORGANIZES, Key, Reference
from edge_agent.sinks.opcua.space.sight import Sight, sees_of
from edge_agent.sinks.opcua.space.view import ELEMENTS_PER_PATH, Rest, View
from edge_agent.sinks.opcua.space.wire import key, node_id
from tests.opcua_space import ROOT, of_machine

HIERARCHICAL, AGGREGATES, ANY = Key(0, 33), Key(0, 44), Key(0, 0)
MACHINES_FOLDER, OBJECTS = Key(4, 1001), Key(0, 85)
BED = of_machine("Monitoring/Process/BedTemperature")
NO_NODES = [Key(0, 999_999), Key(13, "n"), Key(13, "m/Nothing"), Key(13, "m/"), Key(99, 1), Key(1, "x")]


@pytest.fixture
def view(space: AddressSpace) -> View:
    return View(space)


def wanted(node: Key, direction: ua.BrowseDirection = ua.BrowseDirection.Forward, **more: Any) -> ua.BrowseDescription:
    fields = {"ReferenceTypeId": node_id(ANY), "IncludeSubtypes": True, "ResultMask": ua.BrowseResultMask.All}
    return ua.BrowseDescription(NodeId=node_id(node), BrowseDirection=direction, **(fields | more))


def browsed(view: View, parameters: ua.BrowseParameters) -> list[tuple[ua.BrowseResult, Rest | None]]:
    return asyncio.run(view.browse(parameters))


def browse(view: View, description: ua.BrowseDescription) -> ua.BrowseResult:
    [(result, _)] = browsed(view, ua.BrowseParameters(NodesToBrowse=[description]))
    return result


def found(view: View, node: Key, *args: Any, **more: Any) -> list[tuple[Key, bool, Key]]:
    result = browse(view, wanted(node, *args, **more))
    assert result.StatusCode.is_good()
    return [(key(ref.ReferenceTypeId), bool(ref.IsForward), key(ref.NodeId)) for ref in result.References]


def test_forward_inverse_and_both_directions(view: View) -> None:
    forward = found(view, BED)
    inverse = found(view, BED, ua.BrowseDirection.Inverse)
    assert {way for _, way, _ in forward} == {True}
    assert inverse == [(HAS_COMPONENT, False, of_machine("Monitoring/Process"))]
    assert sorted(found(view, BED, ua.BrowseDirection.Both)) == sorted(forward + inverse)


def test_a_direction_that_is_none_is_refused(view: View) -> None:
    result = browse(view, wanted(BED, ua.BrowseDirection.Invalid))
    assert result.StatusCode.name == "BadBrowseDirectionInvalid"


def test_a_reference_type_is_meant_exactly_or_with_its_subtypes(view: View) -> None:
    exactly = found(view, BED, ReferenceTypeId=node_id(AGGREGATES), IncludeSubtypes=False)
    assert exactly == []
    with_subtypes = found(view, BED, ReferenceTypeId=node_id(AGGREGATES))
    assert {kind for kind, _, _ in with_subtypes} == {HAS_COMPONENT, HAS_PROPERTY}
    components = found(view, BED, ReferenceTypeId=node_id(HAS_COMPONENT), IncludeSubtypes=False)
    assert components == [item for item in with_subtypes if item[0] == HAS_COMPONENT]


def test_subtypes_of_models_count_as_well(view: View) -> None:
    """Identification hangs on HasAddIn, which is a HasComponent."""
    targets = {target for _, _, target in found(view, ROOT, ReferenceTypeId=node_id(HAS_COMPONENT))}
    assert of_machine("Identification") in targets
    exactly = found(view, ROOT, ReferenceTypeId=node_id(HAS_COMPONENT), IncludeSubtypes=False)
    assert of_machine("Identification") not in {target for _, _, target in exactly}


@pytest.mark.parametrize("kind", [Key(0, 58), Key(0, 85), Key(0, 999_999), Key(13, "m")])
def test_what_is_no_reference_type_is_refused(view: View, kind: Key) -> None:
    result = browse(view, wanted(BED, ReferenceTypeId=node_id(kind)))
    assert result.StatusCode.name == "BadReferenceTypeIdInvalid"
    assert result.References == []


def test_a_class_mask_leaves_out_the_other_classes(view: View) -> None:
    results = of_machine("MachineryBuildingBlocks/JobManagement/JobOrderResults")
    methods = found(view, results, NodeClassMask=ua.NodeClass.Method)
    assert {target for _, _, target in methods} == {
        Key(13, f"{results.identifier}/RequestJobResponseByJobOrder{by}") for by in ("ID", "State")
    }
    both = found(view, results, NodeClassMask=ua.NodeClass.Method | ua.NodeClass.ObjectType)
    assert len(both) == len(methods) + 1  # and its type


def test_everything_that_is_asked_for_is_told(view: View) -> None:
    [machine] = [ref for ref in browse(view, wanted(MACHINES_FOLDER)).References if key(ref.NodeId) == ROOT]
    assert key(machine.ReferenceTypeId) == ORGANIZES
    assert machine.NodeClass is ua.NodeClass.Object
    assert machine.BrowseName == ua.QualifiedName("m", 13)
    assert machine.DisplayName.Text == "Mark One"
    assert key(machine.TypeDefinition) == Key(11, 1005)


@pytest.mark.parametrize(
    ("mask", "field"),
    [
        (ua.BrowseResultMask.ReferenceTypeId, "ReferenceTypeId"),
        (ua.BrowseResultMask.IsForward, "IsForward"),
        (ua.BrowseResultMask.NodeClass, "NodeClass"),
        (ua.BrowseResultMask.BrowseName, "BrowseName"),
        (ua.BrowseResultMask.DisplayName, "DisplayName"),
        (ua.BrowseResultMask.TypeDefinition, "TypeDefinition"),
    ],
)
def test_what_is_not_asked_for_is_null(view: View, mask: int, field: str) -> None:
    whole = browse(view, wanted(MACHINES_FOLDER)).References[-1]
    only = browse(view, wanted(MACHINES_FOLDER, ResultMask=mask)).References[-1]
    nothing = browse(view, wanted(MACHINES_FOLDER, ResultMask=0)).References[-1]
    names = ("ReferenceTypeId", "IsForward", "NodeClass", "BrowseName", "DisplayName", "TypeDefinition")
    differing = {name for name in names if getattr(only, name) != getattr(nothing, name)}
    assert differing == {field}
    assert getattr(only, field) == getattr(whole, field)
    assert only.NodeId == whole.NodeId == nothing.NodeId


def test_only_objects_and_variables_have_a_type_definition_to_tell(view: View) -> None:
    for ref in browse(view, wanted(of_machine("MachineryBuildingBlocks/JobManagement/JobOrderResults"))).References:
        assert ref.TypeDefinition.is_null() == (ref.NodeClass not in {ua.NodeClass.Object, ua.NodeClass.Variable})


@pytest.mark.parametrize("node", NO_NODES)
def test_an_unknown_node_is_told_and_the_others_are_browsed(view: View, node: Key) -> None:
    parameters = ua.BrowseParameters(NodesToBrowse=[wanted(node), wanted(OBJECTS)])
    (unknown, _), (known, _) = browsed(view, parameters)
    assert unknown.StatusCode.name == "BadNodeIdUnknown"
    assert known.StatusCode.is_good()
    assert known.References


@pytest.mark.parametrize("identifier", [uuid.UUID(int=85), b"m", b""])
@pytest.mark.parametrize("namespace", [0, 4, 13])
def test_kinds_of_node_ids_that_nobody_has_are_unknown(view: View, identifier: Any, namespace: int) -> None:
    node = ua.NodeId(identifier, namespace)  # type: ignore[arg-type]
    assert browse(view, ua.BrowseDescription(NodeId=node)).StatusCode.name == "BadNodeIdUnknown"


def test_there_are_no_views(view: View) -> None:
    parameters = ua.BrowseParameters(View=ua.ViewDescription(ViewId=node_id(OBJECTS)), NodesToBrowse=[wanted(BED)])
    with pytest.raises(ServiceError) as refused:
        browsed(view, parameters)
    assert refused.value.code == ua.StatusCodes.BadViewIdUnknown


def test_a_request_for_nothing_is_refused(view: View) -> None:
    for ask in (lambda: browsed(view, ua.BrowseParameters()), lambda: view.translate([])):
        with pytest.raises(ServiceError) as refused:
            ask()
        assert refused.value.code == ua.StatusCodes.BadNothingToDo


def test_what_is_more_than_a_client_wants_at_once_is_told_later_each_once(view: View) -> None:
    whole = browse(view, wanted(ROOT)).References
    told: list[Any] = []
    [(result, rest)] = browsed(view, ua.BrowseParameters(RequestedMaxReferencesPerNode=3, NodesToBrowse=[wanted(ROOT)]))
    while True:
        assert result.StatusCode.is_good()
        assert 0 < len(result.References) <= 3
        told += result.References
        if rest is None:
            break
        result, rest = view.go_on(rest)
    assert told == whole
    assert len(whole) > 6


def test_a_node_has_at_most_so_many_references_in_an_answer(view: View) -> None:
    space = AddressSpace(view._space.nodeset)
    for number in range(MOST_REFERENCES + 1):
        space.models.refer(OBJECTS, Reference(ORGANIZES, True, Key(0, 85 + number % 2)))
    parameters = ua.BrowseParameters(NodesToBrowse=[wanted(OBJECTS, ReferenceTypeId=node_id(ORGANIZES))])
    [(result, rest)] = browsed(View(space), parameters)
    assert len(result.References) == MOST_REFERENCES
    assert rest is not None
    more, end = View(space).go_on(rest)
    assert more.References
    assert end is None


def test_a_node_that_went_before_the_rest_was_asked_for_is_left_out(space: AddressSpace, view: View) -> None:
    parameters = ua.BrowseParameters(RequestedMaxReferencesPerNode=1, NodesToBrowse=[wanted(MACHINES_FOLDER)])
    [(_, rest)] = browsed(view, parameters)
    assert rest is not None
    space.cut("m")
    targets = []
    while rest is not None:
        result, rest = view.go_on(rest)
        targets += [key(ref.NodeId) for ref in result.References]
    assert ROOT not in targets


def test_what_must_not_be_seen_is_not_there(space: AddressSpace) -> None:
    """Not browsed, not counted as a target, not reached by a path: as if it did not exist."""
    other = Instance(space, "other", MachineType(space.nodeset).template())
    space.models.refer(MACHINES_FOLDER, Reference(ORGANIZES, True, other.key()))
    space.graft("other", other)
    of_machines = {"m": (1,), "other": (2,)}
    limited = View(Sight(space, sees_of({1}, of_machines.get)))
    assert ROOT in {target for _, _, target in found(limited, MACHINES_FOLDER)}
    assert other.key() not in {target for _, _, target in found(limited, MACHINES_FOLDER)}
    for node in (other.key(), other.key("Job/FileName")):
        assert browse(limited, wanted(node)).StatusCode.name == "BadNodeIdUnknown"
        assert translate(limited, node, step("12:Job"))[0] == "BadNodeIdUnknown"
    assert translate(limited, OBJECTS, step("4:Machines"), step("13:other")) == ("BadNoMatch", [])
    assert translate(View(space), OBJECTS, step("4:Machines"), step("13:other")) == ("Good", [other.key()])


def test_each_reference_of_every_node_is_there_from_its_other_end(space: AddressSpace, view: View) -> None:
    both = {node: {*found(view, node, ua.BrowseDirection.Both)} for node in space.keys() if node.namespace == 13}  # noqa: SIM118
    for node, references in both.items():
        for kind, forward, target in references:
            if target.namespace == 13:
                assert (kind, not forward, node) in both[target], (node, target)


# --- TranslateBrowsePathsToNodeIds ---


def step(name: str, kind: Key = HIERARCHICAL, *, inverse: bool = False, subtypes: bool = True) -> Any:
    namespace, _, text = name.partition(":")
    return ua.RelativePathElement(
        ReferenceTypeId=node_id(kind),
        IsInverse=inverse,  # type: ignore[arg-type]
        IncludeSubtypes=subtypes,  # type: ignore[arg-type]
        TargetName=ua.QualifiedName(text, int(namespace)),
    )


def translate(view: View, start: Key, *steps: Any) -> tuple[str, list[Key]]:
    path = ua.BrowsePath(StartingNode=node_id(start), RelativePath=ua.RelativePath(list(steps)))
    [result] = view.translate([path])
    assert all(target.RemainingPathIndex == 2**32 - 1 for target in result.Targets)
    return result.StatusCode.name, [key(target.TargetId) for target in result.Targets]


def test_a_path_leads_to_a_node(view: View) -> None:
    path = [step(name) for name in ("4:Machines", "13:m", "10:Monitoring", "4:Process", "12:BedTemperature")]
    assert translate(view, OBJECTS, *path) == ("Good", [BED])


def test_a_path_leads_back_up(view: View) -> None:
    up = [step("4:Process", inverse=True), step("10:Monitoring", inverse=True), step("13:m", inverse=True)]
    assert translate(view, BED, *up) == ("Good", [ROOT])
    assert translate(view, BED, step("4:Process")) == ("BadNoMatch", [])
    assert translate(view, ROOT, step("10:Monitoring", inverse=True)) == ("BadNoMatch", [])


def test_subtypes_of_a_steps_reference_count_if_they_are_wanted(view: View) -> None:
    name = "2:Identification"
    assert translate(view, ROOT, step(name, HAS_COMPONENT)) == ("Good", [of_machine("Identification")])
    assert translate(view, ROOT, step(name, HAS_COMPONENT, subtypes=False)) == ("BadNoMatch", [])
    assert translate(view, ROOT, step(name, ANY, subtypes=False)) == ("Good", [of_machine("Identification")])


@pytest.mark.parametrize("name", ["4:Identification", "2:identification", "2:Identificatio", "2:Nothing"])
def test_a_name_must_be_exact_and_of_its_namespace(view: View, name: str) -> None:
    assert translate(view, ROOT, step(name)) == ("BadNoMatch", [])


def test_a_shared_node_is_reached_from_both_its_parents(view: View) -> None:
    state = of_machine("MachineryBuildingBlocks/MachineryItemState")
    for way in (["4:MachineryBuildingBlocks"], ["10:Monitoring", "10:MachineTool"]):
        assert translate(view, ROOT, *map(step, (*way, "4:MachineryItemState"))) == ("Good", [state])


def test_a_node_that_two_ways_lead_to_is_found_once(space: AddressSpace, view: View) -> None:
    space.models.refer(MACHINES_FOLDER, Reference(HAS_COMPONENT, True, ROOT))
    assert len([target for _, _, target in found(view, MACHINES_FOLDER) if target == ROOT]) == 2
    assert translate(view, MACHINES_FOLDER, step("13:m")) == ("Good", [ROOT])


def test_all_nodes_of_a_name_are_found(space: AddressSpace, view: View) -> None:
    lights = [of_machine(f"Monitoring/Stacklight/{colour}/NumberInList") for colour in ("Red", "Green")]
    for light in lights:
        space.models.refer(OBJECTS, Reference(ORGANIZES, True, light))
    assert translate(view, OBJECTS, step("0:NumberInList")) == ("Good", lights)


def test_however_many_paths_lead_through_a_node_it_is_looked_at_once(
    space: AddressSpace, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Key] = []
    references = space.references

    def look(node: Key) -> Iterable[Reference]:
        looked.append(node)
        return references(node)

    monkeypatch.setattr(space, "references", look)
    path = ua.BrowsePath(node_id(OBJECTS), ua.RelativePath([step("4:Machines"), step("13:m")]))
    assert {len(result.Targets) for result in view.translate([path] * 50)} == {1}
    assert looked == [OBJECTS, MACHINES_FOLDER]


def test_a_path_that_goes_up_and_down_for_ever_is_refused(view: View) -> None:
    to_and_fro = [step("4:Machines"), step("0:Objects", inverse=True)]
    assert translate(view, OBJECTS, *to_and_fro * (ELEMENTS_PER_PATH // 2)) == ("Good", [OBJECTS])
    assert translate(view, OBJECTS, *to_and_fro * ELEMENTS_PER_PATH) == ("BadQueryTooComplex", [])


@pytest.mark.parametrize(
    ("start", "steps", "status"),
    [
        (ROOT, [], "BadNothingToDo"),
        (Key(13, "n"), [step("2:Identification")], "BadNodeIdUnknown"),
        (Key(0, 999_999), [step("2:Identification")], "BadNodeIdUnknown"),
        (ROOT, [ua.RelativePathElement()], "BadBrowseNameInvalid"),
        (ROOT, [step("2:Identification"), ua.RelativePathElement()], "BadBrowseNameInvalid"),
        (ROOT, [step("2:Identification", Key(0, 58))], "BadNoMatch"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(view: View, start: Key, steps: list[Any], status: str) -> None:
    assert translate(view, start, *steps) == (status, [])
