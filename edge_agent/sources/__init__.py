"""What a source is: the page its author reads.

A source is one file that knows one kind of printer API. It holds, in this order:

1. its datasheet as the module docstring: endpoints, permission needed, sentinel values, which versions send which key;
2. its options, a frozen struct: what the configuration must say to reach one machine;
3. its wire structs: the foreign JSON as it comes, every field optional, unknown keys ignored;
4. ``to_snapshot``: a pure function from wire structs to `edge_agent.model.Snapshot`, tested over recorded answers;
5. the source: ``fetch``, one cycle.

``fetch`` does one cycle and nothing else: no loop, no retry policy, no sleep, no logging. The poller does those. What
a machine says is a snapshot, also when it says "printer off" or "fault". Only when it cannot be known does ``fetch``
raise, and then always a `edge_agent.errors.SourceError`. A source imports no other source and no sink.

A new source also records real answers into tests/fixtures and joins ``SOURCES`` of tests/unit/test_source_contract.py,
which holds every source to this page.
"""

from __future__ import annotations

from typing import Protocol

from ..model import Snapshot


class Source(Protocol):
    """One machine's status, on demand."""

    async def fetch(self) -> Snapshot:
        """Ask the machine once.

        Raises:
            SourceError: the status cannot be known now; the subclass and the text say why.
        """
        ...
