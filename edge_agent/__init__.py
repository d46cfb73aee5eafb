"""edge-agent: 3D printers as machines on one OPC UA endpoint."""

__version__ = "0.1.0"
