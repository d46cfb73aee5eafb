"""A box with what runs on the SD image: the overlay over Debian, the agent installed, and a folder as the memory card.

What a box has not is made up: both partitions lie in memory, the boot partition with what was put there, read-only as
on the board; nothing is grown, no hardware watchdog asked for. The layer over the sealed root is made before systemd is
started, so only a whole emulated board shows that.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from .archives import Archives
from .box import Box

CARD = "/srv/firmware"
"""What is on the boot partition when the board is switched on."""
DROP = "/boot/firmware/edge-agent"
_IMAGE = Path(__file__).resolve().parents[2] / "image"
_ROOM = f"""[Unit]
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mkdir /run/card
ExecStart=/usr/bin/mount -t tmpfs tmpfs /run/card
ExecStart=/usr/bin/cp -a {CARD}/. /run/card
"""
_FSTAB = {
    "/boot/firmware": "/run/card /boot/firmware none bind,ro,nofail,x-systemd.requires=card-room.service 0 0",
    "/data": "tmpfs /data tmpfs nofail,mode=755 0 0",
}


@contextmanager
def board(files: Mapping[str, str | bytes]) -> Iterator[Box]:
    """A board that is switched on for the first time, with these files on its card in addition to the image's."""
    with TemporaryDirectory(prefix="edge-agent-card-") as folder, Box("image", on=_flashed()) as box:
        # A box has to be on to be written: this is the boot in which the card is filled, and it is forgotten.
        for name, content in files.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        box.copy_in(Path(folder), CARD)
        box.sh("tar -C / --no-same-owner -xf /srv/overlay.tar; rm /srv/overlay.tar")
        box.sh("systemctl mask edge-agent-grow.service")
        box.write("/etc/fstab", _fstab())
        box.write("/etc/systemd/system/card-room.service", _ROOM)
        box.power_off()
        box.boot()
        yield box


@cache
def _flashed() -> Box:
    """The agent installed, and the overlay at hand."""
    box = Box("image").boot()
    try:
        with TemporaryDirectory(prefix="edge-agent-archive-") as folder:
            box.copy_in(Archives(Path(folder)).build(), "/root/release.tar.gz")
        box.sh("mkdir /root/release; tar -C /root/release --strip-components 1 -xf /root/release.tar.gz")
        box.run("/root/release/install.sh", "--no-start")
        # What an image is built with was ready in its boot tests: it is the way back of the first update.
        box.sh("rm -r /root/release*; rm -f /etc/ssh/ssh_host_*; touch /opt/edge-agent/current/ready")
        box.copy_in(_IMAGE / "firmware", CARD)
        box.copy_in(_IMAGE / "overlay", "/srv/overlay")
        box.sh("tar -C /srv/overlay -cf /srv/overlay.tar .; rm -r /srv/overlay")
        box.power_off()
        atexit.register(box.close)
    except BaseException:
        box.close()
        raise
    return box


def _fstab() -> str:
    lines = (_IMAGE / "overlay/etc/fstab").read_text().splitlines()
    return "\n".join(_FSTAB.get(line.split()[1], line) if line[0] != "#" else line for line in lines) + "\n"


def failed_units(box: Box) -> list[str]:
    """By name."""
    said = box.run("systemctl", "list-units", "--failed", "--output", "json", "--no-pager").stdout
    return [unit["unit"] for unit in json.loads(said)]
