"""What a client's certificate must be, step by step (OPC 10000-4, 6.1.3; the fields: OPC 10000-6, 6.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID

E = TypeVar("E", bound=x509.ExtensionType)

KEY_BITS = range(2048, 4096 + 1)
"""What the security policies allow; with a shorter one of the client, others read what the server sends it."""
_LONGEST_CHAIN = 5
_WEAK_HASHES = {"md5", "sha1"}
_SEQUENCE = 0x30


MALFORMED = (
    ValueError,
    TypeError,
    IndexError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises at certificates that somebody made up, as late as when a field is looked at."""


class Refusal(Exception):
    """Why a certificate is not accepted; ``code`` is the OPC UA status' name."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def split(content: bytes) -> list[x509.Certificate]:
    """The client's own certificate and those it sent along, one after the other in DER.

    Raises:
        Refusal: that is not what it is.
    """
    found: list[x509.Certificate] = []
    try:
        while content and len(found) < _LONGEST_CHAIN:
            length = _der_length(content)
            found.append(x509.load_der_x509_certificate(content[:length]))
            content = content[length:]
    except MALFORMED as error:
        raise Refusal("BadCertificateInvalid", "it is no certificate") from error
    if not found or content:
        raise Refusal("BadCertificateInvalid", "it is no certificate, or a chain of too many")
    return found


def check_key(certificate: x509.Certificate) -> None:
    """Only what the security policies allow.

    Raises:
        Refusal: it is another one.
    """
    try:
        key = certificate.public_key()
        weak = certificate.signature_hash_algorithm is None or certificate.signature_hash_algorithm.name in _WEAK_HASHES
    except MALFORMED as error:
        raise Refusal("BadCertificatePolicyCheckFailed", "its key or signature is of an unknown kind") from error
    if not isinstance(key, RSAPublicKey) or key.key_size not in KEY_BITS:
        raise Refusal("BadCertificatePolicyCheckFailed", "its key is not RSA of 2048 to 4096 bits")
    if weak:
        raise Refusal("BadCertificatePolicyCheckFailed", "it is signed with MD5 or SHA-1")


def issuers(chain: Sequence[x509.Certificate], trusted: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates from the client's issuer up to the first that is trusted; none if the client's own is.

    Raises:
        Refusal: nobody who is trusted vouches for it.
    """
    anchors = list(trusted)
    above: list[x509.Certificate] = []
    current = chain[0]
    while current not in anchors:
        issuer = next((each for each in (*anchors, *chain[1:]) if each not in above and _issued(each, current)), None)
        if issuer is None:
            raise Refusal("BadCertificateUntrusted", "it is not trusted")
        above.append(issuer)
        current = issuer
    return above


def check_time(certificate: x509.Certificate, now: datetime) -> None:
    """Within its validity.

    Raises:
        Refusal: not so.
    """
    if now < certificate.not_valid_before_utc:
        raise Refusal("BadCertificateTimeInvalid", f"it is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}")
    if now > certificate.not_valid_after_utc:
        raise Refusal("BadCertificateTimeInvalid", f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}")


def check_usage(certificate: x509.Certificate) -> None:
    """May sign and encrypt, as a client. Without an extension nothing is ruled out.

    Raises:
        Refusal: not so.
    """
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not (usage.digital_signature and usage.data_encipherment):
        raise Refusal("BadCertificateUseNotAllowed", "its key usage lacks digitalSignature or dataEncipherment")
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if extended is not None and not allowed & set(extended):
        raise Refusal("BadCertificateUseNotAllowed", "its extended key usage lacks clientAuth")


def check_uri(certificate: x509.Certificate, application_uri: str) -> None:
    """Is of the application that shows it.

    Raises:
        Refusal: not so.
    """
    if application_uri not in uris(certificate):
        raise Refusal("BadCertificateUriInvalid", "it does not name the client's ApplicationUri")


def uris(certificate: x509.Certificate) -> list[str]:
    """The URIs that it names; the first is the application's.

    Raises:
        Refusal: it cannot be read.
    """
    names = _extension(certificate, x509.SubjectAlternativeName)
    return names.get_values_for_type(x509.UniformResourceIdentifier) if names else []


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """True if ``issuer`` is a CA and signed it."""
    constraints = _extension(issuer, x509.BasicConstraints)
    usage = _extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*MALFORMED, InvalidSignature):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except MALFORMED as error:
        raise Refusal("BadCertificateInvalid", "an extension of it cannot be read") from error


def _der_length(content: bytes) -> int:
    """How many bytes the first element has, its head included."""
    if content[0] != _SEQUENCE:
        raise ValueError("no sequence")
    if content[1] < 0x80:
        return 2 + content[1]
    digits = content[1] & 0x7F
    return 2 + digits + int.from_bytes(content[2 : 2 + digits], "big")
