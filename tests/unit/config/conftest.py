"""A folder with a config.json in it, and what the commands say of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.cli.check import check
from edge_agent.config import Config, load
from edge_agent.errors import ExitCode

KEY = "0123456789ABCDEF0123456789ABCDEF"
OTHER_KEY = "FEDCBA9876543210FEDCBA9876543210"
PASSWORD = "correct-horse-battery"


class Folder:
    """The folder of a config.json: ``write`` it, then ``load`` or ``check`` it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.state_dir = path / "state"
        self.state_dir.mkdir()

    def write(self, content: str | bytes | list[Any] | dict[str, Any]) -> None:
        raw = content if isinstance(content, str | bytes) else json.dumps(content)
        self.config.write_bytes(raw if isinstance(raw, bytes) else raw.encode())

    def file(self, name: str, content: str | bytes, mode: int = 0o600) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def load(self, *, remember: bool = False) -> Config:
        return load(self.config, state_dir=self.state_dir, remember=remember)

    def check(self) -> tuple[ExitCode, list[str]]:
        """Exit code and lines, the folder's name left out of them."""
        out = io.StringIO()
        code = check(config_path=self.config, state_dir=self.state_dir, probe=None, as_json=False, out=out)
        return code, out.getvalue().replace(f"{self.path}/", "").splitlines()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return Folder(tmp_path)


def machine(**keys: Any) -> dict[str, Any]:
    """A good machine object with ``keys`` put over it; ``None`` takes one out."""
    good = {"type": "OCTOPRINT", "url": "http://192.168.1.41:5000", "authentication_file_path": KEY, "mes_id": [1]}
    return {key: value for key, value in (good | keys).items() if value is not None}
