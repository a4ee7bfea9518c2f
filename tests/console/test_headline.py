"""What is said of a run beside its figures."""

from __future__ import annotations

import pytest

from tests.records import record
from vlmft_console.runs.headline import countdown, headline
from vlmft_console.runs.status import RUNNING, STOPPING, RunStatus
from vlmft_core.run_folder.stop import StopRequest


@pytest.mark.parametrize(
    ("waited", "text"),
    [
        (0, "saving a checkpoint; ended without one in 10:00"),
        (599.5, "saving a checkpoint; ended without one in 0 s"),
        (601, "told to end (TERM), killed in 59 s"),
        (661, "killed"),
    ],
)
def test_a_stop_is_counted_down_rung_by_rung(waited: float, text: str) -> None:
    assert countdown(StopRequest("x"), waited) == text


def test_a_stop_at_once_saves_nothing() -> None:
    assert countdown(StopRequest("x", now=True), 1.0) == "told to end (TERM), killed in 4 s"


def test_the_clock_of_a_live_run_runs_and_that_of_an_ended_one_stands() -> None:
    assert headline("run", RunStatus(RUNNING), None, 50.0).now == 50.0
    ended = headline("run", RunStatus("failed", "rank 3 died"), None, 50.0)
    assert (ended.now, ended.remark) == (None, "rank 3 died")
    stopping = headline("run", RunStatus(STOPPING), None, 50.0, asked=StopRequest("x", t=40.0))
    assert stopping.remark == "saving a checkpoint; ended without one in 9:50"


def test_a_log_alone_is_growing_recorded_or_what_its_last_record_says() -> None:
    assert headline("log", None, None, 0.0, growing=True).word == "growing"
    assert headline("log", None, None, 0.0).word == "recorded"
    end = record("run_end", status="early_stopped", reason="eval loss rose")
    assert headline("log", None, end, 0.0).word == "early_stopped"


def test_of_a_log_with_several_trainings_it_is_said_which_one_is_shown() -> None:
    which = "the last of several trainings in this log"
    for options in ({"growing": True}, {"growing": False}):
        assert headline("log", None, None, 0.0, one_of_several=True, **options).remark == which
    end = record("run_end", status="stopped", reason="Ctrl-C")
    assert headline("log", None, end, 0.0, one_of_several=True).remark == f"Ctrl-C, {which}"
