"""A card with the image on it: a file, and its boot partition as a PC sees it."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """Where image/build keeps its things."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(os.environ.get("EDGE_AGENT_CACHE", home / "edge-agent"))


def work() -> Path:
    """What the builder's tools see as /build."""
    return cache() / "image-work"


def builder() -> Path | None:
    """The newest Debian that image/build has made for its tools: QEMU is among them."""
    found = [folder for folder in cache().glob("image-builder-*") if not folder.name.endswith(".new")]
    return max(found, key=lambda folder: folder.stat().st_mtime, default=None)


def image() -> Path:
    """What image/build has made last."""
    return work() / "image.img"


def within(*command: str | Path) -> list[str | Path]:
    """A command as it is run with the builder's tools, in mounts and processes of its own."""
    tools = builder()
    assert tools is not None, "no tools: run image/build first"
    inside = [ROOT / "image/steps/within", "--entered", tools, ROOT, work(), *command]
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", *inside]


def run_tool(*command: str | Path) -> str:
    """Run one of the builder's tools."""
    environment = {**os.environ, "NATIVE": "yes"}
    done = subprocess.run(within(*command), check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def _places() -> dict[str, int]:
    """Where each partition begins, in bytes, by its label."""
    layout = tomllib.loads((ROOT / "image/partitions.toml").read_text())
    align = layout["disk"]["align_mib"]
    place, found = align, {}
    for partition in layout["partition"]:
        found[partition["label"]] = place << 20
        place += -(-partition["size_mib"] // align) * align
    return found


class Card:
    """A copy of the image on a card. A file of its boot partition is named as ``edge-agent/config.json``."""

    def __init__(self, name: str, *, size_gib: int = 8) -> None:
        self.folder = work() / "boot" / f"{name}-{os.getpid()}"
        for older in self.folder.parent.glob(f"{name}-*"):
            if older.stat().st_mtime < time.time() - 86400:
                shutil.rmtree(older, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.file = self.folder / "card.img"
        subprocess.run(["cp", "--sparse=always", image(), self.file], check=True)
        os.truncate(self.file, size_gib * 1024**3)

    @property
    def _firmware(self) -> str:
        return f"{self.inside(self.file)}@@{_places()['FIRMWARE']}"

    def inside(self, file: Path) -> str:
        """The name that tools have for one of its files."""
        return f"/build/boot/{self.folder.name}/{file.name}"

    def take(self, name: str) -> Path:
        """Copy a file of the boot partition, and say where the copy is."""
        target = self.folder / Path(name).name
        run_tool("mcopy", "-n", "-i", self._firmware, f"::{name}", self.inside(target))
        return target

    def text(self, name: str) -> str:
        """A text of the boot partition, with its line ends."""
        return self.take(name).read_bytes().decode("utf-8-sig")

    def put(self, name: str, content: bytes | Path) -> None:
        """Write a file on the boot partition, as a PC does."""
        source = self.folder / "put"
        if isinstance(content, Path):
            shutil.copyfile(content, source)
        else:
            source.write_bytes(content)
        run_tool("mcopy", "-o", "-i", self._firmware, self.inside(source), f"::{name}")

    def names(self, folder: str = "") -> list[str]:
        """What lies in a folder of the boot partition."""
        told = run_tool("mdir", "-b", "-i", self._firmware, f"::{folder}")
        return [line.removeprefix("::/") for line in told.splitlines()]

    def put_into_root(self, name: str, content: bytes) -> None:
        """Write a file in the root, before it is first booted: as if it had been built so."""
        source = self.folder / "put"
        source.write_bytes(content)
        root = f"{self.inside(self.file)}?offset={_places()['EDGE-ROOT']}"
        said = run_tool("debugfs", "-w", "-R", f"write {self.inside(source)} {name}", root)
        assert "Allocated inode" in said, said

    def firmware_has(self, text: bytes) -> bool:
        """Whether these bytes are anywhere on the boot partition, also where no file is."""
        begin, end = _places()["FIRMWARE"], _places()["EDGE-ROOT"]
        with self.file.open("rb") as file, mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ) as content:
            return content.find(text, begin) >= 0

    def remove(self) -> None:
        """Throw it away. What was said on its serial line stays for a day."""
        for file in self.folder.iterdir():
            if file.suffix != ".log":
                file.unlink()
