"""``edge-agent doctor``: everything that can be wrong around the agent, looked at once, with what to do about it.

It only looks: nothing is written, changed or restarted. It works with a dead agent, without systemd, without a
configuration, and as any user; what it may not see it says.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TextIO

import msgspec

from ...errors import ExitCode
from ..probe import probe
from .examination import examine
from .patient import admit
from .report import lines, report
from .rights import forget_groups

__all__ = ["doctor", "forget_groups", "leave"]


def doctor(*, config_path: Path, state_dir: Path, default_config: bool, as_json: bool, out: TextIO) -> ExitCode:
    """Print what was found.

    Args:
        config_path: config.json.
        state_dir: the agent's.
        default_config: nobody has named the file, so it may be missing.
        as_json: one object instead of a page.
        out: takes the report.

    Returns:
        CONFIG if config.json cannot be used, ATTENTION if somebody should look at something, else OK.
    """
    patient = admit(config_path=config_path, state_dir=state_dir, default_config=default_config, probe=probe)
    found = report(patient, examine(patient))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode(), file=out)
    else:
        terminal = out.isatty()
        width = shutil.get_terminal_size((100, 24)).columns if terminal else 110
        for line in lines(found, width=width, colour=terminal):
            print(line, file=out)
    return ExitCode(found.exit_code)


def leave(code: ExitCode, *, before: AbstractSet[threading.Thread]) -> ExitCode:
    """End the process at once if somebody still waits for an answer, which its orderly end would wait for as well.

    Names are looked up in threads that cannot be broken off: on a network without a name service for half a minute.
    Those of a pool are waited for even if they are daemons.

    Args:
        code: to end with.
        before: the threads that there were before the examination.
    """
    if not set(threading.enumerate()) <= before:
        sys.stdout.flush()
        os._exit(code)
    return code
