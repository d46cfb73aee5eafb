"""Release archives of this checkout, and of versions that it might have been: older, newer, broken."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
_PARTS = (
    *("edge_agent", "scripts", "systemd", "docs", "LICENSE", "README.md"),
    *("pyproject.toml", "requirements.txt", "requirements-build.txt"),
)


def this_version() -> str:
    """The checkout's."""
    return _version_line(ROOT).group(1)


class Archives:
    """Makes archives in ``folder``, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, str, bool], Path] = {}

    def build(
        self, *, version: str | None = None, broken: bool = False, architecture: str = ARCHITECTURE, anew: bool = False
    ) -> Path:
        """The archive of this checkout as it stands.

        Args:
            version: call it this version.
            broken: ``edge-agent run`` ends at once.
            architecture: arm64 or amd64.
            anew: even if there is one already; it takes the place of that one.
        """
        what = (version or this_version(), architecture, broken)
        if anew or what not in self._made:
            self._made[what] = self._build(*what, number=len(self._made))
        return self._made[what]

    def _build(self, version: str, architecture: str, broken: bool, *, number: int) -> Path:
        tree = copy_checkout(self._folder / f"{version}-{architecture}-{number}")
        line = _version_line(tree)
        (tree / "edge_agent" / "__init__.py").write_text(line.string.replace(line[0], f'__version__ = "{version}"'))
        if broken:
            (tree / "edge_agent" / "cli" / "run.py").write_text("raise SystemExit('broken on purpose')\n")
        return run_build(tree, architecture)


def copy_checkout(tree: Path) -> Path:
    """What a release is made of, in a folder of its own, that no version control knows."""
    for name in _PARTS:
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    return tree


def run_build(tree: Path, architecture: str) -> Path:
    """The archive that scripts/build-release makes of a copied checkout."""
    return _run("build-release", tree, architecture)[-1]


def run_build_deb(tree: Path, architecture: str) -> list[Path]:
    """The packages that scripts/build-deb makes of a copied checkout, for Debian 12 and 13; uncompressed, for speed."""
    return _run("build-deb", tree, architecture)


def _run(script: str, tree: Path, architecture: str) -> list[Path]:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(Path.home()), "SOURCE_DATE_EPOCH": "1790000000"}
    done = subprocess.run(
        [tree / "scripts" / script, architecture],
        env=environment | {"PYTHON": str(ROOT / ".venv" / "bin" / "python"), "COMPRESSION": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


def _version_line(tree: Path) -> re.Match[str]:
    found = re.search(r'^__version__ = "(.+)"', (tree / "edge_agent" / "__init__.py").read_text(), re.MULTILINE)
    assert found
    return found
