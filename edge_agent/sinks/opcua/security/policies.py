"""What the endpoint offers."""

from __future__ import annotations

from collections.abc import Iterable

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User
from asyncua.server.internal_server import InternalServer
from asyncua.server.user_managers import UserManager

from ..options import OpcUaOptions
from .certificate import Identity

ENCRYPTED = [
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
]
_SUBSCRIPTIONS_OF_ALL = 128


class Nobody(UserManager):
    """asyncua's own way of logging in, closed: by default it lets everybody in, and makes "admin" an administrator.

    `Users` decides, and asyncua is not asked.
    """

    def get_user(
        self,
        iserver: InternalServer,  # noqa: ARG002 - theirs
        username: str | None = None,  # noqa: ARG002 - theirs
        password: str | None = None,  # noqa: ARG002 - theirs
        certificate: bytes | None = None,  # noqa: ARG002 - theirs
    ) -> User | None:
        """Refuse."""
        return None


def restrict(server: Server, options: OpcUaOptions) -> None:
    """Offer only what is safe: no user certificates, and without encryption nothing unless it is configured."""
    policies = [ua.SecurityPolicyType.NoSecurity] if options.anonymous else []
    server.set_security_policy([*policies, *ENCRYPTED])
    tokens: list[type] = [ua.AnonymousIdentityToken] if options.anonymous else []
    server.set_identity_tokens([*tokens, ua.UserNameIdentityToken])
    server.allow_remote_admin(False)
    server.iserver.max_connections = options.limits.max_connections
    server.iserver.max_subscriptions = max(_SUBSCRIPTIONS_OF_ALL, options.limits.max_subscriptions)


def ask_no_password_in_the_clear(endpoints: Iterable[ua.EndpointDescription]) -> None:
    """Of an endpoint without encryption: asyncua offers passwords on every endpoint if it does on one."""
    for endpoint in endpoints:
        if endpoint.SecurityMode is ua.MessageSecurityMode.None_:
            endpoint.UserIdentityTokens = [
                token for token in endpoint.UserIdentityTokens if token.TokenType is not ua.UserTokenType.UserName
            ]


def show(server: Server, identity: Identity) -> None:
    """Serve with this certificate: also from now on, for new channels, if the server runs already."""
    server.iserver.certificate, server.iserver.private_key = identity.certificate, identity.key
    for policy in server._policies:  # noqa: SLF001 - asyncua makes them when it starts, and never again
        policy.certificate, policy.private_key = identity.certificate, identity.key
    for endpoint in server.iserver.endpoints:
        endpoint.ServerCertificate = identity.der
