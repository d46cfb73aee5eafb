"""Root opens what the agent may have written with the agent's rights: with a link nobody gets at another's file."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge_agent.cli.doctor.certificate import certificate
from edge_agent.cli.doctor.finding import Level
from edge_agent.cli.doctor.patient import Patient, admit
from edge_agent.cli.doctor.prints import prints
from edge_agent.cli.doctor.rights import agents_rights, is_agents, text_of
from edge_agent.config import Config
from tests.unit.doctor.patients import KEY, Programs, only, patient, well

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
_AGENT = 12345


@pytest.fixture
def folder() -> Iterator[Path]:
    """The agent's state, a configuration of its own, and a file of root's; passable, which pytest's folders are not."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for made in (folder / "state", folder / "state" / "pki"):
            made.mkdir(mode=0o700)
            os.chown(made, _AGENT, _AGENT)
        (folder / "roots").write_text(KEY)
        (folder / "roots").chmod(0o600)
        yield folder


def _linked(folder: Path, name: str) -> None:
    (folder / "state" / name).symlink_to(folder / "roots")


def test_a_link_to_a_file_of_roots_is_not_followed(folder: Path) -> None:
    _linked(folder, "traceback.txt")
    with pytest.raises(PermissionError):
        text_of(folder / "state" / "traceback.txt", folder / "state")
    assert (folder / "roots").read_text() == KEY  # root is root again


def test_what_is_the_agents_is_read(folder: Path) -> None:
    file = folder / "state" / "device-uuid"
    file.write_text("mine")
    file.chmod(0o600)
    os.chown(file, _AGENT, _AGENT)
    assert text_of(file, folder / "state") == "mine"
    assert is_agents(file, folder / "state")
    assert not is_agents(folder / "roots", folder / "state")


def test_other_threads_keep_their_rights(folder: Path) -> None:
    read: list[str] = []
    begin = threading.Event()

    def other() -> None:
        begin.wait(10)
        read.append((folder / "roots").read_text())

    thread = threading.Thread(target=other)
    thread.start()
    with agents_rights(folder / "state"):
        begin.set()
        thread.join()
        with pytest.raises(PermissionError):
            (folder / "roots").read_text()
    assert read == [KEY]


def _admitted(folder: Path) -> Patient:
    return admit(
        config_path=folder / "config.json",
        state_dir=folder / "state",
        default_config=False,
        probe=well,
        ask=Programs(),
    )


def test_a_configuration_of_the_agents_names_no_file_of_roots(folder: Path) -> None:
    """Whose key would be sent to whatever host it names."""
    machine = f'{{"type": "OCTOPRINT", "url": "http://a", "authentication_file_path": "{folder}/roots", "mes_id": [1]}}'
    config = folder / "config.json"
    config.write_text(f'{{"machines": [{machine}], "http": {{"enabled": false}}}}')
    assert isinstance(_admitted(folder).reading.config, Config)  # root's own file may
    os.chown(config, _AGENT, _AGENT)
    refused = _admitted(folder).reading
    assert refused.config is None
    assert "may not be read" in str(refused.problems[0])
    assert not refused.hidden  # it is a fault, and not for want of sudo


def test_neither_certificate_nor_journal_is_a_link(folder: Path) -> None:
    _linked(folder, "journal.db")
    _linked(folder, "pki/certificate.der")
    for check in (prints, certificate):
        found = only(check(patient(folder)))
        assert (found.level, "Permission denied" in found.text) == (Level.UNSEEN, True)
