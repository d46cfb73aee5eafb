"""Where an event loop stands still: processes of their own, since faulthandler has only one of everything."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_agent.freeze import Freeze

LIVE = """
import logging, sys, threading, time
from pathlib import Path
from edge_agent.freeze import Freeze
logging.basicConfig(format="%(message)s", stream=sys.stdout)
freeze = Freeze(Path(sys.argv[1]), silent_s=0.1)
print("before:", freeze.before, flush=True)
def hangs_in_the_kernel(seconds):
    time.sleep(seconds)
def somebody_else():
    time.sleep(30)
threading.Thread(target=somebody_else, daemon=True).start()
freeze.turn()
"""


def live(folder: Path, end: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LIVE + end, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def wait_for_a_traceback(folder: Path) -> None:
    file, until = folder / "traceback.txt", time.monotonic() + 10
    while not file.exists() or "hangs_in" not in file.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)


def said(folder: Path, end: str) -> str:
    with live(folder, end) as process:
        return process.communicate(timeout=20)[0]


def before(folder: Path) -> str:
    return said(folder, "freeze.close()").removeprefix("before:").strip()


def test_a_loop_that_stood_still_and_went_on_is_told_with_the_call(tmp_path: Path) -> None:
    told = said(tmp_path, "hangs_in_the_kernel(0.5); freeze.turn(); freeze.turn(); freeze.close()")
    assert told.count("stood still in <string>:9 hangs_in_the_kernel, for more than 0.1 s; ") == 1
    assert before(tmp_path) == ""  # it went on: whatever ended it, it was not that


def test_a_loop_that_goes_round_leaves_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, "[(time.sleep(0.02), freeze.turn()) for _ in range(15)]; freeze.close()") == "before: \n"
    assert "File" not in (tmp_path / "traceback.txt").read_text()


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL])
def test_the_call_in_which_it_was_ended_is_known_to_the_next(tmp_path: Path, number: signal.Signals) -> None:
    with live(tmp_path, "hangs_in_the_kernel(30)") as process:
        wait_for_a_traceback(tmp_path)
        process.send_signal(number)
    assert before(tmp_path) == "the event loop stood still in <string>:9 hangs_in_the_kernel"
    assert "somebody_else" in (tmp_path / "traceback-before.txt").read_text()
    assert before(tmp_path) == ""
    assert "somebody_else" in (tmp_path / "traceback-before.txt").read_text()  # kept until the next freeze


def test_a_process_that_was_stopped_as_a_whole_stood_in_nothing(tmp_path: Path) -> None:
    with live(tmp_path, "import asyncio; freeze.close = None; asyncio.run(asyncio.sleep(30))") as process:
        time.sleep(1.0)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGABRT)
        process.send_signal(signal.SIGCONT)
    assert before(tmp_path) == "the process as a whole stood still"


def test_both_tracebacks_of_a_process_that_goes_on_to_be_ended_can_be_read(tmp_path: Path) -> None:
    """It wakes up to a deadline that is over and to a signal: both are written at once."""
    turns = "async def turns():\n  while True:\n    freeze.turn()\n    await asyncio.sleep(0.02)\n"
    for _ in range(5):
        with live(tmp_path, f"import asyncio\n{turns}asyncio.run(turns())") as process:
            assert process.stdout is not None
            process.stdout.readline()  # what was before: it runs
            time.sleep(0.3)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            process.send_signal(signal.SIGABRT)
            process.send_signal(signal.SIGCONT)
        at_end = (tmp_path / "traceback-at-end.txt").read_text()
        assert at_end.count("Thread ") + at_end.count("Current thread ") == 2
        assert "Timeout" not in at_end
        assert before(tmp_path) != ""


def test_our_own_code_is_named_beside_the_library_it_called(tmp_path: Path) -> None:
    (tmp_path / "traceback.txt").write_text(
        "main thread 0x0000000000000001\n"
        "Timeout (0:00:20)!\n"
        'Thread 0x0000000000000002 (most recent call first):\n  File "/x/threading.py", line 1 in wait\n\n'
        'Thread 0x0000000000000001 (most recent call first):\n  File "/l/python3.11/ssl.py", line 1166 in read\n'
        '  File "/opt/x/lib/edge_agent/session/host.py", line 30 in ask\n  File "/x/asyncio/runners.py", line 2 in run'
    )
    assert (
        before(tmp_path)
        == "the event loop stood still in python3.11/ssl.py:1166 read, called by edge_agent/session/host.py:30 ask"
    )


@pytest.mark.parametrize(
    "left", ["", "main thread 0x1\n", "\0\0\0\0", "File and nothing", "main thread 0x1\nThread 0x1\n"]
)
def test_what_cannot_be_read_says_nothing(tmp_path: Path, left: str) -> None:
    (tmp_path / "traceback.txt").write_text(left)
    assert before(tmp_path) == ""


def test_a_file_of_many_freezes_does_not_grow_for_ever(tmp_path: Path) -> None:
    told = said(
        tmp_path,
        "import edge_agent.freeze as f; f._LARGEST_BYTES = 2000\n"
        "for _ in range(8): hangs_in_the_kernel(0.2); freeze.turn()\n"
        "freeze.close()",
    )
    assert told.count("hangs_in_the_kernel, for") == 8
    assert (tmp_path / "traceback.txt").stat().st_size < 3000


def test_without_a_folder_there_is_no_traceback_and_nothing_else_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    freeze = Freeze(tmp_path / "gone", silent_s=0.1)
    freeze.turn()
    freeze.close()
    assert "there will be no traceback of a freeze" in caplog.text
    assert list(tmp_path.iterdir()) == []
