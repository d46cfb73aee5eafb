"""The hardware watchdog resets a board that hangs. A wish for it in a file is not yet a watchdog: look at what is."""

from __future__ import annotations

from .paths import Paths

WANTED_S = 60


class NoWatchdogError(Exception):
    """Nobody resets this board when it hangs; the text says why."""


def assert_watchdog(paths: Paths) -> str:
    """What is in force, as a line for the journal.

    Raises:
        NoWatchdogError: there is none, it is not armed, or it waits for longer than it should.
    """
    about = paths.root / "sys/class/watchdog/watchdog0"
    if not about.exists():
        raise NoWatchdogError("this board has no hardware watchdog that the kernel knows")
    identity = paths.text("sys/class/watchdog/watchdog0/identity")
    state = paths.text("sys/class/watchdog/watchdog0/state")
    timeout = paths.text("sys/class/watchdog/watchdog0/timeout")
    if state != "active":
        raise NoWatchdogError(f"the watchdog {identity} is {state or 'in an unknown state'}: systemd does not feed it")
    if not timeout.isdigit() or not 0 < int(timeout) <= WANTED_S:
        raise NoWatchdogError(f"the watchdog {identity} waits for {timeout or '?'} s; {WANTED_S} are wanted")
    return f"hardware watchdog: {identity}, armed, {timeout} s"
