"""docs/opcua.md as a table, written down once more so that the code and its tests cannot err together."""

from __future__ import annotations

from typing import Any

OBJECT_TYPE, FOLDER_TYPE, PROPERTY_TYPE = "ns=0;i=58", "ns=0;i=61", "ns=0;i=68"
BASE_DATA_VARIABLE_TYPE, ANALOG_UNIT_TYPE, ANALOG_UNIT_RANGE_TYPE = "ns=0;i=63", "ns=0;i=17497", "ns=0;i=17570"
EU_INFORMATION, RANGE = "ns=0;i=887", "ns=0;i=884"
ADDITIVE_MANUFACTURING_TYPE = "ns=11;i=1005"
# DataTypes, and what their values are on the wire.
DATA_TYPES = {
    "ns=0;i=1": ("Boolean", "Boolean"),
    "ns=0;i=5": ("UInt16", "UInt16"),
    "ns=0;i=6": ("Int32", "Int32"),
    "ns=0;i=7": ("UInt32", "UInt32"),
    "ns=0;i=8": ("Int64", "Int64"),
    "ns=0;i=11": ("Double", "Double"),
    "ns=0;i=12": ("String", "String"),
    "ns=0;i=17": ("NodeId", "NodeId"),
    "ns=0;i=21": ("LocalizedText", "LocalizedText"),
    "ns=0;i=290": ("Duration", "Double"),
    "ns=0;i=294": ("UtcTime", "DateTime"),
    "ns=3;i=3002": ("StacklightOperationMode", "Int32"),
    "ns=3;i=3004": ("SignalColor", "Int32"),
    "ns=3;i=3005": ("SignalModeLight", "Int32"),
    "ns=5;i=3007": ("ISA95WorkMasterDataType", "ExtensionObject"),
    "ns=5;i=3013": ("ISA95JobResponseDataType", "ExtensionObject"),
    "ns=5;i=3015": ("ISA95JobOrderAndStateDataType", "ExtensionObject"),
    "ns=10;i=65": ("MachineOperationMode", "Int32"),
    "ns=11;i=3003": ("SensorCategory", "Int32"),
}
WIRE = dict(DATA_TYPES.values())
NO_DATA, NOT_ACTIVE = "BadNoData", "BadStateNotActive"
BAD = {NO_DATA, NOT_ACTIVE}
ANY: Any = object()

Row = tuple[str, str | None, Any]
"""DataType, unit, and what the printing machine of shop.py shows: a value, a bad status, or `ANY` if it varies."""


def text(shown: str, locale: str | None = None) -> dict[str, str | None]:
    """A LocalizedText."""
    return {"text": shown, "locale": locale}


def _state(path: str, name: str, state: str, number: int) -> dict[str, Row]:
    return {
        f"{path}/CurrentState": ("LocalizedText", None, text(name, "en")),
        f"{path}/CurrentState/Id": ("NodeId", None, state),
        f"{path}/CurrentState/Number": ("UInt32", None, number),
    }


def _heater(name: str, actual: float, setpoint: Any) -> dict[str, Row]:
    path = f"Monitoring/Process/{name}Temperature"
    return {
        f"{path}/AnalogSignal": ("Double", "°C", actual),
        f"{path}/ProcessValueSetpoint": ("Double", "°C", setpoint),
        f"{path}/Category": ("SensorCategory", None, 2),
        f"{path}/SignalTag": ("String", None, f"{name}Temperature"),
    }


def _light(name: str, place: int, color: int, mode: int, *, on: bool) -> dict[str, Row]:
    path = f"Monitoring/Stacklight/{name}"
    return {
        f"{path}/SignalOn": ("Boolean", None, on),
        f"{path}/SignalColor": ("SignalColor", None, color),
        f"{path}/SignalMode": ("SignalModeLight", None, mode),
        f"{path}/NumberInList": ("UInt32", None, place),
    }


_BLOCKS = "MachineryBuildingBlocks"
JOB_ORDERS = f"{_BLOCKS}/JobManagement/JobOrderControl"
JOB_RESULTS = f"{_BLOCKS}/JobManagement/JobOrderResults"

VARIABLES: dict[str, Row] = {
    "MesStatus": ("String", None, "Running"),
    "MesIds": ("Int32", None, [1, 7]),
    "Identification/Manufacturer": ("LocalizedText", None, text("")),
    "Identification/SerialNumber": ("String", None, "printing"),
    "Identification/ProductInstanceUri": ("String", None, ANY),
    "Identification/Model": ("LocalizedText", None, text("")),
    "Identification/ProductCode": ("String", None, ""),
    "Identification/SoftwareRevision": ("String", None, "OctoPrint 1.11.8"),
    "Identification/YearOfConstruction": ("UInt16", None, 0),
    "Identification/Location": ("String", None, ""),
    "Identification/ComponentName": ("LocalizedText", None, text("Printing Ä")),
    "Identification/DeviceClass": ("String", None, "Additive Manufacturing machine"),
    "Identification/AMTechnologyIdentifier": ("String", None, "MEX"),
    **_state(f"{_BLOCKS}/MachineryItemState", "Executing", "ns=4;i=5006", 3),
    **_state(f"{_BLOCKS}/MachineryOperationMode", "Processing", "ns=4;i=5026", 3),
    f"{_BLOCKS}/OperationCounters/PowerOnDuration": ("Duration", None, ANY),
    f"{_BLOCKS}/OperationCounters/OperationDuration": ("Duration", None, ANY),
    f"{_BLOCKS}/OperationCounters/OperationCycleCounter": ("UInt32", None, 0),
    f"{JOB_ORDERS}/JobOrderList": ("ISA95JobOrderAndStateDataType", None, ANY),
    f"{JOB_ORDERS}/WorkMaster": ("ISA95WorkMasterDataType", None, []),
    f"{JOB_ORDERS}/EquipmentID": ("String", None, []),
    f"{JOB_ORDERS}/MaterialClassID": ("String", None, []),
    f"{JOB_ORDERS}/MaterialDefinitionID": ("String", None, []),
    f"{JOB_ORDERS}/PersonnelID": ("String", None, []),
    f"{JOB_ORDERS}/PhysicalAssetID": ("String", None, []),
    f"{JOB_ORDERS}/MaxDownloadableJobOrders": ("UInt16", None, 0),
    f"{JOB_ORDERS}/CurrentState": ("LocalizedText", None, NOT_ACTIVE),
    f"{JOB_ORDERS}/CurrentState/Id": ("NodeId", None, NOT_ACTIVE),
    f"{JOB_RESULTS}/JobOrderResponseList": ("ISA95JobResponseDataType", None, ANY),
    "Monitoring/MachineTool/OperationMode": ("MachineOperationMode", None, 1),
    "Monitoring/Stacklight/StacklightMode": ("StacklightOperationMode", None, 0),
    **_light("Green", 0, 2, 1, on=True),
    **_light("Yellow", 1, 4, 0, on=False),
    **_light("Red", 2, 1, 0, on=False),
    "Monitoring/Process/NodeVersion": ("String", None, ANY),
    **_heater("Tool0", 204.8, 210.0),
    **_heater("Bed", 60.1, 0.0),
    **_heater("Chamber", 38.5, NO_DATA),
    "Production/ActiveProgram/Name": ("String", None, "Gehäuse für Ärger №1.gcode"),
    "Production/ActiveProgram/NumberInList": ("UInt16", None, 0),
    "Production/ActiveProgram/JobIdentifier": ("String", None, ANY),
    **_state("Production/ActiveProgram/State", "Running", "ns=10;i=138", 1),
    "Job/Id": ("String", None, ANY),
    "Job/StartTime": ("UtcTime", None, ANY),
    "Job/EndTime": ("UtcTime", None, NO_DATA),
    "Job/Outcome": ("String", None, NO_DATA),
    "Job/OutcomeReason": ("String", None, NO_DATA),
    "Job/FileName": ("String", None, "Gehäuse für Ärger №1.gcode"),
    "Job/FilePath": ("String", None, "kunde/Gehäuse.gcode"),
    "Job/FileSize": ("Int64", "B", 5_000_000_000),
    "Job/FileDate": ("UtcTime", None, ANY),
    "Job/User": ("String", None, "admin"),
    "Job/Progress": ("Double", "%", 25.0),
    "Job/ElapsedTime": ("Double", "s", 150.0),
    "Job/RemainingTime": ("Double", "s", 450.0),
    "Job/RemainingTimeOrigin": ("String", None, "linear"),
    "Job/EstimatedTime": ("Double", "s", NO_DATA),
    "Job/FilamentLength": ("Double", "mm", 1234.5),
    "Job/FilamentVolume": ("Double", "cm³", 3.25),
    "Source/Kind": ("String", None, "OCTOPRINT"),
    "Source/Url": ("String", None, ANY),
    "Source/Version": ("String", None, "OctoPrint 1.11.8"),
    "Source/State": ("String", None, "Printing"),
    "Source/Error": ("String", None, ""),
    "Source/Reachable": ("Boolean", None, True),
    "Source/LastSeen": ("UtcTime", None, ANY),
    "Source/ResponseTime": ("Double", "ms", ANY),
    "Source/PollInterval": ("Double", "s", 0.3),
}
LISTS = {
    path for path in VARIABLES if path.rpartition("/")[2] in {"MesIds", "JobOrderList", "JobOrderResponseList"}
} | {
    f"{JOB_ORDERS}/{name}"
    for name in (
        "WorkMaster",
        "EquipmentID",
        "MaterialClassID",
        "MaterialDefinitionID",
        "PersonnelID",
        "PhysicalAssetID",
    )
}
OURS = ("MesStatus", "MesIds", "Job/", "Source/")
# By symbol: UnitId (the common code of UNECE Recommendation 20, its bytes as a number) and name.
UNITS = {"°C": 4408652, "B": 16708, "%": 20529, "s": 5457219, "mm": 5066068, "cm³": 4410705, "ms": 4403766}
RANGES = {"Job/Progress": (0, 100)} | {
    f"Monitoring/Process/{name}Temperature/{value}": (0, high)
    for name, high in {"Tool0": 300, "Bed": 120, "Chamber": 80}.items()
    for value in ("AnalogSignal", "ProcessValueSetpoint")
}
OBJECTS = {
    "": ADDITIVE_MANUFACTURING_TYPE,
    "Identification": "ns=11;i=1004",
    "MachineryBuildingBlocks": FOLDER_TYPE,
    "MachineryBuildingBlocks/MachineryItemState": "ns=4;i=1002",
    "MachineryBuildingBlocks/MachineryOperationMode": "ns=10;i=1003",
    "MachineryBuildingBlocks/OperationCounters": "ns=4;i=1009",
    "MachineryBuildingBlocks/JobManagement": "ns=6;i=1003",
    JOB_ORDERS: "ns=5;i=1008",
    JOB_RESULTS: "ns=5;i=1003",
    "Monitoring": "ns=10;i=14",
    "Monitoring/MachineTool": "ns=10;i=26",
    "Monitoring/Stacklight": "ns=3;i=1002",
    "Monitoring/Stacklight/Green": "ns=3;i=1006",
    "Monitoring/Stacklight/Yellow": "ns=3;i=1006",
    "Monitoring/Stacklight/Red": "ns=3;i=1006",
    "Monitoring/Process": FOLDER_TYPE,
    "Monitoring/Process/Tool0Temperature": "ns=11;i=1002",
    "Monitoring/Process/BedTemperature": "ns=11;i=1002",
    "Monitoring/Process/ChamberTemperature": "ns=11;i=1002",
    "Notification": "ns=10;i=7",
    "Notification/Messages": "ns=10;i=38",
    "Production": "ns=10;i=21",
    "Production/ActiveProgram": "ns=10;i=32",
    "Production/ActiveProgram/State": "ns=10;i=15",
    "Equipment": "ns=11;i=1003",
    "Job": OBJECT_TYPE,
    "Source": OBJECT_TYPE,
}
# Ways by BrowseName from a machine to what OPC 40540, and what it builds on, demand or what we serve of their options.
_STATE = ("0:CurrentState", "0:CurrentState/0:Id", "0:CurrentState/0:Number")
_JOBS = "4:MachineryBuildingBlocks/6:JobManagement"
WAYS = (
    *(f"2:Identification/{name}" for name in ("2:Manufacturer", "2:SerialNumber", "2:ProductInstanceUri", "2:Model")),
    *(
        f"2:Identification/{name}"
        for name in ("2:ProductCode", "2:SoftwareRevision", "2:DeviceClass", "2:ComponentName")
    ),
    *(f"2:Identification/{name}" for name in ("4:YearOfConstruction", "4:Location", "11:AMTechnologyIdentifier")),
    "10:Equipment",
    "10:Notification/10:Messages",
    "10:Monitoring/10:MachineTool/10:OperationMode",
    *(f"10:Monitoring/10:MachineTool/4:MachineryItemState/{name}" for name in _STATE),
    *(f"10:Monitoring/10:MachineTool/4:MachineryOperationMode/{name}" for name in _STATE),
    *(f"4:MachineryBuildingBlocks/4:MachineryItemState/{name}" for name in _STATE),
    *(f"4:MachineryBuildingBlocks/4:MachineryOperationMode/{name}" for name in _STATE),
    *(
        f"4:MachineryBuildingBlocks/2:OperationCounters/2:{name}"
        for name in ("PowerOnDuration", "OperationDuration", "OperationCycleCounter")
    ),
    *(f"10:Monitoring/10:Stacklight/12:Red/3:{name}" for name in ("SignalOn", "SignalColor", "SignalMode")),
    "10:Monitoring/10:Stacklight/3:StacklightMode",
    *(
        f"10:Monitoring/4:Process/12:Tool0Temperature/{name}"
        for name in ("11:Category", "8:SignalTag", "8:AnalogSignal/0:EURange", "8:AnalogSignal/0:EngineeringUnits")
    ),
    "10:Monitoring/4:Process/12:Tool0Temperature/9:ProcessValueSetpoint",
    "10:Production/10:ActiveProgram/10:Name",
    "10:Production/10:ActiveProgram/0:NumberInList",
    "10:Production/10:ActiveProgram/10:JobIdentifier",
    *(f"10:Production/10:ActiveProgram/10:State/{name}" for name in _STATE),
    *(
        f"{_JOBS}/6:JobOrderControl/{name}"
        for name in ("5:JobOrderList", "5:WorkMaster", "5:EquipmentID", "5:MaterialClassID", "5:MaterialDefinitionID")
    ),
    *(
        f"{_JOBS}/6:JobOrderControl/{name}"
        for name in ("5:PersonnelID", "5:PhysicalAssetID", "5:MaxDownloadableJobOrders", "0:CurrentState/0:Id")
    ),
    f"{_JOBS}/6:JobOrderResults/5:JobOrderResponseList",
    *(
        f"{_JOBS}/6:JobOrderResults/5:RequestJobResponseByJobOrder{by}/0:{arguments}"
        for by in ("ID", "State")
        for arguments in ("InputArguments", "OutputArguments")
    ),
)
