"""The root file system is written in the first boot only: identity and customisation. Then it is sealed.

The seal is one file, made by one rename, when everything else is on the disk; from the next boot on the root is
read-only below a layer in memory, and pulling the plug cannot hurt it. A first boot that was interrupted is simply a
first boot again. Whoever changes ``user-data`` or ``network-config`` on the card later (another Wi-Fi) gets a first
boot again as well: the seal is broken, and made anew at its end.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable

from .customisation import FILES, keep_problems
from .files import remove_tree, replace
from .identity import has_machine_id
from .paths import Paths
from .shell import Run

_SEAL = b'# The first boot is complete: see image/README.md. Written by "board seal".\noverlayroot="tmpfs:recurse=0"\n'
_PATIENCE_S = 300.0
_CLOUD_S = 1800.0


class NotYetError(Exception):
    """The first boot is not complete; the text says what is missing. The next boot is a first boot again."""


def seal(paths: Paths, run: Run, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Wait until the first boot is complete, then seal.

    Returns:
        Whether it was sealed; not if it was already.

    Raises:
        NotYetError: something of the first boot is missing.
    """
    if paths.seal.exists():
        return False
    run("cloud-init", "status", "--wait", timeout_s=_CLOUD_S)  # how it ended does not matter: done is done
    if not has_machine_id(paths.root / "etc/machine-id"):
        raise NotYetError("/etc/machine-id is not on the disk yet")
    waited = 0.0
    while not _agent_was_started(run):
        if waited >= _PATIENCE_S:
            raise NotYetError("edge-agent.service was not started")
        sleep(5.0)
        waited += 5.0
    keep_problems(paths)
    replace(paths.kept / "customisation", customisation(paths).encode())
    replace(paths.root / "etc/cloud/cloud-init.disabled", b"")
    os.sync()
    replace(paths.seal, _SEAL)
    return True


def _agent_was_started(run: Run) -> bool:
    said = run("systemctl", "show", "--value", "--property", "ExecMainStartTimestampMonotonic", "edge-agent.service")
    return said.output.strip() not in {"", "0"}


def customisation(paths: Paths) -> str:
    """A fingerprint of what makes up the customisation on the card."""
    digest = hashlib.sha256()
    for name in FILES:
        file = paths.firmware / name
        digest.update(file.read_bytes() if file.is_file() else b"")
        digest.update(b"\x00")
    return digest.hexdigest()


def break_seal_if_changed(paths: Paths, run: Run) -> bool:
    """Where the customisation on the card is another than at the seal, make the next boot a first boot, and reboot.

    The seal goes last: interrupted before, all of it is done again.

    Raises:
        NotYetError: the root could not be made writable; it stays sealed.
    """
    kept = paths.kept / "customisation"
    below = paths.sealed_root
    if not paths.seal.exists() or not kept.is_file() or kept.read_text() == customisation(paths):
        return False
    if not run("mount", "-o", "remount,rw", str(below)).good:
        raise NotYetError(f"{below} cannot be made writable: the changed customisation is not taken over")
    remove_tree(below / "var/lib/cloud/instance")
    remove_tree(below / "var/lib/cloud/instances")
    remove_tree(below / "var/lib/cloud/sem")
    remove_tree(below / "var/lib/cloud/data")
    (below / "etc/cloud/cloud-init.disabled").unlink(missing_ok=True)
    os.sync()
    (below / paths.seal.relative_to(paths.root)).unlink(missing_ok=True)
    os.sync()
    run("mount", "-o", "remount,ro", str(below))
    run("systemctl", "reboot", "--no-block")
    return True
