"""edge-agent: 3D printers as machines on one OPC UA endpoint."""

from datetime import UTC, datetime

__version__ = "0.1.0"

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""When this version was released, or a little before: a clock that says less is wrong. Set with the version."""
