"""What a run has to tell, and the list of the last ones."""

from __future__ import annotations

from msgspec.structs import replace

from edge_agent.jobs import KEEP_RECENT, JobRun, Outcome, RecentRuns

from .test_jobs import NOON, S, Shop

RUN = JobRun(id="m-01", machine_id="m", started_at=NOON, updated_at=NOON)


def test_a_run_has_its_files_date_also_if_that_is_told_late() -> None:
    shop = Shop()
    shop.see(S.READY)
    shop.see(S.PRINTING, 0.0, 1.0, file_date=NOON)
    assert shop.run.file_date == NOON
    late = Shop()
    late.see(S.READY)
    late.see(S.PRINTING, 0.0, 1.0)
    late.see(S.PRINTING, 0.1, 2.0, file_date=NOON)
    late.see(S.PRINTING, 0.2, 3.0)
    assert late.run.file_date == NOON


def test_a_run_has_more_to_tell_when_something_else_than_time_and_progress_changes() -> None:
    shop = Shop()
    shop.see(S.READY)
    shop.see(S.PRINTING, 0.0, 1.0)
    before = shop.run
    shop.see(S.PRINTING, 0.1, 2.0)
    assert shop.run != before
    assert not shop.run.tells_more_than(before)
    shop.see(S.PRINTING, 0.2, 3.0, user="änne")
    assert shop.run.tells_more_than(before)
    named = shop.run
    shop.see(S.PAUSED, 0.2, 3.0)
    assert shop.run.tells_more_than(named)


def test_recent_runs_are_the_newest_first_and_not_more_than_so_many() -> None:
    recent = RecentRuns([replace(RUN, id=f"m-{number:02}") for number in range(30, 0, -1)])
    assert [run.id for run in recent.runs] == [f"m-{number:02}" for number in range(30, 30 - KEEP_RECENT, -1)]
    recent.note(replace(RUN, id="m-31"))
    assert [run.id for run in recent.runs] == [f"m-{number:02}" for number in range(31, 31 - KEEP_RECENT, -1)]


def test_a_run_that_ends_keeps_its_place() -> None:
    recent = RecentRuns([replace(RUN, id="m-02"), RUN])
    ended = replace(RUN, outcome=Outcome.LOST, ended_at=NOON)
    recent.note(ended)
    assert recent.runs == (replace(RUN, id="m-02"), ended)


def test_the_list_is_the_same_object_while_there_is_nothing_more_to_tell() -> None:
    recent = RecentRuns([RUN])
    before = recent.runs
    recent.note(replace(RUN, progress_ratio=0.5, elapsed_s=10.0, paused_s=1.0))
    assert recent.runs is before
