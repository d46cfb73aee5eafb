"""Somebody who is logged in, with a printer in config.json and one that has just given its key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from edge_agent import attempts, passwords

from .person import MARK_ONE, Person, visited
from .set_up_double import GRANTED, SetUpDouble


@pytest.fixture
def set_up() -> SetUpDouble:
    """What it is asked for is seen in ``asked``."""
    made = SetUpDouble()
    made.file = replace(made.file, exists=True, machines=(MARK_ONE,))
    made.pairings = {"p-1": GRANTED}
    return made


@pytest_asyncio.fixture
async def admin(tmp_path: Path, set_up: SetUpDouble, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Person]:
    """Logged in; a password costs no time."""
    monkeypatch.setattr(attempts, "FIRST_DELAY_S", 0.0)
    monkeypatch.setattr(passwords, "_LOG2_N", 1)
    async with visited(tmp_path, set_up=set_up) as (_, person):
        await person.set_password()
        yield person
