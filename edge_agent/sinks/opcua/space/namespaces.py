"""The namespaces in their fixed order.

Every index is part of the contract: clients that store indices instead of URIs keep working.
"""

from __future__ import annotations

from .nodeset import Nodeset

TYPES_URI = "urn:edge-agent:types"


def application_uri(device_uuid: str) -> str:
    """The ApplicationUri: in the certificate, and namespace 1."""
    return f"urn:edge-agent:{device_uuid}"


def machines_uri(device_uuid: str) -> str:
    """The namespace of the machines' nodes."""
    return f"urn:edge-agent:{device_uuid}:machines"


def namespaces(nodeset: Nodeset, device_uuid: str) -> list[str]:
    """All namespace URIs, by index."""
    first, *models = (header.uri for header in nodeset.headers)
    return [first, application_uri(device_uuid), *models, TYPES_URI, machines_uri(device_uuid)]
