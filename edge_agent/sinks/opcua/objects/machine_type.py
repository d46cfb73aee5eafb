"""What a machine looks like: an AdditiveManufacturingType (OPC 40540), the optional parts we serve, and ours.

The tree comes from the models; only choices stand here. Paths are BrowseNames joined by ``/``, as in the NodeIds.
"""

from __future__ import annotations

from functools import lru_cache

from asyncua import ua

from ....items import ITEMS, DataItem, Kind, heater_items
from ....units import Unit
from ..space.nodeset import HAS_COMPONENT, HAS_NOTIFIER, HAS_ORDERED_COMPONENT, HAS_PROPERTY, Key, Nodeset, Value
from ..space.template import Builder, Template

TYPE = Key(11, 1005)  # AdditiveManufacturingType
TYPES = 12
"""Namespace of the BrowseNames that are ours."""

STACKLIGHT = "Monitoring/Stacklight"
LIGHTS = ("Green", "Yellow", "Red")  # from the bottom up, as on a real one
PROCESS = "Monitoring/Process"
JOB_CONTROL = "MachineryBuildingBlocks/JobManagement/JobOrderControl"
JOB_RESULTS = "MachineryBuildingBlocks/JobManagement/JobOrderResults"
MESSAGES = "Notification/Messages"
NOTIFIERS = ("", JOB_RESULTS, MESSAGES)
"""Where events can be subscribed to, and read later."""

_OPTIONAL = (
    "Identification/Model",
    "Identification/ProductCode",
    "Identification/SoftwareRevision",
    "Identification/YearOfConstruction",
    "Identification/Location",
    "Identification/ComponentName",
    "Identification/DeviceClass",
    "MachineryBuildingBlocks",
    "MachineryBuildingBlocks/MachineryItemState",
    "MachineryBuildingBlocks/MachineryItemState/CurrentState/Number",
    "MachineryBuildingBlocks/MachineryOperationMode",
    "MachineryBuildingBlocks/MachineryOperationMode/CurrentState/Number",
    "MachineryBuildingBlocks/OperationCounters",
    "MachineryBuildingBlocks/OperationCounters/PowerOnDuration",
    "MachineryBuildingBlocks/OperationCounters/OperationDuration",
    "MachineryBuildingBlocks/OperationCounters/OperationCycleCounter",
    "MachineryBuildingBlocks/JobManagement",
    f"{JOB_RESULTS}/JobOrderResponseList",
    "Monitoring/Stacklight",
    "Monitoring/Process",
    "Notification/Messages",
    "Production/ActiveProgram/JobIdentifier",
)
_KEPT_TEMPLATES = 32
_OF_THE_TYPES = {"Identification", "MachineryBuildingBlocks", "Monitoring", "Production"}
_LIGHT_OPTIONAL = ("SignalOn", "SignalColor", "SignalMode")

_JOB_CONTROL_WITH_SUBSTATES = Key(5, 1008)  # the lists tell the sub-states that only this subtype knows
_STACK_ELEMENT_LIGHT = Key(3, 1006)
_PROCESS_VALUE = Key(11, 1002)
_BASE_OBJECT = Key(0, 58)
_BASE_VARIABLE = Key(0, 63)
_PROPERTY = Key(0, 68)
_ANALOG_UNIT = Key(0, 17497)
_ANALOG_UNIT_RANGE = Key(0, 17570)
_UINT16, _UINT32, _DOUBLE, _STRING = "0:5", "0:7", "0:11", "0:12"
_PROCESS_MONITORING = 2  # SensorCategory of OPC 40540
_SIGNAL_COLORS = {"Red": 1, "Green": 2, "Yellow": 4}  # SignalColor of OPC 10000-200

_DATA_TYPES = {
    Kind.TEXT: _STRING,
    Kind.FLAG: "0:1",
    Kind.COUNT: "0:8",
    Kind.NUMBER: _DOUBLE,
    Kind.TIME: "0:294",
    Kind.NUMBERS: "0:6",
}

NOTIFIES = int(ua.EventNotifier.SubscribeToEvents.mask | ua.EventNotifier.HistoryRead.mask)


class MachineType:
    """The shapes machines have: one, and one more for each set of heaters that is seen."""

    def __init__(self, nodeset: Nodeset) -> None:
        """Walk the types; takes some tens of milliseconds."""
        self._nodeset = nodeset
        self._base = _template(nodeset)
        self.template = lru_cache(maxsize=_KEPT_TEMPLATES)(self._template)

    def _template(self, heaters: tuple[str, ...] = ()) -> Template:
        """The nodes of every machine that reports these heaters (the printer's names, ``tool0``)."""
        items = [heater_items(heater)[0] for heater in heaters]
        setpoints = [f"{item.id}/ProcessValueSetpoint" for item in items]
        builder = Builder(self._nodeset, optional=setpoints, begun=self._base)
        for item in items:
            _add_temperature(builder, item)
        return builder.template()


def _template(nodeset: Nodeset) -> Template:
    lights = [f"{STACKLIGHT}/{light}/{name}" for light in LIGHTS for name in _LIGHT_OPTIONAL]
    builder = Builder(nodeset, optional=(*_OPTIONAL, *lights), types={JOB_CONTROL: _JOB_CONTROL_WITH_SUBSTATES})
    builder.instance(TYPE)
    _specialise(builder)
    for number, light in enumerate(LIGHTS):
        _add_light(builder, light, number)
    for item in ITEMS:
        # An item that the types have a place for is served there, see `machine`; the others get one of ours.
        if item.id.partition("/")[0] not in _OF_THE_TYPES:
            _add_item(builder, item)
    return builder.template()


def _specialise(builder: Builder) -> None:
    """Settle what the types leave open."""
    builder.change("MachineryBuildingBlocks/OperationCounters/OperationCycleCounter", data_type=_UINT32)
    builder.change(f"{STACKLIGHT}/StacklightMode", value=_value(ua.VariantType.Int32, 0))  # segmented
    builder.change(f"{JOB_CONTROL}/MaxDownloadableJobOrders", value=_value(ua.VariantType.UInt16, 0))  # read-only
    for name in ("EquipmentID", "MaterialClassID", "MaterialDefinitionID", "PersonnelID", "PhysicalAssetID"):
        builder.change(f"{JOB_CONTROL}/{name}", value=_values(ua.VariantType.String))
    for name in ("WorkMaster", "JobOrderList"):
        builder.change(f"{JOB_CONTROL}/{name}", value=_values(ua.VariantType.ExtensionObject))
    builder.change(f"{JOB_RESULTS}/JobOrderResponseList", value=_values(ua.VariantType.ExtensionObject))
    for path in NOTIFIERS:
        builder.change(path, notifier=NOTIFIES)
    for path in (JOB_RESULTS, MESSAGES):
        builder.refer("", HAS_NOTIFIER, path)
    builder.add(
        f"{PROCESS}/NodeVersion", type_definition=_PROPERTY, reference=HAS_PROPERTY, namespace=0, data_type=_STRING
    )


def _add_light(builder: Builder, light: str, number: int) -> None:
    path = f"{STACKLIGHT}/{light}"
    builder.add(path, type_definition=_STACK_ELEMENT_LIGHT, reference=HAS_ORDERED_COMPONENT, namespace=TYPES)
    builder.change(f"{path}/NumberInList", data_type=_UINT32, value=_value(ua.VariantType.UInt32, number))
    builder.change(f"{path}/SignalColor", value=_value(ua.VariantType.Int32, _SIGNAL_COLORS[light]))
    builder.change(f"{path}/SignalMode", value=_value(ua.VariantType.Int32, 0))


def _add_temperature(builder: Builder, item: DataItem) -> None:
    builder.add(
        item.id,
        type_definition=_PROCESS_VALUE,
        reference=HAS_COMPONENT,
        namespace=TYPES,
        description=item.sentence,
    )
    builder.change(f"{item.id}/Category", value=_value(ua.VariantType.Int32, _PROCESS_MONITORING))
    tag = item.id.rpartition("/")[2]
    builder.change(f"{item.id}/SignalTag", value=_value(ua.VariantType.String, tag))
    for name in ("AnalogSignal", "ProcessValueSetpoint"):
        builder.change(f"{item.id}/{name}", data_type=_DOUBLE, rank=-1)
        _add_unit(builder, f"{item.id}/{name}", item)


def _add_item(builder: Builder, item: DataItem) -> None:
    """A value of ours, below folders of ours."""
    steps = item.id.split("/")
    for depth in range(1, len(steps)):
        folder = "/".join(steps[:depth])
        if not builder.has(folder):
            builder.add(folder, type_definition=_BASE_OBJECT, reference=HAS_COMPONENT, namespace=TYPES)
    kind = _BASE_VARIABLE if item.unit is None else _ANALOG_UNIT_RANGE if item.span else _ANALOG_UNIT
    builder.add(
        item.id,
        type_definition=kind,
        reference=HAS_COMPONENT,
        namespace=TYPES,
        data_type=_DATA_TYPES[item.kind],
        rank=1 if item.kind is Kind.NUMBERS else -1,
        description=item.sentence,
    )
    _add_unit(builder, item.id, item)


def _add_unit(builder: Builder, path: str, item: DataItem) -> None:
    if item.unit is not None:
        builder.change(f"{path}/EngineeringUnits", value=_units(item.unit))
    if item.unit is not None and item.span is not None:
        low, high = item.span
        builder.change(f"{path}/EURange", value=_structure({"struct": "Range", "Low": low, "High": high}))


def _units(unit: Unit) -> Value:
    return _structure(
        {
            "struct": "EUInformation",
            "NamespaceUri": "http://www.opcfoundation.org/UA/units/un/cefact",
            "UnitId": unit.opcua_id,
            "DisplayName": unit.symbol,
            "Description": [unit.name, "en"],
        }
    )


def _structure(fields: dict[str, object]) -> Value:
    return _value(ua.VariantType.ExtensionObject, fields)


def _value(kind: ua.VariantType, value: object) -> Value:
    return Value(kind.value, value)


def _values(kind: ua.VariantType) -> Value:
    return Value(kind.value, [], array=True)
