"""The recorded answers under tests/fixtures, by situation and endpoint."""

from __future__ import annotations

import functools
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "fixtures" / "octoprint" / "1.11.8"


def situations() -> list[str]:
    """The names of all recorded situations, in the order they were brought about."""
    return sorted(folder.name for folder in FOLDER.iterdir())


@functools.cache
def recorded(state: str, endpoint: str) -> tuple[int, bytes]:
    """One recorded answer: its HTTP status and its body.

    Of two answers to one endpoint the one with the higher status is taken: see tests/fixtures/README.md.

    Args:
        state: a folder's name, as "11_paused".
        endpoint: "job", "printer", "printer_history", "printer_error", "connection", "currentuser" or "version".

    Raises:
        KeyError: nothing was recorded under these names.
    """
    found = sorted((FOLDER / state).glob(f"{endpoint}.*.json"))
    if not found:
        raise KeyError(f"no recording of {endpoint} in {state}")
    return int(found[-1].name.split(".")[-2]), found[-1].read_bytes()
