"""Programs of the system that are asked: systemctl, journalctl. They only tell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from msgspec import Struct

TIMEOUT_S = 6.0
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "SYSTEMD_URLIFY": "0"}


class Said(Struct, frozen=True):
    """What a program said on standard output, and how it ended."""

    code: int
    text: str


Ask = Callable[..., Said | None]
"""Runs a program with its arguments; ``None``: it is not here, or did not end in time."""


def ask(program: str, *arguments: str, timeout_s: float = TIMEOUT_S) -> Said | None:
    """Run a program of the system, and wait ``timeout_s`` for its end."""
    environment = {"PATH": os.environ.get("PATH", os.defpath)} | _ENVIRONMENT
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"))
