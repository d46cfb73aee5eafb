"""Where everything is on the board. Tests have another root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The places of a board below ``root``."""

    root: Path = Path("/")

    @property
    def firmware(self) -> Path:
        """The boot partition (FAT), which any PC can read and write. Mounted read-only."""
        return self.root / "boot/firmware"

    @property
    def card(self) -> Path:
        """The folder on it that is the technician's."""
        return self.firmware / "edge-agent"

    @property
    def etc(self) -> Path:
        """The agent's configuration and secrets; on the board it is on the data partition."""
        return self.root / "etc/edge-agent"

    @property
    def state(self) -> Path:
        """What the agent remembers; on the data partition, too."""
        return self.root / "var/lib/edge-agent"

    @property
    def opt(self) -> Path:
        """The agent's releases: those of the image, and above them those of the data partition."""
        return self.root / "opt/edge-agent"

    @property
    def kept(self) -> Path:
        """The data partition: the only one that is written while the agent runs."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """What is forgotten with the power."""
        return self.root / "run/edge-agent-image"

    @property
    def share(self) -> Path:
        """Our files that nobody changes."""
        return self.root / "usr/share/edge-agent-image"

    @property
    def sealed_root(self) -> Path:
        """The root file system as it is on the card, once it is read-only and another lies above it."""
        return self.root / "media/root-ro"

    @property
    def seal(self) -> Path:
        """While this file is there, the root is read-only from the next boot on."""
        return self.root / "etc/overlayroot.local.conf"

    @property
    def agent_command(self) -> Path:
        """The installed agent's command."""
        return self.opt / "current/bin/edge-agent"

    def text(self, path: str) -> str:
        """The text of a file below the root, or nothing if it cannot be read; for /proc and /sys."""
        try:
            return (self.root / path).read_text(errors="replace").replace("\x00", "").strip()
        except OSError:
            return ""
