"""Makes the places on the data partition that are mounted over the root: configuration, state, releases, the clock.

Each is made once: filled beside its place, then renamed, so that there is all of it or none.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .files import flush, remove_tree
from .paths import Paths

PLACES = {"config": "etc/edge-agent", "state": "var/lib/edge-agent", "systemd": "var/lib/systemd"}
"""Folder on the data partition, and which folder of the root it holds, as /etc/fstab mounts it."""
_OVERLAY = ("releases", "releases-work")
"""What is written below /opt/edge-agent, and the room that an overlay needs beside it."""


def lay_out(paths: Paths) -> list[str]:
    """Make what is missing.

    Returns:
        The folders that were made.
    """
    made = []
    for name, of_root in PLACES.items():
        target, source = paths.kept / name, paths.root / of_root
        if not target.is_dir():
            new = paths.kept / f"{name}.new"
            remove_tree(new)
            _copy(source, new)
            os.sync()
            new.replace(target)
            flush(paths.kept)
            made.append(name)
    for name in _OVERLAY:
        folder = paths.kept / name
        if not folder.is_dir():
            folder.mkdir(mode=0o755)
            made.append(name)
    return made


def _copy(source: Path, target: Path) -> None:
    """A folder with owners and modes; or an empty one, if the image has none."""
    if not source.is_dir():
        target.mkdir(mode=0o755)
        return
    shutil.copytree(source, target, symlinks=True)
    for folder, folders, names in os.walk(source):
        for name in ["", *folders, *names]:
            old = Path(folder) / name
            about = old.lstat()
            new = target / old.relative_to(source)
            if os.geteuid() == 0:
                os.chown(new, about.st_uid, about.st_gid, follow_symlinks=False)
