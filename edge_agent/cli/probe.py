"""``edge-agent check --probe``: ask one printer who it is and what the key may do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from ..config import MachineConfig
from ..errors import AccessDenied, NoPermission, SourceError, WrongTarget
from ..session import open_session
from ..sources.octoprint import OctoPrint, OctoPrintOptions
from .check import ProbeResult


async def probe(machine: MachineConfig) -> ProbeResult:
    """One printer's answers; a failure is a result, not an exception."""
    assert isinstance(machine.source, OctoPrintOptions)  # noqa: S101 - the only kind a file can name
    loop = asyncio.get_running_loop()
    async with open_session() as session:
        source = OctoPrint(machine.source, session=session, now=lambda: datetime.now(UTC), monotonic=loop.time)
        try:
            identity = await source.identify()
            snapshot = await source.fetch()
        except SourceError as error:
            return _refused(error)
    return ProbeResult(
        reachable=True,
        kind_ok=True,
        key_ok=True,
        permission_ok=True,
        server_version=identity.version,
        user=identity.user,
        latency_s=snapshot.response_time_s,
        advice=snapshot.advice,
    )


def _refused(error: SourceError) -> ProbeResult:
    denied = isinstance(error, AccessDenied)
    answered = denied or isinstance(error, WrongTarget)
    return ProbeResult(
        reachable=answered,
        kind_ok=True if denied else False if answered else None,
        key_ok=isinstance(error, NoPermission) if denied else None,
        permission_ok=False if isinstance(error, NoPermission) else None,
        server_version=None,
        user=None,
        latency_s=None,
        problem=str(error),
    )
