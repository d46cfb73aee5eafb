"""Snapshots to jobs: every way a print can begin and end, as seen by somebody who only looks now and then."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.jobs import JobEvent, JobEventKind, JobRun, JobTracker, Outcome
from edge_agent.model import Job, MachineState, Snapshot

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
UNSET = datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)
S = MachineState
CUBE = "Kunden/Müller & Söhne/Würfel 20 mm, größer ✓ 立方体.gcode"


class Shop:
    """A tracker, and clocks that pass when told to."""

    def __init__(self, *, now: datetime = NOON, open_run: JobRun | None = None, last: JobRun | None = None) -> None:
        self.now = now
        self.monotonic_s = 77.0
        numbers = itertools.count(1)
        self.tracker = JobTracker("mark-one", open_run=open_run, last=last, token=lambda: f"{next(numbers):06x}")
        self.events: list[JobEvent] = []

    def see(
        self,
        state: MachineState,
        progress: float | None = None,
        elapsed: float | None = None,
        *,
        file: str | None = "gear.gcode",
        after: float = 1.0,
        jump: float = 0.0,
        error: str = "",
        text: str = "",
        **more: Any,
    ) -> list[str]:
        """What the tracker makes of a look ``after`` seconds, the wall clock having jumped by ``jump``."""
        self.monotonic_s += after
        self.now += timedelta(seconds=after + jump)
        job = Job(file_name=file, file_path=file, progress_ratio=progress, elapsed_s=elapsed, **more)
        snapshot = Snapshot(
            state=state,
            state_text=text or state.value,
            observed_at=self.now,
            response_time_s=0.01,
            job=job,
            error=error,
        )
        found = self.tracker.observe(snapshot, now=self.now, monotonic_s=self.monotonic_s)
        self.events += found
        return [event.kind.value for event in found]

    @property
    def run(self) -> JobRun:
        assert self.tracker.current is not None
        return self.tracker.current

    @property
    def last(self) -> JobRun:
        assert self.tracker.last is not None
        return self.tracker.last

    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.events]

    def restart(self, *, after: float, now: datetime | None = None) -> Shop:
        """The agent is gone for so long, and knows what its last event recorded."""
        recorded = self.events[-1].run
        shop = Shop(now=now or self.now + timedelta(seconds=after), open_run=recorded if recorded.is_open else None)
        shop.events = self.events
        return shop


@pytest.fixture
def shop() -> Shop:
    """A machine that is idle, a file selected."""
    shop = Shop()
    assert shop.see(S.READY) == []
    return shop


@pytest.fixture
def printing(shop: Shop) -> Shop:
    """One that is half-way through."""
    assert shop.see(S.STARTING, 0.0, 0) == ["started"]
    assert shop.see(S.PRINTING, 0.01, 1, after=2) == []
    assert shop.see(S.PRINTING, 0.5, 601, after=600, remaining_s=600.0) == []
    return shop


# --- seen from beginning to end ---


def test_a_print_from_start_to_done(printing: Shop) -> None:
    begun_at = NOON + timedelta(seconds=2)
    assert printing.run.started_at == begun_at
    assert (printing.run.progress_ratio, printing.run.elapsed_s) == (0.5, 601)
    printing.see(S.FINISHING, 1.0, 1200, after=10)
    assert printing.see(S.DONE, 1.0, 1204, estimated_s=1100.0) == ["finished"]
    assert printing.tracker.current is None
    last = printing.last
    assert (last.outcome, last.reason, last.elapsed_s, last.progress_ratio) == (Outcome.COMPLETED, "", 1204, 1.0)
    assert (last.ended_at, last.estimated_s, last.started_at) == (printing.now, 1100.0, begun_at)
    assert printing.see(S.DONE, 1.0, 1204, after=3600) == []


def test_what_a_run_remembers_of_its_file() -> None:
    shop = Shop()
    job: dict[str, Any] = {
        "file_size_bytes": 2050,
        "user": "änne",
        "filament_length_mm": 12.5,
        "filament_volume_cm3": 0.5,
    }
    shop.see(S.PRINTING, 0.1, 10, file=CUBE, **job)
    run = shop.run
    assert (run.machine_id, run.file_path) == ("mark-one", CUBE)
    assert (run.file_size_bytes, run.user, run.filament_length_mm, run.filament_volume_cm3) == (2050, "änne", 12.5, 0.5)
    shop.see(S.PRINTING, 0.2, 11, file=CUBE)
    assert shop.run.filament_length_mm == 12.5  # said once is known


def test_a_print_that_was_going_on_when_the_agent_came_began_by_its_elapsed_time() -> None:
    shop = Shop()
    assert shop.see(S.PRINTING, 0.5, 600) == ["started"]
    assert shop.run.started_at == shop.now - timedelta(seconds=600)


def test_a_pause(printing: Shop) -> None:
    assert printing.see(S.PAUSING, 0.5, 602) == []
    assert printing.see(S.PAUSED, 0.5, 602) == ["paused"]
    assert printing.run.paused
    assert printing.see(S.PAUSED, 0.5, 650, after=50) == []  # a printer that counts on
    assert printing.see(S.RESUMING, 0.5, 650) == ["resumed"]
    assert printing.see(S.PRINTING, 0.5, 603) == []  # and leaves the pause out when it is over
    assert (printing.run.pauses, printing.run.paused_s, printing.run.paused) == (1, 52.0, False)


def test_a_machine_found_paused_has_a_run_that_is_paused() -> None:
    shop = Shop()
    assert shop.see(S.PAUSED, 0.5, 600) == ["started", "paused"]
    assert shop.see(S.PRINTING, 0.5, 600) == ["resumed"]


def test_a_cancel_that_was_seen(printing: Shop) -> None:
    assert printing.see(S.CANCELLING, 0.5, 602) == []
    assert printing.see(S.READY) == ["cancelled"]
    assert (printing.last.progress_ratio, printing.last.elapsed_s, printing.last.reason) == (0.5, 602, "")


def test_a_cancel_between_two_looks_shows_by_the_lost_progress(printing: Shop) -> None:
    assert printing.see(S.READY) == ["cancelled"]


def test_a_cancel_in_a_pause(printing: Shop) -> None:
    printing.see(S.PAUSED, 0.5, 602)
    assert printing.see(S.CANCELLING, 0.5, 602) == []
    assert printing.see(S.READY) == ["cancelled"]
    assert not printing.last.paused


def test_a_fault_has_its_text(printing: Shop) -> None:
    assert printing.see(S.FAULT, file=None, error="MINTEMP triggered, heater_ID: 0") == ["failed"]
    assert (printing.last.outcome, printing.last.reason) == (Outcome.FAILED, "MINTEMP triggered, heater_ID: 0")
    assert printing.see(S.FAULT, file=None, error="MINTEMP triggered, heater_ID: 0") == []


def test_a_dropped_serial_line_is_a_fault(printing: Shop) -> None:
    assert printing.see(S.FAULT, file=None, error="SerialTimeoutException:") == ["failed"]


def test_a_fault_without_a_text_is_named_by_the_state(printing: Shop) -> None:
    printing.see(S.FAULT, file=None, text="Offline after error")
    assert printing.last.reason == "Offline after error"


def test_a_disconnect_while_printing(printing: Shop) -> None:
    assert printing.see(S.OFF, file=None, text="Offline") == ["failed"]
    assert printing.last.reason == "the printer was disconnected (Offline)"


def test_a_printer_that_switches_itself_off_after_the_last_line_has_done_its_work(printing: Shop) -> None:
    printing.see(S.FINISHING, 1.0, 1200, after=5)
    assert printing.see(S.OFF, file=None) == ["finished"]


def test_a_print_from_the_sd_card_is_a_print() -> None:
    shop = Shop()
    assert shop.see(S.STARTING, 0.0, 0, file="sdtest~1.gco", text="Starting print from SD") == ["started"]
    shop.see(S.PRINTING, 0.4, 40, file="sdtest~1.gco", text="Printing from SD", after=40)
    assert shop.see(S.DONE, 1, 41, file="sdtest~1.gco") == ["finished"]


def test_an_upload_to_the_sd_card_is_none(shop: Shop) -> None:
    assert shop.see(S.STARTING, 0.0, 0, file="long.gco", text="Starting to send file to SD") == []
    assert shop.see(S.PRINTING, 0.5, 40, file="long.gco", text="Sending file to SD") == []
    assert shop.see(S.DONE, 1.0, 1, file="long.gco") == []
    assert shop.tracker.last is None


# --- two answers of two moments ---


def test_the_job_of_before_the_start_does_not_begin_a_run(shop: Shop) -> None:
    shop.see(S.STARTING, 0.0, 0)
    shop.see(S.DONE, 1.0, 300, after=10)
    assert shop.see(S.STARTING, 1.0, 300) == []
    assert shop.see(S.STARTING, 0.0, 0, file="next.gcode") == ["started"]
    assert shop.run.file_path == "next.gcode"


def test_the_job_of_before_a_new_start_at_once_is_not_the_new_run_s(printing: Shop) -> None:
    assert printing.see(S.STARTING, 0.5, 602) == []
    assert printing.see(S.PRINTING, 0.0, 0) == ["cancelled", "started"]
    assert printing.see(S.STARTING, 0.0, 1) == []
    assert printing.see(S.PRINTING, 0.0, 1) == ["cancelled", "started"]  # restarted, though nothing went backwards


def test_a_machine_that_never_tells_progress_has_runs_too(shop: Shop) -> None:
    assert shop.see(S.PRINTING) == []
    assert shop.see(S.PRINTING) == ["started"]
    assert shop.see(S.READY) == ["cancelled"]


@pytest.mark.parametrize(("then", "outcome"), [((S.DONE, 1.0, 605), "finished"), ((S.READY, None, None), "cancelled")])
def test_idle_in_the_middle_of_the_file_is_decided_by_the_next_look(
    printing: Shop, then: tuple[MachineState, float | None, float | None], outcome: str
) -> None:
    assert printing.see(S.READY, 0.5, 602) == []
    assert printing.tracker.current is not None
    assert printing.see(*then) == [outcome]


def test_idle_in_the_middle_of_the_file_twice_is_a_cancel(printing: Shop) -> None:
    printing.see(S.READY, 0.5, 602)
    assert printing.see(S.READY, 0.5, 602) == ["cancelled"]


def test_idle_in_the_middle_of_the_file_and_printing_on_is_nothing(printing: Shop) -> None:
    printing.see(S.READY, 0.5, 602)
    assert printing.see(S.PRINTING, 0.51, 603) == []


# --- one print after another ---


def test_the_same_file_twice(shop: Shop) -> None:
    for _ in range(2):
        assert shop.see(S.STARTING, 0.0, 0) == ["started"]
        assert shop.see(S.DONE, 1.0, 300, after=300) == ["finished"]
    ids = [event.run.id for event in shop.events]
    assert ids == sorted(ids)
    assert len(set(ids)) == 2


def test_the_same_file_again_at_once(printing: Shop) -> None:
    printing.see(S.FINISHING, 1.0, 1200)
    assert printing.see(S.STARTING, 0.0, 0) == ["finished", "started"]


def test_a_cancel_at_nothing_and_a_new_start_at_once(shop: Shop) -> None:
    shop.see(S.STARTING, 0.0, 0)
    shop.see(S.PRINTING, 0.0, 5, after=5)
    assert shop.see(S.PRINTING, 0.0, 0) == ["cancelled", "started"]
    assert shop.see(S.STARTING, 0.0, 0) == []
    assert shop.see(S.STARTING, 0.0, 0) == ["cancelled", "started"]
    assert shop.see(S.STARTING, 0.0, 0) == []


def test_elapsed_going_backwards_is_another_run(printing: Shop) -> None:
    assert printing.see(S.PRINTING, 0.5, 100) == ["cancelled", "started"]


def test_a_new_start_after_a_pause_is_told_by_its_progress(printing: Shop) -> None:
    printing.see(S.PAUSED, 0.5, 602)
    printing.see(S.PAUSED, 0.5, 602, after=1000)
    assert printing.see(S.PRINTING, 0.0, 1) == ["cancelled", "started"]


def test_another_file_while_printing_is_another_run(printing: Shop) -> None:
    assert printing.see(S.PRINTING, 0.6, 603, file="other.gcode") == ["cancelled", "started"]
    assert printing.last.reason == "another print was begun before this one was done"


def test_a_nearly_done_print_followed_by_another_may_have_been_done(printing: Shop) -> None:
    printing.see(S.PRINTING, 0.995, 1195, after=10)
    assert printing.see(S.PRINTING, 0.0, 0) == ["lost", "started"]


def test_a_short_print_between_two_looks_is_seen_by_what_it_left(shop: Shop) -> None:
    assert shop.see(S.DONE, 1.0, 4, after=8) == ["started", "finished"]
    assert shop.last.reason == "begun and done between two looks"
    assert shop.last.started_at == shop.now - timedelta(seconds=4)
    assert shop.see(S.DONE, 1.0, 5, after=8) == ["started", "finished"]  # the same file, another time
    assert shop.see(S.DONE, 1.0, 5, after=8, file="b.gcode") == ["started", "finished"]  # another file, the same time
    assert shop.see(S.DONE, 1.0, 5, after=8, file="b.gcode") == []  # cannot be told from no print


def test_a_time_that_does_not_fit_between_two_looks_is_no_print(shop: Shop) -> None:
    assert shop.see(S.DONE, 1.0, 3000) == []


def test_another_print_done_in_place_of_this_one(printing: Shop) -> None:
    assert printing.see(S.DONE, 1.0, 3, after=10, file="short.gcode") == ["cancelled", "started", "finished"]
    assert [event.run.file_path for event in printing.events[-3:]] == ["gear.gcode", "short.gcode", "short.gcode"]


def test_a_print_done_before_the_agent_came_is_not_recorded() -> None:
    assert Shop().see(S.DONE, 1.0, 300) == []


# --- away: the printer's server was silent ---


@pytest.mark.parametrize("state", [S.OFF, S.CONNECTING, S.READY])
def test_a_restart_of_the_server_loses_the_run(printing: Shop, state: MachineState) -> None:
    seen_at = printing.now
    assert printing.see(state, file=None, after=40) == ["lost"]
    assert printing.last.ended_at == seen_at
    assert printing.last.reason.startswith("not seen for 40 s; then the printer ")


def test_hours_away_and_back_in_the_same_run(printing: Shop) -> None:
    assert printing.see(S.PRINTING, 0.9, 601 + 7200, after=7200) == []


def test_hours_away_and_a_pause_meanwhile(printing: Shop) -> None:
    printing.see(S.PAUSED, 0.5, 602)
    assert printing.see(S.PRINTING, 0.6, 902, after=7200) == ["resumed"]
    assert printing.run.paused_s == 6900.0


def test_hours_away_and_in_another_run_of_the_same_file(printing: Shop) -> None:
    assert printing.see(S.PRINTING, 0.6, 700, after=7200) == ["lost", "started"]
    assert printing.run.started_at == printing.now - timedelta(seconds=700)


def test_hours_away_and_done(printing: Shop) -> None:
    seen_at = printing.now
    assert printing.see(S.DONE, 1.0, 1205, after=7200) == ["finished"]
    assert printing.last.ended_at == seen_at + timedelta(seconds=604)  # by the elapsed time, not now


def test_hours_away_and_another_done(printing: Shop) -> None:
    assert printing.see(S.DONE, 1.0, 400, after=7200) == ["lost", "started", "finished"]


def test_hours_away_and_idle(printing: Shop) -> None:
    assert printing.see(S.READY, after=7200) == ["lost"]
    assert printing.last.reason == "not seen for 7200 s; then idle without progress"


def test_too_short_a_silence_for_the_rest_of_the_print_is_a_cancel_or_a_fault(printing: Shop) -> None:
    assert printing.see(S.READY, after=200) == ["cancelled"]
    printing.see(S.PRINTING, 0.1, 10, remaining_s=5000.0)
    assert printing.see(S.FAULT, file=None, error="MAXTEMP", after=200) == ["failed"]


def test_a_fault_found_after_hours_need_not_be_of_this_print(printing: Shop) -> None:
    assert printing.see(S.FAULT, file=None, error="MAXTEMP", after=7200) == ["lost"]
    assert printing.last.reason == "not seen for 7200 s; then in fault: MAXTEMP"


# --- away: the agent itself was ---


def test_the_agent_back_in_the_same_run(printing: Shop) -> None:
    run_id = printing.run.id
    shop = printing.restart(after=300)
    assert shop.see(S.PRINTING, 0.7, 905) == []
    assert shop.run.id == run_id
    assert shop.see(S.DONE, 1.0, 1205, after=300) == ["finished"]
    assert shop.last.id == run_id


def test_the_agent_back_in_another_run(printing: Shop) -> None:
    run_id = printing.run.id
    shop = printing.restart(after=36000)
    assert shop.see(S.PRINTING, 0.7, 905) == ["lost", "started"]
    assert shop.last.ended_at == printing.events[0].run.updated_at
    assert shop.run.id > run_id


@pytest.mark.parametrize(
    ("look", "kinds"),
    [
        ((S.DONE, 1.0, 1205), ["finished"]),
        ((S.READY, None, None), ["lost"]),
        ((S.OFF, None, None), ["lost"]),
        ((S.FAULT, None, None), ["lost"]),
    ],
)
def test_the_agent_back_after_the_run(
    printing: Shop, look: tuple[MachineState, float | None, float | None], kinds: list[str]
) -> None:
    assert printing.restart(after=36000).see(*look) == kinds


def test_the_agent_back_after_seconds_knows_a_fault_as_one(shop: Shop) -> None:
    shop.see(S.STARTING, 0.0, 0)
    assert shop.restart(after=5).see(S.FAULT, file=None, error="MAXTEMP") == ["failed"]


def test_the_agent_back_in_a_pause(printing: Shop) -> None:
    printing.see(S.PAUSED, 0.5, 602)
    shop = printing.restart(after=599)
    assert shop.see(S.PAUSED, 0.5, 602) == []
    assert shop.run.paused_s == 600.0  # the agent's absence, and the look's second
    assert shop.see(S.PRINTING, 0.5, 603) == ["resumed"]


def test_the_agent_back_with_a_clock_that_is_not_set(printing: Shop) -> None:
    shop = printing.restart(after=0, now=UNSET)
    assert shop.see(S.PRINTING, 0.7, 905) == []  # file, progress and elapsed time agree, the clock cannot disagree
    shop = printing.restart(after=0, now=UNSET)
    assert shop.see(S.PRINTING, 0.7, 905, file="other.gcode") == ["lost", "started"]
    assert shop.run.id > printing.run.id  # also now


# --- clocks ---


def test_a_clock_set_during_a_print_corrects_its_start() -> None:
    shop = Shop(now=UNSET)
    shop.see(S.PRINTING, 0.1, 60)
    first = shop.run
    assert first.started_at.year == 1969
    shop.see(S.PRINTING, 0.2, 70, after=10, jump=(NOON - UNSET).total_seconds())
    assert shop.run.started_at == shop.now - timedelta(seconds=70)
    assert shop.run.id == first.id
    assert shop.run.paused_s == 0.0


def test_a_clock_set_during_a_pause_corrects_its_start() -> None:
    shop = Shop(now=UNSET)
    shop.see(S.PAUSED, 0.1, 60)
    shop.see(S.PAUSED, 0.1, 100, after=40, jump=(NOON - UNSET).total_seconds())
    assert shop.run.started_at == shop.now - timedelta(seconds=100)


def test_a_clock_set_at_the_very_end_corrects_the_start_too() -> None:
    shop = Shop(now=UNSET)
    shop.see(S.PRINTING, 0.1, 60)
    shop.see(S.READY, jump=(NOON - UNSET).total_seconds())
    assert shop.last.started_at == shop.now - timedelta(seconds=61)


def test_a_run_begun_under_an_unset_clock_is_corrected_after_a_restart() -> None:
    shop = Shop(now=UNSET)
    shop.see(S.PRINTING, 0.1, 60)
    back = shop.restart(after=0, now=NOON)
    assert back.see(S.PRINTING, 0.3, 260) == []
    assert back.run.started_at == back.now - timedelta(seconds=260)


def test_a_clock_that_goes_back_ends_no_run_and_confuses_no_length(printing: Shop) -> None:
    printing.see(S.PAUSED, 0.5, 602)
    assert printing.see(S.PAUSED, 0.5, 602, after=10, jump=-86400.0) == []
    assert printing.see(S.PRINTING, 0.5, 603, jump=-86400.0) == ["resumed"]
    assert printing.run.paused_s == 11.0
    assert printing.see(S.DONE, 1.0, 1204, after=601) == ["finished"]
    assert printing.last.ended_at is not None
    assert printing.last.ended_at > printing.last.started_at


def test_ids_ascend_also_when_the_clock_does_not(shop: Shop) -> None:
    ids = []
    for _ in range(5):
        shop.see(S.PRINTING, 0.1, 10, jump=-3600.0)
        ids.append(shop.run.id)
        shop.see(S.READY)
    assert ids == sorted(set(ids))
    assert ids[0].startswith("mark-one-20260504T1")
    later = JobTracker("mark-one", last=replace(shop.last, id="mark-one-no stamp-x"))
    assert later.current is None


def test_an_elapsed_time_beyond_the_calendar_is_survived() -> None:
    shop = Shop()
    assert shop.see(S.PRINTING, 0.1, 1e300) == ["started"]


def test_an_end_is_an_end() -> None:
    assert [kind.value for kind in JobEventKind if kind.is_end] == ["finished", "cancelled", "failed", "lost"]
