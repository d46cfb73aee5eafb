"""No secret is in a support bundle, wherever this computer keeps, logs or tells it, and however it is written there."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.cli.bundle import support_bundle
from edge_agent.jobs import JobRun
from edge_agent.journal import Journal
from tests.unit.bundle.planted import (
    FILE_NAME,
    ONLY_IN_TEXTS,
    SECRETS,
    SHORT_PASSWORD,
    SLASHED_KEY,
    USER,
    page,
    plant,
    programs,
    said,
    seeds,
    written,
)

_NOW = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)


async def _printed(state: Path) -> None:
    journal = await Journal.open(state / "journal.db")
    run = JobRun(
        id="m-1-1",
        machine_id="m-1",
        file_name=FILE_NAME,
        file_path=f"local/{FILE_NAME}",
        user=USER,
        started_at=_NOW,
        updated_at=_NOW,
        reason=said(),
    )
    await journal.record([run])
    await journal.close()


def made(folder: Path, *, with_names: bool = False) -> tuple[Path, str]:
    """A bundle of that computer, and what was printed."""
    out, file = io.StringIO(), folder / "bundle.tar.gz"
    support_bundle(
        config_path=folder / "etc" / "config.json",
        state_dir=folder / "state",
        default_config=False,
        output=file,
        with_names=with_names,
        out=out,
        ask=programs,
        now=lambda: _NOW,
    )
    return file, out.getvalue()


def members(file: Path) -> dict[str, str]:
    """Texts by name, without the folder they are in."""
    with tarfile.open(file) as archive:
        found = [(member.name, archive.extractfile(member)) for member in archive.getmembers()]
        return {name.partition("/")[2]: content.read().decode() for name, content in found if content is not None}


def _everything(file: Path) -> str:
    """All there is: the archive with its heads, decompressed, and the head of what it is compressed by."""
    packed = file.read_bytes()
    return (packed[:64] + b"\n" + gzip.decompress(packed)).decode("utf-8", "replace") + "\n" + file.name


@pytest.mark.parametrize("valid", [True, False])
def test_no_secret_in_no_form(tmp_path: Path, valid: bool) -> None:
    with page() as port:
        plant(tmp_path, port=port, valid=valid)
        asyncio.run(_printed(tmp_path / "state"))
        file, printed = made(tmp_path)
    whole = _everything(file) + printed
    small = whole.lower()
    for secret in set(SECRETS) - ({SLASHED_KEY} if valid else set()):
        for form in (*written(secret), *seeds(secret)):
            assert form.lower() not in small, f"{form!r} of {secret!r}: {_around(small, form.lower())}"
    for secret in ONLY_IN_TEXTS:
        assert secret not in whole, f"{secret!r}: {_around(whole, secret)}"


def _around(text: str, piece: str) -> str:
    at = text.find(piece)
    return text[max(0, at - 60) : at + 60]


def test_it_tells_what_helps(tmp_path: Path) -> None:
    with page() as port:
        plant(tmp_path, port=port)
        asyncio.run(_printed(tmp_path / "state"))
        file, printed = made(tmp_path)
    found = members(file)
    for name in found:
        assert f"  {name} " in printed
    broken = {name: text for name, text in found.items() if "not to be had" in text or "this part broke" in text}
    assert broken == {}
    assert json.loads(found["config.json"])["machines"][1]["url"] == "http://127.0.0.1:9/2"
    assert json.loads(found["agent/agent.json"])["machines"] == 1
    assert "print journal  ok    whole, 1 print" in found["doctor.txt"]
    assert "2026-12-24T18:00:00+00:00 pi edge-agent[1]: got X-Api-Key: (removed)" in found["log/agent.txt"]
    assert "runs: 1 rows" in found["state/journal.txt"]
    assert "-rw" in found["state/files.txt"]
    assert "keys/one.key" in found["state/files.txt"]
    assert "ExecStart=/opt/edge-agent/current/bin/edge-agent run" in found["unit.txt"]
    assert "aiohttp" in found["packages.txt"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_size < 1 << 20


def test_who_printed_what_is_nobodys_business(tmp_path: Path) -> None:
    with page() as port:
        plant(tmp_path, port=port)
        asyncio.run(_printed(tmp_path / "state"))
        file, printed = made(tmp_path)
        whole = _everything(file) + printed
        opened = members(made(tmp_path, with_names=True)[0])
    file, printed = made(tmp_path)  # the page is gone by now: the journal and the log are enough to know names
    for text in (whole, _everything(file) + printed):
        for name in (FILE_NAME, FILE_NAME.removesuffix(".gcode"), "Müller", USER, "never-journaled", "journaled"):
            assert name not in text, _around(text, name)
    run = json.loads(members(file)["state/runs.json"])[0]
    assert run["file_name"].startswith("name-")
    assert json.loads(opened["state/runs.json"])[0]["user"] == USER
    assert FILE_NAME in opened["log/agent.txt"]


def test_a_short_password_is_no_reason_to_take_words_apart(tmp_path: Path) -> None:
    with page() as port:
        plant(tmp_path, port=port)
        file, _ = made(tmp_path)
    assert SHORT_PASSWORD not in _everything(file)


def test_on_a_computer_with_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    support_bundle(
        config_path=tmp_path / "config.json",
        state_dir=tmp_path / "state",
        default_config=True,
        output=tmp_path / "bundle.tar.gz",
        with_names=False,
        out=out,
        ask=lambda *_, **__: None,
    )
    found = members(tmp_path / "bundle.tar.gz")
    assert "no configuration yet" in found["doctor.txt"]
    assert not [name for name, text in found.items() if "this part broke" in text]


@pytest.mark.parametrize("default_config", [True, False])
def test_what_else_is_in_somebodys_home_is_nobodys_business(tmp_path: Path, default_config: bool) -> None:
    plant(tmp_path, port=9)
    (tmp_path / "etc" / "letter-to-grandmother.odt").write_text("Dear Grandmother")
    file, out = tmp_path / "bundle.tar.gz", io.StringIO()
    support_bundle(
        config_path=tmp_path / "etc" / "config.json",
        state_dir=tmp_path / "state",
        default_config=default_config,
        output=file,
        with_names=False,
        out=out,
        ask=programs,
    )
    listed = members(file)["state/files.txt"]
    assert "keys/one.key" in listed
    assert ("letter-to-grandmother" in listed) == default_config


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could bring another's file into it")
def test_a_link_brings_no_other_file_into_it(tmp_path: Path) -> None:
    plant(tmp_path, port=9)
    (tmp_path / "roots").write_text("the words of root")
    (tmp_path / "roots").chmod(0o600)
    state = tmp_path / "state"
    for name in ("traceback.txt", "last-words.json", "journal.db"):
        (state / name).unlink(missing_ok=True)
        (state / name).symlink_to(tmp_path / "roots")
    os.chown(state, 12345, 12345)
    file, _ = made(tmp_path)
    assert "not to be had: Permission denied" in members(file)["state/ends.txt"]
    assert "the words of root" not in _everything(file)
