"""Root gives its rights up before it reads what the agent may have written.

The agent can write config.json. Somebody who has broken into it could name a file of root's as a key there, and wait
for root's ``check --probe`` to read it and send it to a host of theirs.
"""

from __future__ import annotations

import os
from pathlib import Path


def become_author(config_path: Path, state_dir: Path) -> bool:
    """If root is to read a config.json of the agent's user, go on as that user: see what it sees.

    Args:
        config_path: config.json; it need not be there.
        state_dir: belongs to the agent's user.

    Returns:
        Whether this process is somebody else now; there is no way back.
    """
    if os.geteuid() != 0:
        return False
    try:
        agent, author = state_dir.stat(), config_path.stat()
    except OSError:
        return False
    if agent.st_uid == 0 or author.st_uid != agent.st_uid:
        return False
    os.setgroups([])
    os.setresgid(agent.st_gid, agent.st_gid, agent.st_gid)
    os.setresuid(agent.st_uid, agent.st_uid, agent.st_uid)
    return True
