"""Who gets in, put together: the users, the endpoint's certificate, the clients'; and that it stays so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from asyncua import Server, ua

from ...errors import UnavailableError
from .options import OpcUaOptions
from .security import policies
from .security.certificate import Identity, OwnCertificate
from .security.credentials import Credentials
from .security.trust import TrustList
from .security.trust_folder import fingerprint
from .security.users import Reader, Users
from .sessions.session_life import sessions_of

log = logging.getLogger(__name__)

_USERS_EVERY_S = 2.0
_CERTIFICATE_EVERY_S = 3600.0


class Access:
    """Of one endpoint.

    Args:
        options: asked whenever somebody wants in, so that a reloaded file counts from then on.
        state_dir: has ``pki`` and the generated passwords.
        application_uri: of the endpoint's certificate.
        hostname: of the endpoint's URL.
        now: the wall clock.
        monotonic: seconds.
    """

    def __init__(
        self,
        options: Callable[[], OpcUaOptions],
        *,
        state_dir: Path,
        application_uri: str,
        hostname: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        pki = state_dir / "pki"
        self._monotonic = monotonic
        self._own = OwnCertificate(pki, application_uri=application_uri, hostname=hostname, now=now)
        self._identity: Identity | None = None
        self._looked_at_users = self._looked_at_certificate = monotonic()
        self.users = Users(options, credentials=Credentials(state_dir))
        self.trust = TrustList(pki, mode=lambda: options().client_certificates, now=now)

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the endpoint's certificate, in hex; ``None`` while there is none."""
        return fingerprint(self._identity.der) if self._identity else None

    async def prepare(self, server: Server, waiting: Callable[[], None]) -> None:
        """Have a certificate and everybody's password; ``waiting`` is called if the clock has to be set first.

        Raises:
            UnavailableError: the state folder cannot be used.
        """
        self._identity = await self._own.obtain(waiting)
        policies.show(server, self._identity)
        await self.users.prepare()

    async def users_changed(self) -> None:
        """Make the passwords of new MES instances; trouble is logged, for those who are in work on."""
        try:
            await self.users.prepare()
        except UnavailableError as error:
            log.error("new MES instances cannot log in: %s", error)  # noqa: TRY400 - the text says it all

    async def look_after(self, server: Server) -> None:
        """End the sessions of those who may no longer, renew the certificate in time. Call it often: it is cheap."""
        now = self._monotonic()
        if now - self._looked_at_users >= _USERS_EVERY_S:
            self._looked_at_users = now
            await self._end_sessions(server)
            await self._expel(server)
        if now - self._looked_at_certificate >= _CERTIFICATE_EVERY_S:
            self._looked_at_certificate = now
            await self._renew(server)

    async def _end_sessions(self, server: Server) -> None:
        for session in sessions_of(server.iserver):
            user = session.user
            if session.is_activated() and isinstance(user, Reader) and not self.users.entitled(user):
                log.warning('a session of "%s" is ended: the user or its password is no longer valid', user.name)
                await session.close_session()

    async def _expel(self, server: Server) -> None:
        """Whose certificate is revoked, or trusted no longer, is out, channel and all, also who is away just now."""
        sessions = [session for session in sessions_of(server.iserver) if session.certificates]
        refused = self.trust.no_longer({session.certificates for session in sessions})
        for session in sessions:
            if session.certificates in refused:
                log.warning(
                    'a session of "%s" is ended: its client\'s certificate is no longer accepted', session.user.name
                )
                await session.expel(ua.StatusCodes.BadSecurityChecksFailed, "the client's certificate is refused")

    async def _renew(self, server: Server) -> None:
        if self._identity is None:
            return
        try:
            new = await self._own.renewed(self._identity)
        except UnavailableError as error:
            log.error("the endpoint's certificate cannot be renewed: %s", error)  # noqa: TRY400 - the text says it all
            return
        if new is not None:
            self._identity = new
            policies.show(server, new)
