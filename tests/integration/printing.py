"""What a virtual printer is told to print, and how it is slowed down enough for a poller to see every state."""

from typing import Final

_DWELL_S: Final = 0.2


def gcode(seconds: float, *, tool_celsius: int = 205, bed_celsius: int = 60) -> str:
    """A print of a chosen length that moves nothing.

    It is made of dwell lines of equal size, so progress grows evenly. Temperatures are set but not waited for.

    Args:
        seconds: how long printing it takes, to about 0.2 s below and 10 % above.
        tool_celsius: target of the first tool.
        bed_celsius: target of the bed.

    Returns:
        The text of a G-code file.
    """
    lines = [f"M104 S{tool_celsius}", f"M140 S{bed_celsius}"]
    lines += [f"G4 P{_DWELL_S * 1000:.0f}"] * max(1, round(seconds / _DWELL_S))
    return "\n".join(lines) + "\n"


def lingering_scripts(seconds: float) -> dict[str, str]:
    """G-code scripts that make the states between idle and printing last.

    A virtual printer passes Starting, Pausing, Resuming, Cancelling and Finishing in milliseconds. OctoPrint waits for
    an M400 in the last lines of a print, in a pause and, if asked to log positions, in a cancel: a printer that is slow
    to answer M400 holds those three, dwell lines hold the other two.

    Args:
        seconds: how long each of the states is to last, in whole seconds; the virtual printer knows no others.

    Returns:
        Script texts by their names in OctoPrint's scripts/gcode folder.
    """
    dwell = f"G4 P{seconds * 1000:.0f}\n"
    return {
        "afterPrinterConnected": f"!!DEBUG:sleep_after M400 {seconds:.0f}\n",
        "beforePrintStarted": dwell,
        "beforePrintResumed": dwell,
    }
