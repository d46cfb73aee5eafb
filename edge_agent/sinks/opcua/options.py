"""What the configuration says of the OPC UA endpoint."""

from __future__ import annotations

import enum

from msgspec import Struct

from ...secret import Secret


class ClientCertificates(enum.StrEnum):
    """Which client certificates may open a secure channel."""

    ANY = "any"
    TRUSTED = "trusted"


class OpcUaUser(Struct, frozen=True, kw_only=True):
    """Somebody who may read everything."""

    name: str
    password: Secret


class OpcUaOptions(Struct, frozen=True, kw_only=True):
    """The endpoint. ``port_or_next`` takes the next free port if ``port`` is taken (the Aggregator's "4840+").

    ``extra_ports`` are further listeners on the same address space. ``hostname`` is the one in the endpoint's URL;
    ``None`` means this host's own name.
    """

    port: int = 4840
    port_or_next: bool = False
    extra_ports: tuple[int, ...] = ()
    bind: str = "0.0.0.0"  # noqa: S104 - an endpoint is there to be reached from the MES
    hostname: str | None = None
    anonymous: bool = False
    users: tuple[OpcUaUser, ...] = ()
    client_certificates: ClientCertificates = ClientCertificates.ANY
