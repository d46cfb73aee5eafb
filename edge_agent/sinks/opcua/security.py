"""Who gets in, and the endpoint's own certificate."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from asyncua import Server, ua
from asyncua.common.connection import TransportLimits
from asyncua.crypto import cert_gen
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_server import InternalServer
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from ...errors import UnavailableError
from ...files import write_private
from .options import OpcUaOptions

log = logging.getLogger(__name__)

ENCRYPTED = [
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
]
_CERTIFICATE_DAYS = 3650
_CHUNK_SIZE = 65535
_CHUNKS = 64
_READER = UserRole.User


class Users(UserManager):
    """Who may log in: asyncua's user manager, in place of its default, which lets "admin" in with any password.

    Everybody who gets in reads, nobody is an administrator. ``options`` is asked at each log-in, so that a reloaded
    file counts from the next one on.
    """

    def __init__(self, options: Callable[[], OpcUaOptions]) -> None:
        self._options = options

    def get_user(
        self,
        iserver: InternalServer,  # noqa: ARG002 - theirs
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> User | None:
        """The user behind a log-in, ``None`` to refuse it; ``certificate`` is empty on a channel without security.

        asyncua serves sessions on such a channel even if no endpoint offers it, so it is refused here.
        """
        options = self._options()
        if username is None:
            return User(role=_READER, name="anonymous") if options.anonymous else None
        if not certificate and not options.anonymous:
            return None
        found = None
        for user in options.users:  # all of them, so that the time taken does not tell a name
            same_name = hmac.compare_digest(user.name.encode(), username.encode())
            same_password = hmac.compare_digest(user.password.reveal().encode(), (password or "").encode())
            if same_name and same_password:
                found = User(role=_READER, name=user.name)
        return found


def restrict(server: Server, *, anonymous: bool) -> None:
    """Offer only what is safe, and only as much as a small computer can hold."""
    policies = [ua.SecurityPolicyType.NoSecurity] if anonymous else []
    server.set_security_policy([*policies, *ENCRYPTED])
    tokens: list[type] = [ua.AnonymousIdentityToken] if anonymous else []
    server.set_identity_tokens([*tokens, ua.UserNameIdentityToken])
    server.allow_remote_admin(False)
    server.limits = TransportLimits(
        max_recv_buffer=_CHUNK_SIZE,
        max_send_buffer=_CHUNK_SIZE,
        max_chunk_count=_CHUNKS,
        max_message_size=_CHUNKS * _CHUNK_SIZE,  # what the chunks hold: clients complain of more
    )
    server.iserver.max_connections = 32
    server.iserver.max_subscriptions = 128


async def load_certificate(server: Server, folder: Path, *, application_uri: str, hostname: str) -> None:
    """Give the server its certificate, made at the first start and kept in ``folder`` (both files mode 0600).

    Raises:
        UnavailableError: the folder or what is in it cannot be used.
    """
    certificate, key = folder / "certificate.der", folder / "private-key.pem"
    try:
        if not (certificate.exists() and key.exists()):
            await asyncio.to_thread(_make_certificate, certificate, key, application_uri, hostname)
            log.info("made the endpoint's certificate: %s", certificate)
        await server.load_certificate(certificate)
        await server.load_private_key(key)
    except OSError as error:
        raise UnavailableError(f"certificate folder {folder}: {error.strerror}; give this user write access") from error
    except ValueError as error:
        raise UnavailableError(
            f"certificate folder {folder}: its files are damaged; restore them from a backup, or delete both to get "
            "new ones, which clients will have to trust again"
        ) from error


def _make_certificate(certificate: Path, key: Path, application_uri: str, hostname: str) -> None:
    certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_key = cert_gen.generate_private_key()
    made = cert_gen.generate_self_signed_app_certificate(
        private_key,
        f"edge-agent@{hostname}",
        {"organizationName": "edge-agent"},
        [x509.UniformResourceIdentifier(application_uri), *_names(hostname)],
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
        days=_CERTIFICATE_DAYS,
    )
    write_private(key, cert_gen.dump_private_key_as_pem(private_key))
    write_private(certificate, made.public_bytes(Encoding.DER))


def _names(hostname: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in dict.fromkeys([hostname, socket.gethostname(), "localhost"])]
