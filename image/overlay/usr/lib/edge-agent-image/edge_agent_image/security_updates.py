"""Debian's security updates, by night, in the root below the seal.

Nothing of it runs in the system that is running: the root is made writable, entered in a mount namespace of its own
with lists and archives in memory, brought up to date by unattended-upgrades, and made read-only again. A reboot follows
only if a package has changed. Kernel and initramfs stay as the image has them (update-initramfs is off there): the boot
partition is never written by a machine that nobody watches.
"""

from __future__ import annotations

import os
from pathlib import Path

from .paths import Paths
from .shell import Run

_LONGEST_S = 7200.0
_PROGRAM = "/usr/lib/edge-agent-image/security-updates"


class NotUpdatedError(Exception):
    """The updates could not be fetched or installed; the text says why. The next night tries again."""


def update_system(paths: Paths, run: Run) -> bool:
    """Install Debian's security updates.

    Returns:
        Whether a package has changed, so that a reboot is under way.

    Raises:
        NotUpdatedError: it could not be done.
    """
    below = paths.sealed_root
    if not paths.seal.exists() or not below.is_dir():
        return False  # a first boot is not to be disturbed
    status = below / "var/lib/dpkg/status"
    before = _content(status)
    if not run("mount", "-o", "remount,rw", str(below)).good:
        raise NotUpdatedError(f"{below} cannot be made writable")
    try:
        said = run("unshare", "--mount", _PROGRAM, str(below), timeout_s=_LONGEST_S)
    finally:
        os.sync()
        run("mount", "-o", "remount,ro", str(below))
    changed = _content(status) != before
    if changed:
        run("systemctl", "reboot", "--no-block")
    elif not said.good:
        raise NotUpdatedError(f"no security updates this time: {said.reason}")
    return changed


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.is_file() else b""
