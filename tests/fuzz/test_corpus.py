"""What once broke a server, or would break asyncua's, is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.fuzz.__main__ import problem
from tests.fuzz.cases import kept, read, run
from tests.fuzz.target import Target, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def target() -> AsyncIterator[Target]:
    async with running() as made:
        yield made


@pytest.mark.parametrize("path", kept(), ids=lambda path: path.stem)
async def test_a_finding_does_not_come_back(target: Target, path: Path) -> None:
    case = read(path)
    target.forget()
    await run(case, target.port, address="127.0.0.2")
    await asyncio.sleep(0.1)
    assert problem(target) == "", case.why
