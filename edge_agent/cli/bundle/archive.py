"""The archive itself: a tar that tells nothing of who made it."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable

from msgspec import Struct

from ...files import PRIVATE

MOST_BYTES = 2 << 20
"""Of one member."""
_CUT = "\n(the rest was left out: too long)\n"
_CUT_AT_BEGIN = "(what came before was left out: too long)\n"


class Member(Struct, frozen=True, kw_only=True):
    """One text of the bundle. ``about`` is what it is, in a few words; of a log the end counts most."""

    name: str
    about: str
    text: str
    keep_end: bool = False

    @property
    def content(self) -> bytes:
        """As it is kept, of bounded size."""
        raw = self.text.encode("utf-8", "replace")
        if len(raw) <= MOST_BYTES:
            return raw
        kept = raw[-MOST_BYTES:] if self.keep_end else raw[:MOST_BYTES]
        text = kept.decode("utf-8", "ignore")
        return f"{_CUT_AT_BEGIN}{text}".encode() if self.keep_end else f"{text}{_CUT}".encode()


def archive(folder: str, members: Iterable[Member], *, mtime: int) -> bytes:
    """A tar.gz of the members below ``folder``: no owner, no host, no name in its head."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=mtime) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in members:
            about = tarfile.TarInfo(f"{folder}/{member.name}")
            about.size, about.mtime, about.mode = len(member.content), mtime, PRIVATE
            tar.addfile(about, io.BytesIO(member.content))
    return out.getvalue()
