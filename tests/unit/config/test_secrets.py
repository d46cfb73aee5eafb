"""Which secret is meant, and what is wrong with the file it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_agent.config import ConfigFileError
from edge_agent.errors import ExitCode

from .conftest import KEY, OTHER_KEY, Folder, machine


def key_of(folder: Folder, reference: str) -> str:
    folder.write([machine(authentication_file_path=reference)])
    key = folder.load().machines[0].key
    assert key
    return key.reveal()


@pytest.mark.parametrize(
    "content",
    [KEY, f"{KEY}\n", f" '{KEY}' \r\n", f"\ufeff{KEY}", f"{KEY}\n".encode("utf-16"), f'\ufeff"{KEY}"'.encode()],
)
def test_what_editors_put_around_a_key_is_taken_off(folder: Folder, content: str | bytes) -> None:
    folder.file("keys/a.txt", content)
    assert key_of(folder, "keys/a.txt") == KEY


def test_absolute_path(folder: Folder) -> None:
    assert key_of(folder, str(folder.file("elsewhere/key", KEY))) == KEY


def test_a_file_named_like_a_key_is_read(folder: Folder) -> None:
    folder.file(KEY, OTHER_KEY)
    assert key_of(folder, KEY) == OTHER_KEY


def test_credentials_directory_comes_first(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.file("prusa", OTHER_KEY)
    folder.file("credentials/prusa", KEY, mode=0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder.path / "credentials"))
    assert key_of(folder, "prusa") == KEY
    assert folder.load().warnings == ()


def test_an_open_file_is_warned_about(folder: Folder) -> None:
    folder.file("a.key", KEY, mode=0o604)
    assert key_of(folder, "a.key") == KEY
    assert [warning.text for warning in folder.load().warnings] == [
        f"the file {folder.path}/a.key can be read by other users; run: chmod 600 {folder.path}/a.key"
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "is empty; put the secret in it"),
        ('""', "is empty; put the secret in it"),
        (f"{KEY}\n{KEY}", "holds more than one line; it must hold the secret and nothing else"),
        (f"{KEY}é", "holds a character that no such secret has; copy the secret again"),
        (f"Bearer {KEY}", "holds a character that no such secret has; copy the secret again"),
        (KEY.encode() + b"\xff", "is not a text; it must hold the secret and nothing else"),
        (KEY * 1000, "is larger than 4 KiB; this cannot be the right file"),
    ],
)
def test_bad_secret_file(folder: Folder, content: str | bytes, text: str) -> None:
    folder.file("a.key", content)
    folder.write([machine(authentication_file_path="a.key")])
    code, lines = folder.check()
    assert code is ExitCode.CONFIG
    assert lines[0].endswith(f"[0].authentication_file_path: the file a.key {text}")
    assert not any(KEY[:10] in line for line in lines)


def test_a_directory_is_no_secret(folder: Folder) -> None:
    (folder.path / "keys").mkdir()
    folder.write([machine(authentication_file_path="keys")])
    assert folder.check()[1][0].endswith("the file keys is a directory; name the file in it")


def test_an_unreadable_file(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.file("a.key", KEY)
    opened = Path.open

    def refuse(self: Path, *arguments: Any) -> Any:
        if self.name == "a.key":
            raise PermissionError(13, "Permission denied")
        return opened(self, *arguments)

    folder.write([machine(authentication_file_path="a.key")])
    monkeypatch.setattr(Path, "open", refuse)
    assert folder.check()[1][0].endswith("the file a.key may not be read by this user; change its owner or mode")


@pytest.mark.parametrize(
    "text", ["two words of a text", "A" * 15, f"{KEY}\n", "{" + KEY + "/}", "\0", "a" * 5000 + "!"]
)
def test_what_is_neither_path_nor_key_is_not_shown(folder: Folder, text: str) -> None:
    folder.write([machine(authentication_file_path=text)])
    code, lines = folder.check()
    assert code is (ExitCode.OK if text.strip() == KEY else ExitCode.CONFIG)
    assert not any(text.strip() in line for line in lines)


def test_a_missing_secret_is_waited_for(folder: Folder) -> None:
    folder.write([machine(authentication_file_path="a.key")])
    with pytest.raises(ConfigFileError) as caught:
        folder.load()
    assert caught.value.watched_files == (folder.config, folder.path / "a.key")
