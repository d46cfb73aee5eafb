"""The endpoint's own certificate: made at the first start, kept, and made anew from the same key before it expires.

The key stays, so that there is never a moment at which key and certificate on disk are of two kinds; clients have to
trust a new certificate either way, for it is self-signed. Whoever wants a new key deletes both files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from .... import RELEASED
from ....errors import UnavailableError
from ....files import write_private
from .addresses import names
from .client_certificate import KEY_BITS, Refusal, uris
from .trust_folder import fingerprint

log = logging.getLogger(__name__)

CERTIFICATE = "certificate.der"
KEY = "private-key.pem"
RENEWED_BEFORE = timedelta(days=30)
_VALID = timedelta(days=3650)
_EARLIER = timedelta(days=1)
"""A client whose clock is a little behind takes a certificate for valid that was made just now."""
_BITS = 3072
_LOOK_AT_CLOCK_S = 1.0
_COMMON_NAME_LENGTH = 64


class Identity(Struct, frozen=True):
    """Certificate and key of the endpoint."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        """The certificate as it goes over the wire."""
        return self.certificate.public_bytes(Encoding.DER)


class OwnCertificate:
    """The two files of one ``pki`` folder.

    Args:
        folder: made if missing; both files are mode 0600.
        application_uri: named in the certificate, as clients compare it.
        hostname: of the endpoint's URL.
        now: the wall clock.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        application_uri: str,
        hostname: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._folder = folder
        self._application_uri = application_uri
        self._hostname = hostname
        self._now = now
        self._sleep = sleep

    async def obtain(self, waiting: Callable[[], None] = lambda: None) -> Identity:
        """The identity to serve with: what is there if it will do, else a new certificate.

        A clock before this version's release is wrong. Then what is there is served, and nothing is made:
        ``waiting`` is called once, and this returns when the clock has been set.

        Raises:
            UnavailableError: the folder or what is in it cannot be used.
        """
        certificate, key = await asyncio.to_thread(self._load)
        if certificate and key and not self._fault(certificate):
            self._doubt_clock(certificate)
            return Identity(certificate, key)
        if self._clock_is_wrong():
            log.warning(
                "the clock says %s, which cannot be: the endpoint's certificate is made, and the endpoint opened, "
                "as soon as it is set (is there a time server in this network?)",
                f"{self._now():%Y-%m-%d %H:%M}",
            )
            waiting()
        while self._clock_is_wrong():
            await self._sleep(_LOOK_AT_CLOCK_S)
        return await asyncio.to_thread(self._make, certificate, key)

    async def renewed(self, identity: Identity) -> Identity | None:
        """The new identity if it was time for one.

        Raises:
            UnavailableError: it cannot be written.
        """
        if not self._fault(identity.certificate):
            return None
        return await asyncio.to_thread(self._make, identity.certificate, identity.key)

    def _doubt_clock(self, certificate: x509.Certificate) -> None:
        """A computer without a clock of its own boots in the past: no reason for a new certificate."""
        if self._now() < certificate.not_valid_before_utc:
            log.warning(
                "the clock says %s, and the endpoint's certificate is valid from %s: one of them is wrong, and clients "
                "will refuse it; if the clock is right, delete %s and start the agent anew",
                f"{self._now():%Y-%m-%d %H:%M}",
                f"{certificate.not_valid_before_utc:%Y-%m-%d}",
                self._folder / CERTIFICATE,
            )

    def _clock_is_wrong(self) -> bool:
        return self._now() < RELEASED

    def _fault(self, certificate: x509.Certificate) -> str:
        """Why it will not do. A clock that is behind makes no certificate expire."""
        if self._application_uri not in uris(certificate):
            return f"it is not of {self._application_uri}"
        if certificate.not_valid_after_utc - self._now() < RENEWED_BEFORE:
            return f"it expires on {certificate.not_valid_after_utc:%Y-%m-%d}"
        return ""

    def _load(self) -> tuple[x509.Certificate | None, rsa.RSAPrivateKey | None]:
        """What is on disk.

        Raises:
            UnavailableError: it may not be read, or is damaged.
        """
        try:
            certificate, key = _read(self._folder / CERTIFICATE), _read(self._folder / KEY)
            return _checked(
                x509.load_der_x509_certificate(certificate) if certificate is not None else None,
                _key(key) if key is not None else None,
            )
        except OSError as error:
            raise self._trouble(error) from error
        except (ValueError, TypeError, Refusal) as error:
            raise UnavailableError(
                f"certificate folder {self._folder}: its files are damaged; restore them from a backup, or delete "
                f"{CERTIFICATE} and {KEY} to get new ones, which clients will have to trust again"
            ) from error

    def _make(self, old: x509.Certificate | None, key: rsa.RSAPrivateKey | None) -> Identity:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if key is None:
                log.info("making the endpoint's key: this may take a minute on a small computer")
                key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
                pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                write_private(self._folder / KEY, pem)
            made = Identity(self._certificate(key), key)
            if old is not None:
                self._keep(old)
            write_private(self._folder / CERTIFICATE, made.der)
        except OSError as error:
            raise self._trouble(error) from error
        log.info("made the endpoint's certificate %s: %s", fingerprint(made.der), self._folder / CERTIFICATE)
        if old is not None:
            log.warning(
                "it replaces %s (%s): clients that have trusted that one have to trust the new one",
                fingerprint(old.public_bytes(Encoding.DER)),
                self._fault(old) or "its key was missing",
            )
        return made

    def _keep(self, old: x509.Certificate) -> None:
        der = old.public_bytes(Encoding.DER)
        folder = self._folder / "old"
        folder.mkdir(mode=0o700, exist_ok=True)
        write_private(folder / f"{fingerprint(der)}.der", der)

    def _certificate(self, key: rsa.RSAPrivateKey) -> x509.Certificate:
        """As OPC 10000-6, 6.2.2 wants it."""
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, f"edge-agent@{self._hostname}"[:_COMMON_NAME_LENGTH]),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "edge-agent"),
            ]
        )
        public = key.public_key()
        uri = x509.UniformResourceIdentifier(self._application_uri)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now() - _EARLIER)
            .not_valid_after(self._now() + _VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .add_extension(x509.SubjectAlternativeName([uri, *names(self._hostname)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_USAGE, critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
        )
        return builder.sign(key, hashes.SHA256())

    def _trouble(self, error: OSError) -> UnavailableError:
        return UnavailableError(f"certificate folder {self._folder}: {error.strerror}; give this user write access")


_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=True,
    key_encipherment=True,
    data_encipherment=True,
    key_agreement=False,
    key_cert_sign=True,  # of itself: it is self-signed
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _key(pem: bytes) -> object:
    """Our own key: a check of its primes would take a tenth of the agent's start."""
    return load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)


def _read(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _checked(
    certificate: x509.Certificate | None, key: object
) -> tuple[x509.Certificate | None, rsa.RSAPrivateKey | None]:
    """Both, if they are of a kind and belong together.

    Raises:
        ValueError: they are not.
    """
    if certificate is not None:
        uris(certificate)
    if key is None:
        return certificate, None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size not in KEY_BITS:
        raise ValueError("not an RSA key of 2048 to 4096 bits")
    if certificate is not None and certificate.public_key() != key.public_key():
        raise ValueError("of another key")
    return certificate, key
