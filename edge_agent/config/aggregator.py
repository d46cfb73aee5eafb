"""The Aggregator's machine objects of every documented version (1.1, 1.2-1.3, 1.4+), unchanged, mixed in one file."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from msgspec import Struct

from ..model import Identification
from ..secret import Secret
from ..session import Tls
from .entries import MachineEntry, TlsEntry
from .fields import collect, show
from .problem import JsonPath
from .report import Report, nearest
from .secrets import Secrets
from .url import Url, UrlError, parse_url

KIND = "OCTOPRINT"

_KEY_IN_FILE = "1.2-1.3 or 1.4+ (key in a file)"
_KEY_IN_FILE_WITH_PORT = "1.2-1.3 (key in a file)"
_KEY_INSTEAD_OF_PATH = "1.4+ (key in place of the path)"
_API_KEY = "1.1 (api_key)"

INLINE_KEYS = frozenset({_API_KEY, _KEY_INSTEAD_OF_PATH})
"""The dialects in which the key stands in config.json itself."""


class Draft(Struct, frozen=True, kw_only=True):
    """A machine object as read so far; ``None`` where something is wrong and was reported."""

    path: JsonPath
    id: str | None
    name: str | None
    url: Url | None
    key: Secret | None
    dialect: str
    mes_ids: tuple[int, ...]
    umati_port: int | str | None
    poll_interval_s: float | None
    tls: Tls
    identification: Identification


def is_ours(report: Report, value: object, path: JsonPath) -> bool:
    """Whether a machine object is for us; one of another type is warned about and skipped."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or is_our_type(kind):
        return True
    hint = f'; did you mean "{KIND}"?' if nearest(kind, [KIND]) else f"; this agent serves {KIND} only"
    report.warning((*path, "type"), f"machines of type {show(kind)} are skipped{hint}")
    return False


def is_our_type(kind: str) -> bool:
    """Whether ``type`` names the kind of machine served here, in any letter case."""
    return kind.strip().upper() == KIND


def read_machine(report: Report, value: object, path: JsonPath, secrets: Secrets, folder: Path) -> Draft | None:
    """Read one machine object; ``None`` if it is no object at all.

    Args:
        report: takes the problems.
        value: the plain JSON value.
        path: where it stands.
        secrets: finds its key.
        folder: where relative paths start.
    """
    entry = collect(report, value, MachineEntry, path)
    if entry is None:
        return None
    key, dialect = _key(report, entry, path, secrets)
    return Draft(
        path=path,
        id=entry.id,
        name=(entry.custom_name or "").strip() or None,
        url=_url(report, entry.url, (*path, "url")),
        key=key,
        dialect=dialect,
        mes_ids=_mes_ids(report, entry.mes_id, (*path, "mes_id")),
        umati_port=entry.umati_server_port,
        poll_interval_s=entry.poll_interval_s,
        tls=_tls(report, entry.tls, (*path, "tls"), folder),
        identification=_identification(entry),
    )


def _identification(entry: MachineEntry) -> Identification:
    return Identification(
        manufacturer=entry.manufacturer,
        model=entry.model,
        serial_number=entry.serial_number,
        product_code=entry.product_code,
        year_of_construction=entry.year_of_construction,
        location=entry.location,
    )


def _url(report: Report, text: str | None, path: JsonPath) -> Url | None:
    if text is None:
        return None
    try:
        return parse_url(text)
    except UrlError as error:
        report.error(path, str(error))
        return None


def _mes_ids(report: Report, value: int | list[int] | None, path: JsonPath) -> tuple[int, ...]:
    if isinstance(value, int):
        report.warning(path, f"a bare number is taken as a list of one; write [{value}]")
        return (value,)
    if value == []:
        report.warning(path, "is empty, so no MES user sees this machine; put the number of your MES instance: [1]")
    return tuple(value or ())


def _key(report: Report, entry: MachineEntry, path: JsonPath, secrets: Secrets) -> tuple[Secret | None, str]:
    """The key and the version of the machine object that its place tells."""
    there, here = (*path, "api_key"), (*path, "authentication_file_path")
    if report.given(there) and report.given(here):
        report.error(there, "stands beside authentication_file_path; delete one of them")
    elif not report.given(there) and not report.given(here):
        report.error(here, "is missing; name the file that holds the API key of OctoPrint")
    elif entry.api_key is not None:
        return secrets.inline_key(entry.api_key, there), _API_KEY
    elif isinstance(entry.authentication_file_path, dict):
        report.error(here, f"an object is for other types of machine; for {KIND} name the file that holds the API key")
    elif entry.authentication_file_path is not None:
        return _referred_key(secrets.key(entry.authentication_file_path, here), entry)
    return None, ""


def _referred_key(found: tuple[Secret, bool] | None, entry: MachineEntry) -> tuple[Secret | None, str]:
    if found is None:
        return None, ""
    key, inline = found
    if inline:
        return key, _KEY_INSTEAD_OF_PATH
    return key, _KEY_IN_FILE if entry.umati_server_port is None else _KEY_IN_FILE_WITH_PORT


def _tls(report: Report, entry: TlsEntry | None, path: JsonPath, folder: Path) -> Tls:
    if entry is None:
        return Tls()
    if entry.verify is False:
        report.warning(
            (*path, "verify"), "anybody can pretend to be this machine and get its key; use fingerprint or ca_file"
        )
    return Tls(
        ca_file=_ca_file(report, entry.ca_file, (*path, "ca_file"), folder),
        fingerprint=bytes.fromhex(re.sub(":", "", entry.fingerprint)) if entry.fingerprint else None,
        verify=entry.verify is not False,
    )


def _ca_file(report: Report, text: str | None, path: JsonPath, folder: Path) -> Path | None:
    """The certificates to trust, loaded once to see that they can be."""
    if text is None:
        return None
    file = folder / text
    report.watched_files.append(file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except FileNotFoundError:
        report.error(path, f"the file {file} does not exist; create it, or correct the path")
    except ssl.SSLError:
        report.error(path, f"the file {file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    except (OSError, ValueError):
        report.error(path, f"the file {file} cannot be read; check its name, owner and mode")
    else:
        return file
    return None
