"""How things stand, kept in memory for the next write: one for all machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from edge_agent.counters import Counters
from edge_agent.journal import JournalStatus

from .test_journal import ENDED, RUN, opened

ID = RUN.machine_id


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def test_what_is_noted_is_written_with_the_next_event_and_undoes_nothing(path: Path) -> None:
    async with opened(path) as journal:
        await journal.record([RUN], counters={ID: Counters(power_on_s=1.0)})
        on_disk = path.with_name(f"{path.name}-wal").stat().st_size
        await journal.note([replace(RUN, elapsed_s=60.0)], {ID: Counters(power_on_s=61.0)})
        assert await journal.counters(ID) == Counters(power_on_s=61.0)
        await journal.note(counters={"other": Counters(power_on_s=5.0)})
        assert path.with_name(f"{path.name}-wal").stat().st_size == on_disk
        await journal.record([ENDED], counters={ID: Counters(power_on_s=71.0)})
        await journal.prove()
        assert journal.status == JournalStatus(durable=True)
    async with opened(path) as journal:
        assert await journal.runs() == [ENDED]
        assert await journal.counters(ID) == Counters(power_on_s=71.0)
        assert await journal.counters("other") == Counters(power_on_s=5.0)


async def test_what_is_noted_is_written_at_an_orderly_stop(path: Path) -> None:
    async with opened(path) as journal:
        await journal.note(counters={ID: Counters(power_on_s=61.0)})
    async with opened(path) as journal:
        assert await journal.counters(ID) == Counters(power_on_s=61.0)
