"""The endpoint's certificate, as the doctor judges it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.cli.doctor import certificate as checked
from edge_agent.cli.doctor.certificate import certificate
from edge_agent.cli.doctor.finding import Level
from edge_agent.sinks.opcua.security.certificate import CERTIFICATE, KEY, OwnCertificate
from tests.certificates import issue, key
from tests.unit.doctor.patients import NOW, levels, one, only, patient

_DEVICE = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def pki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate as the agent makes it, of a host called "pi"."""
    folder = tmp_path / "state" / "pki"
    folder.mkdir(parents=True)
    pem = key("the agent's").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / KEY).write_bytes(pem)
    (tmp_path / "state" / "device-uuid").write_text(_DEVICE)
    own = OwnCertificate(folder, application_uri=f"urn:edge-agent:{_DEVICE}", hostname="pi", now=lambda: NOW)
    asyncio.run(own.obtain())
    monkeypatch.setattr(checked.socket, "gethostname", lambda: "pi")  # type: ignore[attr-defined]
    return folder


def test_a_good_one(tmp_path: Path) -> None:
    found = only(certificate(patient(tmp_path)))
    assert found.level is Level.OK
    assert found.text.startswith("valid until 2036-12-2")


@pytest.mark.parametrize(
    ("now", "level", "told"),
    [
        (NOW - timedelta(days=30), Level.BAD, "it is valid from 2026-12-23, and the clock says 2026-11-24"),
        (NOW + timedelta(days=3640), Level.LOOK, "it ends on 2036-12-2"),
        (NOW + timedelta(days=3651), Level.BAD, "it ended on 2036-12-2"),
    ],
)
def test_its_life(tmp_path: Path, now: datetime, level: Level, told: str) -> None:
    found = only(certificate(patient(tmp_path, now=now)))
    assert (found.level, found.text.startswith(told)) == (level, True), found


def test_of_another_agent(tmp_path: Path) -> None:
    (tmp_path / "state" / "device-uuid").write_text("22222222-2222-3333-4444-555555555555")
    assert one(certificate(patient(tmp_path)), Level.BAD).text.startswith("it is not of this agent")


def test_of_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked.socket, "gethostname", lambda: "renamed")  # type: ignore[attr-defined]
    found = only(certificate(patient(tmp_path)))
    assert (found.level, found.text) == (
        Level.LOOK,
        "the host is called renamed, the certificate does not know that name",
    )


def test_of_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "names", lambda _: _addresses("192.0.2.7", "127.0.0.1", "2001:db8::1"))
    assert "192.0.2.7 now" in only(certificate(patient(tmp_path))).text
    monkeypatch.setattr(checked, "names", lambda _: _addresses("127.0.0.1", "2001:db8::1"))
    assert levels(certificate(patient(tmp_path))) == [Level.OK]


def _addresses(*texts: str) -> list[Any]:
    import ipaddress

    from cryptography import x509

    return [x509.IPAddress(ipaddress.ip_address(text)) for text in texts]


def test_without_its_key(tmp_path: Path, pki: Path) -> None:
    (pki / KEY).unlink()
    assert one(certificate(patient(tmp_path)), Level.BAD).text == "its key private-key.pem is missing"


@pytest.mark.parametrize("content", [b"", b"rubbish", issue("no names", at=NOW).der])
def test_a_damaged_one(tmp_path: Path, pki: Path, content: bytes) -> None:
    (pki / CERTIFICATE).write_bytes(content)
    assert one(certificate(patient(tmp_path)), Level.BAD).text.endswith("is damaged")


def test_none_yet(tmp_path: Path, pki: Path) -> None:
    (pki / CERTIFICATE).unlink()
    assert only(certificate(patient(tmp_path))).level is Level.UNSEEN
