"""The namespaces, at the indices that the server registers them at, and the NodeSet that each comes from."""

import msgspec


class Model(msgspec.Struct, frozen=True):
    """One model: where it stands, and the files that it comes from and goes to."""

    index: int
    uri: str
    file: str
    """Name of the compiled file, without `.jsonl`."""
    nodeset: str
    """Name of the NodeSet XML in `node-opcua-nodesets`; empty when the model comes from a table of facts."""


ADDITIVE = Model(11, "http://opcfoundation.org/UA/AdditiveManufacturing/", "additive-manufacturing", "")
MODELS = (
    Model(0, "http://opcfoundation.org/UA/", "ua", "Opc.Ua.NodeSet2.xml"),
    Model(2, "http://opcfoundation.org/UA/DI/", "di", "Opc.Ua.Di.NodeSet2.xml"),
    Model(3, "http://opcfoundation.org/UA/IA/", "ia", "Opc.Ua.IA.NodeSet2.xml"),
    Model(4, "http://opcfoundation.org/UA/Machinery/", "machinery", "Opc.Ua.Machinery.NodeSet2.xml"),
    Model(
        5,
        "http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/",
        "isa95-jobcontrol",
        "opc.ua.isa95-jobcontrol.nodeset2.xml",
    ),
    Model(6, "http://opcfoundation.org/UA/Machinery/Jobs/", "machinery-jobs", "Opc.Ua.Machinery.Jobs.Nodeset2.xml"),
    Model(7, "http://opcfoundation.org/UA/Dictionary/IRDI", "irdi", "Opc.Ua.IRDI.NodeSet2.xml"),
    Model(8, "http://opcfoundation.org/UA/PADIM/", "padim", "Opc.Ua.PADIM.NodeSet2.xml"),
    Model(
        9,
        "http://opcfoundation.org/UA/Machinery/ProcessValues/",
        "process-values",
        "Opc.Ua.Machinery.ProcessValues.NodeSet2.xml",
    ),
    Model(10, "http://opcfoundation.org/UA/MachineTool/", "machine-tool", "Opc.Ua.MachineTool.NodeSet2.xml"),
    ADDITIVE,
)
INDEX = {model.uri: model.index for model in MODELS}
