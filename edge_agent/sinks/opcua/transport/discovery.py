"""FindServers and GetEndpoints (OPC 10000-4, 5.5): what a client may ask before it has a session.

asyncua (2.1.0) answers with URIs that only begin as the one asked for, asks no profile, and takes RegisterServer from
anybody: whoever reaches the port could send every client to a server of his own. Nobody registers here.
"""

from __future__ import annotations

from typing import Any, cast

from asyncua import ua
from asyncua.server.internal_server import InternalServer

_BINARY = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"


async def get_endpoints(
    server: InternalServer, asked: ua.GetEndpointsParameters, sockname: tuple[str, int]
) -> list[ua.EndpointDescription]:
    """Our endpoints, under the name that the client knows this host by."""
    if asked.ProfileUris and _BINARY not in asked.ProfileUris:
        return []
    return await server.get_endpoints(asked, sockname)


def find_servers(
    server: InternalServer, asked: ua.FindServersParameters, sockname: tuple[str, int]
) -> list[ua.ApplicationDescription]:
    """This server, unless only others are asked for."""
    wanted, asked.ServerUris = asked.ServerUris, cast("Any", None)
    found: list[ua.ApplicationDescription] = server.find_servers(asked, sockname)
    return [description for description in found if not wanted or description.ApplicationUri in wanted]
