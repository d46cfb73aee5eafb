"""Every way to exhaust the endpoint that we know of, with its memory and another client's patience measured."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fuzz.attacks import ATTACKS, big_read
from tests.fuzz.target import MOST_MB, ROOT, SLOWEST_S, Target, running
from tests.opcua_wire import connected

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

SECONDS = 4.0
ATTACKERS = {
    "four_gigabytes": 20,
    "almost_a_chunk": 60,
    "frames_of": 31,
    "silence": 300,
    "a_byte_a_second": 31,
    "endpoints_unread": 31,
    "reads_unread": 8,
    "sessions": 20,
    "channels": 20,
    "empty_variants": 3,
    "publishes": 8,
    "subscriptions": 8,
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def target() -> AsyncIterator[Target]:
    async with running() as made:
        for _ in range(3):  # what is made at the first use is no growth
            async with connected(made.port) as client:
                await client.log_in()
                await big_read(client)
                await client.answer()
        yield made


async def test_every_attack_is_tried() -> None:
    assert ATTACKERS.keys() == ATTACKS.keys()


@pytest.mark.parametrize("attack", ATTACKERS)
async def test_an_attack_takes_little_memory_and_nobody_elses_time(target: Target, attack: str) -> None:
    await asyncio.sleep(0.5)
    target.forget()
    given = attack, str(ATTACKERS[attack]), str(target.port), str(SECONDS)
    attacker = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.fuzz.attacks", *given, cwd=ROOT)
    try:
        async with asyncio.timeout(SECONDS + 20):
            assert await attacker.wait() == 0
    finally:
        if attacker.returncode is None:
            attacker.kill()
    print(f"{attack}: +{target.grown_mb:.1f} MB, slowest {target.slowest_s * 1000:.0f} ms of {target.answers}")
    assert target.alive
    assert target.exceptions == []
    assert target.grown_mb <= MOST_MB
    assert target.slowest_s <= SLOWEST_S
    assert target.answers > SECONDS
