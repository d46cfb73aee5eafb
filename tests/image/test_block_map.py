"""Which blocks a card needs: all that a file system has taken, whether or not they are noughts."""

from __future__ import annotations

import hashlib
import re
import struct
import subprocess
from pathlib import Path

from block_map import BLOCK, Range, ext4_used, fat32_used, write_block_map


def test_of_fat_everything_up_to_the_last_cluster(tmp_path: Path) -> None:
    head = bytearray(512)
    struct.pack_into("<HBHB", head, 11, 512, 8, 32, 2)  # sector, sectors a cluster, reserved sectors, tables
    struct.pack_into("<I", head, 36, 64)  # sectors a table
    table = struct.pack("<5I", 0x0FFFFFF8, 0x0FFFFFFF, 0x0FFFFFFF, 0, 0x0FFFFFFF).ljust(64 * 512, b"\0")
    part = tmp_path / "part"
    part.write_bytes(bytes(head).ljust(32 * 512, b"\0") + table * 2 + bytes(100 * BLOCK))
    ahead = (32 + 2 * 64) * 512 // BLOCK
    assert fat32_used(part) == [Range(0, ahead + 2)]  # clusters 2, 3 and 4


def test_of_ext4_all_but_what_is_free(tmp_path: Path) -> None:
    part = tmp_path / "part"
    command = ["/sbin/mke2fs", "-q", "-t", "ext4", "-b", "4096", "-J", "size=4", "-E", "lazy_journal_init=0"]
    subprocess.run([*command, part, "16M"], check=True)
    used = ext4_used(part)
    assert used[0].first == 0
    told = subprocess.run(["/sbin/dumpe2fs", "-h", part], check=True, capture_output=True, text=True).stdout
    free = int(told.partition("Free blocks:")[2].split()[0])
    assert sum(one.last - one.first + 1 for one in used) == 16 * 256 - free
    where = subprocess.run(
        ["/sbin/debugfs", "-R", "blocks <8>", part], check=True, capture_output=True, text=True
    ).stdout
    journal = [int(block) for block in where.split()]
    assert len(journal) >= 1024
    assert all(any(one.first <= block <= one.last for one in used) for block in journal)


def test_the_map_holds_sums_of_what_counts_and_of_itself(tmp_path: Path) -> None:
    image, target = tmp_path / "image", tmp_path / "image.bmap"
    image.write_bytes(b"a" * BLOCK + b"b" * BLOCK + b"c" * BLOCK + bytes(BLOCK))
    write_block_map(image, [Range(2, 2), Range(0, 0), Range(1, 1)], target)
    text = target.read_text()
    sums = re.findall(r'<Range chksum="(\w+)"> (\S+) <', text)
    assert sums == [(hashlib.sha256(image.read_bytes()[: 3 * BLOCK]).hexdigest(), "0-2")]
    assert "<MappedBlocksCount> 3 <" in text
    (own,) = re.findall(r"<BmapFileChecksum> (\w+) <", text)
    assert hashlib.sha256(text.replace(own, "0" * 64).encode()).hexdigest() == own
