"""Who this board is: made in the first boot, the same for ever after.

The machine id is systemd's business, the device's UUID and certificate are the agent's. Here: the host name, the SSH
host key, and whether somebody asked for SSH at all. Each may be done twice.
"""

from __future__ import annotations

import re
from pathlib import Path

from .files import replace
from .paths import Paths
from .shell import Run

SHIPPED_NAME = "edge-agent"
"""The host name of an image that nobody has booted."""
_ASKED_FOR_SSH = re.compile(
    r"^\s*(?:enable_ssh|ssh_pwauth):\s*[\"']?(?:true|yes|on)\b|^\s*(?:-\s*)?ssh_authorized_keys:"
    r"|^\s*-\s*\[?\s*systemctl\b.*\b(?:enable|start)\b.*\bssh\b",
    re.MULTILINE | re.IGNORECASE,
)
"""Imager 1.x and 2.0 to 2.0.9 say ``enable_ssh``, later ones make cloud-init enable the unit."""


def make_identity(paths: Paths, run: Run) -> list[str]:
    """Make what is missing of it.

    Returns:
        What was done, one line each.
    """
    done = []
    name_file = paths.root / "etc/hostname"
    if paths.text("etc/hostname") in {"", SHIPPED_NAME, "localhost"}:
        name = host_name(paths)
        replace(paths.root / "etc/hosts", _hosts(name).encode())
        replace(name_file, f"{name}\n".encode())
        run("hostname", name)
        done.append(f"this board's name is {name}")
    done += _host_keys(paths, run)
    off = paths.root / "etc/ssh/sshd_not_to_be_run"
    if asked_for_ssh(paths):
        off.unlink(missing_ok=True)
        done.append("SSH is on, as user-data asks for it")
    elif not off.exists() and off.parent.is_dir():
        replace(off, b"user-data on the boot partition does not ask for SSH.\n")
    return done


def host_name(paths: Paths) -> str:
    """``edge-agent-XXXX``: of the board's serial number, which a new card does not change; else of the machine id."""
    serial = re.sub(r"[^0-9a-f]", "", paths.text("proc/device-tree/serial-number").lower())
    if not serial.strip("0"):
        serial = paths.text("etc/machine-id")
    return f"{SHIPPED_NAME}-{serial[-4:]}" if serial else SHIPPED_NAME


def asked_for_ssh(paths: Paths) -> bool:
    """Raspberry Pi Imager's customisation, or a ``user-data`` by hand, wants SSH. What was left out wants nothing."""
    return _ASKED_FOR_SSH.search(paths.text("run/edge-agent-image/seed/user-data")) is not None


def _host_keys(paths: Paths, run: Run) -> list[str]:
    """Keys that a power cut left empty are made again."""
    folder = paths.root / "etc/ssh"
    for file in folder.glob("ssh_host_*_key*"):
        if file.stat().st_size == 0:
            file.unlink()
    if (folder / "ssh_host_ed25519_key").is_file() or not folder.is_dir():
        return []
    said = run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / "ssh_host_ed25519_key"))
    return ["a host key for SSH was made"] if said.good else [f"no host key for SSH: {said.reason}"]


def _hosts(name: str) -> str:
    return f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\n"


def has_machine_id(file: Path) -> bool:
    """It is on the disk, and not only lent for this boot."""
    try:
        return not file.is_mount() and re.fullmatch(r"[0-9a-f]{32}", file.read_text().strip()) is not None
    except OSError:
        return False
