"""Where a machine's values come from, and how well that works."""

from __future__ import annotations

from collections.abc import Callable

from ..model import Snapshot
from ..observation import Observation
from ..units import MILLISECOND, SECOND
from .item import DataItem, Kind, Scope, Value


def _of_snapshot(read_snapshot: Callable[[Snapshot], Value | None]) -> Callable[[Observation], Value | None]:
    return lambda observation: read_snapshot(observation.snapshot) if observation.snapshot else None


def _error(observation: Observation) -> str:
    """Why it cannot be reached, else what is wrong with it; empty when all is well."""
    if observation.error or observation.snapshot is None:
        return observation.error
    return observation.snapshot.error


def _response_ms(snapshot: Snapshot) -> float:
    return round(snapshot.response_time_s * 1000.0, 1)


SOURCE: tuple[DataItem, ...] = (
    DataItem(
        id="Source/Kind",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="The kind of API the machine is asked through.",
        read=lambda observation: observation.machine.kind,
    ),
    DataItem(
        id="Source/Url",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Where the machine is asked; it has no credentials in it.",
        read=lambda observation: observation.machine.url,
    ),
    DataItem(
        id="Source/Version",
        kind=Kind.TEXT,
        sentence="What the printer's server calls itself.",
        read=_of_snapshot(lambda snapshot: snapshot.software_version),
    ),
    DataItem(
        id="Source/State",
        kind=Kind.TEXT,
        sentence="The printer's own text for its state.",
        read=_of_snapshot(lambda snapshot: snapshot.state_text),
    ),
    DataItem(
        id="Source/Error",
        kind=Kind.TEXT,
        scope=Scope.AGENT,
        sentence="Why the machine cannot be reached, else the text of its fault; empty when all is well.",
        read=_error,
    ),
    DataItem(
        id="Source/Reachable",
        kind=Kind.FLAG,
        scope=Scope.AGENT,
        sentence="The last request was answered usably.",
        read=lambda observation: observation.reachable,
    ),
    DataItem(
        id="Source/LastSeen",
        kind=Kind.TIME,
        scope=Scope.AGENT,
        sentence="Time of the last usable answer.",
        read=lambda observation: observation.last_seen,
    ),
    DataItem(
        id="Source/ResponseTime",
        kind=Kind.NUMBER,
        unit=MILLISECOND,
        sentence="How long the printer's server took for its last answer.",
        read=_of_snapshot(_response_ms),
    ),
    DataItem(
        id="Source/PollInterval",
        kind=Kind.NUMBER,
        scope=Scope.AGENT,
        unit=SECOND,
        sentence="Time between two cycles now; longer for a printer that is off, or a server that struggles.",
        read=lambda observation: observation.poll_interval_s,
    ),
)
