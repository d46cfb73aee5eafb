"""The endpoint's own certificate: what is in it, when it is made, and what happens to the one before."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_agent import RELEASED
from edge_agent.errors import UnavailableError
from edge_agent.sinks.opcua.security import addresses
from edge_agent.sinks.opcua.security.certificate import CERTIFICATE, KEY, RENEWED_BEFORE, OwnCertificate
from edge_agent.sinks.opcua.security.trust_folder import fingerprint
from tests import virtual_time

NOW = RELEASED + timedelta(days=100)
URI = "urn:edge-agent:11111111-2222-3333-4444-555555555555"


class Clock:
    """A wall clock to set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@pytest.fixture
def pki(tmp_path: Path, key: rsa.RSAPrivateKey) -> Path:
    """A folder that has a key, so that not every test has to wait for one."""
    folder = tmp_path / "pki"
    folder.mkdir()
    (folder / KEY).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder


def own(pki: Path, *, at: datetime = NOW, uri: str = URI, hostname: str = "printers.example") -> OwnCertificate:
    return OwnCertificate(pki, application_uri=uri, hostname=hostname, now=Clock(at))


def extension(certificate: x509.Certificate, kind: type[Any]) -> Any:
    return certificate.extensions.get_extension_for_class(kind).value


async def test_the_first_start_makes_a_key_of_3072_bits_and_both_files_private(tmp_path: Path) -> None:
    made = await own(tmp_path / "state" / "pki").obtain()
    assert made.key.key_size == 3072
    assert made.certificate.public_key() == made.key.public_key()
    for name in (CERTIFICATE, KEY):
        assert stat.S_IMODE((tmp_path / "state" / "pki" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state" / "pki").stat().st_mode) == 0o700


async def test_it_says_what_opc_ua_wants_of_it(pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_ipv4", lambda: iter([ipaddress.IPv4Address("127.0.0.1")]))
    own_addresses = [ipaddress.IPv6Address("::1"), ipaddress.IPv6Address("fe80::1"), ipaddress.IPv6Address("fd00::2")]
    monkeypatch.setattr(addresses, "_ipv6", lambda: iter(own_addresses))
    monkeypatch.setattr(socket, "gethostname", lambda: "pi.lan")
    made = (await own(pki).obtain()).certificate
    names = extension(made, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [URI]
    assert names.get_values_for_type(x509.DNSName) == ["printers.example", "pi.lan", "pi.local", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.IPv6Address("fd00::2"),
        ipaddress.IPv4Address("127.0.0.1"),
    ]
    usage = extension(made, x509.KeyUsage)
    assert usage.digital_signature
    assert usage.content_commitment
    assert usage.key_encipherment
    assert usage.data_encipherment
    assert not extension(made, x509.BasicConstraints).ca
    assert ExtendedKeyUsageOID.SERVER_AUTH in extension(made, x509.ExtendedKeyUsage)
    assert made.not_valid_before_utc == NOW - timedelta(days=1)
    assert made.not_valid_after_utc == NOW + timedelta(days=3650)
    made.verify_directly_issued_by(made)


async def test_an_address_as_hostname_is_named_as_an_address(pki: Path) -> None:
    made = (await own(pki, hostname="192.0.2.7").obtain()).certificate
    names = extension(made, x509.SubjectAlternativeName)
    assert ipaddress.ip_address("192.0.2.7") in names.get_values_for_type(x509.IPAddress)
    assert "192.0.2.7" not in names.get_values_for_type(x509.DNSName)


def test_the_addresses_of_the_interfaces_are_found() -> None:
    found = [*addresses._ipv4(), *addresses._ipv6()]
    assert ipaddress.ip_address("127.0.0.1") in found
    assert not any(address.is_loopback or address.is_link_local for address in addresses._of_interfaces())


async def test_many_addresses_do_not_make_it_too_long(pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def many() -> Iterator[ipaddress.IPv4Address]:
        return (ipaddress.IPv4Address("10.0.0.0") + number for number in range(500))

    monkeypatch.setattr(addresses, "_ipv4", many)
    assert len((await own(pki, hostname="h" * 200).obtain()).der) < 4000


async def test_it_is_kept_until_it_is_about_to_expire(pki: Path) -> None:
    first = await own(pki).obtain()
    end = first.certificate.not_valid_after_utc
    for at in (NOW, NOW + timedelta(days=400), end - RENEWED_BEFORE):
        assert (await own(pki, at=at).obtain()).der == first.der
        assert await own(pki, at=at).renewed(first) is None
    assert (await own(pki, at=end - RENEWED_BEFORE + timedelta(seconds=1)).obtain()).der != first.der


async def test_a_new_one_is_announced_and_the_old_one_kept_aside(pki: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = await own(pki).obtain()
    with caplog.at_level(logging.INFO):
        second = await own(pki, at=NOW + timedelta(days=3640)).renewed(first)
    assert second is not None
    assert second.key.public_key() == first.key.public_key()
    assert second.certificate.not_valid_after_utc == NOW + timedelta(days=3640 + 3650)
    assert (pki / "old" / f"{fingerprint(first.der)}.der").read_bytes() == first.der
    assert (pki / CERTIFICATE).read_bytes() == second.der
    [warning] = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    expires = f"{first.certificate.not_valid_after_utc:%Y-%m-%d}"
    assert warning == (
        f"it replaces {fingerprint(first.der)} (it expires on {expires}): clients "
        "that have trusted that one have to trust the new one"
    )
    assert fingerprint(second.der) in caplog.text


async def test_another_device_needs_another_one(pki: Path) -> None:
    first = await own(pki).obtain()
    assert (await own(pki, uri="urn:edge-agent:other").obtain()).der != first.der


@pytest.mark.parametrize("missing", [CERTIFICATE, KEY])
async def test_half_of_it_is_completed(pki: Path, missing: str) -> None:
    first = await own(pki).obtain()
    (pki / missing).unlink()
    second = await own(pki).obtain()
    assert second.certificate.public_key() == second.key.public_key()
    assert (await own(pki).obtain()).der == second.der
    assert (second.key.public_key() == first.key.public_key()) == (missing == CERTIFICATE)


def test_before_the_release_nothing_is_made_until_the_clock_is_set(pki: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        clock = Clock(datetime(1970, 1, 1, tzinfo=UTC))
        told: list[bool] = []
        subject = OwnCertificate(pki, application_uri=URI, hostname="h", now=clock)
        made = asyncio.ensure_future(subject.obtain(lambda: told.append(True)))
        await asyncio.sleep(3600)
        assert not made.done()
        assert not (pki / CERTIFICATE).exists()
        assert told == [True]
        clock.at = NOW
        await asyncio.sleep(2)
        assert (await made).certificate.not_valid_before_utc == NOW - timedelta(days=1)

    virtual_time.run(main, start=NOW)
    assert caplog.text.count("which cannot be") == 1


async def test_a_wrong_clock_is_no_reason_for_a_new_one(pki: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = await own(pki).obtain()
    for at in (datetime(1970, 1, 1, tzinfo=UTC), NOW - timedelta(days=30)):
        caplog.clear()
        assert (await own(pki, at=at).obtain()).der == first.der
        assert "one of them is wrong" in caplog.text


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir()}


def damages() -> dict[str, bytes]:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point
    curve = ec.generate_private_key(ec.SECP256R1())
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "cut off": b"cut off",
        "empty": b"",
        "another key": other.private_bytes(*form),
        "a weak key": weak.private_bytes(*form),
        "no RSA key": curve.private_bytes(*form),
    }


@pytest.mark.parametrize("damage", [*damages(), "certificate"])
async def test_damaged_files_are_a_sentence_and_are_not_ours_to_delete(pki: Path, damage: str) -> None:
    await own(pki).obtain()
    file = pki / (CERTIFICATE if damage == "certificate" else KEY)
    file.write_bytes(damages().get(damage, b"cut off"))
    before = content(pki)
    with pytest.raises(UnavailableError, match="its files are damaged; restore them"):
        await own(pki).obtain()
    assert content(pki) == before


async def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "pki").write_text("a file")
    with pytest.raises(UnavailableError, match="give this user write access"):
        await own(tmp_path / "pki").obtain()
