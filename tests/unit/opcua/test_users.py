"""Who gets in, how fast a guesser is, and who is not harmed by one."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import stat
import threading
import tracemalloc
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua.crypto.permission_rules import UserRole
from msgspec.structs import replace

from edge_agent.errors import UnavailableError
from edge_agent.secret import Secret
from edge_agent.sinks.opcua import OpcUaOptions, OpcUaUser, passwords, users
from edge_agent.sinks.opcua.attempts import FAILURES_BEFORE_LOCK, FIRST_LOCK_S, LONGEST_DELAY_S, LONGEST_LOCK_S
from edge_agent.sinks.opcua.credentials import Credentials
from edge_agent.sinks.opcua.users import Reader, Users
from tests import virtual_time

START = datetime(2026, 11, 22, tzinfo=UTC)
SCADA = OpcUaUser(name="scada", password=Secret("correct horse"))
OPTIONS = OpcUaOptions(users=(SCADA,), mes_ids=frozenset({1, 2}))
HERE, THERE = "192.0.2.1", "192.0.2.2"

Scene = Callable[["Door"], Coroutine[Any, Any, None]]


class Door:
    """The users of a state folder, and what time a log-in takes."""

    def __init__(self, folder: Path, options: OpcUaOptions) -> None:
        self.options = options
        self.credentials = Credentials(folder)
        self.users = Users(lambda: self.options, credentials=self.credentials)

    def password(self, name: str) -> str:
        return self.credentials.passwords()[name].reveal()

    async def knock(self, name: str | None, password: str | None, address: str = HERE, **more: Any) -> Reader | None:
        return await self.users.log_in(name, password, address=address, **({"encrypted": True} | more))

    async def lock(self, name: str, address: str = HERE) -> None:
        for _ in range(FAILURES_BEFORE_LOCK):
            assert await self.knock(name, "wrong", address) is None


def play(folder: Path, scene: Scene, options: OpcUaOptions = OPTIONS) -> None:
    async def main() -> None:
        door = Door(folder, options)
        await door.users.prepare()
        try:
            await scene(door)
        finally:
            door.users.close()

    virtual_time.run(main, start=START)


def seconds() -> float:
    return asyncio.get_running_loop().time()


def test_a_mes_gets_in_with_its_generated_password_and_sees_its_own(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        reader = await door.knock("mes-1", door.password("mes-1"))
        assert reader is not None
        assert (reader.name, reader.mes_ids, reader.role) == ("mes-1", frozenset({1}), UserRole.User)
        assert await door.knock("mes-1", door.password("mes-2")) is None
        assert await door.knock("mes-3", door.password("mes-1")) is None

    play(tmp_path, scene)


def test_a_configured_user_sees_everything(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        reader = await door.knock("scada", "correct horse")
        assert reader is not None
        assert (reader.name, reader.mes_ids, reader.role) == ("scada", None, UserRole.User)

    play(tmp_path, scene)


@pytest.mark.parametrize("name", ["admin", "Admin", "root", "", "scada", "SCADA", "mes-1", "mes-01", "anonymous"])
@pytest.mark.parametrize("password", ["", None, "wrong", "correct horse ", "x" * 100_000, "\udcff", "\0"])
def test_no_name_gets_in_without_its_password(tmp_path: Path, name: str, password: str | None) -> None:
    async def scene(door: Door) -> None:
        assert await door.knock(name, password) is None

    (tmp_path / "users.json").write_text(KNOWN)
    play(tmp_path, scene)


KNOWN = json.dumps({"users": {f"mes-{n}": {"hash": passwords.hash_password(Secret("x" * 29))} for n in (1, 2)}})


def test_no_password_is_taken_on_a_channel_that_is_not_encrypted(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        for anonymous in (False, True):
            door.options = replace(OPTIONS, anonymous=anonymous)
            assert await door.knock("scada", "correct horse", encrypted=False) is None

    play(tmp_path, scene)


def test_nobody_is_anonymous_unless_configured(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        assert await door.knock(None, None) is None
        door.options = replace(OPTIONS, anonymous=True)
        reader = await door.knock(None, None, encrypted=False)
        assert reader is not None
        assert reader.mes_ids is None
        assert door.users.entitled(reader)
        door.options = OPTIONS
        assert not door.users.entitled(reader)

    play(tmp_path, scene)


def test_a_user_whose_mes_id_no_machine_has_is_refused_and_gets_in_again_when_one_has(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        password = door.password("mes-2")
        reader = await door.knock("mes-2", password)
        assert reader is not None
        door.options = replace(OPTIONS, mes_ids=frozenset({1}))
        await door.users.prepare()
        assert not door.users.entitled(reader)
        assert await door.knock("mes-2", password) is None
        door.options = OPTIONS
        await door.users.prepare()
        assert await door.knock("mes-2", password) is not None

    play(tmp_path, scene)


def test_a_new_mes_id_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        before = door.credentials.passwords()
        door.options = replace(OPTIONS, mes_ids=frozenset({1, 2, -3}))
        await door.users.prepare()
        assert {**door.credentials.passwords(), **before} == door.credentials.passwords()
        reader = await door.knock("mes--3", door.password("mes--3"))
        assert reader is not None
        assert reader.mes_ids == frozenset({-3})

    play(tmp_path, scene)


def test_a_new_password_counts_at_once_and_ends_the_sessions_of_the_old_one(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        old = door.password("mes-1")
        mine, other = await door.knock("mes-1", old), await door.knock("mes-2", door.password("mes-2"))
        assert mine is not None
        assert other is not None
        assert door.users.entitled(mine)
        new = Credentials(tmp_path).rotate("mes-1")  # another process
        assert not door.users.entitled(mine)
        assert door.users.entitled(other)
        assert await door.knock("mes-1", old) is None
        again = await door.knock("mes-1", new.reveal())
        assert again is not None
        assert door.users.entitled(again)

    play(tmp_path, scene)


def test_a_configured_user_with_a_new_password_has_to_log_in_again(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        reader = await door.knock("scada", "correct horse")
        assert reader is not None
        door.options = replace(OPTIONS, users=(SCADA, replace(SCADA, name="other")))
        assert door.users.entitled(reader)
        for gone in ((), (replace(SCADA, password=Secret("new")),)):
            door.options = replace(OPTIONS, users=gone)
            assert not door.users.entitled(reader)

    play(tmp_path, scene)


@pytest.mark.parametrize("harm", ["damage", "forbid"])
def test_a_file_that_cannot_be_read_any_more_harms_nobody_who_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    async def scene(door: Door) -> None:
        password = door.password("mes-1")
        reader = await door.knock("mes-1", password)
        assert reader is not None
        if harm == "damage":
            (tmp_path / "users.json").write_text("{")
        else:

            def refuse(_: Credentials) -> dict[str, str]:
                raise UnavailableError("not yours")

            monkeypatch.setattr(Credentials, "hashes", refuse)
        for _ in range(3):
            assert door.users.entitled(reader)
            assert await door.knock("mes-1", password) is not None

    play(tmp_path, scene)
    assert [record.levelname for record in caplog.records if "not taken over" in record.message] == ["ERROR"]


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


def test_a_reader_does_not_show_what_it_was_checked_against(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        reader = await door.knock("mes-1", door.password("mes-1"))
        assert "scrypt" not in repr(reader)

    play(tmp_path, scene)


def test_the_files_are_for_their_owner_only_and_hold_no_password_but_one(tmp_path: Path) -> None:
    made = Credentials(tmp_path).make_missing(["mes-1", "mes-2"])
    assert made == ["mes-1", "mes-2"]
    for name in ("users.json", "passwords.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    for password in Credentials(tmp_path).passwords().values():
        assert password.reveal() not in (tmp_path / "users.json").read_text()


def test_without_the_passwords_file_everybody_still_gets_in(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        password = door.password("mes-1")
        (tmp_path / "passwords.json").unlink()
        assert await door.knock("mes-1", password) is not None
        await door.users.prepare()
        assert door.credentials.passwords() == {}
        new = door.credentials.rotate("mes-2")
        assert door.credentials.passwords() == {"mes-2": new}

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"users": {"mes-1": {"hash": "plain"}}}',
        '{"users": {"mes-1": {"hash": "scrypt$30$8$1$00$' + "0" * 64 + '"}}}',
        "\udcff",
    ],
)
def test_a_damaged_file_is_a_sentence_and_is_not_written_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "users.json").write_text(content, errors="surrogateescape")
    before = (tmp_path / "users.json").read_bytes()
    with pytest.raises(UnavailableError, match=r"users\.json is damaged; restore"):
        Credentials(tmp_path).make_missing(["mes-1"])
    assert (tmp_path / "users.json").read_bytes() == before


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="is --state-dir right"):
        Credentials(tmp_path / "nowhere").make_missing(["mes-1"])


def test_generated_passwords_have_enough_bits_and_no_letter_that_is_taken_for_another() -> None:
    made = [passwords.make_password().reveal() for _ in range(300)]
    assert len(set(made)) == 300
    letters = set("".join(made)) - {"-"}
    assert not letters & set("0oO1lIiL")
    assert len(letters) == len(passwords._LETTERS)
    assert all(len(password.replace("-", "")) * math.log2(len(letters)) >= 120 for password in made)


def test_a_hash_is_salted_and_carries_its_cost(tmp_path: Path) -> None:
    one, two = (passwords.hash_password(Secret("same")) for _ in range(2))
    assert one != two
    assert one.startswith("scrypt$14$8$1$")
    cheaper = passwords.hash_password(Secret("same")).replace("scrypt$14$", "scrypt$13$")
    assert passwords.is_hash(cheaper)
    assert passwords.matches("same", one)
    assert not passwords.matches("Same", one)
    assert not passwords.matches("same", cheaper)
    with pytest.raises(ValueError, match="not a hash"):
        passwords.matches("same", str(tmp_path))


@pytest.mark.parametrize("text", ["scrypt$20$8$1$00$", "scrypt$0$8$1$00$", "scrypt$14$0$1$00$", "scrypt$14$8$0$00$"])
def test_a_hash_that_would_take_too_much_is_none(text: str) -> None:
    assert not passwords.is_hash(text + "0" * 64)
