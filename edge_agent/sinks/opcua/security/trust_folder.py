"""The clients' certificates, as files below the state folder's ``pki``.

``trusted`` has those that may open a channel, clients' own or of a CA that issues them; ``rejected`` those that tried
to and may not yet, a bounded number; ``revoked`` those that never may, even if a trusted CA issued them. Files may be
DER or PEM, with any name; the agent takes changes over while it runs.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import logging
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from ....errors import UnavailableError
from ....files import give, owner_of, write_private

log = logging.getLogger(__name__)

MOST_REJECTED = 32
CERTIFICATE_BYTES = 16 * 1024
_FEWEST_DIGITS = 8
_MOST_FILES = 1000


class Place(enum.StrEnum):
    """The folders."""

    TRUSTED = "trusted"
    REJECTED = "rejected"
    REVOKED = "revoked"


class Filed(Struct, frozen=True, kw_only=True):
    """One certificate: ``fingerprint`` is the SHA-256 of its DER form, ``since`` the file's date."""

    fingerprint: str
    certificate: x509.Certificate
    place: Place
    path: Path
    since: datetime


_State = tuple[tuple[str, int, int], ...]


class TrustFolder:
    """The three folders of one ``pki`` folder."""

    def __init__(self, pki: Path) -> None:
        self.pki = pki
        self._seen: dict[Place, tuple[_State, dict[str, Filed]]] = {}

    def read(self, place: Place) -> dict[str, Filed]:
        """What is in a folder now, by fingerprint; what is no certificate is skipped, and the log says so once.

        Raises:
            UnavailableError: it may not be read.
        """
        state = self._state(place)
        seen = self._seen.get(place)
        if seen is None or seen[0] != state:
            found = {filed.fingerprint: filed for filed in self._load(place, state)}
            seen = self._seen[place] = (state, found)
        return seen[1]

    def reject(self, der: bytes) -> None:
        """Keep a certificate for a person to look at; the oldest goes. Trouble with the disk is not the client's."""
        folder = self.pki / Place.REJECTED
        file = folder / f"{fingerprint(der)}.der"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if file.exists():
                return
            files = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns)
            for old in files[: max(len(files) - MOST_REJECTED + 1, 0)]:
                old.unlink()
            temporary = folder / f".{file.name}"
            temporary.write_bytes(der)  # not flushed: it comes again, and the event loop waits for this
            temporary.replace(file)

    def approve(self, wanted: str) -> Filed:
        """Trust a certificate that was rejected or revoked.

        Raises:
            UnavailableError: none or several fit, or the files may not be changed.
        """
        return self._move(self._find(wanted, (Place.REJECTED, Place.REVOKED), also=Place.TRUSTED), Place.TRUSTED)

    def revoke(self, wanted: str) -> Filed:
        """Never let this certificate in again, whoever issued it.

        Raises:
            UnavailableError: none or several fit, or the files may not be changed.
        """
        return self._move(self._find(wanted, (Place.TRUSTED, Place.REJECTED), also=Place.REVOKED), Place.REVOKED)

    def _find(self, wanted: str, places: tuple[Place, ...], *, also: Place) -> Filed:
        digits = wanted.replace(":", "").lower()
        if not re.fullmatch(rf"[0-9a-f]{{{_FEWEST_DIGITS},64}}", digits):
            raise UnavailableError(f"{wanted!r} is no fingerprint: give its first {_FEWEST_DIGITS} hex digits or more")
        filed = [each for place in (*places, also) for each in self.read(place).values()]
        found = {each.fingerprint: each for each in reversed(filed) if each.fingerprint.startswith(digits)}
        if not found:
            raise UnavailableError(f'no certificate begins with {digits}; "edge-agent trust list" shows all')
        if len(found) > 1:
            raise UnavailableError(f"{len(found)} certificates begin with {digits}; give more digits")
        return next(iter(found.values()))

    def _move(self, filed: Filed, place: Place) -> Filed:
        """The new place first, so that no moment is without a word on it."""
        der = filed.certificate.public_bytes(Encoding.DER)
        target = self.pki / place / f"{filed.fingerprint}.der"
        try:
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700, parents=True)
                give(target.parent, owner_of(self.pki))
            if filed.place is not place:
                write_private(target, der)
            for other in Place:
                if other is not place and (old := self.read(other).get(filed.fingerprint)):
                    old.path.unlink()
        except OSError as error:
            raise _trouble(error, self.pki) from error
        return Filed(
            fingerprint=filed.fingerprint, certificate=filed.certificate, place=place, path=target, since=filed.since
        )

    def _state(self, place: Place) -> _State:
        try:
            with os.scandir(self.pki / place) as entries:
                files = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
                about = [(entry.name, entry.stat()) for entry in files[:_MOST_FILES]]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise _trouble(error, self.pki) from error
        return tuple((name, found.st_mtime_ns, found.st_size) for name, found in about)

    def _load(self, place: Place, state: _State) -> Iterator[Filed]:
        for name, modified_ns, _ in state:
            path = self.pki / place / name
            try:
                with path.open("rb") as opened:
                    certificate = parse(opened.read(CERTIFICATE_BYTES))
            except (OSError, ValueError) as error:
                log.warning("%s is no certificate that can be read, and is skipped: %s", path, error)
                continue
            der = certificate.public_bytes(Encoding.DER)
            since = datetime.fromtimestamp(modified_ns / 1e9, UTC)
            yield Filed(fingerprint=fingerprint(der), certificate=certificate, place=place, path=path, since=since)


def fingerprint(der: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(der).hexdigest()


def parse(content: bytes) -> x509.Certificate:
    """A certificate of either form.

    Raises:
        ValueError: it is none.
    """
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except x509.InvalidVersion as error:
        raise ValueError(str(error)) from error


def _trouble(error: OSError, pki: Path) -> UnavailableError:
    file = error.filename or pki
    if isinstance(error, PermissionError):
        return UnavailableError(f"{file} is for the agent's user and root only; use sudo")
    return UnavailableError(f"{file}: {error.strerror}; is --state-dir right, and the disk not full?")
