"""What is recorded in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from ..counters import Counters
from ..events import Event
from ..jobs import JobRun


class Batch(Struct, frozen=True, kw_only=True):
    """Runs as they are now, events, and machines' counters by id; the oldest first."""

    runs: Sequence[JobRun] = ()
    events: Sequence[Event] = ()
    counters: Mapping[str, Counters] = field(default_factory=dict)
