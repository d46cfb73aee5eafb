"""The files that passwords are kept in, and what is kept of them."""

from __future__ import annotations

import math
import stat
from pathlib import Path

import pytest

from edge_agent import passwords
from edge_agent.errors import UnavailableError
from edge_agent.secret import Secret
from edge_agent.sinks.opcua.security.credentials import Credentials
from tests.unit.opcua.door import Door, play


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
