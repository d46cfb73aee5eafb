"""Which secret is meant: a file, a systemd credential, or the text itself.

The Aggregator never said how it tells a path from a key. Here: an existing file is read; a text that looks like a
path and is none is an error that names the absolute path; a text that looks like a key is the key. No error shows a
text that is not clearly a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..secret import Secret
from .jsonc import JsonError, read_limited
from .problem import JsonPath
from .report import Report

SIZE_LIMIT_BYTES = 4096

_LIKE_A_KEY = re.compile(r"[A-Za-z0-9_-]{16,}")
_LIKE_A_PATH = re.compile(r"[^\x00-\x1f{}]{0,400}(?:[/\\]|\.[A-Za-z0-9]{1,8}$)[^\x00-\x1f{}]{0,400}")
_KEY_LETTERS = re.compile(r"[\x21-\x7e]+")
_TEXT_LETTERS = re.compile(r"[^\x00-\x1f\x7f]+")
_READ_BY_OTHERS = 0o044


class Secrets:
    """Finds the secrets of one configuration.

    Args:
        report: takes problems and the files looked at.
        folder: the folder of config.json; relative paths start here.
        credentials: systemd's credentials directory, searched first, if there is one.
    """

    def __init__(self, report: Report, folder: Path, credentials: Path | None) -> None:
        self._report = report
        self._folder = folder
        self._credentials = credentials

    def key(self, text: str, path: JsonPath) -> tuple[Secret, bool] | None:
        """The key meant by ``authentication_file_path``, and whether it stood there itself; ``None`` if reported."""
        text = text.strip()
        file = self._existing(text)
        if file is not None:
            key = self._read(file, path, _KEY_LETTERS)
            return (key, False) if key else None
        if _LIKE_A_PATH.fullmatch(text):
            self._missing(text, path)
        elif _LIKE_A_KEY.fullmatch(text):
            return Secret(text), True
        else:
            self._report.error(
                path, "is neither an existing file nor a key (16 or more letters and digits); name the file of the key"
            )
        return None

    def inline_key(self, text: str, path: JsonPath) -> Secret | None:
        """The key that stands in ``api_key``; ``None`` if reported."""
        return self._checked(_unquoted(text), path, "", _KEY_LETTERS)

    def inline_password(self, text: str, path: JsonPath) -> Secret | None:
        """The password that stands in ``password``; ``None`` if reported."""
        return self._checked(text, path, "", _TEXT_LETTERS)

    def password(self, text: str, path: JsonPath) -> Secret | None:
        """The password in the file that ``password_file`` names; ``None`` if reported."""
        text = text.strip()
        file = self._existing(text)
        if file is not None:
            return self._read(file, path, _TEXT_LETTERS)
        if _LIKE_A_PATH.fullmatch(text):
            self._missing(text, path)
        else:
            self._report.error(path, "this file does not exist; name the file that holds the password")
        return None

    def _existing(self, text: str) -> Path | None:
        """The file that ``text`` names, if there is one."""
        if not text:
            return None
        found = [place for place in self._places(text) if _exists(place)]
        return found[0] if found else None

    def _places(self, text: str) -> list[Path]:
        plain = Path(text).name == text
        in_credentials = [self._credentials / text] if self._credentials and plain else []
        return [*in_credentials, self._folder / text]

    def _missing(self, text: str, path: JsonPath) -> None:
        file = self._folder / text
        self._report.watched_files.append(file)
        self._report.error(path, f"the file {file} does not exist; create it, or correct the path")

    def _read(self, file: Path, path: JsonPath, letters: re.Pattern[str]) -> Secret | None:
        self._report.watched_files.append(file)
        try:
            raw = read_limited(file, SIZE_LIMIT_BYTES)
        except JsonError as error:
            self._report.error(path, f"the file {file} {error.text}")
            return None
        text = _decoded(raw)
        if text is None:
            self._report.error(path, f"the file {file} is not a text; it must hold the secret and nothing else")
            return None
        self._warn_if_open(file, path)
        return self._checked(_unquoted(text), path, f"the file {file} ", letters)

    def _checked(self, text: str, path: JsonPath, subject: str, letters: re.Pattern[str]) -> Secret | None:
        if not text:
            self._report.error(path, f"{subject}is empty; put the secret in it")
        elif "\n" in text or "\r" in text:
            self._report.error(path, f"{subject}holds more than one line; it must hold the secret and nothing else")
        elif not letters.fullmatch(text):
            self._report.error(path, f"{subject}holds a character that no such secret has; copy the secret again")
        else:
            return Secret(text)
        return None

    def _warn_if_open(self, file: Path, path: JsonPath) -> None:
        """Credentials are exempt: systemd guards their directory, and shows their access list as a group mode."""
        if self._credentials and file.is_relative_to(self._credentials):
            return
        if file.stat().st_mode & _READ_BY_OTHERS:
            self._report.warning(path, f"the file {file} can be read by other users; run: chmod 600 {file}")


def credentials_directory(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Systemd's credentials directory of this process."""
    text = environment.get("CREDENTIALS_DIRECTORY")
    return Path(text) if text else None


def looks_like_path(text: str) -> bool:
    """Plainly a path, so it may be shown."""
    return _LIKE_A_PATH.fullmatch(text) is not None


def _exists(file: Path) -> bool:
    """Also true where we may not look: reading then says so."""
    try:
        file.lstat()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _decoded(raw: bytes) -> str | None:
    """The text of a secret file: UTF-8, or the UTF-16 that Windows editors write."""
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None


def _unquoted(text: str) -> str:
    """Without white space and one pair of quotes around it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].strip()
    return text
