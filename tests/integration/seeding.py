"""The files that an OctoPrint server finds when it first starts, so that nobody has to click through its wizard."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.integration.printing import lingering_scripts

_DISABLED_PLUGINS: Final = (
    # Each costs start-up time, asks the internet, or (discovery) listens on every interface.
    "achievements",
    "announcements",
    "backup",
    "classicwebcam",
    "discovery",
    "errortracking",
    "file_check",
    "firmware_check",
    "gcodeviewer",
    "health_check",
    "pi_support",
    "pluginmanager",
    "softwareupdate",
    "tracking",
)


def seed(
    basedir: Path,
    *,
    users: Mapping[str, Any],
    extruders: int,
    chamber: bool,
    linger_s: int,
    autoconnect: bool,
    overlay: Mapping[str, Any],
) -> None:
    """Writes a server's files; the arguments are those of `OctoPrintServer`, and `users` is users.yaml."""
    config = _config(extruders=extruders, chamber=chamber, linger_s=linger_s, autoconnect=autoconnect)
    _merge(config, overlay)
    _write(basedir / "config.yaml", config)
    _write(basedir / "users.yaml", users)
    _write(basedir / "printerProfiles/_default.profile", _profile(extruders=extruders, chamber=chamber))
    for name, script in lingering_scripts(linger_s).items() if linger_s else ():
        _write(basedir / "scripts/gcode" / name, script)


def _write(path: Path, content: str | Mapping[str, Any]) -> None:
    """Writes a file of OctoPrint's: JSON, which its YAML reader takes, spares the tests a YAML writer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    path.chmod(0o600)


def _merge(target: dict[str, Any], overlay: Mapping[str, Any]) -> None:
    for name, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = value


def _config(*, extruders: int, chamber: bool, linger_s: int, autoconnect: bool) -> dict[str, Any]:
    """The settings of series 1; series 2 migrates them when it starts."""
    return {
        "server": {
            "firstRun": False,
            # A server killed while starting would come up in safe mode next, without its virtual printer.
            "ignoreIncompleteStartup": True,
            "secretKey": secrets.token_hex(16),
            "onlineCheck": {"enabled": False},
            "pluginBlacklist": {"enabled": False},
            "pythonEolCheck": {"enabled": False},
        },
        "api": {"key": secrets.token_hex(16)},
        "serial": {
            "port": "VIRTUAL",
            "baudrate": 115200,
            "autoconnect": autoconnect,
            # Without it there is no M400 in a cancel that could linger.
            "logPositionOnCancel": linger_s > 0,
            # A silent printer is given up in seconds, which by default takes minutes: OctoPrint waits for the longer of
            # these, and one more second, twice.
            "timeout": {
                "communication": 2 + linger_s,
                "temperature": 1,
                "temperatureAutoreport": 1,
                "temperatureTargetSet": 1,
            },
            "maxCommunicationTimeouts": {"idle": 1, "printing": 1, "long": 1},
        },
        # Series 2 would otherwise connect with a profile of its own making: one extruder, no chamber.
        "printerProfiles": {"default": "_default"},
        "gcodeAnalysis": {"runAt": "never"},
        "devel": {"cache": {"preemptive": False}},
        "webcam": {"timelapse": {"type": "off"}},
        "plugins": {
            "_disabled": list(_DISABLED_PLUGINS),
            "virtual_printer": {
                "enabled": True,
                "numExtruders": extruders,
                "hasBed": True,
                "hasChamber": chamber,
                "simulated_errors": [],  # by default it stumbles at line 100 and disturbs timing
            },
        },
    }


def _profile(*, extruders: int, chamber: bool) -> dict[str, Any]:
    """The printer as OctoPrint sees it, whole: a profile with a key missing is ignored."""
    axis = {"speed": 6000, "inverted": False}
    return {
        "id": "_default",
        "name": "Default",
        "model": "Virtual Printer",
        "color": "default",
        "volume": {
            "width": 200,
            "depth": 200,
            "height": 200,
            "formFactor": "rectangular",
            "origin": "lowerleft",
            "custom_box": False,
        },
        "heatedBed": True,
        "heatedChamber": chamber,
        "extruder": {
            "count": extruders,
            "offsets": [[0, 0]] * extruders,
            "nozzleDiameter": 0.4,
            "sharedNozzle": False,
            "defaultExtrusionLength": 5,
        },
        "axes": {"x": axis, "y": axis, "z": axis, "e": axis},
    }
