"""Stable machine ids, remembered in ``ids.json`` of the state directory.

An id is in NodeIds and labels, so it must outlive a new address, a new name and any reordering of the file, and must
never go to another machine, not even after its own was removed. A name is identity: addresses change with DHCP.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..files import write_private
from .jsonc import JsonError, read_limited
from .problem import Problem, Severity

_SIZE_LIMIT_BYTES = 16 * 1024 * 1024
_ID_LENGTH = 64
_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "œ": "oe"}
    | {"ł": "l", "đ": "d", "ð": "d", "þ": "th"}
)


class Identity(Struct, frozen=True, kw_only=True):
    """One machine as the file describes it: ``id`` only where the file gives one."""

    id: str | None
    name: str | None
    url: str
    address: str


class Remembered(Struct, frozen=True, kw_only=True):
    """An id that was given out, and to whom. ``retired``: its machine was not in the file last time."""

    id: str
    name: str | None
    url: str
    retired: bool = False


class Memory(Struct, frozen=True, kw_only=True):
    """Every id ever given out."""

    machines: tuple[Remembered, ...] = ()


class IdTakenError(Exception):
    """An explicit id belongs to another machine of the file; ``index`` and ``owner`` say which two."""

    def __init__(self, index: int, owner: int) -> None:
        super().__init__(index, owner)
        self.index = index
        self.owner = owner


def assign(machines: Sequence[Identity], memory: Memory) -> list[str]:
    """Give every machine its id.

    Explicit ids first, then what is remembered for the same name, then for the same url, then a new one.

    Args:
        machines: in file order; explicit ids, names and urls are each unique.
        memory: every id ever given out.

    Returns:
        One id per machine, all different.

    Raises:
        IdTakenError: an explicit id is the remembered one of another machine of the file.
    """
    given = {index: machine.id for index, machine in enumerate(machines) if machine.id}
    rows = sorted(memory.machines, key=lambda row: row.retired)
    known: dict[int, str] = {}
    _recall(machines, rows, known, _same_name)
    _recall(machines, rows, known, _same_address)
    owners = {id_: index for index, id_ in known.items() if index not in given}
    for index, id_ in given.items():
        if id_ in owners:
            raise IdTakenError(index, owners[id_])
    ids = known | given
    _invent(machines, ids, taken={*ids.values(), *(row.id for row in rows)})
    return [ids[index] for index in range(len(machines))]


def _same_name(machine: Identity, row: Remembered) -> bool:
    return machine.name is not None and machine.name == row.name


def _same_address(machine: Identity, row: Remembered) -> bool:
    """A machine renamed in place is the same; one that takes the address of a removed one of another name is not."""
    another = row.retired and machine.name is not None and row.name is not None
    return machine.url == row.url and not another


def _recall(
    machines: Sequence[Identity],
    rows: Iterable[Remembered],
    known: dict[int, str],
    same: Callable[[Identity, Remembered], bool],
) -> None:
    """Add to ``known`` the ids of machines that are the ``same`` as a remembered one that nobody has claimed yet.

    A machine with an explicit id claims its remembered one as well, so that nobody inherits it with the address.
    """
    for row in rows:
        if row.id in known.values():
            continue
        for index, machine in enumerate(machines):
            if index not in known and same(machine, row):
                known[index] = row.id
                break


def _invent(machines: Sequence[Identity], ids: dict[int, str], taken: set[str]) -> None:
    """Make new ids, in an order that does not depend on the file's."""
    new = [index for index in range(len(machines)) if index not in ids]
    for index in sorted(new, key=lambda index: (machines[index].name or "", machines[index].url)):
        machine = machines[index]
        ids[index] = _free(slug(machine.name or "") or slug(machine.address) or "machine", taken)
        taken.add(ids[index])


def _free(base: str, taken: set[str]) -> str:
    name, number = base, 1
    while name in taken:
        number += 1
        suffix = f"-{number}"
        name = base[: _ID_LENGTH - len(suffix)].rstrip("-") + suffix
    return name


def slug(text: str) -> str:
    """Lower-case letters, digits and hyphens: ``Prusa MK3S (Büro)`` becomes ``prusa-mk3s-buero``; may be empty."""
    lower = unicodedata.normalize("NFC", text).lower().translate(_LETTERS)
    plain = unicodedata.normalize("NFKD", lower).lower()
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", bare).strip("-")[:_ID_LENGTH].rstrip("-")


def updated(memory: Memory, machines: Sequence[Identity], ids: Sequence[str]) -> Memory:
    """The memory after this file: its machines as they are now, all others retired."""
    now = {
        id_: Remembered(id=id_, name=machine.name, url=machine.url) for id_, machine in zip(ids, machines, strict=True)
    }
    kept = [now.pop(row.id, replace(row, retired=True)) for row in memory.machines]
    return Memory(machines=(*kept, *(now[id_] for id_ in sorted(now))))


class IdsFile:
    """``ids.json`` in the state directory. ``problems`` are warnings: a lost memory must not stop the agent."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "ids.json"
        self._usable = True
        self._corrupt = False
        self.problems: list[Problem] = []

    def read(self) -> Memory:
        """What is remembered; nothing if the file is missing or damaged."""
        try:
            if not self._file.exists():
                return Memory()
            return msgspec.json.decode(read_limited(self._file, _SIZE_LIMIT_BYTES), type=Memory)
        except (msgspec.DecodeError, RecursionError):
            self._corrupt = True
            self._warn(f"is damaged, so ids are made anew; the damaged file is kept as {self._file.name}.bad")
        except (JsonError, OSError) as error:
            self._usable = False
            self._warn(error.text if isinstance(error, JsonError) else f"cannot be read: {error.strerror}")
        return Memory()

    def write(self, memory: Memory) -> None:
        """Remember, durably; a damaged file is set aside first."""
        if not self._usable:
            return
        try:
            if self._corrupt:
                self._file.replace(self._file.with_name("ids.json.bad"))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_private(self._file, msgspec.json.format(msgspec.json.encode(memory), indent=2) + b"\n")
        except OSError as error:
            self._warn(f"machine ids cannot be remembered: {error.strerror}; make the folder writable")

    def _warn(self, text: str) -> None:
        self.problems.append(Problem(file=str(self._file), text=text, severity=Severity.WARNING))


def remembered(file: IdsFile, machines: Sequence[Identity], *, remember: bool) -> list[str]:
    """The ids of ``machines``, remembered for next time if ``remember``.

    Raises:
        IdTakenError: as `assign`.
    """
    memory = file.read()
    ids = assign(machines, memory)
    after = updated(memory, machines, ids)
    if remember and after != memory:
        file.write(after)
    return ids
