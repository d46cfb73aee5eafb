"""What the configuration says of the OPC UA endpoint."""

from __future__ import annotations

import enum

from msgspec import Struct
from msgspec.structs import replace

from ...secret import Secret

OPEN_TO_ALL = "everybody who reaches the OPC UA port reads everything, without password and encryption"
"""What ``anonymous`` means, for every place that says how the agent is."""


class ClientCertificates(enum.StrEnum):
    """Which client certificates may open a secure channel."""

    ANY = "any"
    TRUSTED = "trusted"


class OpcUaUser(Struct, frozen=True, kw_only=True):
    """Somebody who may read everything."""

    name: str
    password: Secret


class Limits(Struct, frozen=True, kw_only=True):
    """How much clients may take, so that a small computer serves those it has whatever others do.

    ``activation_timeout_s`` is how long a connection may take to an activated session. ``max_message_bytes`` is the
    longest request. ``max_subscriptions`` and ``max_monitored_items`` are per session, ``max_total_monitored_items`` of
    all sessions together.
    """

    max_connections: int = 32
    activation_timeout_s: float = 5.0
    max_message_bytes: int = 1024 * 1024
    max_sessions_per_user: int = 10
    max_subscriptions: int = 64
    max_monitored_items: int = 5000
    max_total_monitored_items: int = 20_000


class OpcUaOptions(Struct, frozen=True, kw_only=True):
    """The endpoint. ``port_or_next`` takes the next free port if ``port`` is taken (the Aggregator's "4840+").

    ``extra_ports`` are further listeners on the same address space. ``hostname`` is the one in the endpoint's URL;
    ``None`` means this host's own name. ``mes_ids`` are those of all machines: each has a user ``mes-<id>``.
    """

    port: int = 4840
    port_or_next: bool = False
    extra_ports: tuple[int, ...] = ()
    bind: str = "0.0.0.0"  # noqa: S104 - an endpoint is there to be reached from the MES
    hostname: str | None = None
    anonymous: bool = False
    users: tuple[OpcUaUser, ...] = ()
    client_certificates: ClientCertificates = ClientCertificates.ANY
    mes_ids: frozenset[int] = frozenset()
    limits: Limits = Limits()

    def reloaded(self, new: OpcUaOptions) -> OpcUaOptions:
        """What is in force after a reload: the users, and whatever lets fewer in. Nothing is opened."""
        trusted = ClientCertificates.TRUSTED in {self.client_certificates, new.client_certificates}
        return replace(
            self,
            users=new.users,
            mes_ids=new.mes_ids,
            anonymous=self.anonymous and new.anonymous,
            client_certificates=ClientCertificates.TRUSTED if trusted else ClientCertificates.ANY,
        )

    def differs_in_more_than_users(self, other: OpcUaOptions) -> bool:
        """True if a restart is needed for all of it."""
        return replace(self, users=(), mes_ids=frozenset()) != replace(other, users=(), mes_ids=frozenset())
