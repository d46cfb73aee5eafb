"""All checks together: none keeps the others from being told, whatever happens to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from edge_agent.cli.doctor.examination import CHECKS, Check, examine
from edge_agent.cli.doctor.finding import Finding, Level, bad, look, ok, unseen
from edge_agent.cli.doctor.patient import Patient, Reading
from edge_agent.cli.doctor.report import exit_code, lines, report
from edge_agent.config import Problem
from edge_agent.errors import ExitCode
from tests.unit.doctor.patients import KEY, patient

_CONFIG = f'[{{"type": "OCTOPRINT", "url": "http://127.0.0.1:9", "authentication_file_path": "{KEY}", "mes_id": [1]}}]'


def _well(_: Patient) -> Iterator[Finding]:
    yield ok("it is well")


def test_a_check_with_a_bug_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(_CONFIG)

    def broken(_: Patient) -> Iterator[Finding]:
        yield ok("so far")
        raise ValueError(f"no such key: {KEY}")

    first, second = examine(patient(tmp_path), [Check("broken", broken), Check("well", _well)])
    assert first.findings[0] == ok("so far")
    assert first.worst is Level.BAD
    assert "this check broke: ValueError: no such key: ..." in first.findings[1].text
    assert KEY not in first.findings[1].text
    assert second.findings == (ok("it is well"),)


def test_a_check_that_hangs_is_a_line_and_delays_nothing(tmp_path: Path) -> None:
    release = threading.Event()

    def hanging(_: Patient) -> Iterator[Finding]:
        yield ok("so far")
        release.wait(30)

    began = time.monotonic()
    examined = examine(
        patient(tmp_path), [Check("one", hanging), Check("two", hanging), Check("well", _well)], limit_s=0.2
    )
    try:
        assert time.monotonic() - began < 5
        assert [len(one.findings) for one in examined] == [2, 2, 1]
        assert "not finished after 0.2 s" in examined[0].findings[1].text
    finally:
        release.set()


def test_every_check_bears_a_patient_of_whom_nothing_is_known(tmp_path: Path) -> None:
    """No configuration, no state, no systemd, no agent, no programs."""
    nobody = patient(tmp_path, unit={}, agent=None, silence="no agent answers; is it running", ask=lambda *_: None)
    examined = examine(nobody)
    assert [one.title for one in examined] == [check.title for check in CHECKS]
    assert all(one.findings for one in examined)
    texts = [finding.text for one in examined for finding in one.findings]
    assert not [text for text in texts if "broke" in text or "not finished" in text]


def test_what_somebody_should_do_is_told_wherever_something_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"machines": [], "opcuaa": {}, "polling": {"interval_s": "x"}}')
    for one in examine(patient(tmp_path, unit={"LoadState": "loaded", "ActiveState": "failed", "Result": "signal"})):
        for finding in one.findings:
            assert finding.remedy or finding.level in {Level.OK, Level.UNSEEN}, finding


def test_exit_codes(tmp_path: Path) -> None:
    usable = patient(tmp_path, reading=Reading(config=None, missing=True), default_config=True)
    wrong = patient(tmp_path, reading=Reading(problems=(Problem(file="config.json", text="it is wrong"),)))
    hidden = patient(tmp_path, reading=Reading(problems=wrong.reading.problems, hidden=True))
    unnamed = patient(tmp_path, reading=Reading(missing=True), default_config=False)

    def code(whom: Patient, *found: Finding) -> ExitCode:
        return exit_code(whom, examine(whom, [Check("one", lambda _: found)]))

    assert code(usable, ok("fine"), unseen("dark")) == 0
    assert code(usable, ok("fine"), look("a little", "do")) == 1
    assert code(usable, bad("much", "do"), ok("fine")) == 1
    assert code(hidden, ok("fine"), unseen("dark")) == 0
    assert code(wrong, ok("fine")) == 78
    assert code(unnamed, ok("fine")) == 78


def test_the_page(tmp_path: Path) -> None:
    whom = patient(tmp_path)
    found = [
        ok("the first"),
        look("a text that is so long that it has to be folded somewhere, which is after a word", "do this"),
        bad("\x1b[2Jwiped", "do that"),
    ]
    page = list(lines(report(whom, examine(whom, [Check("things", lambda _: found)])), width=70, colour=False))
    assert page[:6] == [
        "things         ok    the first",
        "               look  a text that is so long that it has to be folded",
        "                     somewhere, which is after a word",
        "                     -> do this",
        "               BAD   wiped",
        "                     -> do that",
    ]
    assert page[-1].endswith("2026-12-24 18:00:00 UTC: 1 ok, 1 to look at, 1 bad")
    coloured = list(lines(report(whom, examine(whom, [Check("things", lambda _: found)])), width=70, colour=True))
    assert "\x1b[1;31mBAD   \x1b[0m" in coloured[4]
