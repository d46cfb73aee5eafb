"""Which blocks of an image have to be written to a card: a block map, as bmaptool reads it.

Made of what the file systems say is in use, not of the holes in the image's file. A hole may well count: an empty
journal is one, and on a card that was flashed before, the older journal would lie there and might be replayed.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4096
_END_OF_FREE = re.compile(r"^ +Free blocks: (.*)$", re.MULTILINE)
_NO_SUM = "0" * 64


@dataclass(frozen=True, order=True)
class Range:
    """Blocks of 4096 bytes, the last one included."""

    first: int
    last: int


def fat32_used(part: Path) -> list[Range]:
    """Everything up to the last cluster in use: the rest of a card may stay as it is."""
    with part.open("rb") as file:
        head = file.read(512)
        (sector, cluster_sectors, reserved, tables) = struct.unpack_from("<HBHB", head, 11)
        (table_sectors,) = struct.unpack_from("<I", head, 36)
        file.seek(reserved * sector)
        table = file.read(table_sectors * sector)
    entries = memoryview(table).cast("I")
    last = max(number for number, entry in enumerate(entries) if entry & 0x0FFFFFFF)
    end = (reserved + tables * table_sectors) * sector + (last - 1) * cluster_sectors * sector
    return [Range(0, (end - 1) // BLOCK)]


def ext4_used(part: Path) -> list[Range]:
    """All but the blocks that are free."""
    told = subprocess.run(
        ["dumpe2fs", part],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    ).stdout
    free = [
        Range(int(first), int(last or first))
        for line in _END_OF_FREE.findall(told)
        for first, _, last in (one.partition("-") for one in line.split(", ") if one)
    ]
    return list(_between(free, part.stat().st_size // BLOCK))


def _between(free: Iterable[Range], blocks: int) -> Iterator[Range]:
    reached = 0
    for one in sorted(free):
        if one.first > reached:
            yield Range(reached, one.first - 1)
        reached = one.last + 1
    if reached < blocks:
        yield Range(reached, blocks - 1)


def _joined(ranges: Iterable[Range]) -> list[Range]:
    found: list[Range] = []
    for one in sorted(ranges):
        if found and one.first <= found[-1].last + 1:
            found[-1] = Range(found[-1].first, max(found[-1].last, one.last))
        else:
            found.append(one)
    return found


def _sum(image: Path, wanted: Range) -> str:
    digest = hashlib.sha256()
    with image.open("rb") as file:
        file.seek(wanted.first * BLOCK)
        left = (wanted.last - wanted.first + 1) * BLOCK
        while left and (chunk := file.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def write_block_map(image: Path, used: Iterable[Range], target: Path) -> None:
    """Version 2.0 of the format. The sum of the map itself is made with 64 noughts in its place."""
    ranges = _joined(used)
    size = image.stat().st_size
    mapped = sum(one.last - one.first + 1 for one in ranges)
    lines = [
        '<?xml version="1.0" ?>',
        '<bmap version="2.0">',
        f"  <ImageSize> {size} </ImageSize>",
        f"  <BlockSize> {BLOCK} </BlockSize>",
        f"  <BlocksCount> {-(-size // BLOCK)} </BlocksCount>",
        f"  <MappedBlocksCount> {mapped} </MappedBlocksCount>",
        "  <ChecksumType> sha256 </ChecksumType>",
        f"  <BmapFileChecksum> {_NO_SUM} </BmapFileChecksum>",
        "  <BlockMap>",
        *(f'    <Range chksum="{_sum(image, one)}"> {one.first}-{one.last} </Range>' for one in ranges),
        "  </BlockMap>",
        "</bmap>",
        "",
    ]
    text = "\n".join(lines)
    target.write_text(text.replace(_NO_SUM, hashlib.sha256(text.encode()).hexdigest(), 1))
