"""Root gives its rights up before it reads what the agent may have written.

The agent can write config.json, and in its folder. Somebody who has broken into it could name a file of root's as a key
there, or put a link to one in a key's place, and wait for root's ``check --probe`` to send it to a host of theirs.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def become_author(config_path: Path, state_dir: Path) -> bool:
    """If root is to read what the agent's user can write, go on as that user: see what it sees.

    Args:
        config_path: config.json; it need not be there.
        state_dir: belongs to the agent's user.

    Returns:
        Whether this process is somebody else now; there is no way back.
    """
    if os.geteuid() != 0:
        return False
    try:
        agent, folder = state_dir.stat(), config_path.absolute().parent.stat()
    except OSError:
        return False
    in_its_group = folder.st_gid == agent.st_gid and folder.st_mode & stat.S_IWGRP
    if agent.st_uid == 0 or not (in_its_group or folder.st_uid == agent.st_uid or _owner(config_path) == agent.st_uid):
        return False
    os.setgroups([])
    os.setresgid(agent.st_gid, agent.st_gid, agent.st_gid)
    os.setresuid(agent.st_uid, agent.st_uid, agent.st_uid)
    return True


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except OSError:
        return None
