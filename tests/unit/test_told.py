"""What the agent's parts tell the page of themselves, put in the page's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent import told
from edge_agent.config import Position, Problem, Severity
from edge_agent.restarts import LastWords
from edge_agent.sinks.http.about import ConfigProblem


def test_problems_of_a_refused_file_come_first_and_keep_their_places() -> None:
    warning = Problem(file="config.json", text="unknown key", severity=Severity.WARNING)
    error = Problem(file="config.json", text="expected http://", position=Position(12, 5), path="machines[0].url")
    assert told.config_problems([warning], [error]) == (
        ConfigProblem(
            file="config.json", line=12, column=5, path="machines[0].url", text="expected http://", refused=True
        ),
        ConfigProblem(file="config.json", line=None, column=None, path="", text="unknown key", refused=False),
    )


def test_the_last_starts_are_told_and_none_without_last_words(tmp_path: Path) -> None:
    assert told.starts(None) == ()
    (start,) = told.starts(LastWords(tmp_path, version="1.0"))
    assert start.reason == "first start: nothing is known of a run before this one"


def test_a_file_system_is_told_once_and_one_that_is_gone_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    ask = told.disks(tmp_path, tmp_path / "below", tmp_path / "gone")
    (disk,) = ask()
    assert disk.path == str(tmp_path)
    assert 0 < disk.free_bytes <= disk.total_bytes

    def gone(_: Path) -> None:
        raise OSError("unplugged")

    monkeypatch.setattr(told, "disk", gone)
    assert ask() == ()
