"""install.sh in a box, as somebody runs it there: what it says, how long it takes, what it leaves behind."""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .box import Box
from .installed import release_archives

UNIT = "edge-agent.service"
OPT = "/opt/edge-agent"
BEFORE = "0.0.9"
KEY = "0123456789ABCDEF0123456789ABCDEF"
MACHINE = {"type": "OCTOPRINT", "url": "http://127.0.0.1:9", "authentication_file_path": "keys/one.key", "mes_id": [1]}
_NOT_OURS = (
    *("/proc", "/sys", "/run", "/dev", "/tmp", "/root", "/var/log", "/var/tmp", "/var/lib/systemd"),  # noqa: S108
    *("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock"),  # the user tools' copies
    *("/etc/subuid-", "/etc/subgid-", "/var/cache/ldconfig"),
)


@cache
def box_before(suite: str) -> Box:
    """A box in which the version before this one runs, with a configuration; switched off. Others stand on it.

    This version's archive is in /root/release, that one's in /root/before.
    """
    archives = release_archives()
    box = Box(suite).boot()
    try:
        unpack(box, archives.build(version=BEFORE), "/root/before")
        box.write("/root/mine/config.json", json.dumps([MACHINE]), mode="644")
        box.write("/root/mine/keys/one.key", KEY, mode="644")
        said = install(box, "--config", "/root/mine/config.json", folder="/root/before")
        assert said.code == 0, said
        unpack(box, archives.build())
        box.power_off()
        atexit.register(box.close)
    except BaseException:
        box.close()
        raise
    return box


class Said:
    """What one run said, and how it ended."""

    def __init__(self, done: subprocess.CompletedProcess[str], seconds: float) -> None:
        self.code = done.returncode
        self.text = done.stdout + done.stderr
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.1f} s:\n{self.text}"


def unpack(box: Box, archive: Path, folder: str = "/root/release") -> None:
    """Bring an archive into the box."""
    box.copy_in(archive, "/root/release.tar.gz")
    box.sh(f"mkdir {folder}; tar -C {folder} --strip-components 1 -xf /root/release.tar.gz; rm /root/release.tar.gz")


def install(
    box: Box, *options: str, folder: str = "/root/release", environment: Mapping[str, str] | None = None
) -> Said:
    """Run install.sh, without a terminal."""
    began = time.monotonic()
    done = box.run(f"{folder}/install.sh", *options, check=False, environment=environment)
    return Said(done, time.monotonic() - began)


def files(box: Box, *, content: bool = False) -> dict[str, str]:
    """Every file of the box with its type, owner and mode, and on demand a sum of what is in it.

    What a system keeps for itself, like logs, is left out.
    """
    pruned = " -o ".join(f"-path {path}" for path in _NOT_OURS)
    found = box.sh(rf"find / -xdev \( {pruned} \) -prune -o -printf '%p\t%y %u %g %m %l\n'")
    listed = dict(line.split("\t", 1) for line in found.splitlines())
    if content:
        sums = box.sh(rf"find / -xdev \( {pruned} -o -path /usr \) -prune -o -type f -exec sha256sum {{}} +")
        for line in sums.splitlines():
            sum_, path = line.split("  ", 1)
            listed[path] += f" {sum_}"
    return listed


def is_ready(box: Box) -> bool:
    """The agent runs, and said so."""
    return box.show(UNIT, "ActiveState") == "active" and box.show(UNIT, "SubState") == "running"


def running_release(box: Box) -> str:
    """The folder's name of the release whose Python runs."""
    command = box.read(f"/proc/{box.main_pid(UNIT)}/cmdline")
    found = re.match(rf"{OPT}/releases/([^/]+)/bin/", command)
    assert found, command
    return found[1]


def tag(box: Box) -> str:
    """As in a release's name."""
    return {"bookworm": "py311", "trixie": "py313"}[box.suite]
