"""The boot partition: read as it is, written only on purpose, in words for every PC."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from .files import replace
from .shell import Run

OURS = re.compile(
    r"readme\.txt|status\.txt|config-problems\.txt|update-result\.txt|"
    r"edge-agent-.*\.tar\.gz(\.sig)?(\.(refused|failed))?|config\.json\.example|"
    r"\..*|thumbs\.db|desktop\.ini|system volume information|.*\.wiping",
    re.IGNORECASE,
)
"""What lies in the folder and is nobody's configuration: our own texts, updates, and what PCs leave everywhere."""

Writable = Callable[[], AbstractContextManager[None]]


@contextmanager
def writable(mount_point: Path, run: Run) -> Iterator[None]:
    """Inside, a partition that is mounted read-only can be written; afterwards everything is on the disk.

    Raises:
        OSError: it cannot be made writable: the card's lock switch, or a card at the end of its life.
    """
    said = run("mount", "-o", "remount,rw", str(mount_point))
    if not said.good:
        raise OSError(f"{mount_point} cannot be made writable: {said.reason}; is the card locked or worn out?")
    try:
        yield
    finally:
        run("sync", "-f", str(mount_point))
        run("mount", "-o", "remount,ro", str(mount_point))


def write_text(file: Path, text: str) -> bool:
    """Write a text for Windows' Notepad (CRLF, and a mark that says UTF-8), if it is not what is there already.

    Returns:
        Whether anything was written.
    """
    content = b"\xef\xbb\xbf" + text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    if file.is_file() and file.read_bytes() == content:
        return False
    replace(file, content)
    return True


def read_text(file: Path) -> str:
    """A text as a PC wrote it: UTF-8 with or without a mark, or UTF-16, as some Windows editors write.

    Raises:
        UnicodeDecodeError: neither.
    """
    raw = file.read_bytes()
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    return raw.decode("utf-16" if wide else "utf-8-sig")
