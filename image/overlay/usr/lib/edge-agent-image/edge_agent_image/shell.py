"""Other programs, and what they said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

NOT_FOUND = 127
TIMED_OUT = 124


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a program ended. ``output`` is what it printed, ``errors`` what it printed as errors."""

    code: int
    output: str = ""
    errors: str = ""

    @property
    def good(self) -> bool:
        """It ended with 0."""
        return self.code == 0

    @property
    def reason(self) -> str:
        """Its last words, for a sentence about its failure."""
        lines = [line.strip() for line in (self.errors or self.output).splitlines() if line.strip()]
        return lines[-1] if lines else f"it ended with {self.code}"


Run = Callable[..., Said]
"""``run("resize2fs", "/dev/x", timeout_s=60, stdin="")``. Never raises for what the program does."""


def run(*command: str, timeout_s: float = 60.0, stdin: str = "", environment: Mapping[str, str] | None = None) -> Said:
    """Run a program to its end.

    Args:
        command: its name and arguments; no shell.
        timeout_s: after that it is killed, and it counts as failed.
        stdin: what it reads.
        environment: in addition to ours.
    """
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        return Said(code=TIMED_OUT, errors=f"{command[0]} did not end within {timeout_s:g} s")
    except OSError as error:
        return Said(code=NOT_FOUND, errors=f"{command[0]} cannot be run: {error.strerror}")
    return Said(code=done.returncode, output=done.stdout, errors=done.stderr)
