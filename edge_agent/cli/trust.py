"""``edge-agent trust``: which client certificates may open a channel."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import msgspec
from cryptography import x509
from msgspec import Struct

from ..errors import ExitCode
from ..sinks.opcua.security.client_certificate import MALFORMED, Refusal, uris
from ..sinks.opcua.security.trust_folder import Filed, Place, TrustFolder

_SHOWN_DIGITS = 16
_SHOWN_LENGTH = 80


class Line(Struct, frozen=True, kw_only=True):
    """One certificate. Name and URI are the client's own words, without what a terminal would obey."""

    place: Place
    fingerprint: str
    name: str
    application_uri: str
    valid_until: str
    since: str


def list_trust(*, state_dir: Path, as_json: bool, out: TextIO) -> ExitCode:
    """Print all certificates, the latest first in each folder.

    Raises:
        UnavailableError: the folders may not be read.
    """
    folder = TrustFolder(state_dir / "pki")
    lines = [
        _line(filed)
        for place in Place
        for filed in sorted(folder.read(place).values(), key=lambda each: each.since, reverse=True)
    ]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(lines), indent=2).decode(), file=out)
        return ExitCode.OK
    for line in lines:
        short = line.fingerprint[:_SHOWN_DIGITS]
        print(f"{line.place:<8}  {short}  until {line.valid_until}  {line.name}  {line.application_uri}", file=out)
    if not lines:
        print("no certificates yet; a client that tried to connect and was not trusted is listed here", file=out)
    return ExitCode.OK


def approve(wanted: str, *, state_dir: Path, out: TextIO) -> ExitCode:
    """Trust a certificate; a running agent takes it over.

    Raises:
        UnavailableError: no or several certificates fit, or the files may not be changed.
    """
    return _say(TrustFolder(state_dir / "pki").approve(wanted), out)


def revoke(wanted: str, *, state_dir: Path, out: TextIO) -> ExitCode:
    """Never let a certificate in again; a running agent takes it over.

    Raises:
        UnavailableError: no or several certificates fit, or the files may not be changed.
    """
    return _say(TrustFolder(state_dir / "pki").revoke(wanted), out)


def _say(filed: Filed, out: TextIO) -> ExitCode:
    line = _line(filed)
    print(f"{line.place}: {line.fingerprint[:_SHOWN_DIGITS]}  {line.name}  {line.application_uri}", file=out)
    return ExitCode.OK


def _line(filed: Filed) -> Line:
    return Line(
        place=filed.place,
        fingerprint=filed.fingerprint,
        name=_plain(_name(filed.certificate)),
        application_uri=_plain(_uri(filed.certificate)),
        valid_until=f"{filed.certificate.not_valid_after_utc:%Y-%m-%d}",
        since=f"{filed.since:%Y-%m-%dT%H:%M:%SZ}",
    )


def _name(certificate: x509.Certificate) -> str:
    try:
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except MALFORMED:
        return ""
    return str(names[0].value) if names else ""


def _uri(certificate: x509.Certificate) -> str:
    try:
        found = uris(certificate)
    except Refusal:
        return ""
    return found[0] if found else ""


def _plain(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN_LENGTH])
    return shown or "-"
