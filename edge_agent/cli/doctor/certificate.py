"""The endpoint's own certificate: clients refuse one that is over, of another name, or of another application."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509

from ...sinks.opcua.security.addresses import names
from ...sinks.opcua.security.certificate import CERTIFICATE, KEY
from ...sinks.opcua.security.client_certificate import MALFORMED, Refusal, uris
from .finding import Finding, bad, look, ok, unseen
from .patient import Patient
from .rights import opened, text_of

_MOST_BYTES = 64 * 1024
_SOON = timedelta(days=30)
_ANEW = "sudo rm {file} && sudo systemctl restart edge-agent makes a new one, which clients have to trust anew"


def certificate(patient: Patient) -> Iterator[Finding]:
    """All that a client looks at, but for the key: that is never read."""
    file = patient.state_dir / "pki" / CERTIFICATE
    try:
        with opened(file, patient.state_dir) as der:
            content = der.read(_MOST_BYTES)
        has_key = (file.parent / KEY).exists()
    except FileNotFoundError:
        yield unseen("there is none yet: the agent makes it at its first start, once the clock is set")
        return
    except OSError as error:
        yield unseen(f"{file}: {error.strerror}", "run this with sudo")
        return
    anew = _ANEW.format(file=file)
    try:
        found = x509.load_der_x509_certificate(content)
        findings = [*_life(patient, found, anew), *_names(patient, found, anew)]
    except (*MALFORMED, x509.ExtensionNotFound, Refusal):
        yield bad(f"{file} is damaged", f"restore it from a backup; or {anew}")
        return
    if not has_key:
        findings.append(bad(f"its key {KEY} is missing", f"restore it from a backup; or {anew}"))
    yield from findings or [ok(f"valid until {found.not_valid_after_utc:%Y-%m-%d}, of this host and this agent")]


def _life(patient: Patient, found: x509.Certificate, anew: str) -> Iterator[Finding]:
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    if patient.now < begins:
        yield bad(
            f"it is valid from {begins:%Y-%m-%d}, and the clock says {patient.now:%Y-%m-%d}",
            f"set the clock; if it is right, {anew}",
        )
    elif patient.now > ends:
        yield bad(f"it ended on {ends:%Y-%m-%d}", f"is the clock right? {anew}")
    elif patient.now > ends - _SOON:
        yield look(f"it ends on {ends:%Y-%m-%d}", f"the agent renews it by itself; {anew}")


def _names(patient: Patient, found: x509.Certificate, anew: str) -> Iterator[Finding]:
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    identity = patient.state_dir / "device-uuid"
    try:
        uri = f"urn:edge-agent:{text_of(identity, patient.state_dir).strip()}"
    except OSError:
        uri = ""
    if uri and uri not in uris(found):
        yield bad(f"it is not of this agent ({uri})", f"was the state folder copied? {anew}")
    config = patient.reading.config
    hostname = (config.opcua.hostname if config else None) or socket.gethostname()
    known = {name.lower() for name in alternatives.get_values_for_type(x509.DNSName)}
    known |= {str(address) for address in alternatives.get_values_for_type(x509.IPAddress)}
    if hostname.lower() not in known and hostname.isascii():
        yield look(f"the host is called {hostname}, the certificate does not know that name", _for_strict(anew))
    now = {str(name.value) for name in names(hostname) if isinstance(name, x509.IPAddress)}
    now = {text for text in now if ipaddress.ip_address(text).version == 4 and not text.startswith("127.")}
    if now and not now & known:
        yield look(
            f"the host's address is {', '.join(sorted(now))} now, the certificate was made for another",
            _for_strict(anew),
        )


def _for_strict(anew: str) -> str:
    return f"only clients that compare names refuse it; {anew}"
