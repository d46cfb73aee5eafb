"""Root, before it reads what the agent may have written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AGENT = 4711
SECRET = "of-root-0123456789ABCDEF"

# All is imported at first: this interpreter may stand where another user cannot look.
_PROGRAM = "import sys, edge_agent.cli.check, edge_agent.cli.probe; from edge_agent.cli import main; sys.exit(main())"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away, and rights up")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A config.json that names a file of root's as the key of a printer."""
    tmp_path.chmod(0o755)
    for folder in (tmp_path.parent, tmp_path.parent.parent):  # pytest's own are nobody else's to look into
        folder.chmod(0o755)
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", AGENT, AGENT)
    (tmp_path / "root.key").write_text(SECRET)
    (tmp_path / "root.key").chmod(0o600)
    machine = {"type": "OCTOPRINT", "url": "http://127.0.0.1:9", "authentication_file_path": "root.key", "mes_id": [1]}
    (tmp_path / "config.json").write_text(json.dumps([machine]))
    return tmp_path


def check(etc: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _PROGRAM, "check"]
    where = ["--config", str(etc / "config.json"), "--state-dir", str(etc / "state")]
    return subprocess.run([*command, *where], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("written", ["config.json", "."])
def test_file_of_root_that_the_agent_can_name_is_not_read(etc: Path, written: str) -> None:
    assert check(etc).returncode == 0
    os.chown(etc / written, 0 if written == "." else AGENT, AGENT)
    (etc / written).chmod(0o775)
    answer = check(etc)
    assert answer.returncode == 78
    assert "may not be read by this user" in answer.stdout
