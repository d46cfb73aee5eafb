"""``status.txt``: a technician without network tools reads the card."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from .agent import Agent, AgentSilentError
from .card import Writable, write_text
from .customisation import problems
from .files import replace
from .paths import Paths
from .shell import Run
from .words import status_text

MOST_WRITES = 4
"""In one boot: a card wears, and a machine's state changes all day."""
_WHEN = "Written "
_USUAL_PAGE_PORT = 8080


class StatusFile:
    """Writes ``status.txt`` where it has changed.

    Args:
        paths: where everything is.
        agent: is asked how it is.
        run: runs programs.
        writable: opens the card for writing.
    """

    def __init__(self, paths: Paths, agent: Agent, run: Run, writable: Writable) -> None:
        self._paths = paths
        self._agent = agent
        self._run = run
        self._writable = writable

    def update(self, now: datetime | None = None) -> bool:
        """Write it, if something in it is new and it was not written often enough since the board was started.

        Returns:
            Whether it was written.

        Raises:
            OSError: the card cannot be written.
        """
        counter = self._paths.run / "status-writes"
        writes = int(counter.read_text()) if counter.is_file() else 0
        if writes >= MOST_WRITES:
            (self._paths.run / "status-done").touch()  # the timer's unit is skipped from now on
            return False
        text = status_text(self.facts())
        file = self._paths.card / "status.txt"
        old = file.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n") if file.is_file() else ""
        if old.rpartition(f"\n{_WHEN}")[0] == text:
            return False
        at = (now or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC, by this board's clock")
        with self._writable():
            self._paths.card.mkdir(exist_ok=True)
            write_text(file, f"{text}\n{_WHEN}{at}\n")
        self._paths.run.mkdir(parents=True, exist_ok=True)
        counter.write_text(str(writes + 1))
        return True

    def facts(self) -> dict[str, Any]:
        """What the text is made of."""
        found: dict[str, Any] = {
            "host_name": self._paths.text("proc/sys/kernel/hostname"),
            "addresses": self._addresses(),
            "page_port": self._page_port(),
            "machines": [],
            "configured": (self._paths.etc / "config.json").is_file(),
            "takes_updates": (self._paths.share / "update.pub").is_file(),
            **last_outcome(self._paths),
        }
        found["remarks"] = [*problems(self._paths), *found["remarks"]]
        try:
            told = self._agent.status()
            found |= {"agent": told["agent"], "machines": told["machines"]}
        except (AgentSilentError, KeyError) as error:
            found["silence"] = str(error)
        return found

    def _page_port(self) -> int | None:
        config = self._paths.etc / "config.json"
        try:
            verdict = self._agent.check(config) if config.is_file() else None
        except AgentSilentError:
            verdict = None
        return verdict.page_port if verdict and verdict.good else _USUAL_PAGE_PORT

    def _addresses(self) -> list[str]:
        """Those that another computer can use, IPv4 first."""
        said = self._run("ip", "-json", "address", "show", "up", "scope", "global")
        try:
            links = json.loads(said.output)
        except ValueError:
            return []
        every = (about for link in links for about in link.get("addr_info", ()))
        # What the scope leaves out is told as {}.
        found = [about for about in every if "local" in about and not about.get("temporary")]
        return [about["local"] for about in sorted(found, key=lambda about: about["family"])]


def keep_outcome(paths: Paths, *, taken: tuple[str, ...], remarks: tuple[str, ...]) -> None:
    """Remember until the next boot what the drop box did, for ``status.txt``."""
    paths.run.mkdir(parents=True, exist_ok=True)
    replace(paths.run / "drop-box.json", json.dumps({"taken": taken, "remarks": remarks}).encode())


def last_outcome(paths: Paths) -> dict[str, list[str]]:
    """What `keep_outcome` kept."""
    file = paths.run / "drop-box.json"
    found: dict[str, list[str]] = json.loads(file.read_bytes()) if file.is_file() else {"taken": [], "remarks": []}
    return found
