"""The door by itself: sessions, the count of tries, and how many may come from everywhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent import admin as admin_room
from edge_agent import attempts
from edge_agent.admin import Admin
from edge_agent.secret import Secret
from edge_agent.sinks.http.access import Access, Budget, Refused, Why
from edge_agent.sinks.http.sessions import IDLE_S, MOST, Sessions

GOOD = Secret("correct horse battery")


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def access(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Access]:
    """A door with a password that is quick to compare."""
    monkeypatch.setattr(attempts, "FIRST_DELAY_S", 0.0)
    admin = Admin(tmp_path, monotonic=clock)
    admin.set_first(GOOD)
    monkeypatch.setattr(admin_room, "matches", lambda password, _: password == GOOD.reveal())
    access = Access(admin)
    yield access
    access.close()


async def tried(access: Access, address: str, password: Secret = Secret("wrong")) -> Why | None:  # noqa: B008 - frozen
    try:
        await access.log_in(password, address=address, secure=False)
    except Refused as refused:
        return refused.why
    return None


async def test_who_has_many_addresses_has_not_many_tries(access: Access, clock: Clock) -> None:
    assert await tried(access, "10.0.0.1", GOOD) is None
    clock.seconds += 100
    answers = [await tried(access, f"192.168.{number // 250}.{number % 250}") for number in range(2000)]
    assert answers.count(Why.WRONG) == 20
    assert answers.count(Why.BUSY) == 1980
    assert await tried(access, "192.168.9.9", GOOD) is Why.BUSY
    assert await tried(access, "10.0.0.1", GOOD) is None  # who got in before shares nothing with them
    clock.seconds += 3
    assert await tried(access, "192.168.9.9", GOOD) is None


async def test_guessers_fill_no_memory(access: Access, clock: Clock) -> None:
    for number in range(5000):
        clock.seconds += 3
        await tried(access, f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(access._attempts) <= 1024
    for number in range(100):
        clock.seconds += 3
        await tried(access, f"172.16.0.{number}", GOOD)
    assert len(access._known) == 64
    assert len(access.sessions) == MOST


async def test_an_ipv6_network_is_one_guesser(access: Access, clock: Clock) -> None:
    clock.seconds += 1000
    answers = [await tried(access, f"fd00::{number:x}") for number in range(1, 9)]
    assert answers == [Why.WRONG] * 6 + [Why.LOCKED] * 2
    assert await tried(access, "fd00:0:0:1::1", GOOD) is None


async def test_a_new_password_forgives_the_failures_of_the_old_one(access: Access) -> None:
    for _ in range(7):
        await tried(access, "10.0.0.1")
    assert await tried(access, "10.0.0.1", GOOD) is Why.LOCKED
    access.admin.make()
    assert await tried(access, "10.0.0.1", GOOD) is None


async def test_a_password_that_changes_while_it_is_checked_opens_nothing(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    def matches(*_: str) -> bool:
        access.admin.make()
        return True

    monkeypatch.setattr(admin_room, "matches", matches)
    token = await access.log_in(GOOD, address="10.0.0.1", secure=False)
    assert access.session([token]) is None


async def test_hashes_are_made_in_a_thread_of_their_own(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def matches(*_: str) -> bool:
        threads.append(threading.current_thread().name)
        return True

    monkeypatch.setattr(admin_room, "matches", matches)
    await access.log_in(GOOD, address="10.0.0.1", secure=False)
    assert [name.startswith("admin password") for name in threads] == [True]


async def test_few_wait_for_a_hash_and_one_is_made_at_a_time(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, at_once, most = threading.Event(), 0, 0

    def matches(*_: str) -> bool:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        go_on.wait(20)
        at_once -= 1
        return False

    monkeypatch.setattr(admin_room, "matches", matches)
    tries = [asyncio.ensure_future(tried(access, f"10.0.0.{number}")) for number in range(12)]
    assert [await first for first in islice(asyncio.as_completed(tries), 4)] == [Why.BUSY] * 4
    go_on.set()
    answers = await asyncio.gather(*tries)
    assert (answers.count(Why.WRONG), answers.count(Why.BUSY), most) == (8, 4, 1)


async def test_who_hangs_up_has_tried_and_is_told_of(
    access: Access, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def matches(*_: str) -> bool:
        begun.set()
        return go_on.wait(20)

    monkeypatch.setattr(admin_room, "matches", matches)
    for _ in range(attempts.FAILURES_BEFORE_LOCK):
        begun.clear()
        go_on.clear()
        one = asyncio.ensure_future(tried(access, "10.0.0.1"))
        await asyncio.to_thread(begun.wait, 20)
        one.cancel()
        await asyncio.wait([one])
        go_on.set()
    assert await tried(access, "10.0.0.1", GOOD) is Why.LOCKED
    assert caplog.text.count("10.0.0.1 are refused for 30 s") == 1


def test_a_budget_fills_up_again_and_not_over(clock: Clock) -> None:
    budget = Budget(clock, tries=2, every_s=3.0)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    clock.seconds += 2.9
    assert not budget.take()
    clock.seconds += 0.2
    assert [budget.take(), budget.take()] == [True, False]
    clock.seconds += 1000
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_a_session_holds_no_token_that_opens_it(clock: Clock) -> None:
    sessions = Sessions(clock)
    token = sessions.open(proof="a")
    session = sessions.find([token], proof="a")
    assert session is not None
    assert token not in repr(session)
    assert token.encode() not in session.key
    assert session.form_token != token
    assert session.sent(session.form_token)
    assert not session.sent(token)


def test_a_session_is_for_the_password_it_was_opened_with(clock: Clock) -> None:
    sessions = Sessions(clock)
    token = sessions.open(proof="a")
    assert sessions.find([token], proof="a") is not None
    assert sessions.find([token], proof="b") is None
    assert sessions.find([token], proof="a") is None  # and does not come back


def test_without_a_password_there_is_no_session(clock: Clock) -> None:
    sessions = Sessions(clock)
    token = sessions.open(proof="")
    assert sessions.find([token], proof="") is None


def test_the_one_that_is_quiet_for_longest_makes_room(clock: Clock) -> None:
    sessions = Sessions(clock)
    tokens = []
    for _ in range(MOST):
        clock.seconds += 1
        tokens.append(sessions.open(proof="a"))
    clock.seconds += 1
    assert sessions.find([tokens[0]], proof="a") is not None
    sessions.open(proof="a")
    assert sessions.find([tokens[1]], proof="a") is None
    assert sessions.find([tokens[0]], proof="a") is not None
    clock.seconds += IDLE_S
    assert sessions.find(tokens, proof="a") is None
    assert len(sessions) == 0
