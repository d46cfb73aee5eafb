"""How fast a guesser is, and who is not harmed by one."""

from __future__ import annotations

import asyncio
import logging
import threading
import tracemalloc
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge_agent.attempts import FAILURES_BEFORE_LOCK, FIRST_LOCK_S, LONGEST_DELAY_S, LONGEST_LOCK_S
from edge_agent.sinks.opcua.security import users
from edge_agent.sinks.opcua.security.credentials import Credentials
from edge_agent.sinks.opcua.security.users import Reader
from tests.unit.opcua.door import OPTIONS, THERE, Door, play, seconds


def test_each_failure_costs_the_next_one_more_until_there_is_a_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(door: Door) -> None:
        took: list[float] = []
        for _ in range(FAILURES_BEFORE_LOCK):
            began = seconds()
            assert await door.knock("mes-1", "wrong") is None
            took.append(seconds() - began)
        assert took == [0.5, 1, 2, 4, 4, 4]
        assert max(took) <= LONGEST_DELAY_S
        began = seconds()
        assert await door.knock("mes-1", door.password("mes-1")) is None, "the right password, during the pause"
        await asyncio.sleep(began + FIRST_LOCK_S - LONGEST_DELAY_S - seconds() + 0.001)
        assert await door.knock("mes-1", door.password("mes-1")) is not None
        assert await door.knock("mes-1", "wrong") is None
        assert await door.knock("mes-1", door.password("mes-1")) is not None, "a success begins anew"

    with caplog.at_level(logging.INFO):
        play(tmp_path, scene)
    assert [record.message for record in caplog.records if "refused" in record.message] == [
        'log-ins of "mes-1" from 192.0.2.1 are refused for 30 s: too many wrong passwords'
    ]


def test_pauses_grow_to_a_bound_and_only_tries_after_them_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(door: Door) -> None:
        began = seconds()
        tries = 0
        while seconds() < began + 24 * 3600:
            await door.knock("scada", f"guess {tries}")
            tries += 1
        assert await door.knock("scada", "correct horse", THERE) is not None

    with caplog.at_level(logging.WARNING):
        play(tmp_path, scene, replace(OPTIONS, mes_ids=frozenset()))
    locks = [record.args[2] for record in caplog.records if isinstance(record.args, tuple)]
    assert locks[:5] == [30.0, 60.0, 120.0, 240.0, 300.0]
    assert set(locks[5:]) == {LONGEST_LOCK_S}
    assert len(locks) < 24 * 3600 / LONGEST_LOCK_S + 6


def test_a_lock_is_for_one_user_from_one_address(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        await door.lock("mes-1")
        password = door.password("mes-1")
        assert await door.knock("mes-1", password) is None
        assert await door.knock("mes-1", password, THERE) is not None
        assert await door.knock("mes-2", door.password("mes-2")) is not None
        assert await door.knock("scada", "correct horse") is not None
        assert await door.knock("mes-1", password) is None, "others' successes do not end it"

    play(tmp_path, scene)


def test_a_session_that_works_is_never_locked_out_of_its_own_user(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        password = door.password("mes-1")
        reader = await door.knock("mes-1", password)
        other = await door.knock("mes-2", door.password("mes-2"))
        await door.lock("mes-1")
        began = seconds()
        assert await door.knock("mes-1", password, again=reader) is not None
        assert seconds() == began
        assert await door.knock("mes-1", password, again=other) is None, "of another user"
        assert await door.knock("mes-1", "wrong", again=reader) is None
        assert door.users.entitled(reader or Reader())

    play(tmp_path, scene)


def test_a_new_password_ends_the_pauses_of_its_user_only(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        await door.lock("mes-1")
        await door.lock("mes-2")
        new = Credentials(tmp_path).rotate("mes-1")
        assert await door.knock("mes-1", new.reveal()) is not None
        assert await door.knock("mes-2", door.password("mes-2")) is None

    play(tmp_path, scene)


def test_names_that_nobody_has_share_one_count_and_are_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(door: Door) -> None:
        for number in range(FAILURES_BEFORE_LOCK):
            assert await door.knock(f"hunter{number}", "wrong") is None
        assert len(door.users._attempts) == 1

    with caplog.at_level(logging.DEBUG):
        play(tmp_path, scene)
    assert "hunter" not in caplog.text
    assert caplog.text.count("unknown users from 192.0.2.1") == 1


def test_tries_at_the_same_time_are_no_faster_than_one_after_the_other(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        began = seconds()
        answers = await asyncio.gather(*(door.knock("scada", f"guess {n}") for n in range(40)))
        assert answers == [None] * 40
        [count] = door.users._attempts._counts.values()
        assert count.failures == 4, "the others were refused without a look at their password"
        assert seconds() - began == 0.5 + 1 + 2 + 4
        assert await door.knock("scada", "correct horse") is not None

    play(tmp_path, scene, replace(OPTIONS, mes_ids=frozenset()))


def test_a_lock_also_holds_for_those_who_wait_for_their_turn(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        right = door.password("mes-1")
        for _ in range(FAILURES_BEFORE_LOCK - 2):
            await door.knock("mes-1", "wrong")
        answers = await asyncio.gather(*(door.knock("mes-1", password) for password in ("wrong", "wrong", right)))
        assert not any(answers)

    play(tmp_path, scene)


def test_an_hour_of_silence_begins_anew(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        for wait_s, took_s in ((0, 0.5), (3590, 1), (3610, 0.5)):
            await asyncio.sleep(wait_s)
            began = seconds()
            await door.knock("scada", "wrong")
            assert seconds() - began == took_s

    play(tmp_path, scene, replace(OPTIONS, mes_ids=frozenset()))


def test_a_password_longer_than_any_is_not_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []

    def count(password: str, _kept: str) -> bool:
        hashed.append(len(password))
        return False

    async def scene(door: Door) -> None:
        for length in (1024, 1025, 10**6):
            assert await door.knock("mes-1", "x" * length) is None
        assert hashed == [1024]

    monkeypatch.setattr(users, "matches", count)
    play(tmp_path, scene)


def test_whoever_hangs_up_has_tried(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(door: Door) -> None:
        for _ in range(FAILURES_BEFORE_LOCK):
            attempt = asyncio.ensure_future(door.knock("mes-1", "wrong"))
            await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.wait([attempt])
        assert await door.knock("mes-1", door.password("mes-1")) is None

    play(tmp_path, scene)
    assert caplog.text.count("are refused for") == 1


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("no address", "no address"),
    ],
)
def test_addresses_of_one_owner_are_one(tmp_path: Path, address: str, same: str) -> None:
    async def scene(door: Door) -> None:
        await door.lock("scada", address)
        assert await door.knock("scada", "correct horse", same) is None
        assert await door.knock("scada", "correct horse", "2001:db8:0:1::1") is not None

    play(tmp_path, scene, replace(OPTIONS, mes_ids=frozenset()))


def test_many_addresses_and_names_take_bounded_memory_and_lock_nobody_out(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        await asyncio.gather(*(door.knock("x" * 4000, "y", f"2001:db8:0:{n:x}::1") for n in range(100)))
        tracemalloc.start()
        for start in range(0, 3000, 1000):
            await asyncio.gather(
                *(door.knock(f"{n}" * 800, "y", f"2001:db8:{n:x}::1") for n in range(start, start + 1000))
            )
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size < 1_500_000
        assert len(door.users._attempts) <= 1024
        assert await door.knock("scada", "correct horse") is not None

    play(tmp_path, scene, replace(OPTIONS, mes_ids=frozenset()))


async def test_the_loop_goes_on_while_a_password_is_checked_and_only_one_is_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, most, held_up = 0, 0, 0
    loop_ran = threading.Event()

    def check(_password: str, _kept: str) -> bool:
        nonlocal at_work, most, held_up
        at_work += 1
        most = max(most, at_work)
        held_up += not loop_ran.wait(5)
        loop_ran.clear()
        at_work -= 1
        return False

    monkeypatch.setattr(users, "matches", check)
    door = Door(tmp_path, OPTIONS)
    await door.users.prepare()
    knocks = [asyncio.ensure_future(door.knock("mes-1", "wrong", f"192.0.2.{n}")) for n in range(6)]
    while not all(knock.done() for knock in knocks):
        await asyncio.sleep(0.01)
        loop_ran.set()
    assert (most, held_up) == (1, 0)
    door.users.close()


async def test_a_password_that_got_in_before_is_known_without_the_slow_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door(tmp_path, OPTIONS)
    await door.users.prepare()
    assert await door.knock("mes-1", door.password("mes-1")) is not None

    def never(_password: str, _kept: str) -> bool:
        raise AssertionError("hashed again")

    monkeypatch.setattr(users, "matches", never)
    assert await door.knock("mes-1", door.password("mes-1")) is not None
    assert await door.knock("mes-1", "wrong") is None
    door.users.close()
