"""Which client certificates may open a channel, and what becomes of the others."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asyncua import ua
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_agent import RELEASED
from edge_agent.errors import UnavailableError
from edge_agent.sinks.opcua import ClientCertificates
from edge_agent.sinks.opcua.security.trust import TrustList
from edge_agent.sinks.opcua.security.trust_folder import MOST_REJECTED, Place, TrustFolder, fingerprint
from tests.certificates import Issued, issue, key

NOW = RELEASED + timedelta(days=100)
BEFORE = NOW - timedelta(days=10)
URI = "urn:client:mes"
CLIENT = issue("client", at=BEFORE, uri=URI)
STRANGER = issue("stranger", at=BEFORE, uri="urn:client:stranger")
ROOT = issue("root", at=BEFORE, ca=True)
MIDDLE = issue("middle", at=BEFORE, ca=True, by=ROOT)
MEMBER = issue("member", at=BEFORE, uri=URI, by=ROOT)
NEPHEW = issue("nephew", at=BEFORE, uri=URI, by=MIDDLE)


class Gate:
    """A trust list, with a clock to set."""

    def __init__(self, pki: Path, mode: ClientCertificates) -> None:
        self.pki = pki
        self.mode = mode
        self.at: datetime = NOW
        self.seconds = 0.0
        self.list = TrustList(pki, mode=lambda: self.mode, now=lambda: self.at, monotonic=lambda: self.seconds)

    def put(self, place: Place, *issued: Issued) -> None:
        (self.pki / place).mkdir(exist_ok=True, parents=True)
        for each in issued:
            (self.pki / place / f"{each.name}.der").write_bytes(each.der)

    def answer(self, *chain: Issued, uri: str | None = URI) -> str:
        """The status that the client gets."""
        return self.answer_to(b"".join(each.der for each in chain), uri)

    def answer_to(self, content: bytes, uri: str | None = URI) -> str:
        try:
            self.list.check(content, uri, address="192.0.2.9")
        except ua.UaStatusCodeError as error:
            return ua.StatusCode(error.code).name
        return "Good"

    def files(self, place: Place) -> list[Path]:
        folder = self.pki / place
        return sorted(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, ClientCertificates.TRUSTED)


@pytest.fixture
def open_gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, ClientCertificates.ANY)


def test_only_a_trusted_certificate_gets_in(gate: Gate) -> None:
    gate.put(Place.TRUSTED, CLIENT)
    assert gate.answer(CLIENT) == "Good"
    assert gate.answer(CLIENT, uri=None) == "Good"
    assert gate.answer(STRANGER) == "BadSecurityChecksFailed"


def test_without_a_folder_nobody_is_trusted(gate: Gate) -> None:
    assert gate.answer(CLIENT) == "BadSecurityChecksFailed"


def test_any_means_any(open_gate: Gate) -> None:
    assert open_gate.answer(STRANGER) == "Good"
    open_gate.at = NOW + timedelta(days=9999)
    assert open_gate.answer(STRANGER, uri="urn:other") == "Good"
    assert open_gate.files(Place.REJECTED) == []


@pytest.mark.parametrize("mode", ClientCertificates)
@pytest.mark.parametrize(
    ("own_key", "status"),
    [
        (key(1, 1024), "BadCertificatePolicyCheckFailed"),
        (key(2, 4096), "Good"),
        (ec.generate_private_key(ec.SECP256R1()), "BadCertificatePolicyCheckFailed"),
    ],
    ids=["short", "long", "curve"],
)
def test_a_key_that_others_could_break_is_never_accepted(
    tmp_path: Path, mode: ClientCertificates, own_key: object, status: str
) -> None:
    gate = Gate(tmp_path, mode)
    client = issue("client", at=BEFORE, uri=URI, own_key=own_key)  # type: ignore[arg-type]
    gate.put(Place.TRUSTED, client)
    assert gate.answer(client) == status


@pytest.mark.parametrize("mode", ClientCertificates)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x30",
        b"\x30\x82",
        b"\x30\x80",
        b"\x30\x00" * 9,
        b"hello",
        CLIENT.der[:-1],
        CLIENT.der + b"\x00",
        CLIENT.der * 6,
        CLIENT.pem,
        CLIENT.der + os.urandom(64 * 1024),
    ],
)
def test_what_is_no_certificate_is_told_so(tmp_path: Path, mode: ClientCertificates, content: bytes) -> None:
    gate = Gate(tmp_path, mode)
    gate.put(Place.TRUSTED, CLIENT)
    assert gate.answer_to(content) == "BadCertificateInvalid"
    assert gate.files(Place.REJECTED) == []


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@pytest.mark.parametrize("mode", ClientCertificates)
def test_whatever_is_changed_in_a_certificate_lets_nobody_in_and_breaks_nothing(
    tmp_path: Path, mode: ClientCertificates
) -> None:
    gate = Gate(tmp_path, mode)
    gate.put(Place.TRUSTED, CLIENT, ROOT)
    dice = random.Random(4)
    for issued in (CLIENT, MEMBER):
        for position in range(len(issued.der)):
            content = bytearray(issued.der)
            content[position] = (content[position] + dice.randrange(1, 256)) % 256
            answer = gate.answer_to(bytes(content))
            assert answer.startswith("Bad") or mode is ClientCertificates.ANY, position


def test_a_certificate_has_its_time(gate: Gate) -> None:
    gate.put(Place.TRUSTED, CLIENT)
    for at in (BEFORE - timedelta(seconds=1), CLIENT.certificate.not_valid_after_utc + timedelta(seconds=1)):
        gate.at = at
        assert gate.answer(CLIENT) == "BadCertificateTimeInvalid"
        assert gate.answer(STRANGER) == "BadSecurityChecksFailed", "whoever is not trusted is not told of anything else"


def test_a_certificate_is_of_the_application_that_shows_it(gate: Gate) -> None:
    bare = issue("bare", at=BEFORE)
    gate.put(Place.TRUSTED, CLIENT, bare)
    for uri in ("urn:other", "", URI.upper()):
        assert gate.answer(CLIENT, uri=uri) == "BadCertificateUriInvalid"
    assert gate.answer(bare) == "BadCertificateUriInvalid"


@pytest.mark.parametrize(
    ("client", "status"),
    [
        (issue("client", at=BEFORE, uri=URI, usage={"digital_signature": False}), "BadCertificateUseNotAllowed"),
        (issue("client", at=BEFORE, uri=URI, usage={"data_encipherment": False}), "BadCertificateUseNotAllowed"),
        (
            issue("client", at=BEFORE, uri=URI, extended=(ExtendedKeyUsageOID.SERVER_AUTH,)),
            "BadCertificateUseNotAllowed",
        ),
        (issue("client", at=BEFORE, uri=URI, extended=()), "Good"),
    ],
)
def test_a_certificate_must_be_made_for_this(gate: Gate, client: Issued, status: str) -> None:
    gate.put(Place.TRUSTED, client)
    assert gate.answer(client) == status


def test_a_trusted_authority_vouches_for_its_own_also_through_another(gate: Gate) -> None:
    gate.put(Place.TRUSTED, ROOT)
    assert gate.answer(MEMBER) == "Good"
    assert gate.answer(NEPHEW, MIDDLE) == "Good"
    assert gate.answer(NEPHEW) == "BadSecurityChecksFailed", "nobody sent the one between"
    assert gate.answer(STRANGER, MIDDLE) == "BadSecurityChecksFailed"
    assert gate.answer(CLIENT, MEMBER) == "BadSecurityChecksFailed"


def test_a_client_is_no_authority(gate: Gate) -> None:
    gate.put(Place.TRUSTED, CLIENT)
    gate.put(Place.TRUSTED, issue("no ca bit", at=BEFORE, own_key=key(3), usage={"key_cert_sign": True}))
    for by in (CLIENT, Issued(CLIENT.certificate, key(3), "no ca bit")):
        assert gate.answer(issue("child", at=BEFORE, uri=URI, by=by)) == "BadSecurityChecksFailed"
    no_sign = issue("no sign", at=BEFORE, ca=True, usage={"key_cert_sign": False, "crl_sign": True})
    gate.put(Place.TRUSTED, no_sign)
    assert gate.answer(issue("child", at=BEFORE, uri=URI, by=no_sign)) == "BadSecurityChecksFailed"


def test_an_authority_of_the_same_name_is_another(gate: Gate) -> None:
    gate.put(Place.TRUSTED, ROOT)
    impostor = issue("root", at=BEFORE, ca=True, own_key=key(4))
    assert gate.answer(issue("member", at=BEFORE, uri=URI, by=impostor)) == "BadSecurityChecksFailed"
    assert gate.answer(issue("member", at=BEFORE, uri=URI, by=impostor), impostor) == "BadSecurityChecksFailed"


def test_authorities_that_vouch_for_each_other_end(gate: Gate) -> None:
    one = issue("one", at=BEFORE, ca=True)
    two = issue("two", at=BEFORE, ca=True, by=one)
    other_one = issue("one", at=BEFORE, ca=True, by=two)
    assert gate.answer(issue("child", at=BEFORE, uri=URI, by=two), two, other_one) == "BadSecurityChecksFailed"


def test_an_expired_authority_vouches_for_nobody(gate: Gate) -> None:
    expired = issue("expired", at=BEFORE, days=5, ca=True)
    gate.put(Place.TRUSTED, expired)
    assert gate.answer(issue("member", at=BEFORE, uri=URI, by=expired)) == "BadCertificateIssuerTimeInvalid"


def test_changes_of_the_folders_count_at_once(gate: Gate) -> None:
    assert gate.answer(CLIENT) == "BadSecurityChecksFailed"
    folder = TrustFolder(gate.pki)
    folder.approve(fingerprint(CLIENT.der))
    assert gate.answer(CLIENT) == "Good"
    folder.revoke(fingerprint(CLIENT.der)[:8].upper())
    assert gate.answer(CLIENT) == "BadSecurityChecksFailed"
    (gate.pki / Place.TRUSTED / "by hand.pem").write_bytes(STRANGER.pem[:100])
    assert gate.answer(STRANGER) == "BadSecurityChecksFailed"
    (gate.pki / Place.TRUSTED / "by hand.pem").write_bytes(STRANGER.pem)
    assert gate.answer(STRANGER, uri=None) == "Good"
    (gate.pki / Place.TRUSTED / "by hand.pem").unlink()
    assert gate.answer(STRANGER, uri=None) == "BadSecurityChecksFailed"


@pytest.mark.parametrize("mode", ClientCertificates)
def test_a_revoked_certificate_never_gets_in_even_if_its_authority_is_trusted(
    tmp_path: Path, mode: ClientCertificates
) -> None:
    gate = Gate(tmp_path, mode)
    gate.put(Place.TRUSTED, ROOT, MEMBER)
    gate.put(Place.REVOKED, MEMBER)
    assert gate.answer(MEMBER) == "BadSecurityChecksFailed"
    assert gate.files(Place.REJECTED) == []


def test_a_revoked_authority_takes_its_members_along(gate: Gate) -> None:
    gate.put(Place.TRUSTED, ROOT)
    gate.put(Place.REVOKED, MIDDLE)
    assert gate.answer(MEMBER) == "Good"
    assert gate.answer(NEPHEW, MIDDLE) == "BadSecurityChecksFailed"


def test_who_was_turned_away_is_kept_to_be_looked_at_and_told_of_once_an_hour(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        gate.answer(STRANGER)
        gate.seconds += 60
    [file] = gate.files(Place.REJECTED)
    assert file.read_bytes() == STRANGER.der
    short = fingerprint(STRANGER.der)[:16]
    expected = (
        f"client certificate {short} of 'urn:client:stranger' from 192.0.2.9 is refused: it is not trusted"
        f' (BadCertificateUntrusted); "edge-agent trust approve {short}" lets it in'
    )
    assert caplog.messages == [expected]
    gate.seconds += 1000
    gate.answer(STRANGER)
    assert len(caplog.records) == 2


def test_strangers_by_the_hundred_fill_neither_disk_nor_memory_nor_log(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.put(Place.TRUSTED, CLIENT)
    for number in range(400):
        gate.seconds += 5
        gate.answer(issue("flood", at=BEFORE, uri=f"urn:{number}"))
    assert len(gate.files(Place.REJECTED)) == MOST_REJECTED
    assert len(caplog.records) < 400 * 5 / 30 + 10
    assert len(gate.list._strangers) <= 64
    gate.seconds += 3600
    gate.answer(STRANGER)
    assert len(gate.files(Place.REJECTED)) == MOST_REJECTED
    assert STRANGER.der in [file.read_bytes() for file in gate.files(Place.REJECTED)], "the oldest went"
    assert gate.answer(CLIENT) == "Good"


def test_a_strangers_words_cannot_write_lines_into_the_log(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    gate.answer(issue("evil", at=BEFORE, uri="urn:x\n<3>all is well\x1b[2J"))
    assert len(caplog.messages) == 1
    assert caplog.messages[0].isprintable()


def test_rejected_files_are_private_and_a_full_disk_is_not_the_clients_trouble(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.answer(STRANGER)
    assert stat.S_IMODE((gate.pki / Place.REJECTED).stat().st_mode) == 0o700

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert gate.answer(MEMBER) == "BadSecurityChecksFailed"


def test_what_is_no_certificate_in_a_folder_is_skipped_and_told_once(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.put(Place.TRUSTED, CLIENT)
    (gate.pki / Place.TRUSTED / "README").write_text("put certificates here")
    (gate.pki / Place.TRUSTED / ".hidden").write_text("")
    for _ in range(3):
        assert gate.answer(CLIENT) == "Good"
    assert caplog.text.count("README is no certificate") == 1
    assert len(caplog.records) == 1


@pytest.mark.parametrize("wanted", ["", "abc", "xyzxyzxyz", "00000000", "../../etc/passwd"])
def test_a_fingerprint_that_fits_nothing_is_a_sentence(gate: Gate, wanted: str) -> None:
    gate.put(Place.REJECTED, CLIENT)
    for act in (TrustFolder(gate.pki).approve, TrustFolder(gate.pki).revoke):
        with pytest.raises(UnavailableError, match=r"fingerprint|no certificate begins"):
            act(wanted)


def test_a_fingerprint_that_fits_two_is_a_sentence(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.put(Place.REJECTED, CLIENT, STRANGER)
    same: Callable[[bytes], str] = lambda der: "12345678" + fingerprint(der)  # noqa: E731
    monkeypatch.setattr("edge_agent.sinks.opcua.security.trust_folder.fingerprint", same)
    with pytest.raises(UnavailableError, match="2 certificates begin with 12345678; give more digits"):
        TrustFolder(gate.pki).approve("12345678")


def test_approving_and_revoking_twice_is_the_same_as_once(gate: Gate) -> None:
    gate.put(Place.REJECTED, CLIENT)
    gate.put(Place.REVOKED, CLIENT)
    folder = TrustFolder(gate.pki)
    for _ in range(2):
        folder.approve(fingerprint(CLIENT.der))
        assert [len(gate.files(place)) for place in Place] == [1, 0, 0]
    for _ in range(2):
        folder.revoke(fingerprint(CLIENT.der))
        assert [len(gate.files(place)) for place in Place] == [0, 0, 1]
    [file] = gate.files(Place.REVOKED)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
