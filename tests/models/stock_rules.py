"""Where a stock asyncua 2.1.0 server differs from the compiled models, why, and how often.

`FAULTS` are asyncua's own, and show in the same number when our server is compared with it, see `wire_rules`.
"""

from .compare import Difference, Rule

DICTIONARY_TYPE = "40>0:72"
SERVICE_TYPES = 698
LEFT_OUT = 584
"""Nodes that the compiler leaves out, and asyncua has."""
RUN_TIME_VALUES = {
    *(f"0:{number}" for number in range(2254, 2268)),
    *(f"0:{number}" for number in (11705, 11707, *range(11709, 11715), *range(12165, 12169))),
}
"""ServerArray to ServiceLevel, and the OperationLimits."""
NOT_IN_THE_FILES = ("WriteMask", "UserWriteMask", "UserAccessLevel", "UserExecutable")


def _namespace_0(difference: Difference) -> bool:
    return difference.node.startswith("0:")


def _class(difference: Difference) -> int:
    entry = difference.ours_entry or difference.theirs_entry
    return entry.attributes["NodeClass"] if entry else 0


def _is(what: str, difference: Difference) -> bool:
    return difference.what == what


def _parts(reference: str) -> tuple[str, str]:
    kind, _, target = reference.replace("<", ">").partition(">")
    return kind + reference[len(kind)], target


def _reference(difference: Difference, *kinds: str) -> bool:
    """It is a reference of one of these kinds, each with its direction: `40<`."""
    if difference.what != "reference":
        return False
    kind, _ = _parts(difference.ours or difference.theirs)
    return kind in kinds


def _value(difference: Difference) -> dict[str, object]:
    """Our value, if it is the value that differs."""
    return difference.ours if difference.what == "Value" and difference.ours else {}


def _is_empty(value: object) -> bool:
    return value in ("", [])


def _migrated(ours: object, theirs: object) -> bool:
    """Theirs is the same text with another namespace index."""
    return str(ours).partition(":")[2] == str(theirs).partition(":")[2]


def _unparsed(difference: Difference) -> bool:
    ours = _value(difference)
    if ours.get("type") != 17 or difference.theirs is None:
        return False
    # IRDI is index 2 in the NodeSet of PADIM.
    in_file = [f"0:=ns=2;s={each.removeprefix('7:=')}" for each in difference.ours["value"]]
    return bool(difference.theirs["value"] == in_file)


def _is_new_subtype(difference: Difference) -> bool:
    return _reference(difference, "45>") and difference.ours is None


def _is_component_too(difference: Difference) -> bool:
    if not _reference(difference, "47<", "47>") or difference.ours_entry is None or difference.ours is not None:
        return False
    return f"46{difference.theirs[2:]}" in difference.ours_entry.references


def _lost_kind(difference: Difference) -> bool:
    ours, theirs = difference.ours, difference.theirs
    return _is("DataTypeDefinition", difference) and bool(theirs) and ours["kind"] == 3 and theirs["kind"] == 0


def _lost_encoding(difference: Difference) -> bool:
    if not _is("DataTypeDefinition", difference) or not difference.theirs:
        return False
    return bool({**difference.theirs, "encoding": difference.ours.get("encoding")} == difference.ours)


def is_subset(difference: Difference) -> bool:
    """It is what a namespace says of its completeness."""
    entry = difference.ours_entry
    name = entry.attributes["BrowseName"] if entry else None
    return difference.what == "Value" and name == "0:IsNamespaceSubset"


def _lost_locale(difference: Difference) -> bool:
    if difference.what == "DisplayName":
        return bool(difference.ours[0] == difference.theirs)
    value = _value(difference)
    shown = value.get("value")
    return bool(difference.theirs) and isinstance(shown, list) and shown[0] == difference.theirs["value"]


FAULTS = (
    Rule(
        reason="asyncua has the types of the services' parameters as nodes, the official NodeSet has not",
        count=SERVICE_TYPES,
        applies=lambda d: _is("node", d) and d.ours is None and _namespace_0(d),
    ),
    Rule(
        reason="those of them that derive from a type that the NodeSet has",
        count=151,
        applies=_is_new_subtype,
    ),
    Rule(
        reason="asyncua drops two encodings of PADIM, as their only reference to their DataType is stated by that",
        count=4,
        applies=lambda d: (
            (_is("node", d) and d.theirs is None and d.node in ("8:1277", "8:1278"))
            or (d.node == "8:1275" and _reference(d, "38>") and d.theirs is None)
        ),
    ),
    Rule(
        reason="asyncua takes every reference type and variable type for abstract that does not say it is not",
        count=130,
        applies=lambda d: _is("IsAbstract", d) and d.ours is False and _class(d) in (16, 32),
    ),
    Rule(
        reason="asyncua takes every reference type for symmetric that does not say it is not",
        count=78,
        applies=lambda d: _is("Symmetric", d) and d.ours is False and _class(d) == 32,
    ),
    Rule(
        reason="asyncua takes a variable without a DataType for a String, or for nothing, instead of BaseDataType",
        count=64,
        applies=lambda d: _is("DataType", d) and d.ours == "0:24" and d.theirs in ("0:12", "0:0"),
    ),
    Rule(
        reason="asyncua has no DataTypeDefinitions in namespace 0",
        count=250,
        applies=lambda d: _is("DataTypeDefinition", d) and d.theirs is None and _namespace_0(d),
    ),
    Rule(
        reason="asyncua has no DataTypeDefinition of option sets that are numbers, nor of a structure without fields",
        count=4,
        applies=lambda d: (
            _is("DataTypeDefinition", d) and d.theirs is None and ("enum" in d.ours or d.ours["struct"] == [])
        ),
    ),
    Rule(
        reason="asyncua does not know of fields that take subtypes",
        count=1,
        applies=_lost_kind,
    ),
    Rule(
        reason="asyncua has no encoding in the DataTypeDefinition of three structures of DI",
        count=3,
        applies=_lost_encoding,
    ),
    Rule(
        reason="asyncua drops the locale of a text",
        count=31,
        applies=_lost_locale,
    ),
    Rule(
        reason="asyncua drops matrices",
        count=23,
        applies=lambda d: d.theirs is None and "dims" in _value(d),
    ),
    Rule(
        reason="asyncua leaves the namespace index of QualifiedName values as it was in the NodeSet",
        count=12,
        applies=lambda d: _value(d).get("type") == 20 and _migrated(_value(d)["value"], d.theirs["value"]),
    ),
    Rule(
        reason="asyncua takes a NodeId value's text for a string identifier",
        count=22,
        applies=_unparsed,
    ),
    Rule(
        reason="asyncua has the inverse of references that we have forward only",
        count=4406,
        applies=lambda d: _reference(d, "37<", "40<", "41<", "3065<") and d.ours is None,
    ),
    Rule(
        reason="asyncua lacks the inverse of some references",
        count=491,
        applies=lambda d: _reference(d, "35<", "39<", "54<", "9006<", "17603<") and d.theirs is None,
    ),
    Rule(
        reason="asyncua makes a property that names its parent only by ParentNodeId a component of it, too",
        count=850,
        applies=_is_component_too,
    ),
)

RULES = (
    Rule(
        reason="attributes that follow from who asks are not in the files",
        count=20619,
        applies=lambda d: d.what in NOT_IN_THE_FILES and d.ours is None,
    ),
    Rule(
        reason="descriptions are left out of the files",
        count=384,
        applies=lambda d: _is("Description", d) and d.ours is None,
    ),
    Rule(
        reason="the schemas of type dictionaries are left out of the files",
        count=12,
        applies=lambda d: (
            _is("Value", d)
            and d.ours is None
            and d.ours_entry is not None
            and DICTIONARY_TYPE in d.ours_entry.references
        ),
    ),
    Rule(
        reason="a running server fills in what it alone knows",
        count=21,
        applies=lambda d: _is("Value", d) and d.ours is None and d.node in RUN_TIME_VALUES,
    ),
    Rule(
        reason="namespaces of which the compiler left something out are subsets",
        count=3,
        applies=is_subset,
    ),
    Rule(
        reason="asyncua reads an empty text or list as Null",
        count=21,
        applies=lambda d: d.theirs is None and _is_empty(_value(d).get("value", 0)),
    ),
    *FAULTS,
)
