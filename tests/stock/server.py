"""A stock asyncua server with the agent's models, loaded the way its users load models: from XML, at every start."""

import re
from pathlib import Path

import asyncua
from asyncua import ua

from .additive import URI as ADDITIVE
from .additive import nodeset

NODESETS = (
    ("http://opcfoundation.org/UA/DI/", "Opc.Ua.Di.NodeSet2.xml"),
    ("http://opcfoundation.org/UA/IA/", "Opc.Ua.IA.NodeSet2.xml"),
    ("http://opcfoundation.org/UA/Machinery/", "Opc.Ua.Machinery.NodeSet2.xml"),
    ("http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/", "opc.ua.isa95-jobcontrol.nodeset2.xml"),
    ("http://opcfoundation.org/UA/Machinery/Jobs/", "Opc.Ua.Machinery.Jobs.Nodeset2.xml"),
    ("http://opcfoundation.org/UA/Dictionary/IRDI", "Opc.Ua.IRDI.NodeSet2.xml"),
    ("http://opcfoundation.org/UA/PADIM/", "Opc.Ua.PADIM.NodeSet2.xml"),
    ("http://opcfoundation.org/UA/Machinery/ProcessValues/", "Opc.Ua.Machinery.ProcessValues.NodeSet2.xml"),
    ("http://opcfoundation.org/UA/MachineTool/", "Opc.Ua.MachineTool.NodeSet2.xml"),
)
FIRST_INDEX = 2
DESIGN_TOOL_ONLY = re.compile(r'<UAObject [^>]*DesignToolOnly="true".*?</UAObject>', re.DOTALL)


async def load(server: asyncua.Server, nodesets: Path) -> None:
    """Import every model into an initialised server that has no namespace of its own yet but the application's.

    Args:
        server: gets the namespaces at the indices that the agent has them at.
        nodesets: the folder that `scripts/compile-models --nodesets` prints.

    Raises:
        ValueError: a namespace came to another index.
    """
    for index, uri in enumerate((*(uri for uri, _ in NODESETS), ADDITIVE, "urn:edge-agent:types"), FIRST_INDEX):
        if await server.register_namespace(uri) != index:
            raise ValueError(f"{uri} came to another index than {index}")
    for _, name in NODESETS:
        text = (nodesets / name).read_text(encoding="utf-8-sig")
        # Objects for design tools have no parent, at which a strict import stops; the definition of an option set that
        # is a Byte cannot be loaded while importing.
        await server.import_xml(xmlstring=DESIGN_TOOL_ONLY.sub("", text), auto_load_definitions=False)
    await server.import_xml(xmlstring=nodeset(), auto_load_definitions=False)
    await server.load_data_type_definitions()


async def prepared(nodesets: Path, port: int = 0) -> asyncua.Server:
    """A server with the models, open to anybody on the loopback, not started."""
    server = asyncua.Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await load(server, nodesets)
    return server
