"""What the installed agent says: of a configuration, and of itself. It judges; none of its rules is repeated here."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .paths import Paths
from .shell import Run

_CHECK_S = 180.0
_MOVED = "a secret (fingerprint"


class AgentSilentError(Exception):
    """The installed agent cannot be asked; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the agent makes of a configuration.

    ``files``: config.json and every file that it names, if it is good. ``errors`` and ``remarks``: one line each.
    """

    good: bool
    files: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()
    page_port: int | None = None
    machines: int = 0
    errors: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Agent:
    """The installed agent's command, run as the agent's own user: what that cannot read is told.

    Args:
        paths: where it is.
        run: runs programs.
        user: the agent's user; none where there is no root to change from.
    """

    def __init__(self, paths: Paths, run: Run, *, user: str | None = "edge-agent") -> None:
        self._paths = paths
        self._run = run
        self._as_user = ("runuser", "-u", user, "--") if user and os.geteuid() == 0 else ()

    def check(self, config: Path) -> Verdict:
        """Everything that is wrong with a configuration.

        Raises:
            AgentSilentError: the agent could not be asked.
        """
        said = self._ask("check", "--json", "--config", str(config))
        try:
            found = json.loads(said)
            return _verdict(found)
        except (ValueError, KeyError, TypeError) as error:
            raise AgentSilentError(f"edge-agent check gave no answer that can be read: {error}") from error

    def holds_secrets(self, config: Path) -> bool:
        """A key or password stands in this good configuration itself."""
        return _MOVED in self._ask("migrate", "--config", str(config))

    def move_secrets(self, config: Path) -> None:
        """Move keys and passwords from a good configuration into files beside it.

        Raises:
            AgentSilentError: it could not be done; the file is as it was.
        """
        self._ask("migrate", "--write", "--config", str(config))

    def status(self) -> dict[str, Any]:
        """``agent`` and ``machines``, as the running agent tells them (docs/http.md).

        Raises:
            AgentSilentError: no agent answers; the text says why.
        """
        said = self._run(str(self._paths.agent_command), "status", "--json", timeout_s=_CHECK_S)
        try:
            found = json.loads(said.output)
        except ValueError:
            raise AgentSilentError(said.reason) from None
        if not isinstance(found, dict):
            raise AgentSilentError(said.reason)
        return found

    def _ask(self, *words: str) -> str:
        command = (str(self._paths.agent_command), *words, "--state-dir", str(self._paths.state))
        said = self._run(*self._as_user, *command, timeout_s=_CHECK_S)
        if said.code not in {0, 78}:
            raise AgentSilentError(f"edge-agent {words[0]} failed: {said.reason}")
        return said.output


def _verdict(found: Mapping[str, Any]) -> Verdict:
    problems = found["problems"]
    ports = {*found["ports"], *(found[name] for name in ("opcua_port", "http_port") if found[name])}
    return Verdict(
        good=bool(found["ok"]),
        files=tuple(Path(file) for file in found["files"]),
        ports=tuple(sorted(ports)),
        page_port=found["http_port"],
        machines=len(found["machines"]),
        errors=_lines(problems, "error"),
        remarks=_lines(problems, "warning"),
    )


def _lines(problems: Sequence[Mapping[str, Any]], severity: str) -> tuple[str, ...]:
    return tuple(_line(problem) for problem in problems if problem["severity"] == severity)


def _line(problem: Mapping[str, Any]) -> str:
    where = f"line {problem['line']}, column {problem['column']}" if problem["line"] else ""
    return ": ".join(part for part in (where, problem["path"], problem["text"]) if part)
