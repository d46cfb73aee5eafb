"""What can be said of install.sh and the locks without a computer to install on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edge_agent.config import load

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "install.sh"
PARTS = [SCRIPT, *sorted((ROOT / "scripts" / "install").glob("*.sh"))]
PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")


def test_every_error_number_is_explained_and_no_other() -> None:
    said = {number for part in PARTS for number in re.findall(r"\bfail (\d+) ", part.read_text(encoding="utf-8"))}
    table = PAGE.split("## Errors")[1]
    assert set(re.findall(r"^\| (\d+) \|", table, re.MULTILINE)) == said


def test_every_option_is_explained_and_no_other() -> None:
    read = SCRIPT.read_text(encoding="utf-8").split("read_options() {")[1].split("\n}")[0]
    known = set(re.findall(r"(--[a-z-]+)(?= \||\))", read)) - {"--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE)) == known
    shown = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE)) == known


@pytest.mark.parametrize("length", [0.1, 0.5, 0.9, 0.99])
def test_a_download_that_was_cut_off_does_nothing(tmp_path: Path, length: float) -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    text = text[: text.rindex("\nmain ")]
    cut = tmp_path / "install.sh"
    cut.write_text(text[: int(len(text) * length)], encoding="utf-8")
    done = subprocess.run(["bash", cut, "--frob"], capture_output=True, text=True, check=False)
    assert "edge-agent:" not in done.stdout + done.stderr


def test_the_example_is_a_good_configuration(tmp_path: Path) -> None:
    example = (ROOT / "systemd" / "config.json.example").read_text(encoding="utf-8")
    (tmp_path / "config.json").write_text(example, encoding="utf-8")
    (tmp_path / "mark-one.key").write_text("0123456789ABCDEF", encoding="utf-8")
    (tmp_path / "mark-one.key").chmod(0o600)
    config = load(tmp_path / "config.json", state_dir=tmp_path, remember=False)
    assert [machine.machine.id for machine in config.machines] == ["mark-one"]
    assert config.warnings == ()


def test_what_is_installed_is_what_is_tested() -> None:
    tested, shipped = pins("requirements-dev.txt"), pins("requirements.txt")
    assert "asyncua" in shipped
    assert "pytest" not in shipped
    assert shipped.items() <= tested.items()
    assert "pip" in pins("requirements-build.txt")


def pins(name: str) -> dict[str, str]:
    """Packages and versions of a lock."""
    return dict(re.findall(r"^([a-z][a-z0-9-]*)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
