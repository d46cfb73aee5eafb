"""Why the agent was started, from what the last run left in the state folder."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from edge_agent.errors import ConfigError, UnavailableError
from edge_agent.restarts import END_FILE, KEEP_STARTS, WORDS_FILE, LastWords, last_line

KEY = "0123456789ABCDEF0123456789ABCDEF"


def run(folder: Path, *, version: str = "1.0", boot: str = "boot 1", frozen: str = "") -> LastWords:
    return LastWords(folder, version=version, boot_id=boot, frozen=frozen)


def systemd_says(folder: Path, words: str) -> None:
    (folder / END_FILE).write_text(f"{words}\n")


def restart_after(
    folder: Path,
    last: Callable[[LastWords], None] = lambda _: None,
    *,
    systemd: str = "",
    version: str = "1.0",
    boot: str = "boot 1",
    frozen: str = "",
) -> str:
    last(run(folder))
    if systemd:
        systemd_says(folder, systemd)
    return str(run(folder, version=version, boot=boot, frozen=frozen).restart)


def stopped(words: LastWords) -> None:
    words.stopped("stopped by SIGTERM")


def late(words: LastWords) -> None:
    words.late("poller of a made no progress for 98 s (deadline 98 s)", "a poller made no progress")


def crashed(words: LastWords) -> None:
    try:
        list[str]().index("boom")
    except ValueError as error:
        words.failed(error)


def test_nothing_is_known_before_the_first_start(tmp_path: Path) -> None:
    assert str(run(tmp_path).restart).startswith("first start: ")


@pytest.mark.parametrize("systemd", ["", "success exited 0"])
@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ({}, "operator: stopped by SIGTERM"),
        ({"version": "1.1"}, "update: from 1.0 to 1.1"),
        ({"version": "1.1", "boot": "boot 2"}, "update: from 1.0 to 1.1"),
        ({"boot": "boot 2"}, "reboot: stopped by SIGTERM, and the host started anew"),
    ],
)
def test_who_was_stopped_in_order_was_stopped_by_somebody(
    tmp_path: Path, now: dict[str, str], systemd: str, reason: str
) -> None:
    assert restart_after(tmp_path, stopped, systemd=systemd, **now) == reason


@pytest.mark.parametrize(
    ("systemd", "frozen", "reason"),
    [
        ("oom-kill killed KILL", "", "out of memory: the kernel ended it for want of memory"),
        ("watchdog killed ABRT", "it stood in a.py:1 f", "watchdog: it stood in a.py:1 f"),
        ("watchdog killed ABRT", "", "watchdog: it stood still, and nobody knows in which call"),
        ("signal killed KILL", "", "killed: by signal KILL"),
        ("core-dump dumped SEGV", "it stood in a.py:1 f", "crash: by signal SEGV: it stood in a.py:1 f"),
        ("timeout killed TERM", "", "killed: it took too long to start, reload or stop"),
        ("exit-code exited 1", "", "crash: it ended without a word (exit-code, exited 1)"),
        ("success exited 0", "", "operator: stopped"),
        ("", "it stood in a.py:1 f", "watchdog: it stood in a.py:1 f"),
        ("", "", "killed: it ended without a word: by kill -9, or for want of memory"),
    ],
)
def test_of_who_ended_without_a_word_systemd_knows_more(tmp_path: Path, systemd: str, frozen: str, reason: str) -> None:
    assert restart_after(tmp_path, systemd=systemd, frozen=frozen) == reason


def test_a_host_that_starts_anew_without_a_stop_has_lost_its_power(tmp_path: Path) -> None:
    reason = "power loss: the host started anew, and the agent had not been stopped"
    assert restart_after(tmp_path, boot="boot 2") == reason
    assert restart_after(tmp_path, late, boot="boot 2") == reason


def test_a_late_part_is_named_and_told_to_everybody_without_its_machine(tmp_path: Path) -> None:
    assert restart_after(tmp_path, late, systemd="watchdog killed ABRT", frozen="it stood in a.py:1 f") == (
        "watchdog: poller of a made no progress for 98 s (deadline 98 s)"
    )
    late(run(tmp_path))
    systemd_says(tmp_path, "watchdog killed ABRT")
    assert run(tmp_path).restart.told == "watchdog: a poller made no progress"


def test_a_late_part_that_went_on_was_not_the_cause(tmp_path: Path) -> None:
    def went_on(words: LastWords) -> None:
        late(words)
        words.late("", "")

    assert restart_after(tmp_path, went_on, systemd="signal killed KILL") == "killed: by signal KILL"


def test_who_is_late_while_it_stops_was_stopped(tmp_path: Path) -> None:
    def stopped_while_late(words: LastWords) -> None:
        stopped(words)
        late(words)

    assert restart_after(tmp_path, stopped_while_late) == "operator: stopped by SIGTERM"


@pytest.mark.parametrize("systemd", ["", "exit-code exited 1", "timeout killed KILL"])
@pytest.mark.parametrize("boot", ["boot 1", "boot 2"])
def test_a_crash_is_told_by_the_last_line_of_its_traceback(tmp_path: Path, systemd: str, boot: str) -> None:
    assert restart_after(tmp_path, crashed, systemd=systemd, boot=boot).startswith(
        "crash: ValueError: 'boom' is not in list (test_restarts.py:"
    )


def test_a_configuration_that_cannot_be_used_is_no_crash(tmp_path: Path) -> None:
    refused = restart_after(tmp_path, lambda words: words.failed(ConfigError("config.json:1:5: no\nmore")))
    assert refused == "configuration: config.json:1:5: no"
    taken = restart_after(tmp_path, lambda words: words.failed(UnavailableError("port 4840 is in use")))
    assert taken == "unavailable: port 4840 is in use"


def test_a_later_attempt_that_failed_is_not_taken_for_the_stop_before_it(tmp_path: Path) -> None:
    assert restart_after(tmp_path, stopped, systemd="exit-code exited 203").startswith("crash: it ended without a word")


def test_what_systemd_said_counts_once(tmp_path: Path) -> None:
    run(tmp_path)
    systemd_says(tmp_path, "oom-kill killed KILL")
    words = run(tmp_path)
    assert words.restart.cause == "out of memory"
    words.stopped("stopped by SIGTERM")
    assert run(tmp_path).restart.cause == "operator"


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"version": 3}', b"\xff\xfe"])
def test_words_that_cannot_be_read_are_none(tmp_path: Path, left: bytes) -> None:
    (tmp_path / WORDS_FILE).write_bytes(left)
    (tmp_path / END_FILE).write_bytes(left)
    assert run(tmp_path).restart.cause == "first start"


def test_a_folder_that_cannot_be_written_costs_the_words_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "gone"
    words = run(folder)
    words.stopped("stopped by SIGTERM")
    assert "the next start will not know of this end" in caplog.text
    assert run(folder).restart.cause == "first start"


def test_the_words_are_for_nobody_else_to_read(tmp_path: Path) -> None:
    run(tmp_path)
    assert stat.S_IMODE((tmp_path / WORDS_FILE).stat().st_mode) == 0o600


def test_the_host_s_own_boot_id_is_asked(tmp_path: Path) -> None:
    LastWords(tmp_path, version="1.0")
    assert LastWords(tmp_path, version="1.0").restart.cause == "killed"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"X-Api-Key: {KEY}", "X-Api-Key: ..."),
        ("https://technician:hunter2@printer/api", "https://...@printer/api"),
        ("wrong password 'correct horse'", "wrong password '...'"),
        (
            "'NoneType' object has no attribute 'temperatures_at'",
            "'NoneType' object has no attribute 'temperatures_at'",
        ),
        ("first\nsecond", "first"),
        ("", ""),
    ],
)
def test_no_secret_is_in_the_last_line(text: str, shown: str) -> None:
    assert last_line(ValueError(text), ["correct horse", "correct", ""]) == f"ValueError: {shown}"


def test_a_last_line_is_not_longer_than_a_status_can_be() -> None:
    assert len(last_line(ValueError("no " * 10_000))) < 400


def test_the_last_starts_are_kept_the_newest_first(tmp_path: Path) -> None:
    at = datetime(2026, 3, 4, tzinfo=UTC)
    for number in range(KEEP_STARTS + 3):
        words = LastWords(tmp_path, version="1.0", boot_id="boot 1", now=partial(at.__add__, timedelta(hours=number)))
        words.late("poller of a made no progress", "a poller made no progress")
    assert len(words.starts) == KEEP_STARTS
    assert words.starts[0].at == at + timedelta(hours=KEEP_STARTS + 2)
    assert words.starts[1].at == at + timedelta(hours=KEEP_STARTS + 1)
    assert words.starts[0].reason == "watchdog: a poller made no progress"  # and names no machine
    assert run(tmp_path).starts[1] == words.starts[0]


def test_words_of_a_version_that_kept_no_starts_are_read(tmp_path: Path) -> None:
    (tmp_path / WORDS_FILE).write_text('{"version": "1.0", "boot_id": "boot 1", "pid": 1, "end": "operator"}')
    assert [start.reason for start in run(tmp_path).starts] == ["operator: "]
