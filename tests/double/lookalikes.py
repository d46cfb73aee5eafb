"""Programs that answer under OctoPrint's addresses and mean something else, both in the middle of a print.

Moonraker with ``[octoprint_compat]``: the state is true, everything about the job is an empty placeholder.
PrusaLink: ``completion`` is a ratio, not percent; "operational" is false while printing; a flag is a string.
"""

from __future__ import annotations

from typing import Any

from .printer import encoded
from .wire import Answer

_MOONRAKER: dict[str, Any] = {
    "/api/version": {"server": "1.5.0", "api": "0.1", "text": "OctoPrint (Moonraker v0.9.3-100-gd5ee171)"},
    "/api/server": {"server": "1.5.0", "safemode": None},
    "/api/job": {
        "job": {
            "file": {"name": None},
            "estimatedPrintTime": None,
            "filament": {"length": None},
            "user": None,
        },
        "progress": {
            "completion": None,
            "filepos": None,
            "printTime": None,
            "printTimeLeft": None,
            "printTimeOrigin": None,
        },
        "state": "Printing",
    },
    "/api/printer": {
        "temperature": {
            "tool0": {"actual": 209.98, "offset": 0, "target": 210.0},
            "bed": {"actual": 60.02, "offset": 0, "target": 60.0},
        },
        "state": {
            "text": "Printing",
            "flags": {
                "operational": True,
                "paused": False,
                "printing": True,
                "cancelling": False,
                "pausing": False,
                "error": False,
                "ready": False,
                "closedOrError": False,
            },
        },
    },
}

_PRUSALINK: dict[str, Any] = {
    "/api/version": {
        "api": "2.0.0",
        "server": "2.1.2",
        "original": "PrusaLink I3MK3S",
        "text": "PrusaLink 0.8.1",
        "firmware": "3.14.1",
        "sdk": "0.8.1",
    },
    "/api/connection": {
        "current": {"baudrate": 115200, "port": "/dev/ttyAMA0", "printerProfile": "_default", "state": "Printing"},
        "options": {"ports": ["/dev/ttyAMA0"], "baudrates": [115200], "printerProfiles": [], "autoconnect": True},
    },
    "/api/job": {
        "job": {
            "estimatedPrintTime": 5400,
            "averagePrintTime": None,
            "lastPrintTime": None,
            "filament": None,
            "file": {
                "name": "bracket.gcode",
                "path": "/PrusaLink gcodes/bracket.gcode",
                "size": 1048576,
                "origin": "local",
                "date": 1795349375,
                "display": "bracket.gcode",
            },
            "user": "_api",
        },
        "progress": {
            "completion": 0.42,
            "filepos": 0,
            "printTime": 2268,
            "printTimeLeft": 3132,
            "printTimeLeftOrigin": "estimate",
            "pos_z_mm": 12.4,
            "printSpeed": 100,
            "flow_factor": 100,
        },
        "state": "Printing",
    },
    "/api/printer": {
        "temperature": {"tool0": {"actual": 214.9, "target": 215.0}, "bed": {"actual": 60.1, "target": 60.0}},
        "sd": {"ready": False},
        "state": {
            "text": "Printing",
            "flags": {
                "operational": False,
                "paused": False,
                "printing": True,
                "cancelling": False,
                "pausing": False,
                "error": False,
                "sdReady": False,
                "closedOrError": False,
                "ready": False,
                "busy": False,
                "finished": False,
                "prepared": False,
                "link_state": "PRINTING",
            },
        },
    },
}

LOOKALIKES = {
    name: {path: Answer(200, encoded(value)) for path, value in answers.items()}
    for name, answers in (("moonraker", _MOONRAKER), ("prusalink", _PRUSALINK))
}
