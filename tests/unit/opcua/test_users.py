"""Who gets in, what they see, and until when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asyncua.crypto.permission_rules import UserRole
from msgspec.structs import replace

from edge_agent import passwords
from edge_agent.errors import UnavailableError
from edge_agent.secret import Secret
from edge_agent.sinks.opcua.security.credentials import Credentials
from tests.unit.opcua.door import OPTIONS, SCADA, Door, play


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


def test_a_reader_does_not_show_what_it_was_checked_against(tmp_path: Path) -> None:
    async def scene(door: Door) -> None:
        reader = await door.knock("mes-1", door.password("mes-1"))
        assert "scrypt" not in repr(reader)

    play(tmp_path, scene)
