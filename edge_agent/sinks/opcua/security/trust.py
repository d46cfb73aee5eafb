"""Which clients' certificates may open a secure channel."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ....errors import UnavailableError
from ..options import ClientCertificates
from .client_certificate import MALFORMED, Refusal, check_key, check_time, check_uri, check_usage, issuers, split, uris
from .trust_folder import CERTIFICATE_BYTES, Filed, Place, TrustFolder, fingerprint

log = logging.getLogger(__name__)

_TOLD = {
    "BadCertificateInvalid",
    "BadCertificatePolicyCheckFailed",
    "BadCertificateTimeInvalid",
    "BadCertificateIssuerTimeInvalid",
    "BadCertificateUriInvalid",
    "BadCertificateUseNotAllowed",
}
"""What a client is told of its own certificate. Of the trust list it learns nothing: BadSecurityChecksFailed."""
_REMEMBERED = 64
_REMINDED_AFTER_S = 3600.0
_BURST = 8
_NEXT_AFTER_S = 30.0


class TrustList:
    """Checks the certificate of every channel and session.

    Args:
        pki: the folder that ``trusted``, ``rejected`` and ``revoked`` are in.
        mode: asked at each check. With ANY only revoked ones are refused, and weak keys, which would let others read
            what the server sends.
        now: the wall clock.
        monotonic: seconds, for how often the log and the disk hear of strangers.
    """

    def __init__(
        self,
        pki: Path,
        *,
        mode: Callable[[], ClientCertificates],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = TrustFolder(pki)
        self._mode = mode
        self._now = now
        self._monotonic = monotonic
        self._strangers: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._allowance = float(_BURST)
        self._refilled_at = monotonic()
        self._looked_at: tuple[object, ...] = ()

    def check(self, certificate_der: bytes, application_uri: str | None, *, address: str = "") -> None:
        """Accept a certificate, or say why not.

        Args:
            certificate_der: as it came, issuers after it if the client sent them.
            application_uri: of the session's ClientDescription; ``None`` while only the channel is opened.
            address: of the client, for the log.

        Raises:
            ua.UaStatusCodeError: with what the client may be told; the log has the rest.
        """
        try:
            try:
                self._check(certificate_der, application_uri)
            except MALFORMED as error:
                raise Refusal("BadCertificateInvalid", "a field of it cannot be read") from error
        except Refusal as refusal:
            self._tell(refusal, certificate_der, address)
            told = refusal.code if refusal.code in _TOLD else "BadSecurityChecksFailed"
            raise ua.UaStatusCodeError(getattr(ua.StatusCodes, told)) from refusal  # type: ignore[no-untyped-call]

    def no_longer(self, chains: Iterable[bytes]) -> Collection[bytes]:
        """Which of these, each of a channel that is open, may not open one any more: revoked, or trusted no longer.

        Whether their time is over is asked when channels are renewed. Folders that cannot be read end nobody.
        """
        trusted: Mapping[str, Filed] | None = None
        try:
            revoked = self._folder.read(Place.REVOKED)
            if self._mode() is ClientCertificates.TRUSTED:
                trusted = self._folder.read(Place.TRUSTED)
        except UnavailableError:
            return ()
        now = (revoked, trusted)
        if now == self._looked_at:
            return ()
        self._looked_at = now
        return {chain for chain in chains if not _admitted(chain, revoked, trusted)}

    def _check(self, certificate_der: bytes, application_uri: str | None) -> None:
        """The steps of OPC 10000-4, Table 104."""
        chain = split(certificate_der[: CERTIFICATE_BYTES + 1])
        check_key(chain[0])
        self._check_revoked(chain[:1])
        if self._mode() is ClientCertificates.ANY:
            return
        above = issuers(chain, [filed.certificate for filed in self._read(Place.TRUSTED).values()])
        self._check_revoked(above)
        check_time(chain[0], self._now())
        try:
            for issuer in above:
                check_key(issuer)
                check_time(issuer, self._now())
        except Refusal as refusal:
            code = refusal.code.replace("CertificateTime", "CertificateIssuerTime")
            raise Refusal(code, f"of its issuer: {refusal}") from refusal
        if application_uri is not None:
            check_uri(chain[0], application_uri)
        check_usage(chain[0])

    def _check_revoked(self, certificates: Sequence[x509.Certificate]) -> None:
        revoked = self._read(Place.REVOKED)
        if _any_in(certificates, revoked):
            raise Refusal("BadCertificateRevoked", "it, or who issued it, is revoked")

    def _read(self, place: Place) -> dict[str, Filed]:
        try:
            return self._folder.read(place)
        except UnavailableError as error:
            raise Refusal("BadCertificateUntrusted", str(error)) from error

    def _tell(self, refusal: Refusal, certificate_der: bytes, address: str) -> None:
        """One line per certificate, reason and hour; strangers that come by the hundred are told of now and then."""
        found = fingerprint(certificate_der)
        now = self._monotonic()
        before = self._strangers.get((found, refusal.code))
        if before is not None and now - before < _REMINDED_AFTER_S:
            return
        self._allowance = min(self._allowance + (now - self._refilled_at) / _NEXT_AFTER_S, _BURST)
        self._refilled_at = now
        if self._allowance < 1:
            return
        self._allowance -= 1
        self._strangers[found, refusal.code] = now
        while len(self._strangers) > _REMEMBERED:
            self._strangers.popitem(last=False)
        remedy = ""
        if refusal.code == "BadCertificateUntrusted":
            leaf = split(certificate_der)[0].public_bytes(Encoding.DER)
            found = fingerprint(leaf)
            self._folder.reject(leaf)
            remedy = f'; "edge-agent trust approve {found[:16]}" lets it in'
        log.warning(
            "client certificate %s%s%s is refused: %s (%s)%s",
            found[:16],
            _named(certificate_der),
            f" from {address}" if address else "",
            refusal,
            refusal.code,
            remedy,
        )


def _admitted(chain_der: bytes, revoked: Mapping[str, Filed], trusted: Mapping[str, Filed] | None) -> bool:
    """Is a client's certificate not revoked, and trusted if that is asked for."""
    try:
        chain = split(chain_der)
        above = [] if trusted is None else issuers(chain, [filed.certificate for filed in trusted.values()])
    except Refusal:
        return False
    return not _any_in((chain[0], *above), revoked)


def _any_in(certificates: Iterable[x509.Certificate], filed: Mapping[str, Filed]) -> bool:
    return any(fingerprint(each.public_bytes(Encoding.DER)) in filed for each in certificates)


def _named(certificate_der: bytes) -> str:
    """The ApplicationUri in it, as far as it is plain text: a stranger wrote it."""
    try:
        found = uris(split(certificate_der)[0])
    except Refusal:
        return ""
    return f" of {found[0][:120]!a}" if found else ""
