"""Certificates of made-up clients and authorities."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Issued(Struct, frozen=True):
    """A certificate and the key it is of."""

    certificate: x509.Certificate
    key: Key
    name: str

    @property
    def der(self) -> bytes:
        """As it goes over the wire."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """As people copy it."""
        return self.certificate.public_bytes(Encoding.PEM)


@cache
def key(_name: str | int, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same name: making one takes its time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def issue(
    name: str,
    *,
    at: datetime,
    days: float = 365,
    uri: str | None = None,
    by: Issued | None = None,
    ca: bool = False,
    own_key: Key | None = None,
    usage: dict[str, bool] | None = None,
    extended: tuple[Any, ...] = (ExtendedKeyUsageOID.CLIENT_AUTH,),
) -> Issued:
    """A certificate that is valid from ``at`` on; ``usage`` changes single bits, ``extended`` may be empty."""
    own_key = own_key or key(name)
    bits = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), not ca
    ) | dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(by.name if by else name))
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**(bits | {"key_cert_sign": ca} | (usage or {}))), critical=True)
    )
    if uri is not None:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(names, critical=False)
    if extended and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(extended)), critical=False)
    return Issued(builder.sign(by.key if by else own_key, hashes.SHA256()), own_key, name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
