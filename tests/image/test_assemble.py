"""From a few files to a card's image."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from assemble import MIB, assemble, disk_id, partition_table, read_partitions

IMAGE = Path(__file__).resolve().parents[2] / "image"
SMALL = """
[disk]
align_mib = 1
[[partition]]
label = "FIRMWARE"
filesystem = "fat32"
size_mib = 300
content = "firmware"
[[partition]]
label = "EDGE-ROOT"
filesystem = "ext4"
size_mib = 16
content = "root"
[[partition]]
label = "EDGE-DATA"
filesystem = "ext4"
size_mib = 32
grows_to_mib = 1024
"""
needs_tools = pytest.mark.skipif(
    any(
        shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None for tool in ("mkfs.vfat", "mcopy", "mke2fs")
    ),
    reason="needs mkfs.vfat, mcopy, mke2fs: sudo apt-get install dosfstools mtools e2fsprogs",
)


@pytest.fixture
def described(tmp_path: Path) -> Path:
    file = tmp_path / "partitions.toml"
    file.write_text(SMALL)
    return file


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    for name in ("firmware/config.txt", "firmware/overlays/b.dtbo", "firmware/overlays/a.dtbo", "root/etc/fstab"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"this is {name}\n")
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1_800_000_000, 1_800_000_000))
    return folder


def test_the_cards_partitions_fit() -> None:
    firmware, root, data = read_partitions(IMAGE / "partitions.toml")
    assert (firmware.filesystem, root.label, data.label) == ("fat32", "EDGE-ROOT", "EDGE-DATA")
    assert (data.start * 512 + data.size) < 2_000_000_000
    assert all(one.start * 512 % (4 * MIB) == 0 for one in (firmware, root, data))
    assert firmware.start + firmware.sectors <= root.start
    assert root.start + root.sectors <= data.start


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"fat32"', '"ntfs"'), "no file system 'ntfs'"),
        (('"FIRMWARE"', '"FIRMWARE-OF-IT"'), "longer than the 11 letters"),
        (('"EDGE-ROOT"', '"THE-ROOT-OF-EVERYTHING"'), "longer than the 16 letters"),
    ],
)
def test_what_cannot_be_is_refused(described: Path, change: tuple[str, str], said: str) -> None:
    described.write_text(SMALL.replace(*change))
    with pytest.raises(ValueError, match=said):
        read_partitions(described)


def test_a_table_has_four_lines(described: Path) -> None:
    one = '[[partition]]\nlabel = "A"\nfilesystem = "ext4"\nsize_mib = 8\n'
    described.write_text(SMALL + one * 2)
    with pytest.raises(ValueError, match="5 partitions"):
        read_partitions(described)


def test_the_table(described: Path) -> None:
    table = partition_table(0x12345678, read_partitions(described))
    assert (len(table), table[440:444], table[510:]) == (512, b"\x78\x56\x34\x12", b"\x55\xaa")
    lines = [struct.unpack("<B3xB3xII", table[at : at + 16]) for at in range(446, 510, 16)]
    assert lines == [(0, 0x0C, 2048, 614400), (0, 0x83, 616448, 32768), (0, 0x83, 649216, 65536), (0, 0, 0, 0)]


def test_a_version_has_its_disk() -> None:
    assert disk_id("1.0.0") == disk_id("1.0.0")
    assert disk_id("1.0.0") != disk_id("1.0.1")


@needs_tools
def test_the_same_content_gives_the_same_bytes(
    described: Path, content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
    images = [tmp_path / "one.img", tmp_path / "two.img"]
    for image in images:
        assemble(described, version="1.0.0", folder=content, image=image)
    first, second = (image.read_bytes() for image in images)
    fat, root = slice(MIB, 301 * MIB), slice(301 * MIB, 317 * MIB)
    assert first[fat] == second[fat]
    assert first[:512] == second[:512]
    if _mke2fs() >= (1, 47, 1):  # before, it left the time of day in
        assert first[root] == second[root]
    told = subprocess.run(
        ["mdir", "-b", "-/", "-i", f"{images[0]}@@{MIB}", "::"], check=True, capture_output=True, text=True
    ).stdout
    assert told.split() == ["::/config.txt", "::/overlays/", "::/overlays/a.dtbo", "::/overlays/b.dtbo"]


def _mke2fs() -> tuple[int, ...]:
    told = subprocess.run(["mke2fs", "-V"], check=True, capture_output=True, text=True).stderr
    return tuple(int(part) for part in told.split()[1].split("."))


@needs_tools
def test_what_is_missing_is_named(described: Path, content: Path, tmp_path: Path) -> None:
    shutil.rmtree(content / "firmware")
    with pytest.raises(FileNotFoundError, match="firmware"):
        assemble(described, version="1.0.0", folder=content, image=tmp_path / "one.img")
