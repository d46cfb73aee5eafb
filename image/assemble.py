"""One disk image of a folder and a tar: partitions.toml says how. Nothing is mounted, and no root is needed.

    assemble.py disk-id VERSION
    assemble.py image PARTITIONS VERSION FOLDER IMAGE
        FOLDER holds what partitions name as their content: a folder of that name, or NAME.tar.

The same content, version and SOURCE_DATE_EPOCH give the same bytes. Beside IMAGE, IMAGE.bmap tells which blocks count.
Needs mke2fs 1.47.1 or newer, mkfs.vfat and mtools.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from block_map import Range, ext4_used, fat32_used, write_block_map

MIB = 1024 * 1024
SECTOR = 512
_TYPES = {"fat32": 0x0C, "ext4": 0x83}
_NAMESPACE = uuid.UUID("7f0c35a1-52f4-4b7c-9d53-2f4b3ad1c6de")  # ours, drawn once
_CYLINDERS_DO_NOT_COUNT = b"\xfe\xff\xff"


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A line of the partition table, in sectors of 512 bytes, and what it holds."""

    number: int
    label: str
    filesystem: str
    start: int
    sectors: int
    content: str | None
    grows_to_mib: int | None

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.sectors * SECTOR


def read_partitions(file: Path) -> list[Partition]:
    """Place them one after the other, each on a boundary of ``align_mib``.

    Raises:
        ValueError: the file asks for what cannot be; the text says what.
    """
    described = tomllib.loads(file.read_text())
    align = described["disk"]["align_mib"] * MIB // SECTOR
    start, found = align, []
    for number, wanted in enumerate(described["partition"], start=1):
        label, filesystem = wanted["label"], wanted["filesystem"]
        if filesystem not in _TYPES:
            raise ValueError(f"{file}: {label}: no file system {filesystem!r}; there is {' and '.join(_TYPES)}")
        if len(label) > (longest := 11 if filesystem == "fat32" else 16):
            raise ValueError(f"{file}: the label {label} is longer than the {longest} letters of {filesystem}")
        found.append(
            Partition(
                number=number,
                label=label,
                filesystem=filesystem,
                start=start,
                sectors=wanted["size_mib"] * MIB // SECTOR,
                content=wanted.get("content"),
                grows_to_mib=wanted.get("grows_to_mib"),
            )
        )
        start += -(-found[-1].sectors // align) * align
    if len(found) > 4:
        raise ValueError(f"{file}: {len(found)} partitions; a table that every board reads has four")
    return found


def disk_id(version: str) -> int:
    """Its 32 bits, as in PARTUUID=12345678-02: never nought, which would mean none."""
    return uuid.uuid5(_NAMESPACE, f"disk {version}").int & 0xFFFFFFFF or 1


def _uuid(version: str, partition: Partition) -> uuid.UUID:
    return uuid.uuid5(_NAMESPACE, f"{partition.label} {version}")


def partition_table(identifier: int, partitions: Sequence[Partition]) -> bytes:
    """The first sector: a master boot record, which the ROM of a Raspberry Pi 3 needs."""
    lines = b"".join(
        struct.pack(
            "<B3sB3sII",
            0,
            _CYLINDERS_DO_NOT_COUNT,
            _TYPES[partition.filesystem],
            _CYLINDERS_DO_NOT_COUNT,
            partition.start,
            partition.sectors,
        )
        for partition in partitions
    )
    return b"\0" * 440 + struct.pack("<IH", identifier, 0) + lines.ljust(64, b"\0") + b"\x55\xaa"


def _run(*command: str | Path) -> None:
    environment = {**os.environ, "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def make_fat32(target: Path, partition: Partition, content: Path | None, *, version: str) -> None:
    """Fill it in the order of names, since the order of a folder is the order of writing."""
    volume = f"{_uuid(version, partition).int & 0xFFFFFFFF:08x}"
    with target.open("wb") as file:
        file.truncate(partition.size)
    _run("mkfs.vfat", "--invariant", "-F", "32", "-s", "8", "-n", partition.label, "-i", volume, target)
    for folder, names in _walk(content) if content else ():
        inside = "/".join(("::", *folder.relative_to(content or folder).parts))
        if inside != "::":
            _run("mmd", "-i", target, inside)
        if names:
            _run("mcopy", "-m", "-i", target, *names, f"{inside}/")


def _walk(top: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder with its files, by name."""
    entries = sorted(top.iterdir())
    yield top, [entry for entry in entries if entry.is_file()]
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry)


def make_ext4(target: Path, partition: Partition, content: Path | None, *, version: str) -> None:
    """No table is left to be zeroed later: that would be writing for nothing, and an older journal might stay."""
    identifier = str(_uuid(version, partition))
    extended = [f"hash_seed={identifier}", "lazy_itable_init=0", "lazy_journal_init=0", "root_owner=0:0"]
    if partition.grows_to_mib:
        extended.append(f"resize={partition.grows_to_mib * MIB // 4096}")
    filled: list[str | Path] = ["-d", content] if content else []
    journal_mib = max(4, min(32, partition.size // MIB // 8))
    target.unlink(missing_ok=True)
    _run(
        *("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-i", "16384", "-m", "1", "-J", f"size={journal_mib}"),
        *("-L", partition.label, "-U", identifier, "-E", ",".join(extended), *filled),
        *(target, f"{partition.size // 1024}k"),
    )


def _content(folder: Path, partition: Partition) -> Path | None:
    if partition.content is None:
        return None
    for found in (folder / f"{partition.content}.tar", folder / partition.content):
        if found.exists():
            return found
    raise FileNotFoundError(f"{folder} holds neither {partition.content}.tar nor a folder {partition.content}")


def _copy_into(image: Path, offset: int, part: Path) -> None:
    with image.open("r+b") as target, part.open("rb") as source:
        while chunk := source.read(MIB):
            if any(chunk):  # what is zero stays a hole
                target.seek(offset)
                target.write(chunk)
            offset += len(chunk)


def assemble(file: Path, *, version: str, folder: Path, image: Path) -> None:
    """Write ``image`` and its block map; of an interrupted run only names ending in .part are left."""
    partitions = read_partitions(file)
    unfinished = image.with_name(image.name + ".part")
    used = [Range(0, 0)]
    with unfinished.open("wb") as target:
        target.write(partition_table(disk_id(version), partitions))
        target.truncate(partitions[-1].start * SECTOR + partitions[-1].size)
    for partition in partitions:
        part = image.with_name(f"{image.name}.{partition.number}.part")
        content = _content(folder, partition)
        if partition.filesystem == "fat32":
            make_fat32(part, partition, content, version=version)
            ranges = fat32_used(part)
        else:
            make_ext4(part, partition, content, version=version)
            ranges = ext4_used(part)
        first = partition.start * SECTOR // 4096
        used += [Range(first + one.first, first + one.last) for one in ranges]
        _copy_into(unfinished, partition.start * SECTOR, part)
        part.unlink()
    write_block_map(unfinished, used, image.with_name(image.name + ".bmap"))
    unfinished.replace(image)


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    match arguments:
        case ["disk-id", version]:
            print(f"{disk_id(version):08x}")
        case ["image", partitions, version, folder, image]:
            assemble(Path(partitions), version=version, folder=Path(folder), image=Path(image))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
