"""The password of whoever changes something: set once, kept as a slow hash, and never opened by what breaks."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from edge_agent import admin as room
from edge_agent.admin import FIRST_USE_S, Admin, AlreadySet, TooLate, Unfit
from edge_agent.errors import UnavailableError
from edge_agent.passwords import is_hash
from edge_agent.secret import Secret

GOOD = Secret("correct horse battery")
OTHER = Secret("another horse, another battery")


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_it_is_set_once_and_kept_as_a_hash_for_the_agent_only(tmp_path: Path) -> None:
    admin = Admin(tmp_path)
    assert (admin.proof, admin.knows(GOOD)) == ("", False)
    proof = admin.set_first(GOOD)
    assert is_hash(proof)
    assert admin.proof == proof
    assert (admin.knows(GOOD), admin.knows(OTHER), admin.first_use_s) == (True, False, 0.0)
    with pytest.raises(AlreadySet):
        admin.set_first(OTHER)
    assert admin.knows(GOOD)
    file = tmp_path / "admin.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert GOOD.reveal() not in file.read_text()


def test_it_can_be_set_in_the_first_quarter_of_an_hour_only(tmp_path: Path) -> None:
    clock = Clock()
    admin = Admin(tmp_path, monotonic=clock)
    assert admin.first_use_s == FIRST_USE_S
    clock.seconds += FIRST_USE_S - 1
    assert admin.first_use_s == 1
    clock.seconds += 1
    assert admin.first_use_s == 0
    with pytest.raises(TooLate, match="credentials --admin"):
        admin.set_first(GOOD)
    assert not list(tmp_path.iterdir())


def test_a_restart_opens_nothing_once_it_is_set(tmp_path: Path) -> None:
    Admin(tmp_path).set_first(GOOD)
    again = Admin(tmp_path)
    assert again.first_use_s == 0
    with pytest.raises(AlreadySet):
        again.set_first(OTHER)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"hash": ""}', b'{"hash": "scrypt$30$8$1$00$00"}', b"\xff\xfe", b'{"hash": null}', b"[]"]
)
def test_a_damaged_file_lets_nobody_in_and_nobody_set_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "admin.json").write_bytes(content)
    admin = Admin(tmp_path)
    assert admin.first_use_s == 0
    assert not admin.knows(GOOD)
    assert not admin.knows(Secret(""))
    with pytest.raises(AlreadySet):
        admin.set_first(GOOD)
    made = admin.make()
    assert admin.knows(made)


def test_a_running_agent_takes_over_what_a_command_made(tmp_path: Path) -> None:
    admin = Admin(tmp_path)
    admin.set_first(GOOD)
    before = admin.proof
    made = Admin(tmp_path).make()
    assert admin.proof != before
    assert (admin.knows(made), admin.knows(GOOD)) == (True, False)
    (tmp_path / "admin.json").unlink()
    assert admin.proof == ""


def test_it_is_changed_only_by_who_knew_the_one_in_force(tmp_path: Path) -> None:
    admin = Admin(tmp_path)
    admin.set_first(GOOD)
    proof = admin.proof
    assert admin.change(OTHER, proof=proof) == admin.proof != proof
    assert admin.knows(OTHER)
    with pytest.raises(AlreadySet):
        admin.change(GOOD, proof=proof)
    assert admin.knows(OTHER)


@pytest.mark.parametrize("password", ["", "elevenchars", "x" * 257])
def test_one_that_can_be_guessed_is_not_taken(tmp_path: Path, password: str) -> None:
    admin = Admin(tmp_path)
    with pytest.raises(Unfit):
        admin.set_first(Secret(password))
    admin.set_first(GOOD)
    with pytest.raises(Unfit):
        admin.change(Secret(password), proof=admin.proof)
    assert admin.knows(GOOD)


def test_what_is_longer_than_a_password_is_none(tmp_path: Path) -> None:
    admin = Admin(tmp_path)
    longest = Secret("x" * 256)
    admin.set_first(longest)
    assert admin.knows(longest)
    assert not admin.knows(Secret("x" * 257))


def test_of_many_at_once_one_sets_it(tmp_path: Path) -> None:
    ready = threading.Barrier(4)
    passwords = [Secret(f"password number {number}") for number in range(4)]
    won: list[Secret] = []

    def race(password: Secret) -> None:
        ready.wait()
        try:
            Admin(tmp_path).set_first(password)
        except AlreadySet:
            return
        won.append(password)

    threads = [threading.Thread(target=race, args=(password,)) for password in passwords]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert Admin(tmp_path).knows(won[0])


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    admin = Admin(tmp_path / "missing")
    with pytest.raises(UnavailableError, match="is --state-dir right"):
        admin.set_first(GOOD)
    (tmp_path / "admin.json").mkdir()
    with pytest.raises(UnavailableError):
        _ = Admin(tmp_path).proof


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_agents_user(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1235)
    Admin(tmp_path).make()
    about = (tmp_path / "admin.json").stat()
    assert (about.st_uid, about.st_gid) == (1234, 1235)


def test_a_wrong_password_costs_the_same_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def matches(_: str, kept: str) -> bool:
        compared.append(kept)
        return False

    monkeypatch.setattr(room, "matches", matches)
    admin = Admin(tmp_path)
    assert not admin.knows(GOOD)  # there is none
    (tmp_path / "admin.json").write_bytes(b"{")
    assert not admin.knows(GOOD)  # it is damaged
    admin.make()
    assert not admin.knows(GOOD)
    assert not admin.knows(Secret("x" * 10_000))
    assert len(compared) == 4
    assert all(is_hash(kept) for kept in compared)
    assert len({kept.rpartition("$")[0].rpartition("$")[0] for kept in compared}) == 1  # the same costs
