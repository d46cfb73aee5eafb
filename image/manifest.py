"""What Raspberry Pi Imager has to know about the image to offer its settings (Wi-Fi, host name, user, ssh key).

    manifest.py IMAGE PACKED VERSION TIME URL    prints NAME.rpi-imager-manifest, which a double click opens

An image that is opened without it gets no settings. ``URL`` is where the packed image will be: Imager takes whole
addresses only, https://... or file:///...
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BOARDS = {
    "Raspberry Pi 5": "pi5-64bit",
    "Raspberry Pi 4": "pi4-64bit",
    "Raspberry Pi 3": "pi3-64bit",
}


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def manifest(*, image: Path, packed: Path, version: str, time: int, url: str) -> dict[str, Any]:
    """Imager's list of systems, with one in it, and the boards it can be chosen for."""
    system = {
        "name": f"edge-agent {version}",
        "description": "3D printers on one OPC UA endpoint, for a manufacturing execution system",
        "icon": "icons/use_custom.png",
        "url": url,
        "extract_size": image.stat().st_size,
        "extract_sha256": _sum(image),
        "image_download_size": packed.stat().st_size,
        "image_download_sha256": _sum(packed),
        "release_date": datetime.fromtimestamp(time, UTC).date().isoformat(),
        "init_format": "cloudinit",
        "architecture": "armv8",
        "devices": list(BOARDS.values()),
    }
    devices = [
        {"name": name, "description": name, "icon": "", "tags": [tag], "matching_type": "exclusive"}
        for name, tag in BOARDS.items()
    ]
    return {"imager": {"devices": devices}, "os_list": [system]}


def main(arguments: Sequence[str]) -> int:
    """Print it."""
    image, packed, version, time, url = arguments
    found = manifest(image=Path(image), packed=Path(packed), version=version, time=int(time), url=url)
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
