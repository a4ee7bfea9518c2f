"""What a run says at its end of base and adapter: shares, their intervals, whether the difference may be chance."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from tests.records import evaluated, plan, record, run_start, step
from vlmft_console.history.state import RunState
from vlmft_console.report.summary import score_lines, task_scores
from vlmft_core.scoring.chance import paired


def state(base: dict[str, Any], tuned: dict[str, Any], **fields: Any) -> RunState:
    """A run whose base and adapter answered questions."""
    found = RunState()
    found.apply(plan(3))
    found.apply(record("eval", step=0, epoch=0.0, eval_loss=None, tasks={"qa": base}))
    found.apply(record("eval", step=3, epoch=1.0, eval_loss=1.0, tasks={"qa": tuned}, **fields))
    return found


def told(run: RunState) -> str:
    ((task, text),) = score_lines(task_scores(run))
    assert task == "qa"
    return text


def test_answers_to_the_same_questions_are_told_apart_one_by_one() -> None:
    pairs = [(1.0, 0.0)] * 9 + [(0.0, 1.0)] + [(1.0, 1.0)] * 10
    run = state({"accuracy": 0.55, "n": 20}, {"accuracy": 0.95, "n": 20}, against_base={"qa": asdict(paired([pairs]))})
    assert told(run) == (
        "base 55.0 % [34.2, 74.2] -> tuned 95.0 % [76.4, 99.1]"
        " (+40.0, accuracy, n=20; better on 9, worse on 1, p = 0.021)"
    )
    figures = task_scores(run)["qa"]
    assert figures["low"] == pytest.approx({"base": 0.3421, "tuned": 0.7639}, abs=1e-4)
    assert figures["against_base"]["better"] == 9


def test_where_only_the_shares_are_known_a_difference_within_their_errors_may_be_chance() -> None:
    assert told(state({"accuracy": 0.5, "n": 20}, {"accuracy": 0.6, "n": 20})).endswith("n=20; may be chance)")
    assert told(state({"accuracy": 0.1, "n": 20}, {"accuracy": 0.9, "n": 20})).endswith("n=20)")


def test_where_the_base_answered_other_numbers_of_questions_both_are_said() -> None:
    assert told(state({"accuracy": 0.1, "n": 1200}, {"accuracy": 0.9, "n": 20})).endswith("accuracy, n=1,200 and 20)")


def test_a_log_that_does_not_tell_how_many_questions_there_were_has_no_interval() -> None:
    run = state({"accuracy": 0.5}, {"accuracy": 0.6}, against_base=["nonsense"])
    assert told(run) == "base 50.0 % -> tuned 60.0 % (+10.0, accuracy)"
    assert task_scores(run)["qa"]["low"] == {"base": None, "tuned": None}


def test_the_result_of_an_adapter_stays_when_a_run_goes_on_and_has_measured_no_answers_yet() -> None:
    run = state({"accuracy": 0.5, "n": 20}, {"accuracy": 0.9, "n": 20})
    before = told(run)
    run.apply_all([run_start(2, 3), step(4), evaluated(4, 0.9), step(5), record("run_end", status="stopped")])
    assert told(run) == before
