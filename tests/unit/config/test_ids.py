"""Machine ids: the same for ever, whatever happens to the file."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.ids import Identity, IdsFile, Memory, assign, slug, updated

from .conftest import Folder, machine


def ids(folder: Folder, *machines: dict[str, Any]) -> list[str]:
    folder.write([machine(**keys) for keys in machines])
    return [each.machine.id for each in folder.load(remember=True).machines]


A = {"custom_name": "Prusa Büro", "url": "http://a"}
B = {"custom_name": "Ender", "url": "http://b"}


def test_slug_of_the_name(folder: Folder) -> None:
    assert ids(folder, A, B, {"url": "http://c:5000"}) == ["prusa-buero", "ender", "c-5000"]


def test_reordering_changes_nothing(folder: Folder) -> None:
    assert ids(folder, A, B) == ids(folder, B, A)[::-1]


def test_an_id_survives_a_new_address_or_a_new_name(folder: Folder) -> None:
    ids(folder, A, B)
    assert ids(folder, A | {"url": "http://z"}, B | {"custom_name": "Ender 3"}) == ["prusa-buero", "ender"]


def test_swapped_addresses_do_not_swap_ids(folder: Folder) -> None:
    ids(folder, A, B)
    assert ids(folder, A | {"url": "http://b"}, B | {"url": "http://a"}) == ["prusa-buero", "ender"]


def test_a_removed_id_comes_back_only_to_its_machine(folder: Folder) -> None:
    ids(folder, A, B)
    assert ids(folder, B) == ["ender"]
    # Another printer at the old address, and one whose name only looks alike: neither is the removed one.
    assert ids(
        folder, {"custom_name": "New", "url": "http://a"}, {"custom_name": "PRUSA-buero", "url": "http://y"}
    ) == [
        "new",
        "prusa-buero-2",
    ]
    assert ids(folder, A | {"url": "http://x"}) == ["prusa-buero"]


def test_two_names_with_one_slug(folder: Folder) -> None:
    first = {"custom_name": "MK 4", "url": "http://a"}
    second = {"custom_name": "mk-4", "url": "http://b"}
    assert ids(folder, first, second) == ["mk-4", "mk-4-2"]
    assert ids(folder, second, first) == ["mk-4-2", "mk-4"]


def test_explicit_id_wins_and_is_kept_for_the_machine(folder: Folder) -> None:
    ids(folder, A)
    assert ids(folder, A | {"id": "x1"}) == ["x1"]
    assert ids(folder, A) == ["x1"]
    assert ids(folder, A | {"id": "x1"}, {"custom_name": "x1", "url": "http://q"}) == ["x1", "x1-2"]


def test_explicit_id_of_another_machine_is_refused(folder: Folder) -> None:
    ids(folder, A, B)
    folder.write([machine(**A), machine(**B, id="prusa-buero")])
    code, lines = folder.check()
    assert code == 78
    assert lines[0].split(": ", 1)[1] == ("[1].id: this id belongs already to the machine at 1:31; choose another")


def test_check_remembers_nothing(folder: Folder) -> None:
    folder.write([machine()])
    folder.check()
    assert list(folder.state_dir.iterdir()) == []


def test_nothing_is_written_when_nothing_changed(folder: Folder) -> None:
    ids(folder, A)
    file = folder.state_dir / "ids.json"
    before = file.stat().st_ino
    ids(folder, A)
    assert file.stat().st_ino == before
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"machines": [{"id": 3}]}', b"[" * 100_000])
def test_a_damaged_memory_is_set_aside(folder: Folder, content: bytes) -> None:
    file = folder.state_dir / "ids.json"
    file.write_bytes(content)
    folder.write([machine()])
    assert "is damaged" in folder.check()[1][0]
    assert file.read_bytes() == content
    assert "is damaged" in folder.load(remember=True).warnings[0].text
    assert file.with_name("ids.json.bad").read_bytes() == content
    assert json.loads(file.read_bytes())["machines"][0]["id"] == "192-168-1-41-5000"
    assert folder.load(remember=True).warnings == ()


def test_a_full_disk_does_not_stop_the_agent(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.config.ids.write_private", full)
    folder.write([machine()])
    assert "machine ids cannot be remembered: No space left" in folder.load(remember=True).warnings[0].text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Prusa MK3S (Büro)", "prusa-mk3s-buero"),
        ("Größe Ä", "groesse-ae"),
        ("Bu\u0308ro", "buero"),
        ("Crème brûlée №5", "creme-brulee-no5"),
        ("Łódź", "lodz"),
        ("打印机", ""),
        ("--", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_slug(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_a_name_without_latin_letters_falls_back_to_the_address(folder: Folder) -> None:
    assert ids(folder, {"custom_name": "打印机"}) == ["192-168-1-41-5000"]


NAMES = st.none() | st.sampled_from(["A", "a", "B", "Ä", "ae", "打", "a-2", "x" * 70])
FLEETS = st.lists(
    st.builds(
        lambda name, host: Identity(id=None, name=name, url=f"http://{host}", address=f"{host}:80"),
        NAMES,
        st.sampled_from("abcdef"),
    ),
    max_size=6,
    unique_by=(lambda each: each.name or each.url, lambda each: each.url),
)


@given(st.lists(FLEETS, min_size=1, max_size=6), st.randoms())
def test_ids_are_unique_valid_stable_and_never_reused(fleets: list[list[Identity]], dice: random.Random) -> None:
    memory = Memory()
    owners: dict[str, list[Identity]] = {}
    for fleet in fleets:
        found = assign(fleet, memory)
        memory = updated(memory, fleet, found)
        assert len(set(found)) == len(found)
        assert all(slug(id_) == id_ and id_ for id_ in found)
        shuffled = dice.sample(list(enumerate(fleet)), len(fleet))
        again = assign([each for _, each in shuffled], memory)
        assert again == [found[index] for index, _ in shuffled]
        for id_, each in zip(found, fleet, strict=True):
            former = owners.setdefault(id_, [])
            assert not former or any(each.name == old.name or each.url == old.url for old in former)
            former.append(each)


def test_a_state_folder_that_may_not_be_looked_into_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", forbidden)
    file = IdsFile(tmp_path)
    assert file.read() == Memory()
    assert [problem.text for problem in file.problems] == ["cannot be read: Permission denied"]
    file.write(Memory())
    assert list(tmp_path.iterdir()) == []
