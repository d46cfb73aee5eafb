"""The print journal, looked at in a copy: the agent's own file is neither opened nor locked by anybody else.

Opened where it is, SQLite would make files beside it, and fold its log into it. While the agent writes, a copy of two
files may be of two moments; then another is made.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ...journal.schema import SCHEMA_VERSION
from .finding import Finding, bad, ok, unseen
from .patient import Patient
from .rights import opened

FILE = "journal.db"
_LARGEST_BYTES = 64 << 20
_TRIES = 4
_SET_ASIDE = f"{FILE}.bad-*"


class Unreadable(Exception):
    """The journal cannot be copied, and why."""


@contextmanager
def copy(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """The journal as it was a moment ago, open for reading.

    Raises:
        FileNotFoundError: there is none.
        OSError: it may not be read.
        Unreadable: it is too large, or changes all the time.
    """
    source = state_dir / FILE
    with tempfile.TemporaryDirectory(prefix="edge-agent-") as folder:
        target = Path(folder) / FILE
        _copied(source, target)
        with closing(sqlite3.connect(target)) as connection:
            yield connection


def _copied(source: Path, target: Path) -> None:
    for _ in range(_TRIES):
        before = _state(source)
        if sum(size for _, size in before) > _LARGEST_BYTES:
            raise Unreadable(f"larger than {_LARGEST_BYTES >> 20} MiB, which the agent never lets it become")
        for ending in ("", "-wal"):
            part = source.with_name(source.name + ending)
            there = target.with_name(target.name + ending)
            there.unlink(missing_ok=True)
            if part.exists() or not ending:
                with opened(part, source.parent) as ours, there.open("wb") as copied:
                    shutil.copyfileobj(ours, copied)
        if _state(source) == before:
            return
    raise Unreadable("it changes too often to be copied; try again")


def _state(source: Path) -> list[tuple[int, int]]:
    files = [source, source.with_name(f"{source.name}-wal")]
    return [(about.st_mtime_ns, about.st_size) for file in files if file.exists() and (about := file.stat())]


def prints(patient: Patient) -> Iterator[Finding]:
    """Is it whole, and of a version we know."""
    file = patient.state_dir / FILE
    restore = (
        f"the agent sets it aside and begins a new one when it notices; a backup goes to {file} while it is stopped"
    )
    try:
        with copy(patient.state_dir) as journal:
            found = str(journal.execute("PRAGMA quick_check(1)").fetchone()[0])
            version = int(journal.execute("PRAGMA user_version").fetchone()[0])
            runs = int(journal.execute("SELECT count(*) FROM runs").fetchone()[0]) if version else 0
    except FileNotFoundError:
        yield unseen(f"there is no {file} yet: the agent makes it")
        return
    except Unreadable as error:
        yield unseen(f"{file}: {error}")
        return
    except OSError as error:
        yield unseen(f"{file}: {error.strerror}", "run this with sudo")
        return
    except sqlite3.Error as error:
        yield bad(f"{file} is damaged: {error}", restore)
        return
    if found != "ok":
        yield bad(f"{file} is damaged: {found}", restore)
    elif version > SCHEMA_VERSION:
        yield bad(
            f"{file} was made by a newer agent (version {version}, ours {SCHEMA_VERSION})",
            "update the agent, or move the file away",
        )
    else:
        yield ok(f"whole, {runs} print{'' if runs == 1 else 's'}")
    aside = [path.name for path in sorted(patient.state_dir.glob(_SET_ASIDE)) if path.name[-4:] not in {"-wal", "-shm"}]
    if aside:
        yield unseen(f"damaged ones were set aside: {', '.join(aside[-3:])}", "delete them when nobody needs them")
