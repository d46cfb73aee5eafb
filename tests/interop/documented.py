"""docs/opcua.md as a table, written down once more so that the code and its tests cannot err together."""

from __future__ import annotations

from typing import Any

OBJECT_TYPE, FOLDER_TYPE, PROPERTY_TYPE = "ns=0;i=58", "ns=0;i=61", "ns=0;i=68"
BASE_DATA_VARIABLE_TYPE, ANALOG_UNIT_TYPE, ANALOG_UNIT_RANGE_TYPE = "ns=0;i=63", "ns=0;i=17497", "ns=0;i=17570"
EU_INFORMATION, RANGE = "ns=0;i=887", "ns=0;i=884"
DATA_TYPES = {
    "ns=0;i=1": "Boolean",
    "ns=0;i=6": "Int32",
    "ns=0;i=8": "Int64",
    "ns=0;i=11": "Double",
    "ns=0;i=12": "String",
    "ns=0;i=13": "DateTime",
}
NO_DATA = "BadNoData"
ANY: Any = object()

# Type, unit, and what the printing machine of test_node_opcua.py shows: a value, `NO_DATA`, or `ANY` if it varies.
VARIABLES: dict[str, tuple[str, str | None, Any]] = {
    "MesStatus": ("String", None, "Running"),
    "MesIds": ("Int32", None, [1, 7]),
    "Monitoring/Stacklight/Red": ("Boolean", None, False),
    "Monitoring/Stacklight/Yellow": ("Boolean", None, False),
    "Monitoring/Stacklight/Green": ("Boolean", None, True),
    "Monitoring/Process/Tool0Temperature": ("Double", "°C", 204.8),
    "Monitoring/Process/Tool0Setpoint": ("Double", "°C", 210.0),
    "Monitoring/Process/BedTemperature": ("Double", "°C", 60.1),
    "Monitoring/Process/BedSetpoint": ("Double", "°C", 0.0),
    "Monitoring/Process/ChamberTemperature": ("Double", "°C", 38.5),
    "Monitoring/Process/ChamberSetpoint": ("Double", "°C", NO_DATA),
    "Job/Id": ("String", None, ANY),
    "Job/StartTime": ("DateTime", None, ANY),
    "Job/EndTime": ("DateTime", None, NO_DATA),
    "Job/Outcome": ("String", None, NO_DATA),
    "Job/OutcomeReason": ("String", None, NO_DATA),
    "Job/FileName": ("String", None, "Gehäuse für Ärger №1.gcode"),
    "Job/FilePath": ("String", None, "kunde/Gehäuse.gcode"),
    "Job/FileSize": ("Int64", "B", 5_000_000_000),
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
    "Source/LastSeen": ("DateTime", None, ANY),
    "Source/ResponseTime": ("Double", "ms", ANY),
    "Source/PollInterval": ("Double", "s", 0.3),
}
# By symbol: UnitId (the common code of UNECE Recommendation 20, its bytes as a number) and name.
UNITS = {"°C": 4408652, "B": 16708, "%": 20529, "s": 5457219, "mm": 5066068, "cm³": 4410705, "ms": 4403766}
RANGES = {
    "Job/Progress": (0, 100),
    "Monitoring/Process/Tool0Temperature": (0, 300),
    "Monitoring/Process/Tool0Setpoint": (0, 300),
    "Monitoring/Process/BedTemperature": (0, 120),
    "Monitoring/Process/BedSetpoint": (0, 120),
    "Monitoring/Process/ChamberTemperature": (0, 80),
    "Monitoring/Process/ChamberSetpoint": (0, 80),
}
