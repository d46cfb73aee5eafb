"""The configuration, as the doctor sees it: its problems, and whether the agent may read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge_agent.cli.doctor.configuration import configuration, obstacle_for
from edge_agent.cli.doctor.finding import Level
from edge_agent.config import jsonc
from edge_agent.config.jsonc import JsonError
from tests.unit.doctor.patients import KEY, UNIT, levels, only, patient

_MACHINE = f'{{"type": "OCTOPRINT", "url": "http://a", "authentication_file_path": "{KEY}", "mes_id": [1]}}'


def test_no_file_yet_is_no_fault_where_nobody_named_one(tmp_path: Path) -> None:
    found = only(configuration(patient(tmp_path, default_config=True)))
    assert found.level is Level.LOOK
    assert found.text == f"no configuration yet: there is no {tmp_path}/config.json"
    assert only(configuration(patient(tmp_path, default_config=False))).level is Level.BAD


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f"[{_MACHINE}]")
    found = only(configuration(patient(tmp_path)))
    assert (found.level, found.text) == (Level.OK, f"{tmp_path}/config.json: 1 machine")


def test_every_problem_with_its_place_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('[{"type": "OCTOPRINT", "url": "ftp://a", "mes_id": [1], "nmae": 1}]')
    found = list(configuration(patient(tmp_path)))
    assert levels(found) == [Level.BAD, Level.BAD, Level.LOOK]
    assert any(f"{tmp_path}/config.json:1:31: [0].url: expected http:// or https://" in one.text for one in found)
    assert all(one.remedy for one in found)


def test_what_is_not_for_us_to_read_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so the refusal is made up here; of root itself it would be a fault."""

    def refused(*_: object) -> bytes:
        raise JsonError("may not be read by this user; change its owner or mode")

    (tmp_path / "config.json").write_text("[]")
    monkeypatch.setattr(jsonc, "read_limited", refused)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = only(configuration(patient(tmp_path)))
    assert (found.level, found.remedy) == (Level.UNSEEN, "run this with sudo")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert only(configuration(patient(tmp_path))).level is Level.BAD


def test_a_key_that_systemd_holds_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = tmp_path / "held"
    held.mkdir()
    (held / "mark.key").write_text(KEY)
    (tmp_path / "config.json").write_text(f"[{_MACHINE.replace(KEY, 'mark.key')}]")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert Level.BAD in levels(configuration(patient(tmp_path)))
    monkeypatch.setattr("edge_agent.cli.doctor.patient._CREDENTIALS", held)
    assert levels(configuration(patient(tmp_path))) == [Level.OK]
    assert "CREDENTIALS_DIRECTORY" not in os.environ


@pytest.fixture
def file() -> Iterator[Path]:
    """A file in a folder in a folder that everybody may pass, which pytest's own are not."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "keys" / "mark.key"
        file.parent.mkdir()
        file.write_text("x")
        yield file


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "ours", "obstacle"),
    [
        (0o755, 0o644, "nothing", None),
        (0o755, 0o600, "nothing", "mark.key"),
        (0o700, 0o644, "nothing", "keys"),
        (0o755, 0o600, "user", None),
        (0o755, 0o040, "user", "mark.key"),  # the owner's bits count for the owner, even if others have more
        (0o750, 0o640, "group", None),
        (0o700, 0o640, "group", "keys"),
        (0o750, 0o604, "group", "mark.key"),
    ],
)
def test_who_may_read_what(file: Path, folder_mode: int, file_mode: int, ours: str, obstacle: str | None) -> None:
    about = file.stat()
    uid = about.st_uid if ours == "user" else about.st_uid + 7
    groups = {about.st_gid} if ours == "group" else {about.st_gid + 7}
    file.chmod(file_mode)
    file.parent.chmod(folder_mode)
    found = obstacle_for(file, uid, groups)
    file.parent.chmod(0o700)
    assert (found and found.name) == obstacle


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what others may read")
def test_what_the_agent_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.json"
    file.write_text(f"[{_MACHINE}]")
    monkeypatch.setattr("edge_agent.cli.doctor.configuration._HIDDEN", ())
    monkeypatch.setattr("edge_agent.cli.doctor.configuration.obstacle_for", lambda *_: file)
    unit = UNIT | {"User": "nobody"}
    found = list(configuration(patient(tmp_path, default_config=True, root=True, unit=unit)))
    assert levels(found) == [Level.OK, Level.BAD]
    assert found[1].text == f"the agent's user nobody may not read {file}, because of the mode of {file}"
    assert found[1].remedy == f"sudo chgrp nobody {file}; sudo chmod 640 {file}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what others may read")
def test_a_folder_that_the_unit_hides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(f"[{_MACHINE}]")
    monkeypatch.setattr("edge_agent.cli.doctor.configuration._HIDDEN", (tmp_path,))
    found = list(configuration(patient(tmp_path, default_config=True, root=True, unit=UNIT | {"User": "nobody"})))
    assert "hides" in found[1].text
